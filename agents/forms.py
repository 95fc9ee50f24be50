"""The four forms in which a model may be asked to answer, and the reading of an answer in any of them.

`tool` has the model call a function whose arguments are the answer; `json_schema` and `json_object` have the
service hold it to the schema, or to JSON; `text` asks for nothing but words.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Literal, TypeVar, get_args

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_function, convert_to_openai_tool

from agents.answers import Answer, Unreadable, read, validate
from agents.budget import tokens_told
from agents.endpoints import STATISTICAL
from agents.settings import AnswerForm

A = TypeVar("A", bound=Answer)
Ending = Literal["whole", "cut", "declined"]

FORMS: tuple[AnswerForm, ...] = get_args(AnswerForm)
_CUT = frozenset({"length", "max_tokens", "model_length"})
_DECLINED = frozenset(
    {"content_filter", "refusal", "safety", "blocklist", "prohibited_content", "spii", "recitation"}
)
# Services that hold a model to a schema refuse one with these; `agents.answers` holds to them all the same.
_NOT_STRICT = frozenset({"default", "title", "maxLength", "minLength", "discriminator"})
_LEAST_ROOM = 4_096
_NAME = re.compile(r"[^A-Za-z0-9_-]")


def bound(
    model: BaseChatModel, name: str, form: AnswerForm, answer: type[Answer], tools: Sequence[BaseTool] = ()
) -> Runnable[Any, AIMessage]:
    """The model, asked for an answer of a type in a form.

    Args:
        model: opened.
        name: of the model, as settings have it.
        form: tools are offered in the form `tool` alone.
        answer: its type.
        tools: that it may call before it answers.
    """
    asked: Runnable[Any, AIMessage] = model
    if form == "tool":
        offered = [*(_converted(_Same(tool)) for tool in tools), _as_tool(answer)]
        asked = model.bind_tools(offered, tool_choice=None if name == STATISTICAL else "any")
    elif form != "text" and name != STATISTICAL:
        # By its own parameter the client would parse the answer itself, and raise errors of three kinds.
        asked = model.bind(extra_body={"response_format": response_format(form, answer)})
    return asked.with_config(tags=["nostream"])


class _Same:
    """A tool as a key, for tools have no hash: equal to itself alone."""

    def __init__(self, tool: BaseTool) -> None:
        self.tool = tool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.tool is self.tool

    def __hash__(self) -> int:
        return id(self.tool)


@lru_cache(maxsize=64)
def _converted(same: _Same) -> dict[str, Any]:
    return convert_to_openai_tool(same.tool)


@cache
def _as_tool(answer: type[Answer]) -> dict[str, Any]:
    return convert_to_openai_tool(_convertible(answer))


def _convertible(answer: type[Answer]) -> type[Answer] | dict[str, Any]:
    """The type, or its schema where it holds itself, as LangChain writes out every reference."""
    schema = answer.model_json_schema()
    parts = schema.get("$defs", {})
    holds_itself = any(f'"#/$defs/{name}"' in json.dumps(part) for name, part in parts.items())
    return schema if holds_itself else answer


@cache
def response_format(form: AnswerForm, answer: type[Answer]) -> dict[str, Any]:
    """What a service is told of an answer's form: `json_schema` with the strict schema, or `json_object`."""
    if form == "json_object":
        return {"type": "json_object"}
    function = convert_to_openai_function(_convertible(answer), strict=True)
    schema = {"name": _NAME.sub("_", function["name"]), "schema": _strict(function["parameters"])}
    return {"type": "json_schema", "json_schema": schema | {"strict": True}}


def _strict(schema: Any) -> Any:  # noqa: ANN401
    if isinstance(schema, Mapping):
        kept = {key: _strict_field(key, value) for key, value in schema.items() if key not in _NOT_STRICT}
        if "oneOf" in kept:
            kept["anyOf"] = kept.pop("oneOf")
        return kept
    return [_strict(item) for item in schema] if isinstance(schema, list) else schema


def _strict_field(key: str, value: Any) -> Any:  # noqa: ANN401
    """A field's names are no keywords: one may be called `title`."""
    if key == "properties":
        return {name: _strict(field) for name, field in value.items()}
    return _strict(value)


def ending(response: AIMessage) -> Ending:
    """Whether a response is whole, was cut at its limit of length, or is none: the model declined."""
    told = response.response_metadata
    reason = str(told.get("finish_reason") or told.get("stop_reason") or "").lower()
    if reason in _DECLINED or response.additional_kwargs.get("refusal"):
        return "declined"
    return "cut" if reason in _CUT else "whole"


def with_room(
    model: Runnable[list[BaseMessage], AIMessage], response: AIMessage
) -> Runnable[list[BaseMessage], AIMessage]:
    """The model with more room for its answer than the response had that was cut."""
    _, written = tokens_told(response) or (0, 0)
    return model.bind(max_tokens=max(_LEAST_ROOM, 2 * written))


def calls_tools(response: AIMessage, answer: type[Answer]) -> bool:
    """Whether the response is tool calls only.

    Raises:
        Unreadable: a call's arguments are broken, so that it is not known what was meant.
    """
    if any(call.get("name") != answer.__name__ for call in response.invalid_tool_calls):
        raise Unreadable(["the arguments of a tool call are not valid JSON"])
    answers = any(call["name"] == answer.__name__ for call in response.tool_calls)
    return bool(response.tool_calls) and not answers and not response.invalid_tool_calls


def answer_in(response: AIMessage, answer: type[A]) -> A:
    """The answer that a response holds, as a call or as text.

    Raises:
        Unreadable: it holds none of the type, or several.
    """
    given = [call for call in response.tool_calls if call["name"] == answer.__name__]
    if len(given) > 1:
        raise Unreadable(["more than one answer; give one"])
    if given:
        return validate(given[0]["args"], answer)
    return read(text_of(response, answer), answer)


def text_of(response: AIMessage, answer: type[Answer]) -> str:
    """The answer's own broken arguments where there are any, else the words beside the calls."""
    name = answer.__name__
    broken = (call.get("args") or "" for call in response.invalid_tool_calls if call.get("name") == name)
    return next(broken, response.text)

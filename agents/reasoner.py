"""StatisticalReasoner: a chat model that answers from the numbers in the case, with no key and no network.

It sees what a language model sees (the case document and the tools it is offered), and nothing else.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    UsageMetadata,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from agents import thoughts
from agents.answers import Answer
from tools.numerics.memory import Memory

_DESCRIBED = Memory(1 << 14)
_NO_CASE = (
    "I am the statistical reasoner: I answer case documents (one JSON object with a `task`) from the "
    "numbers in them. To talk, choose a language model."
)


class StatisticalReasoner(BaseChatModel):
    """A deterministic chat model over case documents.

    For each task it either calls an offered tool once or gives the answer, as a tool call when the
    answer's tool is bound and as JSON text otherwise. It uses no tokens.
    """

    model_name: str = "statistical"

    @property
    def _llm_type(self) -> str:
        return "statistical-reasoner"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model_name}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offers tools, in any form that LangChain converts."""
        return self.bind(tools=list(map(_described, tools)), **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        offered = {tool["function"]["name"] for tool in kwargs.get("tools", [])}
        return ChatResult(generations=[ChatGeneration(message=_answer(messages, offered))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Iterator[ChatGenerationChunk]:
        message = self._generate(messages, stop, run_manager, **kwargs).generations[0].message
        chunk = AIMessageChunk(
            content=message.content,
            tool_calls=getattr(message, "tool_calls", []),
            usage_metadata=getattr(message, "usage_metadata", None),
        )
        yield ChatGenerationChunk(message=chunk)


def _described(tool: dict[str, Any] | type | Callable[..., Any] | BaseTool) -> dict[str, Any]:
    """A tool as OpenAI describes it. The tool is kept beside it, so that no other takes its `id`."""
    return _DESCRIBED.recall(id(tool), lambda: (tool, convert_to_openai_tool(tool)))[1]


def _answer(messages: list[BaseMessage], offered: set[str]) -> AIMessage:
    case = next((message.text for message in messages if isinstance(message, HumanMessage)), "")
    results = [_result(message) for message in messages if isinstance(message, ToolMessage)]
    try:
        thought = thoughts.think(case, frozenset(offered), results)
    except ValidationError:
        return _message(content=_NO_CASE)
    if isinstance(thought, thoughts.ToolRequest):
        return _message(calls=[(thought.tool, thought.arguments)])
    return _spoken(thought, offered)


def _result(message: ToolMessage) -> dict[str, Any]:
    """What a tool returned; empty where it failed and said so in words."""
    try:
        result = json.loads(message.text)
    except ValueError:
        return {}
    return result if isinstance(result, dict) else {}


def _spoken(answer: Answer, offered: set[str]) -> AIMessage:
    name = type(answer).__name__
    if name in offered:
        return _message(calls=[(name, answer.model_dump(mode="json"))])
    return _message(content=answer.model_dump_json())


def _message(content: str = "", calls: Sequence[tuple[str, dict[str, Any]]] = ()) -> AIMessage:
    return AIMessage(
        content=content,
        tool_calls=[
            {"name": name, "args": arguments, "id": f"call_{i}", "type": "tool_call"}
            for i, (name, arguments) in enumerate(calls)
        ],
        usage_metadata=UsageMetadata(input_tokens=0, output_tokens=0, total_tokens=0),
        response_metadata={"model_name": "statistical"},
    )

"""Answers of a language model kept by what was asked: nothing is paid twice, and a run can be replayed.

While a `recording` is open, `agents.providers.open_model` gives a model that looks for its answer among the
stored ones first. It reaches every node of a graph that is run inside it, and nobody outside.
"""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    UsageMetadata,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, ValidationError

from agents.budget import CHARACTERS_PER_TOKEN, SECONDS, tokens_told
from agents.failures import provider_error, require_answer
from agents.reasoner import StatisticalReasoner
from tools.safety.errors import IikeaError, InputError, ProviderError
from tools.safety.files import write_first, write_whole

_AWAY = ".away"
_NOT_STORED = "the answer to a request is not stored; have it asked for first, without --replay"


class Tally(NamedTuple):
    """What requests took: how many there were, tokens read and written, and those of them paid for now."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    paid_in: int = 0
    paid_out: int = 0


class Recording(ABC):
    """Where answers come from before a service is asked, and tallies of them. Safe in several threads.

    Attributes:
        tallies: by model.
    """

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self._lock = threading.Lock()

    @property
    def tally(self) -> Tally:
        """Of all models together."""
        return Tally(*(sum(values) for values in zip(Tally(), *self.tallies.values(), strict=True)))

    @abstractmethod
    def answer(self, request: dict[str, Any], ask: Callable[[], AIMessage]) -> AIMessage:
        """The answer to a request.

        Args:
            request: JSON-native; equal requests have equal answers.
            ask: asks the service.
        """

    def _count(self, model: str, tokens_in: int, tokens_out: int, paid: bool) -> None:
        with self._lock:
            before = self.tallies.get(model, Tally())
            added = (1, tokens_in, tokens_out, tokens_in * paid, tokens_out * paid)
            self.tallies[model] = Tally(*(a + b for a, b in zip(before, added, strict=True)))


class _Stored(NamedTuple):
    """What is kept of a request: the answer, None if it cannot be parsed; or how the service failed."""

    model: str
    message: AIMessage | None
    failure: ProviderError | None


class StoredAnswers(Recording):
    """Answers in a private folder, one file each, named by the sha256 of its request.

    Where a service stayed away that is kept beside it, so that a replay goes to the fallback as the run did;
    who does not replay asks again. Of several processes that ask the same, all go on with the first answer.

    Args:
        folder: of the answers; made if missing.
        replay: whether to refuse what is not stored instead of asking.
    """

    def __init__(self, folder: Path, replay: bool = False) -> None:
        super().__init__()
        self.folder, self.replay = folder, replay

    def answer(self, request: dict[str, Any], ask: Callable[[], AIMessage]) -> AIMessage:
        """The stored answer; else the service's, which is stored before it is used.

        Raises:
            InputError: replayed, and the answer is not stored; or what is stored is damaged.
            ProviderError: replayed, and the service stayed away.
            RecursionError: the answer was, or is, one that cannot be parsed.
        """
        path = self._path(request)
        known = self._load(path)
        if self.replay and known is None:
            away = self._load(path.with_suffix(_AWAY))
            raise (away and away.failure) or InputError("replay", _NOT_STORED)
        message = (known or self._asked(request["model"], path, ask)).message
        self._count(request["model"], *(tokens_told(message) or (0, 0)), paid=known is None)
        if message is None:
            raise RecursionError("the arguments of a tool call in the stored answer cannot be parsed")
        return message

    def paid(self) -> dict[str, tuple[int, int]]:
        """Tokens read and written for all stored answers, by model: each was paid for once."""
        paid: dict[str, tuple[int, int]] = {}
        for path in self.folder.glob("*/*.json"):
            stored = self._load(path)
            tokens = tokens_told(stored.message) if stored else None
            if stored and tokens:
                read, written = paid.get(stored.model, (0, 0))
                paid[stored.model] = (read + tokens[0], written + tokens[1])
        return paid

    def _path(self, request: dict[str, Any]) -> Path:
        digest = sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        return self.folder / digest[:2] / f"{digest}.json"

    def _asked(self, model: str, path: Path, ask: Callable[[], AIMessage]) -> _Stored:
        """The service's answer with the time it took, stored as it is read again."""
        began = monotonic()
        try:
            message = require_answer(ask())
        except (RecursionError, ValidationError):
            return self._first(path, {"model": model, "answer": None})
        except IikeaError:
            raise
        except Exception as error:  # each client library raises its own types; every one is passed on
            failure = provider_error(error)
            if failure.stayed_away:
                told = {"message": str(failure), "status": failure.status, "stayed_away": True}
                self._store(path.with_suffix(_AWAY), {"model": model, "failed": told}, write_whole)
            raise
        taken = {SECONDS: round(monotonic() - began, 3)}
        timed = message.model_copy(update={"response_metadata": message.response_metadata | taken})
        return self._first(path, {"model": model, "answer": messages_to_dict([timed])[0]})

    def _first(self, path: Path, document: dict[str, Any]) -> _Stored:
        """What is stored: the document, or another that was there before it."""
        self._store(path, document, write_first)
        return self._load(path) or _stored(document)

    def _store(self, path: Path, document: dict[str, Any], write: Callable[[Path, bytes], None]) -> None:
        try:
            for folder in (self.folder, path.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write(path, json.dumps(document, sort_keys=True).encode())
        except OSError as error:
            rule = f"cannot be stored ({error.strerror}); make room or name another folder"
            raise InputError("answers", rule) from None

    def _load(self, path: Path) -> _Stored | None:
        """What is stored; None where nothing is."""
        try:
            return _stored(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            remedy = "let its owner read it, or name another folder"
            rule = f"{path.name} cannot be read ({error.strerror}); {remedy}"
            raise InputError("answers", rule) from None
        except (ValueError, KeyError, TypeError):
            rule = f"{path.name} is damaged; remove it, and it is asked for again"
            raise InputError("answers", rule) from None


def _stored(document: dict[str, Any]) -> _Stored:
    """Raises ValueError, KeyError or TypeError where the document is none of ours."""
    if "failed" in document:
        return _Stored(document["model"], None, ProviderError(**document["failed"]))
    answer = document["answer"]
    message = messages_from_dict([answer])[0] if answer is not None else None
    if message is not None and not isinstance(message, AIMessage):
        raise ValueError("no answer of a model")
    return _Stored(document["model"], message, None)


class Rehearsal(Recording):
    """The statistical reasoner in the place of a service, to estimate what a run will take.

    Attributes:
        requests: what would have been asked, each as `answer` takes it, in no order where it is asked at
            the same time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[dict[str, Any]] = []

    def answer(self, request: dict[str, Any], ask: Callable[[], AIMessage]) -> AIMessage:
        """The reasoner's answer; tokens are a quarter of the characters that went in and came out."""
        tools = request["options"].get("tools", [])
        message = (
            StatisticalReasoner()
            .bind_tools(tools)
            .invoke(messages_from_dict(request["messages"]), config={"callbacks": []})
        )
        said = json.dumps([message.content, [call["args"] for call in message.tool_calls]])
        heard = json.dumps([request["messages"], tools])
        tokens_in, tokens_out = len(heard) // CHARACTERS_PER_TOKEN, len(said) // CHARACTERS_PER_TOKEN
        self._count(request["model"], tokens_in, tokens_out, paid=True)
        with self._lock:
            self.requests.append(request)
        usage = UsageMetadata(
            input_tokens=tokens_in, output_tokens=tokens_out, total_tokens=tokens_in + tokens_out
        )
        return message.model_copy(update={"usage_metadata": usage, "response_metadata": {SECONDS: 0.0}})


_OPEN: ContextVar[Recording | None] = ContextVar("recording", default=None)


@contextmanager
def recording(to: Recording | None) -> Iterator[None]:
    """Has the models that are opened inside the block answer through a recording; None changes nothing."""
    token = _OPEN.set(to) if to else None
    try:
        yield
    finally:
        if token:
            _OPEN.reset(token)


def recorded(name: str, seed: int, opened: Callable[[], BaseChatModel]) -> BaseChatModel:
    """The model that `opened` gives; while a recording is open, one that answers through it.

    Args:
        name: of the model, part of what is asked.
        seed: likewise.
        opened: called when the service must be asked.
    """
    to = _OPEN.get()
    return opened() if to is None else RecordedModel(model_name=name, seed=seed, opened=opened, to=to)


class RecordedModel(BaseChatModel):
    """A chat model whose answers go through a recording."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model_name: str
    seed: int
    opened: Callable[[], BaseChatModel]
    to: Recording

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offers tools, in any form that LangChain converts."""
        converted = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=converted, tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        options: dict[str, Any] = {name: kwargs[name] for name in _OPTIONS if name in kwargs}
        said = [_essence(message) for message in messages]
        request = {"model": self.model_name, "seed": self.seed, "messages": said, "options": options}
        message = self.to.answer(request, lambda: self._ask(messages, options))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _ask(self, messages: list[BaseMessage], options: dict[str, Any]) -> AIMessage:
        tools = {name: options[name] for name in _OF_TOOLS if name in options}
        others = {name: value for name, value in options.items() if name not in tools}
        model = self.opened()
        bound = model.bind_tools(**tools) if tools else model
        return bound.bind(**others).invoke(messages, config={"callbacks": []})


_OF_TOOLS = ("tools", "tool_choice")
_OPTIONS = (*_OF_TOOLS, "extra_body", "max_tokens")
_SAID = {"content", "tool_calls", "invalid_tool_calls", "tool_call_id", "type"}


def _essence(message: BaseMessage) -> dict[str, Any]:
    """A message as `messages_to_dict` has it, without what differs from run to run: ids and times."""
    dumped = messages_to_dict([message])[0]
    return {"type": dumped["type"], "data": {k: v for k, v in dumped["data"].items() if k in _SAID}}

"""The only door to a chat model: a prompt and a case go in, a validated answer comes out."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable
from pydantic import ValidationError

from agents.answers import Answer, Unreadable
from agents.budget import NOTHING, Meter, Spent, Used
from agents.cases import Case
from agents.endpoints import STATISTICAL, host_of, why_near
from agents.forms import answer_in, bound, calls_tools, ending, text_of, with_room
from agents.providers import open_model, request
from agents.settings import ROLES, Settings
from agents.toolbox import Toolbox
from prompts import load
from tools.safety.errors import IikeaError, InputError, ModelOutputError, ProviderError

A = TypeVar("A", bound=Answer)
T = TypeVar("T")

_MAX_REPAIRS = 2
_WITH_ROOM = 1
_EXCERPT = 1000
_BAD_REQUEST = 400


def most_requests(tool_calls: int = 0, falls_back: bool = False) -> int:
    """The most model requests of one `ask`: calls of tools, an answer cut short, one, repairs, a fallback."""
    return tool_calls + _WITH_ROOM + 1 + _MAX_REPAIRS + falls_back


class Inadmissible(ModelOutputError):
    """The answer was of the right form, but what it says cannot be admitted (a cycle, an unknown code).

    `calls` are the model requests that were spent on it, `spent` what they took of services.
    """

    def __init__(self, prompt: str, problems: list[str], calls: int, spent: Spent) -> None:
        super().__init__(prompt, problems)
        self.calls, self.spent = calls, spent


class Declined(IikeaError):
    """The model, or a filter of its service, declined to answer: asking again would not mend it.

    `calls` are the model requests that were spent until then, `spent` what they took of services.
    """

    exit_code = 2

    def __init__(self, prompt: str, calls: int, spent: Spent) -> None:
        super().__init__(f"prompt '{prompt}': the model, or a filter of its service, declined to answer")
        self.prompt, self.calls, self.spent = prompt, calls, spent


class Reply(NamedTuple, Generic[T]):
    """An admitted answer, the number of model requests it took, and who gave it.

    Attributes:
        spent: what the requests took of services.
        told: role, model, and whether it was asked in the place of one whose service stayed away; JSON.
    """

    value: T
    calls: int
    spent: Spent
    told: dict[str, Any]

    @property
    def accounts(self) -> dict[str, Any]:
        """The same but for the answer, as an update of a graph's state."""
        return {"calls": self.calls, "spent": self.spent, "answered": [self.told]}


def ask(
    case: Case,
    answer: type[A],
    settings: Settings,
    *,
    admit: Callable[[A], T],
    used: Used = NOTHING,
    toolbox: Toolbox | None = None,
) -> Reply[T]:
    """Puts a case before the model and returns what its answer was admitted as.

    The system prompt is the file of `prompts/` that `case.task` names; the human message is the case as
    JSON. An answer that is unreadable or not admitted is shown its problems, at most twice; one that was
    cut at its limit of length is asked for once more with more room. The model is that of the task's role;
    where its service stays away, the settings' fallback is asked from there on.

    Args:
        case: the document.
        answer: the type the prompt asks for.
        settings: which model, in which form, with which limits.
        admit: turns the answer into what is used, raising `InputError` where it must not be.
        used: by this run so far.
        toolbox: tools the model may call before it answers, `settings.max_tool_calls` times in all.

    Raises:
        ModelOutputError: still unreadable after two repairs, or cut short twice.
        Declined: the model, or a filter of its service, declined; there was no repair.
        Inadmissible: still not admitted after two repairs.
        BudgetExceeded: a budget of the run is used up. What this question took until then is in no state: a
            resume asks it from its beginning, and counts it from there, unless answers are recorded (see
            `agents.recording`).
        ProviderError: the model service failed, and there is no fallback or that failed too.
    """
    dialogue = _Dialogue(case, answer, settings, toolbox or Toolbox(), used)
    repairs = 0
    while True:
        failure: ModelOutputError
        try:
            given = dialogue.answer()
        except Unreadable as error:
            failure = ModelOutputError(case.task, error.problems)
        else:
            try:
                return Reply(admit(given), dialogue.meter.calls, dialogue.meter.spent, dialogue.told)
            except InputError as error:
                meter = dialogue.meter
                failure = Inadmissible(case.task, [str(error)], meter.calls, meter.spent)
        if repairs == _MAX_REPAIRS:
            raise failure
        repairs += 1
        dialogue.object_to(failure.problems)


class _Dialogue(Generic[A]):
    """One case before the model: what was said so far, and what it took."""

    def __init__(self, case: Case, answer: type[A], settings: Settings, toolbox: Toolbox, used: Used) -> None:
        self.task, self.type, self.settings = case.task, answer, settings
        self.meter, self.has_more_room = Meter(settings, used), False
        self.toolbox = toolbox if settings.answer_form == "tool" else Toolbox()
        self.room = settings.max_tool_calls
        self.role = ROLES[case.task]
        self.name = settings.model_of(self.role)
        self.fell_back = self.name in map(settings.model_of, used.fell_back)
        if self.fell_back:
            self.name = settings.fallback_model
        self.stay_near = why_near(settings)
        self.model = self._bound()
        self.said: list[BaseMessage] = [
            SystemMessage(_instruction(case.task, answer)),
            HumanMessage(case.model_dump_json()),
        ]
        self.objection: list[BaseMessage] = []
        self.excerpt = ""

    def _bound(self) -> Runnable[list[BaseMessage], AIMessage]:
        self.host = "" if self.name == STATISTICAL else host_of(self.name, self.settings.base_url)
        model = open_model(self.name, self.settings.seed, self.settings.base_url, self.stay_near)
        return bound(model, self.name, self.settings.answer_form, self.type, self.toolbox.tools)

    def answer(self) -> A:
        """Requests, running the tools that the model calls, until there is an answer.

        Raises:
            Unreadable: what came is no answer of the type.
            ModelOutputError: what came was cut short, even with more room.
            Declined: nothing came.
        """
        while True:
            response = self._whole()
            self.excerpt = text_of(response, self.type)[:_EXCERPT]
            if not calls_tools(response, self.type):
                return answer_in(response, self.type)
            exchange = self.toolbox.run(response, self.room)
            self.room -= len(response.tool_calls)
            self.said += exchange

    def _whole(self) -> AIMessage:
        """A response that was neither declined nor cut at its limit of length."""
        response = self._request()
        if ending(response) == "cut" and not self.has_more_room:
            self.has_more_room, self.model = True, with_room(self.model, response)
            try:
                response = self._request()
            except ProviderError as error:
                if error.status != _BAD_REQUEST:
                    raise
        if ending(response) == "declined":
            raise Declined(self.task, self.meter.calls, self.meter.spent)
        if ending(response) == "cut":
            rule = "it was cut at its limit of length; have the service or the model write longer answers"
            raise ModelOutputError(self.task, [rule])
        return response

    def object_to(self, problems: list[str]) -> None:
        """Has the next request show what was wrong with the latest answer, and how it began."""
        shown = f"\nIt began with:\n{self.excerpt}" if self.excerpt else ""
        listed = "\n".join(f"- {problem}" for problem in problems)
        text = f"Your answer could not be used:\n{listed}\nAnswer again, mending this.{shown}"
        self.objection = [HumanMessage(text)]

    def _request(self) -> AIMessage:
        self.meter.admit(self.name)
        messages = [*self.said, *self.objection]
        if self.name == STATISTICAL:
            return self.model.invoke(messages)
        try:
            return self.meter.count(self.name, messages, lambda: request(self.model, messages, self.host))
        except ProviderError as error:
            if not (error.stayed_away and self._falls_back()):
                raise
            return self._request()
        except (RecursionError, ValidationError):
            self.excerpt = ""
            problem = "the arguments of a tool call are no JSON object of moderate depth"
            raise Unreadable([problem]) from None

    def _falls_back(self) -> bool:
        """Has the fallback asked from now on; False where there is none, or none left."""
        fallback = self.settings.fallback_model
        if not fallback or fallback == self.name or self.fell_back:
            return False
        self.name, self.fell_back = fallback, True
        self.model = self._bound()
        return True

    @property
    def told(self) -> dict[str, Any]:
        """See `Reply.told`."""
        return {"role": self.role, "model": self.name, "fell_back": self.fell_back}


@cache
def _instruction(task: str, answer: type[Answer]) -> str:
    prompt = load(task)
    if prompt.answer != answer.__name__:
        raise ValueError(f"prompt '{task}' asks for {prompt.answer}, not {answer.__name__}")
    schema = json.dumps(answer.model_json_schema())
    return f"{prompt.text}\n\nThe answer is one JSON object of this schema:\n{schema}"

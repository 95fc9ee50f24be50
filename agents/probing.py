"""Which forms of answer a model knows, and how long each takes: a few tiny requests."""

import time
from statistics import median
from typing import Literal, NamedTuple

from langchain_core.messages import HumanMessage
from pydantic import ValidationError

from agents.answers import Answer, Unreadable
from agents.endpoints import host_of, why_near
from agents.forms import FORMS, answer_in, bound, ending
from agents.providers import open_model, request
from agents.settings import AnswerForm, Settings
from tools.safety.errors import ProviderError

_NOT_OF_THE_FORM = frozenset({401, 403, 404, 408, 429, 502, 503, 504})
_TIMES = 3
_LONG_S = 10.0
_ASKED = 'Answer with one JSON object, {"word": "ready"}.'


class Ready(Answer):
    """Says that the model is ready."""

    word: Literal["ready"]


class Probed(NamedTuple):
    """What came of a form.

    Attributes:
        form: of the answers.
        seconds: median from request to answer; None where the model does not know the form.
        problem: why not, else empty.
    """

    form: AnswerForm
    seconds: float | None
    problem: str = ""


def probe(name: str, settings: Settings) -> list[Probed]:
    """Asks a model for a tiny answer in each form, three times unless it is slow.

    Args:
        name: of the model, one of the settings'.
        settings: of the run that would follow.

    Returns:
        The forms in the order in which they are to be preferred.

    Raises:
        ProviderError: the service stayed away, or refused in every form, or for another reason than the form.
        InputError: the model cannot be opened, or may not be asked.
    """
    failed: list[ProviderError] = []
    probed = []
    for form in FORMS:
        try:
            probed.append(Probed(form, median(_seconds(name, settings, form))))
        except ProviderError as error:
            if error.status in _NOT_OF_THE_FORM or (error.stayed_away and error.status is None):
                raise
            failed.append(error)
            probed.append(Probed(form, None, f"refused with {error.status or 'an error of its client'}"))
        except Unreadable as error:
            probed.append(Probed(form, None, error.problems[0]))
    if len(failed) == len(FORMS):
        raise failed[-1]
    return probed


def _seconds(name: str, settings: Settings, form: AnswerForm) -> list[float]:
    """How long each answer took.

    Raises:
        Unreadable: an answer is none of the form.
    """
    host = host_of(name, settings.base_url)
    model = open_model(name, settings.seed, settings.base_url, why_near(settings))
    asked = bound(model, name, form, Ready)
    took: list[float] = []
    while len(took) < _TIMES and sum(took) < _LONG_S:
        begun = time.monotonic()
        try:
            response = request(asked, [HumanMessage(_ASKED)], host)
        except (RecursionError, ValidationError):
            raise Unreadable(["the arguments of the call are no JSON object"]) from None
        took.append(time.monotonic() - begun)
        if ending(response) != "whole":
            raise Unreadable([f"the answer was {ending(response)}"])
        if form == "tool" and not response.tool_calls:
            raise Unreadable(["the tool was not called"])
        answer_in(response, Ready)
    return took

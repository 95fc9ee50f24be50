"""What a mind may answer: the types, and the strict reading of text into them."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tools.nof1.components import (
    MOST_EDGES,
    MOST_LATENTS,
    MOST_OUTCOMES,
    LaggedEdge,
    Latent,
    OutcomeModel,
)
from tools.reporting.result import EffectDirection, Strength
from tools.treatment.operators import Recipe

_MAX_DEPTH = 40
_MAX_PROBLEMS = 5
_FENCE = "```"
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_SEPARATOR = "<SEP>"

Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=600)]
Long = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]


class Answer(BaseModel):
    """What a prompt must be answered with."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Query(Answer):
    """The search query for the library."""

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]


class QuotedClaim(Answer):
    """What a passage says that a disease does to the chance of another, and the passage's own words for it.

    Attributes:
        cause: code of the disease that acts, or null where it is none of the case.
        effect: code of the disease acted on, or null where it is none of the case.
        direction: what the cause does to the chance of the effect.
        strength: how much, in the passage's judgement.
        quote: the words that say so.
    """

    cause: Code | None = None
    effect: Code | None = None
    direction: EffectDirection
    strength: Strength = "unstated"
    quote: Annotated[str, StringConstraints(min_length=1, max_length=600)]


class Reading(Answer):
    """What one passage says about the case."""

    findings: list[QuotedClaim] = Field(max_length=20)


class ProposedEdge(Answer):
    """One proposed causal edge, by codes."""

    cause: Code
    effect: Code
    because: Short = ""


class Hypothesis(Answer):
    """The whole causal graph. Without any edge it must say why."""

    edges: list[ProposedEdge] = Field(max_length=400)
    no_edges_because: Short = ""


class ProposedPrediction(Answer):
    """One predicted diagnosis."""

    code: Code
    probability: float = Field(ge=0, le=1)
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    path: list[Code] = Field(default=[], max_length=20)
    evidence: list[Annotated[str, StringConstraints(max_length=300)]] = Field(default=[], max_length=20)
    counter_evidence: Short = ""


class Decision(Answer):
    """The ranked predictions and how they came about."""

    predictions: list[ProposedPrediction] = Field(min_length=1, max_length=100)
    explanation: Long


class ProposedModel(Answer):
    """A model of one person's outcomes, a prior for every parameter, and the causal graph it stands on."""

    outcomes: list[OutcomeModel] = Field(min_length=1, max_length=MOST_OUTCOMES)
    edges: list[LaggedEdge] = Field(max_length=MOST_EDGES)
    latents: list[Latent] = Field(default=[], max_length=MOST_LATENTS)
    explanation: Long


class ProposedRecipe(Answer):
    """One way to impute a panel."""

    recipe: Recipe
    because: Short = ""


class Recipes(Answer):
    """Ways to impute a panel, each another one."""

    recipes: list[ProposedRecipe] = Field(min_length=1, max_length=20)


A = TypeVar("A", bound=Answer)


class Unreadable(ValueError):
    """An answer that is not of the type; `problems` say where and why, never quoting it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def validate(data: Any, answer: type[A]) -> A:  # noqa: ANN401
    """Parsed data as the answer type.

    Raises:
        Unreadable: with at most five problems, each a place and a rule.
    """
    try:
        return answer.model_validate(data)
    except ValidationError as error:
        faults = error.errors(include_url=False)[:_MAX_PROBLEMS]
        raise Unreadable(
            [f"{_place(fault['loc'], fault['type']) or answer.__name__}: {_rule(fault)}" for fault in faults]
        ) from None


def _place(steps: tuple[int | str, ...], kind: str) -> str:
    """Where a fault is; the name of an unknown field is the model's own text and stays out."""
    return ".".join(map(str, steps[:-1] if kind == "extra_forbidden" else steps))


def _rule(fault: Mapping[str, Any]) -> str:
    """The rule that is broken; pydantic's own words of an unknown tag quote it, which is the model's text."""
    if isinstance(fault["input"], _NoNumber):
        return f"{fault['input'].name} is not a JSON number"
    if fault["type"] == "union_tag_invalid":
        context = fault["ctx"]
        return f"{context['discriminator']} must be one of {context['expected_tags']}"
    return str(fault["msg"])[:160]


def read(text: str, answer: type[A]) -> A:
    """An answer given as text: JSON, fenced JSON, JSON within prose, or the `<SEP>` form of a decision.

    Raises:
        Unreadable: empty, not JSON, several JSON values, NaN, a key given twice, or nested deeper than 40.
    """
    if not text.strip():
        raise Unreadable(["the answer is empty"])
    if answer is Decision and _SEPARATOR in text:
        listed, _, explanation = text.partition(_SEPARATOR)
        predictions = _json_in(listed)
        return validate({"predictions": predictions, "explanation": explanation.strip()[:4000]}, answer)
    return validate(_json_in(text), answer)


def _json_in(text: str) -> Any:  # noqa: ANN401
    fenced = _fenced(text)
    if len(fenced) > 1:
        raise Unreadable(["more than one fenced block; give one"])
    body = (fenced[0] if fenced else text).strip()
    start = min((at for at in (body.find("{"), body.find("[")) if at >= 0), default=-1)
    if start < 0:
        raise Unreadable(["no JSON in the answer"])
    _refuse_depth(body[start:])
    try:
        value, end = _DECODER.raw_decode(body, start)
    except (ValueError, RecursionError) as error:
        raise Unreadable([_reason(error)]) from None
    if "{" in body[end:]:
        raise Unreadable(["more than one JSON value; give one"])
    return value


def _fenced(text: str) -> list[str]:
    """What stands between lines of ```; a fence that is never closed opens nothing."""
    blocks: list[str] = []
    inside: list[str] | None = None
    for line in text.splitlines():
        if not line.lstrip().startswith(_FENCE):
            if inside is not None:
                inside.append(line)
        elif inside is None:
            inside = []
        else:
            blocks.append("\n".join(inside))
            inside = None
    return blocks


def _refuse_depth(text: str) -> None:
    depth = 0
    for sign in _STRING_OR_BRACKET.findall(text):
        depth += (sign in "[{") - (sign in "]}")
        if depth > _MAX_DEPTH:
            raise Unreadable([f"nested deeper than {_MAX_DEPTH}"])


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON at character {error.pos}: {error.msg}"
    return str(error) if isinstance(error, _RefusedJson) else "not valid JSON"


class _RefusedJson(ValueError):
    pass


class _NoNumber:
    """NaN or an infinity in a text: of no type that an answer has, so that it is refused at its place."""

    def __init__(self, name: str) -> None:
        self.name = name


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise _RefusedJson("a key is given twice in one object")
    return mapping


_DECODER = json.JSONDecoder(parse_constant=_NoNumber, object_pairs_hook=_once)

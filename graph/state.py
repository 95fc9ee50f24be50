"""Typed states of the graphs. Everything in them is JSON: arrays stay behind a path, models are dumped."""

from operator import add, or_
from typing import Annotated, Any

from langgraph.channels import EphemeralValue
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from agents.budget import Spent, joined
from graph.cycle import CycleState


class DiagnosisInput(TypedDict, total=False):
    """What a caller gives.

    Attributes:
        history: the patient's visits, oldest first, each a list of codes in any known spelling.
        comment: what the clinician wants looked at, or empty.
        comment_checked: whether somebody has looked at the comment and says that it may go out, though it
            holds what may identify a person.

    They last for one run: a thread's next patient inherits none.
    """

    history: Annotated[list[list[str]], EphemeralValue]
    comment: Annotated[str, EphemeralValue]
    comment_checked: Annotated[bool, EphemeralValue]


class DiagnosisOutput(TypedDict, total=False):
    """What a caller gets: one `tools.reporting.result.DiagnosisResult` as JSON."""

    result: dict[str, Any]


def _longer(one: float, other: float) -> float:
    """Of nodes at work at the same time, the time of the slowest counts."""
    return max(one, other)


class DiagnosisState(DiagnosisInput, DiagnosisOutput, CycleState, total=False):
    """The whole state of a diagnosis run.

    Attributes:
        settings: `agents.settings.Settings` of this run, so that resuming keeps them; see `graph.metering`.
        review: whether a person must approve the result.
        select: which graph of the cycle counts, `best` or `last`.
        visits: admitted history, vocabulary keys.
        focus: the comment of this run, or the reviewer's.
        diseases: every disease of the history and the candidates by key, with its role in the case.
        candidates: diseases that may come next, best first.
        query: what was searched for.
        knowledge: the libraries that were searched: title, version, embedding, retrieval, trust of each.
        passages: what the search found, best first.
        readings: what each passage was read as.
        findings: admitted findings of all readings, in the order of the passages.
        risks: the records' probability for each disease.
        expected_codes: how many codes the next visit is expected to carry, in and outside the case.
        graph: the graph the cycle returned, fitted.
        decision: predictions and explanation.
        answered: who gave each admitted answer, see `agents.model.Reply.told`.
        spent: what model services took.
        ran_s: seconds that the nodes of the run worked, one after another.
        notices: what was capped, left out or refused on the way.
    """

    settings: Annotated[dict[str, Any], or_]
    review: bool
    select: str
    visits: list[list[str]]
    focus: str
    diseases: dict[str, dict[str, Any]]
    candidates: list[dict[str, Any]]
    query: str
    knowledge: dict[str, Any]
    passages: list[dict[str, Any]]
    readings: Annotated[list[dict[str, Any]], add]
    findings: list[dict[str, Any]]
    risks: list[dict[str, Any]]
    expected_codes: float
    graph: dict[str, Any]
    decision: dict[str, Any]
    answered: Annotated[list[dict[str, Any]], add]
    spent: Annotated[Spent, joined]
    ran_s: Annotated[float, _longer]
    notices: Annotated[list[str], add]


_OF_ONE_RUN = (
    *("hypothesis", "visits", "diseases", "candidates", "query", "knowledge", "passages", "findings"),
    *("is_spent", "risks", "expected_codes", "graph", "decision", "refusal", "result"),
)


def forgotten() -> dict[str, Any]:
    """An update that empties what a run leaves in its thread, so that the next patient starts clean."""
    lists = dict.fromkeys(("trials", "readings", "answered", "notices"), Overwrite([]))
    counts = {"calls": Overwrite(0), "spent": Overwrite({}), "ran_s": Overwrite(0.0)}
    return dict.fromkeys(_OF_ONE_RUN) | lists | counts

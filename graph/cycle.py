"""The propose-fit-amend cycle, written once: when it stops, and how it is wired.

    propose -> fit -> amend -> fit -> ... -> done

A hypothesis is any JSON object; the graph that uses the cycle says how a hypothesis is fitted and how far two
are apart, and keeps one `Trial` for each fitted hypothesis.
"""

from collections.abc import Callable, Sequence
from operator import add, or_
from typing import Annotated, Any, Literal

from langgraph.graph import StateGraph
from typing_extensions import TypedDict

StopReason = Literal["unchanged", "limit", "seen", "budget"]


class Trial(TypedDict):
    """One fitted hypothesis.

    Attributes:
        iteration: 0 for the first proposal.
        hypothesis: what was fitted.
        fingerprint: equal for equal hypotheses.
        score: the accepted score, higher is better.
        change: distance to the previous hypothesis, None for the first.
        fit: what the instrument reported.
    """

    iteration: int
    hypothesis: dict[str, Any]
    fingerprint: str
    score: float
    change: float | None
    fit: dict[str, Any]


class CycleLimits(TypedDict):
    """When to stop.

    Attributes:
        max_iterations: amendments at most.
        change_threshold: stop when a hypothesis changed less than this share.
        max_calls: model requests of the whole run.
        reserve: requests that must be left for what follows the cycle.
    """

    max_iterations: int
    change_threshold: float
    max_calls: int
    reserve: int


def latest(_before: Any, after: Any) -> Any:  # noqa: ANN401
    """The later of two values, of whichever of several nodes at one time it is."""
    return after


class CycleState(TypedDict, total=False):
    """The slice of a graph's state that the cycle reads and writes.

    Attributes:
        is_spent: once a hypothesis is fitted, that another budget than the calls would not last for an
            amendment and what follows the cycle.
        refusal: why there will be no result; the cycle ends where a node writes one.
    """

    hypothesis: dict[str, Any]
    trials: Annotated[list[Trial], add]
    limits: Annotated[CycleLimits, or_]
    is_spent: bool
    calls: Annotated[int, add]
    refusal: Annotated[dict[str, str] | None, latest]


def stop_reason(
    trials: Sequence[Trial], limits: CycleLimits, calls: int, is_spent: bool = False
) -> StopReason | None:
    """Why the cycle must stop after its latest trial, or None to go on.

    In this order: the hypothesis hardly changed; it came back from earlier; the iterations are used up;
    too few model requests are left to amend and still finish, or another budget `is_spent`.
    """
    latest = trials[-1]
    if latest["change"] is not None and latest["change"] < limits["change_threshold"]:
        return "unchanged"
    if any(trial["fingerprint"] == latest["fingerprint"] for trial in trials[:-1]):
        return "seen"
    if latest["iteration"] >= limits["max_iterations"]:
        return "limit"
    if is_spent or calls + limits["reserve"] >= limits["max_calls"]:
        return "budget"
    return None


def chosen_trial(trials: Sequence[Trial], select: Literal["best", "last"] = "best") -> Trial:
    """The trial that the cycle returns: the best by score (the earliest of equals), or the last."""
    return trials[-1] if select == "last" else max(trials, key=lambda trial: trial["score"])


def add_cycle(
    builder: StateGraph[Any, Any, Any, Any],
    *,
    propose: Callable[..., Any],
    fit: Callable[..., Any],
    amend: Callable[..., Any],
    done: str,
    refused: str,
) -> None:
    """Adds the nodes `propose`, `fit`, `amend` and the conditional edges that make them a cycle.

    Args:
        builder: the graph; something must lead to `propose`.
        propose: returns `hypothesis`.
        fit: returns one new trial in `trials`.
        amend: returns `hypothesis`.
        done: name of the node to go to when the cycle stops.
        refused: likewise when `propose` or `amend` writes a refusal.
    """

    def gate(state: CycleState) -> str:
        reason = stop_reason(
            state["trials"], state["limits"], state.get("calls", 0), bool(state.get("is_spent"))
        )
        return "amend" if reason is None else done

    def answered(state: CycleState) -> str:
        return refused if state.get("refusal") else "fit"

    builder.add_node("propose", propose)
    builder.add_node("fit", fit)
    builder.add_node("amend", amend)
    builder.add_conditional_edges("propose", answered, ["fit", refused])
    builder.add_conditional_edges("fit", gate, ["amend", done])
    builder.add_conditional_edges("amend", answered, ["fit", refused])

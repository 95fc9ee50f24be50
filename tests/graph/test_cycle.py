"""The propose-fit-amend cycle: it always stops, for the first reason that holds, and keeps the best."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.graph import END, START, StateGraph

from graph.cycle import CycleState, add_cycle, chosen_trial, stop_reason

LIMITS = {"max_iterations": 5, "change_threshold": 0.1, "max_calls": 100, "reserve": 6}


def trial(iteration, fingerprint, score=0.0, change=0.5):
    return {
        "iteration": iteration,
        "hypothesis": {"edges": []},
        "fingerprint": fingerprint,
        "score": score,
        "change": None if iteration == 0 else change,
        "fit": {},
    }


def test_the_first_fit_goes_on():
    assert stop_reason([trial(0, "a")], LIMITS, 0) is None


@pytest.mark.parametrize(
    ("trials", "calls", "reason"),
    [
        ([trial(0, "a"), trial(1, "b", change=0.05)], 0, "unchanged"),
        ([trial(0, "a"), trial(1, "a", change=0.0)], 0, "unchanged"),
        ([trial(0, "a"), trial(1, "b"), trial(2, "a")], 0, "seen"),
        ([trial(5, "f")], 0, "limit"),
        ([trial(0, "a"), trial(1, "b")], 94, "budget"),
        ([trial(0, "a"), trial(1, "b")], 93, None),
    ],
)
def test_the_reason_to_stop(trials, calls, reason):
    assert stop_reason(trials, LIMITS, calls) == reason


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-100, 100)), min_size=1, max_size=30))
def test_the_chosen_trial_is_the_earliest_of_the_best(steps):
    trials = [trial(i, str(name), score) for i, (name, score) in enumerate(steps)]
    best = chosen_trial(trials)
    assert all(best["score"] >= other["score"] for other in trials)
    assert all(other["score"] < best["score"] for other in trials[: best["iteration"]])
    assert chosen_trial(trials, "last") is trials[-1]


@given(
    proposals=st.lists(st.integers(0, 6), min_size=1, max_size=40),
    max_iterations=st.integers(0, 8),
    max_calls=st.integers(1, 30),
)
def test_any_mind_is_bounded(proposals, max_iterations, max_calls):
    limits = {
        "max_iterations": max_iterations,
        "change_threshold": 0.1,
        "max_calls": max_calls,
        "reserve": 2,
    }

    def propose(state: CycleState):
        return {"hypothesis": {"n": proposals[0]}, "calls": 1}

    def fit(state: CycleState):
        trials = state.get("trials", [])
        n = state["hypothesis"]["n"]
        change = None if not trials else float(n != trials[-1]["hypothesis"]["n"])
        fitted = trial(len(trials), str(n), score=float(n)) | {"hypothesis": {"n": n}, "change": change}
        return {"trials": [fitted]}

    def amend(state: CycleState):
        return {"hypothesis": {"n": proposals[len(state["trials"]) % len(proposals)]}, "calls": 1}

    builder = StateGraph(CycleState)
    add_cycle(builder, propose=propose, fit=fit, amend=amend, done="done", refused="done")
    builder.add_node("done", lambda state: {})
    builder.add_edge(START, "propose")
    builder.add_edge("done", END)
    state = builder.compile().invoke({"limits": limits})
    trials = state["trials"]
    assert len(trials) <= max_iterations + 1
    assert len({t["fingerprint"] for t in trials[:-1]}) == len(trials) - 1
    assert stop_reason(trials, limits, state["calls"]) is not None
    assert all(stop_reason(trials[:n], limits, n) is None for n in range(1, len(trials)))


def test_the_drawing_shows_the_cycle():
    builder = StateGraph(CycleState)
    add_cycle(
        builder, propose=lambda s: {}, fit=lambda s: {}, amend=lambda s: {}, done="done", refused="done"
    )
    builder.add_node("done", lambda state: {})
    builder.add_edge(START, "propose")
    edges = {(e.source, e.target, e.conditional) for e in builder.compile().get_graph().edges}
    assert {("fit", "amend", True), ("fit", "done", True), ("amend", "fit", True)} <= edges

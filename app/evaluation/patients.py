"""The diagnosis graph for a few patients of one method, in whatever process it is sent to.

What is sent holds each patient's earlier visits and no more: the last visit cannot reach the graph.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agents.endpoints import STATISTICAL
from agents.prices import Price, total_usd
from agents.recording import Recording, StoredAnswers, recording
from tools.evaluation.ledger import Outcome
from tools.safety.errors import BudgetExceeded, ModelOutputError


class Case(NamedTuple):
    """A patient's row in the cohort, and the visits but the last, oldest first, codes as `SYSTEM:code`."""

    row: int
    history: list[list[str]]


class Work(NamedTuple):
    """A few patients to be computed.

    Attributes:
        settings: of `graph.context.DiagnosisContext`.
        cases: the patients.
        answers: folder of stored answers; None where no service is asked.
        replay: whether to take stored answers alone.
        prices: of each service's tokens, by model.
    """

    settings: dict[str, Any]
    cases: tuple[Case, ...]
    answers: Path | None
    replay: bool
    prices: Mapping[str, Price]


def compute(work: Work) -> list[Outcome]:
    """Outcomes of the patients, in order.

    Raises:
        ProviderError: the model service failed; the patient is not finished.
        InputError: a setting is wrong, or a stored answer is missing or damaged.
    """
    return [_outcome(case, work) for case in work.cases]


def diagnose(case: Case, settings: dict[str, Any], to: Recording | None) -> dict[str, Any]:
    """The graph's result for a patient, its model's answers going through a recording.

    Raises:
        IikeaError: the graph ended without a result.
    """
    from graph.context import DiagnosisContext
    from graph.diagnosis import graph

    context = DiagnosisContext(**settings)
    with recording(to):
        result: dict[str, Any] = graph.invoke({"history": case.history, "comment": ""}, context=context)
    answer: dict[str, Any] = result["result"]
    return answer


def _outcome(case: Case, work: Work) -> Outcome:
    """One patient; a model that gives no usable answer within its limits counts as a refusal."""
    answers = StoredAnswers(work.answers, work.replay) if work.answers else None
    begin = time.perf_counter()
    try:
        result = diagnose(case, work.settings, answers)
        seconds = time.perf_counter() - begin
        found = _answered(result) | _graph(result, work.settings)
    except (ModelOutputError, BudgetExceeded) as error:
        seconds = time.perf_counter() - begin
        found = {"refusal": type(error).__name__}
    if answers:
        tally = answers.tally
        found |= {"calls": tally.requests, "tokens_in": tally.tokens_in, "tokens_out": tally.tokens_out}
        paid = {model: (one.paid_in, one.paid_out) for model, one in answers.tallies.items()}
        found["cost_usd"] = total_usd(work.prices, paid)
    return Outcome(row=case.row, seconds=round(seconds, 3), **found)


def _answered(result: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a result.

    A language model makes a list of the length it likes. The statistical mind ranks every disease of the
    case; its list is as many as codes are expected at the next visit, one at least.
    """
    refusal = (result["refusal"] or {}).get("kind", "")
    predictions = [] if refusal else result["predictions"]
    probabilities = [prediction["probability"] for prediction in predictions]
    has_own_list = any(one["role"] == "decider" and one["model"] != STATISTICAL for one in result["answered"])
    expected = min(max(round(result["expected_codes"] or 0), 1), len(predictions))
    return {
        "codes": [prediction["code"] for prediction in predictions],
        "probabilities": probabilities,
        "length": len(predictions) if has_own_list else expected,
        "refusal": refusal,
        "calls": result["calls"],
        "fell_back": any(one["fell_back"] for one in result["answered"]),
    }


def _graph(result: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The accepted graph's size and gain, measured by the default score whatever accepted it."""
    from tools.causal.scores import Score
    from tools.causal_tools import score_graph

    graph, instrument = result["graph"], Score()
    scores = graph["scores"]
    if scores is None:
        return {}
    if (scores["method"], scores["by_burden"]) != (instrument.name, instrument.stratified):
        scores = score_graph.invoke(
            {
                "edges": [[edge["cause"], edge["effect"]] for edge in graph["edges"]],
                "nodes": [node["code"] for node in graph["nodes"]],
                "history": [node["code"] for node in graph["nodes"] if node["role"] == "history"],
                "store": settings["store"],
            }
        )
    return {"edges": len(graph["edges"]), "held_out_gain": scores["held_out_gain_per_patient"]}

"""The Decision-Making Agent (algorithm 3): a ranked list, each with its reason, its path and its passages."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypedDict

from agents.answers import Decision, ProposedPrediction
from agents.budget import Spent, Used
from agents.cases import CaseEdge, CaseRisk, DecisionCase
from agents.codes import CodeList
from agents.findings import case_findings, passage_keys
from agents.intake import case_diseases
from agents.model import ask
from agents.settings import Settings
from tools.causal_tools import next_visit_risks
from tools.safety.errors import InputError


class DecisionSlice(TypedDict, total=False):
    """What `decide` reads; `graph` is the fitted graph that the cycle returned."""

    visits: list[list[str]]
    diseases: dict[str, dict[str, Any]]
    graph: dict[str, Any]
    findings: list[dict[str, Any]]
    passages: list[dict[str, Any]]
    focus: str
    settings: dict[str, Any]
    calls: int
    spent: Spent
    ran_s: float
    answered: list[dict[str, Any]]


def decide(state: DecisionSlice) -> dict[str, Any]:
    """Has the next visit's risks computed under the graph, and asks the mind for its ranked predictions."""
    settings = Settings.model_validate(state["settings"])
    diseases = case_diseases(state["diseases"])
    edges = (state.get("graph") or {}).get("edges", [])
    passages = state.get("passages") or []
    expected = next_visit_risks.invoke(
        {
            "nodes": [d.code for d in diseases],
            "visits": state["visits"],
            "edges": [[edge["cause"], edge["effect"]] for edge in edges],
            "store": settings.store,
        }
    )
    named = {disease.code for disease in diseases}
    case = DecisionCase(
        history=tuple(tuple(code for code in visit if code in named) for visit in state["visits"]),
        diseases=diseases,
        edges=tuple(CaseEdge.read(edge) for edge in edges),
        risks=tuple(CaseRisk.model_validate(risk) for risk in expected["risks"]),
        findings=case_findings(state.get("findings") or [], passages),
        comment=state["focus"],
        top_k=settings.top_k,
    )
    shown = {finding.passage for finding in case.findings}
    sources = {key: passage for passage, key in passage_keys(passages).items() if key in shown}
    reply = ask(
        case,
        Decision,
        settings,
        admit=lambda decision: _admit(decision, case, sources),
        used=Used.of(state),
    )
    return {"decision": reply.value, **reply.accounts, **expected}


def _admit(decision: Decision, case: DecisionCase, sources: Mapping[str, str]) -> dict[str, Any]:
    """The decision over the case's codes, citing passages by their ids; `sources` has them by their keys.

    Raises:
        InputError: too many predictions, an unknown or repeated code, a path that is none, or a
            passage that no finding is from.
    """
    if len(decision.predictions) > case.top_k:
        raise InputError("predictions", f"more than {case.top_k}; keep the most important")
    codes = CodeList(disease.code for disease in case.diseases)
    predictions = [
        _prediction(f"predictions.{i}", p, case, codes, sources) for i, p in enumerate(decision.predictions)
    ]
    chosen = [prediction["code"] for prediction in predictions]
    if len(set(chosen)) != len(chosen):
        raise InputError("predictions", "a code is predicted twice; give each once")
    return {"predictions": predictions, "explanation": decision.explanation}


def _prediction(
    place: str,
    proposed: ProposedPrediction,
    case: DecisionCase,
    codes: CodeList,
    sources: Mapping[str, str],
) -> dict[str, Any]:
    code = codes.resolve(f"{place}.code", proposed.code)
    path = [codes.resolve(f"{place}.path", step) for step in proposed.path]
    _refuse_false_path(f"{place}.path", path, code, case)
    if not sources.keys() >= set(proposed.evidence):
        raise InputError(f"{place}.evidence", "names a passage that no finding is from; cite given keys only")
    return {
        "code": code,
        "probability": proposed.probability,
        "reason": proposed.reason,
        "path": path,
        "evidence": [sources[key] for key in dict.fromkeys(proposed.evidence)],
        "counter_evidence": proposed.counter_evidence,
    }


def _refuse_false_path(place: str, path: Sequence[str], code: str, case: DecisionCase) -> None:
    if not path:
        return
    edges = {(edge.cause, edge.effect) for edge in case.edges}
    had = {disease.code for disease in case.diseases if disease.role == "history"}
    if path[-1] != code or path[0] not in had or any(step not in edges for step in pairwise(path)):
        rule = "must lead along given edges from a disease of the history to the predicted code, or be empty"
        raise InputError(place, rule)

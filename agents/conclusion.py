"""Puts together the one result that a diagnosis run ends with."""

from functools import cache
from importlib import metadata
from typing import Any, TypedDict

from agents.settings import Settings
from tools.reporting.result import (
    Candidate,
    CitedPassage,
    DiagnosisResult,
    Direction,
    Disease,
    Finding,
    Graph,
    GraphEdge,
    GraphNode,
    IterationScore,
    Knowledge,
    Part,
    Prediction,
    Refusal,
    StopReason,
)

ASSUMPTIONS = (
    "No unmeasured disease drives both ends of an edge beyond what the number of a patient's codes tells. "
    "A common cause outside the graph would refute an edge.",
    "A code not recorded means the disease was not there. Under-coding weakens edges and delays onsets.",
    "Causes act independently of each other (leaky noisy-OR) and the same way in all patients of a burden "
    "stratum. Strong interactions would show as a poor fit.",
    "The direction of an edge rests on the order of first records. Where it is marked as not identified, the "
    "reverse explains the records as well.",
    "The patient resembles those in the records: same coding habits, same kind of care.",
)
_SHOWN_PACKAGES = ("ii-kea", "langgraph", "langchain-core", "numpy", "scipy", "chromadb")


class ConclusionSlice(TypedDict, total=False):
    """What `conclude` reads."""

    settings: dict[str, Any]
    visits: list[list[str]]
    diseases: dict[str, dict[str, Any]]
    candidates: list[dict[str, Any]]
    query: str
    knowledge: dict[str, str]
    passages: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    risks: list[dict[str, Any]]
    graph: dict[str, Any]
    decision: dict[str, Any]
    comment: str
    refusal: dict[str, str]
    notices: list[str]
    calls: int


def conclude(state: ConclusionSlice, stopped: StopReason | None) -> dict[str, Any]:
    """The run as a `DiagnosisResult`, JSON."""
    settings = Settings.model_validate(state["settings"])
    trials = state.get("trials", [])
    refusal = state.get("refusal")
    result = DiagnosisResult(
        history=tuple(tuple(visit) for visit in state.get("visits", [])),
        diseases={key: Disease(**_named(d)) for key, d in sorted(state.get("diseases", {}).items())},
        comment=state.get("comment") or "",
        predictions=() if refusal else _predictions(state),
        graph=_graph(state),
        scores=tuple(_score(trial) for trial in trials),
        stopped=stopped,
        iterations=len(trials),
        candidates=tuple(_candidate(c, state["diseases"]) for c in state.get("candidates", [])),
        knowledge=_knowledge(state),
        model=settings.model,
        calls=state.get("calls", 0),
        versions=_versions(),
        seed=settings.seed,
        notices=tuple(state.get("notices", [])),
        assumptions=ASSUMPTIONS,
        explanation=state.get("decision", {}).get("explanation", ""),
        refusal=Refusal(**refusal) if refusal else None,
    )
    return {"result": result.model_dump(mode="json")}


def _named(disease: dict[str, Any]) -> dict[str, Any]:
    return {field: disease[field] for field in ("code", "dotted", "system", "display")}


def _predictions(state: ConclusionSlice) -> tuple[Prediction, ...]:
    risks = {risk["code"]: risk for risk in state.get("risks", [])}
    proposed = state.get("decision", {}).get("predictions", [])
    return tuple(
        _prediction(rank, p, risks.get(p["code"]), state["diseases"][p["code"]])
        for rank, p in enumerate(proposed, start=1)
    )


def _prediction(
    rank: int, proposed: dict[str, Any], risk: dict[str, Any] | None, disease: dict[str, Any]
) -> Prediction:
    """A prediction; interval and parts go with it only if its probability is the records' own."""
    by_records = risk is not None and abs(risk["probability"] - proposed["probability"]) < 1e-9
    interval, parts = ((risk["low"], risk["high"]), risk["parts"]) if risk and by_records else (None, [])
    return Prediction(
        rank=rank,
        **_named(disease),
        repeat=disease["role"] == "history",
        interval=interval,
        parts=tuple(Part(**part) for part in parts),
        **{
            field: proposed[field]
            for field in ("probability", "reason", "path", "evidence", "counter_evidence")
        },
    )


def _graph(state: ConclusionSlice) -> Graph:
    if "graph" not in state:
        return Graph()
    diseases = state["diseases"]
    cited: dict[tuple[str, str], list[str]] = {}
    for finding in state.get("findings", []):
        cited.setdefault((finding["cause"], finding["effect"]), []).append(finding["passage"])
    return Graph(
        nodes=tuple(
            GraphNode(code=d["code"], dotted=d["dotted"], display=d["display"], role=d["role"])
            for d in diseases.values()
        ),
        edges=tuple(
            _edge(edge, tuple(dict.fromkeys(cited.get((edge["cause"], edge["effect"]), []))))
            for edge in state["graph"]["edges"]
        ),
    )


def _edge(edge: dict[str, Any], evidence: tuple[str, ...]) -> GraphEdge:
    fields = {field: edge[field] for field in ("cause", "effect", "strength", "interval", "gain")}
    return GraphEdge(**fields, direction=Direction(**edge["direction"]), evidence=evidence)


def _score(trial: dict[str, Any]) -> IterationScore:
    return IterationScore(
        iteration=trial["iteration"],
        method=trial["fit"]["method"],
        accepted_score=trial["score"],
        log_likelihood=trial["fit"]["log_likelihood"],
        n_edges=len(trial["hypothesis"]["edges"]),
        change=trial["change"],
    )


def _candidate(candidate: dict[str, Any], diseases: dict[str, dict[str, Any]]) -> Candidate:
    disease = diseases[candidate["code"]]
    return Candidate(dotted=disease["dotted"], display=disease["display"], **candidate)


def _knowledge(state: ConclusionSlice) -> Knowledge | None:
    if "knowledge" not in state:
        return None
    shown = set(CitedPassage.model_fields)
    return Knowledge(
        **state["knowledge"],
        query=state["query"],
        passages=tuple(
            CitedPassage(**{field: value for field, value in p.items() if field in shown})
            for p in state.get("passages", [])
        ),
        findings=tuple(Finding(**finding) for finding in state.get("findings", [])),
    )


@cache
def _versions() -> dict[str, str]:
    return {name: _version(name) for name in _SHOWN_PACKAGES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"

"""Puts together the one result that a diagnosis run ends with."""

from collections import Counter
from functools import cache
from hashlib import sha256
from importlib import metadata
from typing import Any, TypedDict

from agents.budget import Spent, Used, cost_of, told
from agents.intake import LEFT_OUT
from agents.settings import Settings
from tools.records.faults import counted
from tools.reporting.result import (
    Answered,
    Candidate,
    CitedPassage,
    DataSource,
    DiagnosisResult,
    Direction,
    Disease,
    Finding,
    Graph,
    GraphEdge,
    GraphNode,
    GraphScores,
    IterationScore,
    Knowledge,
    Part,
    Prediction,
    Refusal,
    StopReason,
)
from tools.resources import open_dataset

_OF_RECORDS = (
    "A probability tells what follows in the records, not what a treatment would change: diseases of the "
    "history add to it one by one, with or without an edge, and more so the more recent they are (noisy-OR "
    "over the whole history). Two that only together bring on a third would refute it.",
    "A code not recorded means the disease was not there. Under-coding weakens edges and delays onsets.",
    "The patient resembles those in the records: same coding habits, same kind of care.",
)
_OF_GRAPHS = (
    "No unmeasured disease drives both ends of an edge{beyond}. A common cause outside the graph would "
    "refute an edge.",
    "Causes act independently of each other and with the same strength in all patients (leaky noisy-OR; only "
    "the leak differs by burden). A cause that acts only together with another would refute its strength.",
    "The direction of an edge rests on onsets: whether those who have the one come down with the other more "
    "often than the reverse. A common cause outside the graph can feign it. Where time does not back an "
    "edge, its direction is told only by the accepted score, given the other edges, or by nothing: then it "
    "is the tier's (history before candidates) or one of two that the data do not tell apart.",
    "Intervals and cross-validated gains hold given the graph: the same patients chose its edges and "
    "measured them, so strengths and gains lean high and intervals are too narrow by what the choice adds.",
)
_OF_CONFIDENCE = (
    "The confidence of an edge is the share of random halves of the patients from which a search finds "
    "it: how much the edge depends on which patients happened to be in the records. It is not the "
    "probability that the edge is true: a bias common to all halves, such as a common cause outside the "
    "graph, is in every one of them.",
)
_SHOWN_PACKAGES = ("ii-kea", "langgraph", "langchain-core", "numba", "numpy", "scipy", "chromadb")


class ConclusionSlice(TypedDict, total=False):
    """What `conclude` reads."""

    settings: dict[str, Any]
    visits: list[list[str]]
    diseases: dict[str, dict[str, Any]]
    candidates: list[dict[str, Any]]
    query: str
    knowledge: dict[str, Any]
    passages: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    risks: list[dict[str, Any]]
    expected_codes: float
    graph: dict[str, Any]
    decision: dict[str, Any]
    answered: list[dict[str, Any]]
    focus: str
    refusal: dict[str, str]
    notices: list[str]
    calls: int
    spent: Spent
    ran_s: float


def conclude(state: ConclusionSlice, stopped: StopReason | None) -> dict[str, Any]:
    """The run as a `DiagnosisResult`, JSON."""
    settings = Settings.model_validate(state["settings"])
    trials = state.get("trials", [])
    refusal = state.get("refusal")
    answered = _answered(state)
    used = Used.of(state)
    result = DiagnosisResult(
        history=tuple(tuple(visit) for visit in (state.get("visits") or [])),
        diseases={key: Disease(**_named(d)) for key, d in sorted((state.get("diseases") or {}).items())},
        comment=state["focus"],
        predictions=() if refusal else _predictions(state),
        expected_codes=None if refusal else state.get("expected_codes"),
        graph=_graph(state),
        scores=tuple(_score(trial) for trial in trials),
        stopped=stopped,
        iterations=len(trials),
        candidates=tuple(_candidate(c, state["diseases"]) for c in (state.get("candidates") or [])),
        knowledge=_knowledge(state),
        data=_data(settings),
        model=settings.model,
        answered=answered,
        calls=used.calls,
        cost=cost_of(used.spent or {}, settings),
        versions=_versions(),
        seed=settings.seed,
        notices=(*state.get("notices", []), *_fallen_back(answered, settings), *told(settings, used)),
        assumptions=_assumptions(state.get("graph")),
        explanation=(state.get("decision") or {}).get("explanation", ""),
        refusal=Refusal(**refusal) if refusal else None,
    )
    return {"result": result.model_dump(mode="json")}


def _assumptions(fitted: dict[str, Any] | None) -> tuple[str, ...]:
    """What this run's estimates assume: of a graph and of confidence only where there are any."""
    if not fitted:
        return _OF_RECORDS
    beyond = " beyond what the number of a patient's codes tells" if fitted["by_burden"] else ""
    of_graphs = (text.format(beyond=beyond) for text in _OF_GRAPHS)
    return (*of_graphs, *(_OF_CONFIDENCE if fitted["resamples"] else ()), *_OF_RECORDS)


def _data(settings: Settings) -> DataSource:
    dataset = open_dataset(settings.store)
    return DataSource(
        source=dataset.source,
        hash=dataset.hash,
        patients=dataset.n_patients,
        visits=dataset.n_visits,
        credentialed=dataset.credentialed,
    )


def _answered(state: ConclusionSlice) -> tuple[Answered, ...]:
    told = Counter((one["role"], one["model"], one["fell_back"]) for one in state.get("answered") or [])
    return tuple(
        Answered(role=role, model=model, fell_back=fell_back, answers=count)
        for (role, model, fell_back), count in told.items()
    )


def _fallen_back(answered: tuple[Answered, ...], settings: Settings) -> list[str]:
    return [
        f"the service of {settings.model_of(one.role)} stayed away: {one.model} answered in its place "
        f"({one.role}, {counted(one.answers, 'answer')})"
        for one in answered
        if one.fell_back
    ]


def _named(disease: dict[str, Any]) -> dict[str, Any]:
    return {field: disease[field] for field in ("code", "dotted", "system", "display")}


def _predictions(state: ConclusionSlice) -> tuple[Prediction, ...]:
    risks = {risk["code"]: risk for risk in (state.get("risks") or [])}
    proposed = (state.get("decision") or {}).get("predictions", [])
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
    if not state.get("graph"):
        return Graph()
    diseases = state["diseases"]
    cited: dict[tuple[str, str], list[str]] = {}
    for finding in _raising(state):
        cited.setdefault((finding["cause"], finding["effect"]), []).append(finding["passage"])
    return Graph(
        nodes=tuple(
            GraphNode(code=d["code"], dotted=d["dotted"], display=d["display"], role=d["role"])
            for d in diseases.values()
            if d["role"] != LEFT_OUT
        ),
        edges=tuple(
            _edge(edge, tuple(dict.fromkeys(cited.get((edge["cause"], edge["effect"]), []))))
            for edge in state["graph"]["edges"]
        ),
        scores=GraphScores(**{field: state["graph"][field] for field in GraphScores.model_fields}),
    )


def _raising(state: ConclusionSlice) -> list[dict[str, Any]]:
    return [found for found in (state.get("findings") or []) if found["direction"] == "raises"]


def _edge(edge: dict[str, Any], evidence: tuple[str, ...]) -> GraphEdge:
    return GraphEdge(**edge | {"direction": Direction(**edge["direction"]), "evidence": evidence})


def _score(trial: dict[str, Any]) -> IterationScore:
    return IterationScore(
        iteration=trial["iteration"],
        method=trial["fit"]["method"],
        accepted_score=trial["score"],
        gain_per_patient=trial["fit"]["gain_per_patient"],
        held_out_gain_per_patient=trial["fit"]["held_out_gain_per_patient"],
        log_likelihood=trial["fit"]["log_likelihood"],
        n_edges=len(trial["hypothesis"]["edges"]),
        change=trial["change"],
    )


def _candidate(candidate: dict[str, Any], diseases: dict[str, dict[str, Any]]) -> Candidate:
    disease = diseases[candidate["code"]]
    return Candidate(dotted=disease["dotted"], display=disease["display"], **candidate)


def _knowledge(state: ConclusionSlice) -> Knowledge | None:
    if not state.get("knowledge"):
        return None
    return Knowledge(
        **state["knowledge"],
        query=state["query"],
        passages=tuple(_cited(passage) for passage in (state.get("passages") or [])),
        findings=tuple(Finding(**finding) for finding in (state.get("findings") or [])),
    )


def _cited(passage: dict[str, Any]) -> CitedPassage:
    shown = {field: passage[field] for field in passage.keys() & CitedPassage.model_fields.keys()}
    return CitedPassage(**shown, text_sha256=sha256(passage["text"].encode()).hexdigest())


@cache
def _versions() -> dict[str, str]:
    return {name: _version(name) for name in _SHOWN_PACKAGES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"

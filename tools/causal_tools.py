"""The causal engine as LangChain tools: orient, score, amend and search graphs, and predict from one.

A mind sees and sets only the arguments that are not injected; codes go in and out as vocabulary keys. The
score that graphs are accepted by is injected too: a mind may not choose what its graph is measured by.
"""

from typing import Annotated, Any, NamedTuple

from langchain_core.tools import InjectedToolArg
from pydantic import Field

from tools import resources
from tools.causal import edits, fitting, orientation, search, stability
from tools.causal.constraints import Constraints
from tools.causal.dag import CausalGraph
from tools.causal.edits import Edit
from tools.causal.fitting import EdgeFit
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.scores import Score, ScoreName
from tools.engine_tool import engine_tool
from tools.prediction.forecast import Kind
from tools.reporting.result import PartName

Pair = Annotated[list[str], Field(min_length=2, max_length=2)]
Edges = Annotated[list[Pair], Field(max_length=2_000, description="[cause, effect] pairs of codes")]
Nodes = Annotated[list[str], InjectedToolArg]
History = Annotated[list[str], InjectedToolArg]
Visits = Annotated[list[list[str]], InjectedToolArg]
MaxParents = Annotated[int, InjectedToolArg]
MaxEdges = Annotated[int | None, InjectedToolArg]
AcceptedScore = Annotated[ScoreName, InjectedToolArg]
ByBurden = Annotated[bool | None, InjectedToolArg]
Ess = Annotated[float, InjectedToolArg]
Resamples = Annotated[int, InjectedToolArg, Field(ge=0, le=200)]
Seed = Annotated[int, InjectedToolArg, Field(ge=0)]
Store = Annotated[str, InjectedToolArg]
Confidence = dict[tuple[str, str], float]

_PARTS: dict[Kind, PartName] = {
    "recurrence": "recurrence",
    "cause": "cause",
    "association": "association",
    "rest": "rest of the history",
    "base": "base rate",
}


@engine_tool
def orient_graph(
    edges: Edges,
    nodes: Nodes,
    history: History,
    max_parents: MaxParents = 6,
    store: Store = "",
) -> dict[str, Any]:
    """Turns round the edges that onsets, or history before candidates, speak against, or drops them."""
    case = _open(store, nodes, history, max_parents)
    found = orientation.orient(_graph(nodes, edges), case.matrix, case.rules)
    listed = {"edges": found.graph.edges, "turned": found.turned, "dropped": found.dropped}
    return {name: [list(edge) for edge in some] for name, some in listed.items()}


@engine_tool
def score_graph(
    edges: Edges,
    nodes: Nodes,
    history: History,
    max_parents: MaxParents = 6,
    max_edges: MaxEdges = None,
    score: AcceptedScore = "noisy_or_bic",
    by_burden: ByBurden = None,
    ess: Ess = 1.0,
    resamples: Resamples = 0,
    seed: Seed = 0,
    store: Store = "",
) -> dict[str, Any]:
    """Fits a causal graph to the diagnosis matrix: its scores, and each edge's strength and confidence."""
    accepted = Score(score, by_burden, ess)
    case = _open(store, nodes, history, max_parents, max_edges)
    fitted = fitting.fit(_graph(nodes, edges), case.matrix, accepted)
    confidence = case.confidence(accepted, resamples, seed)
    return fitted._asdict() | {
        "by_burden": accepted.stratified,
        "ess": ess,
        "resamples": resamples,
        "gain_per_patient": fitted.gain_per_patient,
        "held_out_gain_per_patient": fitted.held_out_gain_per_patient,
        "edges": [_fitted_edge(edge, confidence) for edge in fitted.edges],
    }


@engine_tool
def score_edits(
    edges: Edges,
    nodes: Nodes,
    history: History,
    limit: Annotated[int, Field(ge=1, le=500)] = 40,
    max_parents: MaxParents = 6,
    max_edges: MaxEdges = None,
    score: AcceptedScore = "noisy_or_bic",
    by_burden: ByBurden = None,
    ess: Ess = 1.0,
    resamples: Resamples = 0,
    seed: Seed = 0,
    store: Store = "",
) -> dict[str, Any]:
    """What each legal single-edge edit of a graph (add, remove, reverse) would gain, best first, nats."""
    accepted, graph = Score(score, by_burden, ess), _graph(nodes, edges)
    case = _open(store, nodes, history, max_parents, max_edges)
    shown = edits.edit_gains(graph, case.matrix, case.rules, accepted, limit)
    held_out = edits.held_out_gains(graph, case.matrix, shown, accepted)
    confidence = case.confidence(accepted, resamples, seed)
    n_patients = case.matrix.n_patients
    return {
        "n_patients": n_patients,
        "edits": [
            _scored_edit(edit, gain, n_patients, confidence)
            for edit, gain in zip(shown, held_out, strict=True)
        ],
    }


@engine_tool
def search_graph(
    start_edges: Edges,
    nodes: Nodes,
    history: History,
    max_steps: Annotated[int | None, Field(ge=1, le=1_000, description="most edits; null: no limit")] = None,
    tabu: Annotated[
        int,
        Field(ge=0, le=50, description="edits remembered to climb on past a summit; 0 stops at the first"),
    ] = 0,
    max_parents: MaxParents = 6,
    max_edges: MaxEdges = None,
    score: AcceptedScore = "noisy_or_bic",
    by_burden: ByBurden = None,
    ess: Ess = 1.0,
    store: Store = "",
) -> dict[str, Any]:
    """Climbs from a graph, edit by edit, to one that no single legal edit improves."""
    case = _open(store, nodes, history, max_parents, max_edges)
    start, accepted = _graph(nodes, start_edges), Score(score, by_burden, ess)
    found = search.hill_climb(case.matrix, start, case.rules, accepted, max_steps, tabu)
    return {"edges": [list(edge) for edge in found.edges]}


@engine_tool
def next_visit_risks(
    edges: Edges,
    nodes: Nodes,
    visits: Visits,
    store: Store = "",
) -> dict[str, Any]:
    """The records' probability that the next visit carries each disease, in parts that add up, as listed.

    `expected_codes` is how many codes that visit is expected to carry, those outside the graph included.
    """
    model = resources.open_next_visit_model(store)
    return {
        "expected_codes": model.expected_codes(visits),
        "risks": [
            {
                "code": found.key,
                "kind": "recurrence" if found.is_repeat else "onset",
                "probability": found.probability,
                "low": found.lower,
                "high": found.upper,
                "parts": [
                    {
                        "name": _PARTS[part.kind],
                        "source": part.key,
                        "value": part.probability,
                        "low": part.lower,
                        "high": part.upper,
                    }
                    for part in found.parts
                ],
            }
            for found in model.forecasts(_graph(nodes, edges), visits)
        ],
    }


class _Opened(NamedTuple):
    """The data of a case, and what its graphs may hold."""

    matrix: DiagnosisMatrix
    rules: Constraints

    def confidence(self, score: Score, resamples: int, seed: int) -> Confidence:
        """Share of resamples that hold each edge; empty where none are drawn."""
        if not resamples:
            return {}
        shares = stability.edge_confidence(self.matrix, self.rules, score, resamples, seed).tolist()
        nodes = self.matrix.nodes
        return {
            (a, b): share
            for a, row in zip(nodes, shares, strict=True)
            for b, share in zip(nodes, row, strict=True)
        }


def _open(
    store: str, nodes: list[str], history: list[str], max_parents: int, max_edges: int | None = None
) -> _Opened:
    """Equal arguments give one matrix and equal rules, so that what is kept with the matrix is shared."""
    had = set(history)
    tiers = {node: 0 if node in had else 1 for node in nodes}
    rules = Constraints(tiers=tiers, max_parents=max_parents, max_edges=max_edges)
    return _Opened(resources.open_matrix(store, tuple(nodes)), rules)


def _graph(nodes: list[str], edges: list[list[str]]) -> CausalGraph:
    return CausalGraph(nodes, [(cause, effect) for cause, effect in edges])


def _fitted_edge(edge: EdgeFit, confidence: Confidence) -> dict[str, Any]:
    return {
        "cause": edge.cause,
        "effect": edge.effect,
        "strength": edge.strength,
        "interval": [edge.lower, edge.upper],
        "confidence": confidence.get((edge.cause, edge.effect)),
        "gain": edge.gain,
        "held_out_gain": edge.held_out_gain,
        "reversal": edge.reversal,
        "identified_by": edge.identified_by,
        "direction": edge.direction._asdict(),
    }


def _scored_edit(edit: Edit, held_out_gain: float, n_patients: int, confidence: Confidence) -> dict[str, Any]:
    """An edit with the confidence of the edge that it concerns; of the turned one where it reverses."""
    edge = (edit.cause, edit.effect)
    return {
        "kind": edit.operation,
        "cause": edit.cause,
        "effect": edit.effect,
        "gain": edit.gain,
        "gain_per_patient": edit.gain / n_patients,
        "held_out_gain_per_patient": held_out_gain / n_patients,
        "confidence": confidence.get(edge[::-1] if edit.operation == "reverse" else edge),
    }

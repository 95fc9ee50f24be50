"""What the data say about a given graph: its scores, and each edge's strength, gain and direction."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from tools.causal import noisy_or, scores, tables
from tools.causal.dag import CausalGraph, Edge
from tools.causal.matrix import BurdenMeasure, DiagnosisMatrix
from tools.causal.orientation import IDENTIFIED_NATS, Direction, time_evidence
from tools.causal.profile import strength_intervals
from tools.causal.scores import Method, Score, Wanted
from tools.causal.tables import Family

IdentifiedBy = Literal["time", "score", "nothing"]


class EdgeFit(NamedTuple):
    """One edge of a fitted graph.

    Strength and interval hold given the graph. Where the same patients chose the graph, edges that chance
    made look strong were more likely to be chosen: strengths lean high and intervals are too narrow by that.

    Attributes:
        cause, effect: vocabulary keys.
        strength: lambda, probability that a present cause brings about the effect (leaky noisy-OR, leak by
            burden stratum), whatever the score. The burden leaves out the effect, its direct causes and its
            descendants in the graph, and what time puts after it.
        lower, upper: ends of its 95 % profile-likelihood interval.
        gain: what the accepted score loses without the edge, nats; negative where the edge does not pay.
        held_out_gain: what patients held out lose in log-likelihood without it, nats (see `Score.held_out`).
        reversal: what turning the edge round would change the accepted score by, nats; None where that would
            close a cycle or give the cause too many causes.
        direction: the evidence of time for this direction.
    """

    cause: str
    effect: str
    strength: float
    lower: float
    upper: float
    gain: float
    held_out_gain: float
    reversal: float | None
    direction: Direction

    @property
    def identified_by(self) -> IdentifiedBy:
        """What tells this direction from the other: time, else the score, by two nats or more.

        The score tells by the form of its model (a noisy-OR does not fit both ways alike) and by the other
        edges (two causes that have nothing else in common). Where nothing tells, the direction is the tiers'
        or one of two that the data do not distinguish.
        """
        if self.direction.verdict == "backs":
            return "time"
        by_score = self.reversal is not None and self.reversal <= -IDENTIFIED_NATS
        return "score" if by_score and self.direction.verdict == "undecided" else "nothing"


class GraphFit(NamedTuple):
    """A graph's scores, all in nats summed over patients and nodes.

    The scores of a graph are those of its fit to the patients that may have chosen it, not to new ones.

    Attributes:
        method: name of the accepted score.
        score: by that method.
        empty_score: of the graph without edges, by that method.
        log_likelihood: eq. 5 over the nodes.
        empty_log_likelihood: eq. 5 over the nodes without edges.
        out_of_graph: what the vocabulary's other codes add to eq. 5, the same for every graph over the nodes.
        held_out_gain: over the graph without edges, in the log-likelihood of patients held out by the model
            of the score (see `Score.held_out`). The strengths have not seen these patients, but the edges
            were chosen with them: it leans high, and more so the less the score charges for an edge.
        n_patients: number of patients.
        burden_measure: what patients of like burden have in common (see `DiagnosisMatrix`).
        edges: in the order of the graph's edges; conditional on the graph, see `EdgeFit`.
    """

    method: str
    score: float
    empty_score: float
    log_likelihood: float
    empty_log_likelihood: float
    out_of_graph: float
    held_out_gain: float
    n_patients: int
    burden_measure: BurdenMeasure
    edges: tuple[EdgeFit, ...]

    @property
    def gain_per_patient(self) -> float:
        """Accepted score over that of the graph without edges, nats a patient."""
        return (self.score - self.empty_score) / self.n_patients

    @property
    def held_out_gain_per_patient(self) -> float:
        """As `held_out_gain`, nats a patient."""
        return self.held_out_gain / self.n_patients


class _Strength(NamedTuple):
    estimate: float
    lower: float
    upper: float


def fit(graph: CausalGraph, matrix: DiagnosisMatrix, method: Method = scores.DEFAULT) -> GraphFit:
    """Fit a graph to the diagnoses; kept with the matrix.

    Raises:
        InputError: unknown method, a node that is not a column, or a family too large to count.
    """
    score = scores.named(method)
    return matrix.memory.recall(("fit", graph.nodes, graph.edges, score), lambda: _fit(graph, matrix, score))


def _fit(graph: CausalGraph, matrix: DiagnosisMatrix, score: Score) -> GraphFit:
    empty = CausalGraph(graph.nodes)
    totals = [
        scores.total_score(g, matrix, m) for m in (score, "loglik", score.held_out) for g in (graph, empty)
    ]
    whole, without_edges, likelihood, empty_likelihood, held_out, empty_held_out = totals
    return GraphFit(
        score.name,
        whole,
        without_edges,
        likelihood,
        empty_likelihood,
        matrix.out_of_graph,
        held_out - empty_held_out,
        matrix.n_patients,
        matrix.burden_measure,
        _edges(graph, matrix, score),
    )


def _edges(graph: CausalGraph, matrix: DiagnosisMatrix, method: Score) -> tuple[EdgeFit, ...]:
    strengths, evidence = _strengths(graph, matrix), time_evidence(matrix)
    gains, held_out_gains = (_gains(graph, matrix, m) for m in (method, method.held_out))
    turned = _reversals(graph, matrix, method, gains)
    return tuple(
        EdgeFit(
            *edge,
            *strengths[edge],
            gains[edge],
            held_out_gains[edge],
            turned[edge],
            evidence.direction(matrix.column(edge.cause), matrix.column(edge.effect)),
        )
        for edge in graph.edges
    )


def _gains(graph: CausalGraph, matrix: DiagnosisMatrix, method: Score) -> dict[Edge, float]:
    """What the score loses without each edge."""
    whole = _families(graph, matrix, (edge.effect for edge in graph.edges))
    fewer = [
        scores.columns(matrix, edge.effect, _without(graph.parents(edge.effect), edge.cause))
        for edge in graph.edges
    ]
    return dict(zip(graph.edges, _differences(matrix, whole, fewer, method), strict=True))


def _reversals(
    graph: CausalGraph, matrix: DiagnosisMatrix, method: Score, gains: dict[Edge, float]
) -> dict[Edge, float | None]:
    """What turning each edge round changes the score by; None where it may not be turned."""
    found: dict[Edge, float | None] = dict.fromkeys(graph.edges)
    free = [edge for edge in graph.edges if _can_turn(graph, edge)]
    whole = _families(graph, matrix, (edge.cause for edge in free))
    more = [scores.columns(matrix, e.cause, (*graph.parents(e.cause), e.effect)) for e in free]
    for edge, rise in zip(free, _differences(matrix, more, whole, method), strict=True):
        found[edge] = rise - gains[edge]
    return found


def _can_turn(graph: CausalGraph, edge: Edge) -> bool:
    others = set(graph.children(edge.cause)) - {edge.effect}
    has_detour = bool(others & (graph.ancestors(edge.effect) | {edge.effect}))
    return not has_detour and len(graph.parents(edge.cause)) < tables.MAX_PARENTS


def _families(graph: CausalGraph, matrix: DiagnosisMatrix, nodes: Iterable[str]) -> list[Wanted]:
    return [scores.columns(matrix, node, graph.parents(node)) for node in nodes]


def _without(parents: tuple[str, ...], cause: str) -> tuple[str, ...]:
    return tuple(parent for parent in parents if parent != cause)


def _differences(
    matrix: DiagnosisMatrix, more: list[Wanted], fewer: list[Wanted], method: Score
) -> list[float]:
    found = scores.local_scores(matrix, [*more, *fewer], method)
    return [float(difference) for difference in found[: len(more)] - found[len(more) :]]


def _strengths(graph: CausalGraph, matrix: DiagnosisMatrix) -> dict[Edge, _Strength]:
    counted = {}
    for effect in graph.nodes:
        if parents := graph.parents(effect):
            groups = scores.burden(matrix, effect, graph.descendants(effect) | set(parents))
            family = Family(matrix.column(effect), tuple(map(matrix.column, parents)), (groups,))
            counted[effect] = tables.table(matrix.packed, family), groups.size
    found = {}
    for effects, counts, n_strata in tables.batches(counted):
        fitted = noisy_or.fit(counts, n_strata, kernels=matrix.kernels)
        thetas = (fitted.theta, *strength_intervals(fitted, counts, kernels=matrix.kernels))
        ends = (noisy_or.strength(theta).tolist() for theta in thetas)
        for effect, *rows in zip(effects, *ends, strict=True):
            for cause, *numbers in zip(graph.parents(effect), *rows, strict=True):
                found[Edge(cause, effect)] = _Strength(*numbers)
    return found

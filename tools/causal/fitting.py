"""What the data say about a given graph: its scores, and each edge's strength, gain and direction."""

from typing import NamedTuple

from tools.causal import noisy_or, scores
from tools.causal.dag import CausalGraph
from tools.causal.matrix import BurdenMeasure, DiagnosisMatrix
from tools.causal.orientation import Direction, time_evidence
from tools.causal.profile import strength_intervals
from tools.causal.tables import batches, family_table


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
        direction: the evidence of time for this direction.
    """

    cause: str
    effect: str
    strength: float
    lower: float
    upper: float
    gain: float
    direction: Direction


class GraphFit(NamedTuple):
    """A graph's scores, all in nats summed over patients and nodes.

    The scores of a graph are those of its fit to the patients that may have chosen it, not to new ones.

    Attributes:
        method: name of the accepted score.
        score: by that method.
        empty_score: of the graph without edges, by that method.
        log_likelihood: eq. 5.
        empty_log_likelihood: eq. 5 without edges.
        n_patients: number of patients.
        burden_measure: what patients of like burden have in common (see `DiagnosisMatrix`).
        edges: in the order of the graph's edges; conditional on the graph, see `EdgeFit`.
    """

    method: str
    score: float
    empty_score: float
    log_likelihood: float
    empty_log_likelihood: float
    n_patients: int
    burden_measure: BurdenMeasure
    edges: tuple[EdgeFit, ...]


class _Strength(NamedTuple):
    estimate: float
    lower: float
    upper: float


def fit(graph: CausalGraph, matrix: DiagnosisMatrix, method: str = scores.DEFAULT_SCORE) -> GraphFit:
    """Fit a graph to the diagnoses.

    Raises:
        InputError: unknown method, a node that is not a column, or a family too large to count.
    """
    empty = CausalGraph(graph.nodes)
    score = scores.total_score(graph, matrix, method)
    strengths = _strengths(graph, matrix)
    edges = (_edge(graph, matrix, cause, effect, method, strengths) for cause, effect in graph.edges)
    return GraphFit(
        method,
        score,
        scores.total_score(empty, matrix, method),
        scores.log_likelihood(graph, matrix),
        scores.log_likelihood(empty, matrix),
        matrix.n_patients,
        matrix.burden_measure,
        tuple(edges),
    )


def _edge(
    graph: CausalGraph,
    matrix: DiagnosisMatrix,
    cause: str,
    effect: str,
    method: str,
    strengths: dict[tuple[str, str], _Strength],
) -> EdgeFit:
    parents = graph.parents(effect)
    rest = tuple(parent for parent in parents if parent != cause)
    whole = scores.local_score(matrix, effect, parents, method)
    gain = whole - scores.local_score(matrix, effect, rest, method)
    direction = time_evidence(matrix).direction(matrix.column(cause), matrix.column(effect))
    return EdgeFit(cause, effect, *strengths[cause, effect], gain, direction)


def _strengths(graph: CausalGraph, matrix: DiagnosisMatrix) -> dict[tuple[str, str], _Strength]:
    tables = {}
    for effect in graph.nodes:
        if parents := graph.parents(effect):
            kin = graph.descendants(effect) | set(parents)
            rows = scores.rows(matrix, effect, stratified=True, left_out=kin)
            tables[effect] = family_table(rows, scores.parent_columns(matrix, parents)), rows.n_strata
    found = {}
    for effects, counts, n_strata in batches(tables):
        fitted = noisy_or.fit(counts, n_strata)
        thetas = (fitted.theta, *strength_intervals(fitted, counts))
        ends = (noisy_or.strength(theta).tolist() for theta in thetas)
        for effect, *rows_ in zip(effects, *ends, strict=True):
            for cause, *numbers in zip(graph.parents(effect), *rows_, strict=True):
                found[cause, effect] = _Strength(*numbers)
    return found

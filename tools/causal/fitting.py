"""What the data say about a given graph: its scores, and each edge's strength, gain and direction."""

from typing import NamedTuple

from tools.causal import noisy_or, scores
from tools.causal.dag import CausalGraph
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.orientation import Direction, TimeEvidence, time_evidence
from tools.causal.tables import family_table


class EdgeFit(NamedTuple):
    """One edge of a fitted graph.

    Attributes:
        cause, effect: vocabulary keys.
        strength: lambda, probability that a present cause brings about the effect (leaky noisy-OR, leak by
            burden stratum), whatever the score.
        lower, upper: ends of its 95 % interval.
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

    Attributes:
        method: name of the accepted score.
        score: by that method.
        empty_score: of the graph without edges, by that method.
        log_likelihood: eq. 5.
        empty_log_likelihood: eq. 5 without edges.
        n_patients: number of patients.
        edges: in the order of the graph's edges.
    """

    method: str
    score: float
    empty_score: float
    log_likelihood: float
    empty_log_likelihood: float
    n_patients: int
    edges: tuple[EdgeFit, ...]


def fit(graph: CausalGraph, matrix: DiagnosisMatrix, method: str = scores.DEFAULT_SCORE) -> GraphFit:
    """Fit a graph to the diagnoses.

    Raises:
        InputError: unknown method, a node that is not a column, or a family too large to count.
    """
    empty = CausalGraph(graph.nodes)
    score = scores.total_score(graph, matrix, method)
    time = time_evidence(matrix)
    edges = (edge for node in graph.nodes for edge in _edges(graph, matrix, node, method, time))
    return GraphFit(
        method,
        score,
        scores.total_score(empty, matrix, method),
        scores.log_likelihood(graph, matrix),
        scores.log_likelihood(empty, matrix),
        matrix.n_patients,
        tuple(sorted(edges, key=lambda edge: edge[:2])),
    )


def _edges(
    graph: CausalGraph, matrix: DiagnosisMatrix, effect: str, method: str, time: TimeEvidence
) -> list[EdgeFit]:
    parents = graph.parents(effect)
    if not parents:
        return []
    columns = tuple(matrix.column(parent) for parent in parents)
    observed = scores.rows(matrix, effect, stratified=True)
    table = family_table(observed, columns)[None]
    fitted = noisy_or.fit(table, observed.n_strata)
    lower, upper = noisy_or.intervals(fitted, table)
    whole = scores.local_score(matrix, effect, parents, method)
    edges = []
    for place, (parent, column) in enumerate(zip(parents, columns, strict=True)):
        rest = (*parents[:place], *parents[place + 1 :])
        leaked = observed.n_strata + place
        ends = (fitted.theta[0, place], lower[0, leaked], upper[0, leaked])
        gain = whole - scores.local_score(matrix, effect, rest, method)
        strengths = [float(noisy_or.strength(theta)) for theta in ends]
        direction = time.direction(column, matrix.column(effect))
        edges.append(EdgeFit(parent, effect, strengths[0], strengths[1], strengths[2], gain, direction))
    return edges

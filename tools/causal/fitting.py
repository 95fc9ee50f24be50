"""What the data say about a given graph: its scores, and each edge's strength, gain and direction."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal import scores, tables
from tools.causal.dag import CausalGraph, Edge
from tools.causal.matrix import BurdenMeasure, DiagnosisMatrix
from tools.causal.orientation import IDENTIFIED_NATS, Direction, time_evidence
from tools.causal.scores import Method, Score, Wanted
from tools.causal.strengths import strengths

Float = npt.NDArray[np.float64]
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


def fit(graph: CausalGraph, matrix: DiagnosisMatrix, method: Method = scores.DEFAULT) -> GraphFit:
    """Fit a graph to the diagnoses; kept with the matrix.

    Raises:
        InputError: unknown method, a node that is not a column, or a family too large to count.
    """
    score = scores.named(method)
    return matrix.memory.recall(("fit", graph.nodes, graph.edges, score), lambda: _fit(graph, matrix, score))


class _Families(NamedTuple):
    """What is scored of a graph.

    Attributes:
        whole: the family of each node.
        alone: each node without causes.
        fewer: for each edge the effect's family without its cause.
        more: for each edge that may be turned round the cause's family with its effect.
    """

    whole: list[Wanted]
    alone: list[Wanted]
    fewer: list[Wanted]
    more: list[Wanted]


def _fit(graph: CausalGraph, matrix: DiagnosisMatrix, score: Score) -> GraphFit:
    free = [place for place, edge in enumerate(graph.edges) if _can_turn(graph, edge)]
    families = _families(graph, matrix, free)
    whole, alone, fewer, more = _scored(families, matrix, score)
    held_out, held_out_alone, held_out_fewer = _scored(families[:3], matrix, score.held_out)
    likelihood, likelihood_alone = _scored(families[:2], matrix, "loglik")
    place_of = {node: place for place, node in enumerate(graph.nodes)}
    causes, effects = ([place_of[edge[end]] for edge in graph.edges] for end in (0, 1))
    gains, reversals = whole[effects] - fewer, dict.fromkeys(range(len(graph.edges)))
    rises = more - whole[[causes[place] for place in free]] - gains[free]
    reversals |= dict(zip(free, rises.tolist(), strict=True))
    edges = _edges(graph, matrix, gains, held_out[effects] - held_out_fewer, reversals)
    return GraphFit(
        score.name,
        float(whole.sum()),
        float(alone.sum()),
        float(likelihood.sum()),
        float(likelihood_alone.sum()),
        matrix.out_of_graph,
        float(held_out.sum()) - float(held_out_alone.sum()),
        matrix.n_patients,
        matrix.burden_measure,
        edges,
    )


def _families(graph: CausalGraph, matrix: DiagnosisMatrix, free: list[int]) -> _Families:
    """Those of a graph of which some edges, by place, may be turned round."""
    whole = scores.graph_families(graph, matrix)
    family_of = dict(zip(graph.nodes, whole, strict=True))
    ends = [(family_of[edge.cause], family_of[edge.effect]) for edge in graph.edges]
    fewer = [
        Wanted(after.effect, tuple([parent for parent in after.parents if parent != before.effect]))
        for before, after in ends
    ]
    turned = (ends[place] for place in free)
    more = [Wanted(before.effect, tuple(sorted((*before.parents, after.effect)))) for before, after in turned]
    return _Families(whole, [Wanted(one.effect, ()) for one in whole], fewer, more)


def _can_turn(graph: CausalGraph, edge: Edge) -> bool:
    """Whether no other way leads from cause to effect, and the cause has room for another."""
    others = (parent for parent in graph.parents(edge.effect) if parent != edge.cause)
    has_detour = any(graph.leads(edge.cause, other) for other in others)
    return not has_detour and len(graph.parents(edge.cause)) < tables.MAX_PARENTS


def _scored(parts: Sequence[list[Wanted]], matrix: DiagnosisMatrix, method: Method) -> list[Float]:
    """Scores of some lists of families, nats, in one call."""
    found = scores.local_scores(matrix, [one for part in parts for one in part], method)
    return np.split(found, np.cumsum([len(part) for part in parts])[:-1])


def _edges(
    graph: CausalGraph,
    matrix: DiagnosisMatrix,
    gains: Float,
    held_out_gains: Float,
    reversals: Mapping[int, float | None],
) -> tuple[EdgeFit, ...]:
    found, evidence = strengths(graph, matrix), time_evidence(matrix)
    pairs = zip(graph.edges, gains.tolist(), held_out_gains.tolist(), strict=True)
    return tuple(
        EdgeFit(
            *edge,
            *found[edge],
            gain,
            held_out_gain,
            reversals[place],
            evidence.direction(matrix.column(edge.cause), matrix.column(edge.effect)),
        )
        for place, (edge, gain, held_out_gain) in enumerate(pairs)
    )

"""What the data say about a given graph: its scores, and each edge's strength, gain and direction."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from tools.causal import scores, tables
from tools.causal.dag import CausalGraph
from tools.causal.matrix import BurdenMeasure, DiagnosisMatrix
from tools.causal.orientation import IDENTIFIED_NATS, Direction, time_evidence
from tools.causal.scores import Method, Score, Wanted
from tools.causal.strengths import strengths
from tools.causal.toggled import toggled_scores
from tools.numerics.counting import Columns

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


def _fit(graph: CausalGraph, matrix: DiagnosisMatrix, score: Score) -> GraphFit:
    families = scores.graph_families(graph, matrix)
    alone = [Wanted(one.effect, ()) for one in families]
    accepted = _weighed(matrix, families, _turnable(graph, matrix), score)
    held_out = _weighed(matrix, families, [()] * len(families), score.held_out)
    asked: list[tuple[list[Wanted], Method]] = [
        (alone, score),
        (alone, score.held_out),
        (alone, "loglik"),
        (families, "loglik"),
    ]
    empty, empty_held_out, empty_likelihood, likelihood = (
        float(scores.local_scores(matrix, some, by).sum()) for some, by in asked
    )
    return GraphFit(
        score.name,
        accepted.score,
        empty,
        likelihood,
        empty_likelihood,
        matrix.out_of_graph,
        held_out.score - empty_held_out,
        matrix.n_patients,
        matrix.burden_measure,
        _edges(graph, matrix, accepted, held_out),
    )


def _turnable(graph: CausalGraph, matrix: DiagnosisMatrix) -> list[Columns]:
    """For each node those of its effects that may become its causes, as columns."""
    return [
        tuple([matrix.column(effect) for effect in graph.children(node) if _can_turn(graph, node, effect)])
        for node in graph.nodes
    ]


def _can_turn(graph: CausalGraph, cause: str, effect: str) -> bool:
    """Whether no other way leads from cause to effect, and the cause has room for another."""
    others = (parent for parent in graph.parents(effect) if parent != cause)
    has_detour = any(graph.leads(cause, other) for other in others)
    return not has_detour and len(graph.parents(cause)) < tables.MAX_PARENTS


class _Weighed(NamedTuple):
    """A graph by one score, nats.

    Attributes:
        score: of the graph.
        gains: by the columns of a cause and an effect, what the family of the effect gains by the cause.
    """

    score: float
    gains: dict[tuple[int, int], float]


def _weighed(
    matrix: DiagnosisMatrix, families: Sequence[Wanted], others: Sequence[Columns], method: Score
) -> _Weighed:
    """What each family gains by each of its causes, and would by some other columns, given for each."""
    asked = [
        np.array([effect, *parents, *some]) for (effect, parents), some in zip(families, others, strict=True)
    ]
    found = toggled_scores(matrix, families, asked, method)
    gains = {}
    for (effect, parents), some, values in zip(families, others, found, strict=True):
        whole, *changed = values.tolist()
        fewer, more = changed[: len(parents)], changed[len(parents) :]
        gains.update({(cause, effect): whole - value for cause, value in zip(parents, fewer, strict=True)})
        gains.update({(cause, effect): value - whole for cause, value in zip(some, more, strict=True)})
    return _Weighed(float(np.array([values[0] for values in found]).sum()), gains)


def _edges(
    graph: CausalGraph, matrix: DiagnosisMatrix, accepted: _Weighed, held_out: _Weighed
) -> tuple[EdgeFit, ...]:
    found, evidence, fits = strengths(graph, matrix), time_evidence(matrix), []
    for edge in graph.edges:
        cause, effect = matrix.column(edge.cause), matrix.column(edge.effect)
        gain, turned = accepted.gains[cause, effect], accepted.gains.get((effect, cause))
        fits.append(
            EdgeFit(
                *edge,
                *found[edge],
                gain,
                held_out.gains[cause, effect],
                None if turned is None else turned - gain,
                evidence.direction(cause, effect),
            )
        )
    return tuple(fits)

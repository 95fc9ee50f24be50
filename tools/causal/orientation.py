"""Which of two associated diseases comes first: the evidence that time gives about an edge's direction.

Scores of cross-sectional data often cannot tell a -> b from b -> a. Two things that use time can: which of
the two is diagnosed first, and which predicts the ONSET of the other among those who do not have it yet.
"""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tools.causal import noisy_or
from tools.causal.constraints import UNCONSTRAINED, Constraints
from tools.causal.dag import CausalGraph, Edge
from tools.causal.matrix import DiagnosisMatrix
from tools.numerics import counting
from tools.numerics.jit import Kernels

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

Verdict = Literal["backs", "undecided", "against"]

IDENTIFIED_NATS = 2.0


class Direction(NamedTuple):
    """The evidence of time for cause -> effect against effect -> cause.

    The onset likelihood decides. Order counts and p-value are shown beside it and decide nothing: which of
    two diseases is recorded first depends on how common each is, too.

    Attributes:
        cause_first: patients in whom the cause was diagnosed at an earlier visit than the effect.
        effect_first: the reverse; patients diagnosed with both at one visit count for neither.
        p_value: two-sided binomial test that both orders are equally likely.
        lagged_gain: nats; positive where onset of the effect is better predicted by a history of the
            cause than the other way round.
        verdict: time backs this direction where `lagged_gain` is 2 nats or more, is against it at -2 or less.
    """

    cause_first: int
    effect_first: int
    p_value: float
    lagged_gain: float
    verdict: Verdict


def verdict(lagged_gain: float) -> Verdict:
    """What a `Direction.lagged_gain`, nats, amounts to."""
    if abs(lagged_gain) < IDENTIFIED_NATS:
        return "undecided"
    return "backs" if lagged_gain > 0 else "against"


class TimeEvidence(NamedTuple):
    """`Direction` for every ordered pair (row = cause, column = effect), each of shape (n_nodes, n_nodes)."""

    cause_first: Int64
    p_value: Float
    lagged_gain: Float

    def direction(self, cause: int, effect: int) -> Direction:
        """The evidence for one ordered pair of columns."""
        gain = float(self.lagged_gain[cause, effect])
        return Direction(
            int(self.cause_first[cause, effect]),
            int(self.cause_first[effect, cause]),
            float(self.p_value[cause, effect]),
            gain,
            verdict(gain),
        )


def time_evidence(matrix: DiagnosisMatrix) -> TimeEvidence:
    """Order of diagnosis and lagged onset for every pair of diseases of a matrix; kept with the matrix."""
    return matrix.memory.recall("time", lambda: _time_evidence(matrix))


def later_than(matrix: DiagnosisMatrix, node: str) -> tuple[str, ...]:
    """The diseases of a matrix that time puts after `node`: verdict `backs` for node -> disease."""
    gains = time_evidence(matrix).lagged_gain[matrix.column(node)]
    return tuple(matrix.nodes[column] for column in np.flatnonzero(gains >= IDENTIFIED_NATS))


def _time_evidence(matrix: DiagnosisMatrix) -> TimeEvidence:
    counts = _onset_counts(matrix)
    # b new at t+1 with a in the history up to t: a strictly first.
    first = counts.events.sum(axis=0)
    fewer, both = np.minimum(first, first.T), first + first.T
    p_value = np.minimum(1.0, 2.0 * special.bdtr(fewer, both, 0.5))
    onset = _gains(counts, matrix.kernels)
    return TimeEvidence(first, p_value, onset - onset.T)


def onset_gains(matrix: DiagnosisMatrix) -> Float:
    """What a history of each disease adds to predicting the onset of each other one.

    Over visits t at risk (b not diagnosed up to t), b is new at t+1 with the noisy-OR probability
    1 - exp(-(leak_s + theta x_a)), x_a = a diagnosed up to t, s the burden stratum up to t (see
    `LaggedDesign`). As b is not among the codes up to t, the strata do not condition on the effect.

    Returns:
        gain[a, b] = log-likelihood with a minus without, nats, >= 0, shape (n_nodes, n_nodes).
    """
    return _gains(_onset_counts(matrix), matrix.kernels)


class _OnsetCounts(NamedTuple):
    """Visits by stratum; of pairs (cause in the history, effect), shape (n_strata, n_nodes, n_nodes).

    Attributes:
        events: at which the effect is new at the next visit.
        exposed: up to which the effect was not diagnosed.
        all_events, all_at_risk: with the cause or without, shape (n_strata, n_nodes).
    """

    events: Int64
    exposed: Int64
    all_events: Int64
    all_at_risk: Int64


def _onset_counts(matrix: DiagnosisMatrix) -> _OnsetCounts:
    lagged = matrix.lagged
    # The visits themselves, behind the histories, count all that happens whatever came before.
    before = lagged.history._replace(bits=np.vstack([lagged.history.bits, lagged.taken]))
    events = counting.pair_counts(before, lagged.new, lagged.starts)
    at_risk = counting.pair_counts(before, lagged.at_risk(), lagged.starts)
    return _OnsetCounts(events[:, :-1], at_risk[:, :-1], events[:, -1], at_risk[:, -1])


def _gains(counts: _OnsetCounts, kernels: Kernels) -> Float:
    n_strata, size, _ = counts.events.shape
    tables = np.empty((size, size, n_strata, 2, 2))
    events, exposed = (np.moveaxis(some, 0, -1) for some in (counts.events, counts.exposed))
    tables[..., 1, 1] = events
    tables[..., 1, 0] = exposed - events
    tables[..., 0, 1] = counts.all_events.T - events
    tables[..., 0, 0] = (counts.all_at_risk - counts.all_events).T - (exposed - events)
    alone = tables[0].sum(axis=2)
    paired = noisy_or.fit(tables.reshape(size * size, 2 * n_strata, 2), n_strata, kernels=kernels)
    empty = noisy_or.fit(alone, n_strata, kernels=kernels)
    gains = np.maximum(paired.log_likelihood.reshape(size, size) - empty.log_likelihood, 0.0)
    np.fill_diagonal(gains, 0.0)
    return gains


def permitted(matrix: DiagnosisMatrix, constraints: Constraints = UNCONSTRAINED) -> Bool:
    """Which edges time and tiers permit: those it backs, and undecided ones that run to no lower tier.

    Returns:
        Row = cause, column = effect, shape (n_nodes, n_nodes).
    """
    gain = time_evidence(matrix).lagged_gain
    tiers = constraints.tiers or {}
    tier = np.array([tiers.get(node, 0) for node in matrix.nodes])
    undecided = np.abs(gain) < IDENTIFIED_NATS
    free = (gain >= IDENTIFIED_NATS) | (undecided & (tier[:, None] <= tier))
    np.fill_diagonal(free, False)
    return np.asarray(free)


class Oriented(NamedTuple):
    """A graph none of whose edges runs against time or tiers, but for required ones.

    Attributes:
        graph: the result.
        turned: edges that were turned round, as they were, those that time speaks against most first.
        dropped: edges that could not be turned, as they were, likewise.
    """

    graph: CausalGraph
    turned: tuple[Edge, ...]
    dropped: tuple[Edge, ...]


def orient(graph: CausalGraph, matrix: DiagnosisMatrix, constraints: Constraints = UNCONSTRAINED) -> Oriented:
    """Turn round the edges that time or tiers do not permit (see `permitted`).

    They are all taken out and put back the other way, those that time speaks against most first. One stays
    out if the turned edge would close a cycle, is forbidden, or is one direct cause too many. Required edges
    stay as they are.

    Args:
        graph: its nodes are columns of `matrix`.
        matrix: the data.
        constraints: what the graph may hold.

    Raises:
        InputError: a node that is not a column of `matrix`.
    """
    gain, free = time_evidence(matrix).lagged_gain, permitted(matrix, constraints)
    places = {edge: (matrix.column(edge.cause), matrix.column(edge.effect)) for edge in graph.edges}
    wrong = [e for e in graph.edges if not free[places[e]] and e not in constraints.required]
    turned, dropped = [], []
    found = graph.edit(remove=wrong)
    for edge in sorted(wrong, key=lambda edge: (gain[places[edge]], edge)):
        cause, effect = edge.effect, edge.cause
        if (
            (cause, effect) in constraints.forbidden
            or cause in found.descendants(effect)
            or len(found.parents(effect)) >= constraints.max_parents
        ):
            dropped.append(edge)
        else:
            found = found.edit(add=[(cause, effect)])
            turned.append(edge)
    return Oriented(found, tuple(turned), tuple(dropped))

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
    """What `Direction` says, for every ordered pair (row = cause, column = effect).

    Attributes:
        cause_first, lagged_gain: as of `Direction`, shape (n_nodes, n_nodes).
    """

    cause_first: Int64
    lagged_gain: Float

    def direction(self, cause: int, effect: int) -> Direction:
        """The evidence for one ordered pair of columns."""
        gain = float(self.lagged_gain[cause, effect])
        first, second = int(self.cause_first[cause, effect]), int(self.cause_first[effect, cause])
        p_value = min(1.0, 2.0 * float(special.bdtr(min(first, second), first + second, 0.5)))
        return Direction(first, second, p_value, gain, verdict(gain))


def time_evidence(matrix: DiagnosisMatrix) -> TimeEvidence:
    """Order of diagnosis and lagged onset for every pair of diseases of a matrix; kept with the matrix."""
    return matrix.memory.recall("time", lambda: _time_evidence(matrix))


def later_than(matrix: DiagnosisMatrix, node: str) -> tuple[str, ...]:
    """The diseases of a matrix that time puts after `node`: verdict `backs` for node -> disease."""
    gains = time_evidence(matrix).lagged_gain[matrix.column(node)]
    return tuple(matrix.nodes[column] for column in np.flatnonzero(gains >= IDENTIFIED_NATS))


def _time_evidence(matrix: DiagnosisMatrix) -> TimeEvidence:
    first, onset = _onsets(matrix)
    return TimeEvidence(first.astype(np.int64), onset - onset.T)


def onset_gains(matrix: DiagnosisMatrix) -> Float:
    """What a history of each disease adds to predicting the onset of each other one.

    Over visits t at risk (b not diagnosed up to t), b is new at t+1 with the noisy-OR probability
    1 - exp(-(leak_s + theta x_a)), x_a = a diagnosed up to t, s the burden stratum up to t (see
    `LaggedDesign`). As b is not among the codes up to t, the strata do not condition on the effect.

    Returns:
        gain[a, b] = log-likelihood with a minus without, nats, >= 0, shape (n_nodes, n_nodes).
    """
    _, onset = _onsets(matrix)
    return onset


class _Onsets(NamedTuple):
    """Of pairs (cause in the history, effect), each of shape (n_nodes, n_nodes).

    Attributes:
        first: visits at which the effect is new at the next visit: the cause strictly first.
        gain: see `onset_gains`.
    """

    first: Float
    gain: Float


def _onsets(matrix: DiagnosisMatrix) -> _Onsets:
    """Shared by pair, as neither count nor gain depends on the other diseases."""
    keys = [("onset", number) for number in matrix.numbers]
    found = matrix.shared.recall_rows(
        keys, [matrix.number_of] * len(keys), lambda missing: _pairs(matrix, np.array(missing).T)
    )
    first, gain = np.moveaxis(np.stack(found, axis=1), -1, 0)
    gain = gain.copy()
    np.fill_diagonal(gain, 0.0)
    return _Onsets(first, gain)


def _pairs(matrix: DiagnosisMatrix, wanted: Bool) -> Float:
    """Counts and gains of some pairs, those of one effect after those of another; shape (n_pairs, 2)."""
    effects, causes = np.nonzero(wanted.T)
    lagged = matrix.lagged
    # The visits themselves, behind the histories, count all that happens whatever came before.
    before = lagged.history._replace(bits=np.vstack([lagged.history.bits, lagged.taken]))
    # Of visits: at which the effect is new at the next one; up to which the effect was not diagnosed.
    events = counting.pair_counts(before, lagged.new, lagged.starts)
    at_risk = counting.pair_counts(before, lagged.at_risk(), lagged.starts)
    happened, exposed = (counts[:, causes, effects].T for counts in (events, at_risk))
    all_happened, all_at_risk = (counts[:, -1].T for counts in (events, at_risk))
    tables = np.empty((len(effects), len(lagged.starts) - 1, 2, 2), dtype=np.int64)
    tables[..., 1, 1] = happened
    tables[..., 1, 0] = exposed - happened
    tables[..., 0, 1] = all_happened[effects] - happened
    tables[..., 0, 0] = (all_at_risk - all_happened)[effects] - (exposed - happened)
    alone = np.stack([all_at_risk - all_happened, all_happened], axis=-1)
    gains = _likelihood(tables, matrix.kernels) - _likelihood(alone[:, :, None], matrix.kernels)[effects]
    return np.stack([happened.sum(axis=1), np.maximum(gains, 0.0)], axis=1)


def _likelihood(tables: Int64, kernels: Kernels) -> Float:
    """Of noisy-OR families by their tables, shape (n, n_strata, n_patterns, 2)."""
    n, n_strata, n_patterns, _ = tables.shape
    return noisy_or.fit(tables.reshape(n, n_strata * n_patterns, 2), n_strata, kernels=kernels).log_likelihood


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
            or found.leads(effect, cause)
            or len(found.parents(effect)) >= constraints.max_parents
        ):
            dropped.append(edge)
        else:
            found = found.edit(add=[(cause, effect)])
            turned.append(edge)
    return Oriented(found, tuple(turned), tuple(dropped))

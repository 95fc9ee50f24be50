"""Which of two associated diseases comes first: the evidence that time gives about an edge's direction.

Scores of cross-sectional data often cannot tell a -> b from b -> a. Two things that use time can: which of
the two is diagnosed first, and which predicts the ONSET of the other among those who do not have it yet.
"""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tools.causal import noisy_or
from tools.causal.matrix import DiagnosisMatrix

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
    lagged = matrix.lagged
    # b new at t+1 with a in the history up to t: a strictly first.
    first = (lagged.history.T.astype(np.float64) @ lagged.new).astype(np.int64)
    fewer, both = np.minimum(first, first.T), first + first.T
    p_value = np.minimum(1.0, 2.0 * special.bdtr(fewer, both, 0.5))
    onset = onset_gains(matrix)
    return TimeEvidence(first, p_value, onset - onset.T)


def onset_gains(matrix: DiagnosisMatrix) -> Float:
    """What a history of each disease adds to predicting the onset of each other one.

    Over visits t at risk (b not diagnosed up to t), b is new at t+1 with the noisy-OR probability
    1 - exp(-(leak_s + theta x_a)), x_a = a diagnosed up to t, s the burden stratum up to t (see
    `LaggedDesign`). As b is not among the codes up to t, the strata do not condition on the effect.

    Returns:
        gain[a, b] = log-likelihood with a minus without, nats, >= 0, shape (n_nodes, n_nodes).
    """
    size = len(matrix.nodes)
    if not len(matrix.lagged.burden):
        return np.zeros((size, size))
    tables = _onset_tables(matrix)
    n_strata = tables.shape[2] // 2
    alone = tables.reshape(size, size, n_strata, 2, 2).sum(axis=3)
    paired = noisy_or.fit(tables.reshape(size * size, 2 * n_strata, 2), n_strata).log_likelihood
    empty = noisy_or.fit(alone[0], n_strata).log_likelihood
    gains = np.maximum(paired.reshape(size, size) - empty, 0.0)
    np.fill_diagonal(gains, 0.0)
    return gains


def _onset_tables(matrix: DiagnosisMatrix) -> Float:
    """Counts by cause, effect, cell (stratum, cause) and onset, shape (k, k, 2 n_strata, 2)."""
    history, new, burden, strata = matrix.lagged
    size, n_strata = len(matrix.nodes), strata.size
    tables = np.empty((size, size, n_strata, 2, 2))
    for stratum in range(n_strata):
        rows = burden == stratum
        had, onset = history[rows].astype(np.float64), new[rows].astype(np.float64)
        at_risk = 1.0 - had
        exposed, events = had.T @ at_risk, had.T @ onset
        tables[:, :, stratum, 1, 1] = events
        tables[:, :, stratum, 1, 0] = exposed - events
        tables[:, :, stratum, 0, 1] = onset.sum(axis=0) - events
        tables[:, :, stratum, 0, 0] = at_risk.sum(axis=0) - onset.sum(axis=0) - exposed + events
    return tables.reshape(size, size, 2 * n_strata, 2)

"""What makes a disease begin at the next visit: noisy-OR families over the visits at risk of it."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal import noisy_or, scores, tables
from tools.causal.dag import CausalGraph
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.profile import strength_intervals
from tools.causal.tables import Batch, Family
from tools.numerics import grouped, newton
from tools.numerics.jit import Kernels
from tools.numerics.proportion import wilson

Float = npt.NDArray[np.float64]

PSEUDO_VISITS = 5.0


class Estimate(NamedTuple):
    """A probability with its 95 % interval."""

    probability: float
    lower: float
    upper: float


class Onset(NamedTuple):
    """Why a disease may begin at a patient's next visit.

    Attributes:
        total: of beginning at all, 1 - exp(-eta), eta = leak + the thetas of the causes the patient has.
        base: of beginning without any of these causes, 1 - exp(-leak).
        causes: of each of these causes alone, 1 - exp(-theta).
    """

    total: Estimate
    base: Estimate
    causes: dict[str, Estimate]


def onsets(
    graph: CausalGraph, matrix: DiagnosisMatrix, nodes: Iterable[str], history: frozenset[str], stratum: int
) -> dict[str, Onset]:
    """Fit the onset of some nodes on the visits at risk, with the graph's parents as causes.

    Over visits t with a successor and b not diagnosed up to t, b is new at t+1 with probability
    1 - exp(-(leak_s + sum_a theta_a x_a)), x_a = parent a diagnosed up to t, s the burden stratum up to t.
    Five pseudo-visits at the pooled onset rate, spread over the strata, stand behind the leaks and behind
    each parent, so that a handful of visits cannot claim certainty.

    Args:
        graph: whose parents are the causes.
        matrix: holds the graph's nodes.
        nodes: to be fitted.
        history: what the patient has.
        stratum: the patient's burden stratum.

    Raises:
        InputError: a node has too many direct causes to count, or is not a column.
    """
    n_strata = matrix.lagged.groups.size
    counted = {node: (_table(matrix, node, graph.parents(node)), n_strata) for node in nodes}
    return {
        node: onset
        for batch in tables.batches(counted)
        for node, onset in _fit(batch, graph, history, stratum, matrix.kernels).items()
    }


def _table(matrix: DiagnosisMatrix, node: str, parents: tuple[str, ...]) -> Float:
    """Counts of onset over the visits at risk, with the pseudo-visits, by the cells of `grouped.design`."""
    table = _onset_table(matrix, node, parents)
    n_strata = matrix.lagged.groups.size
    totals = table.sum(axis=0)
    rate = (totals[1] + 0.5) / (totals.sum() + 1.0)
    pseudo = PSEUDO_VISITS / n_strata * np.array([1.0 - rate, rate])
    by_stratum = table.reshape(n_strata, 2 ** len(parents), 2)
    by_stratum[:, [0, *(2**i for i in range(len(parents)))]] += pseudo
    return table


def _onset_table(matrix: DiagnosisMatrix, node: str, parents: tuple[str, ...]) -> Float:
    lagged, causes = matrix.lagged, [matrix.column(parent) for parent in scores.few(parents)]
    column, history = matrix.column(node), lagged.history.bits
    at_risk = ~history[column] & lagged.taken
    data = lagged.history._replace(bits=np.vstack([lagged.new.bits[column], history[causes], at_risk]))
    parents_and_risk = tuple(range(1, len(causes) + 2))
    counts = tables.table(data, Family(0, parents_and_risk, (lagged.groups,)))
    by_risk = counts.reshape(lagged.groups.size, 2, -1, 2)
    return by_risk[:, 1].reshape(-1, 2).astype(np.float64)


def _fit(
    batch: Batch, graph: CausalGraph, history: frozenset[str], stratum: int, kernels: Kernels
) -> dict[str, Onset]:
    effects, counts, n_strata = batch
    fitted = noisy_or.fit(counts, n_strata, kernels=kernels)
    parameters = np.hstack([fitted.leak, fitted.theta])
    acting = np.array([[p in history for p in graph.parents(effect)] for effect in effects], dtype=np.float64)
    base = np.zeros_like(parameters)
    base[:, stratum] = 1.0
    total = base.copy()
    total[:, n_strata:] = acting
    covariance = _covariance(parameters, counts, grouped.design(n_strata, fitted.theta.shape[1]))
    totals, bases = (_estimates(parameters, covariance, sums) for sums in (total, base))
    thetas = np.stack([fitted.theta, *strength_intervals(fitted, counts, kernels=kernels)], axis=-1)
    causes = (
        {p: Estimate(*row) for p, row in zip(graph.parents(e), rows, strict=True) if p in history}
        for e, rows in zip(effects, noisy_or.strength(thetas).tolist(), strict=True)
    )
    parts = zip(effects, totals, bases, causes, strict=True)
    return {effect: Onset(whole, leak, acts) for effect, whole, leak, acts in parts}


def _covariance(parameters: Float, counts: Float, cells: Float) -> Float:
    """Inverse of the expected information, shape (n, m, m).

    I = sum_c n_c d_c d_c' / (exp(eta_c) - 1), d_c the row of the design. A parameter at its bound 0 counts as
    free: it may be larger, and what it would take from the others widens their intervals.
    """
    eta = np.maximum(parameters @ cells.T, noisy_or.FLOOR)
    weights = counts.sum(axis=-1) / np.expm1(eta)
    information = np.einsum("nc,ci,cj->nij", weights, cells, cells, optimize=True)
    size = cells.shape[1]
    nothing_held = np.zeros(parameters.shape, dtype=np.bool_)
    columns = [
        newton.solve(information, nothing_held, np.tile(unit, (len(counts), 1))) for unit in np.eye(size)
    ]
    return np.stack(columns, axis=-1)


def _estimates(parameters: Float, covariance: Float, sums: Float) -> list[Estimate]:
    """1 - exp(-eta) of linear sums eta of the parameters, with intervals.

    By the delta method the variance is exp(-2 eta) var(eta). The interval is Wilson's for as many independent
    visits as give this variance, so that it stays within 0 and 1 and is not symmetric for rare onsets.
    """
    eta = np.sum(sums * parameters, axis=1)
    variance = np.einsum("ni,nij,nj->n", sums, covariance, sums)
    probability = noisy_or.strength(eta)
    trials = probability * np.exp(eta) / np.maximum(variance, noisy_or.FLOOR)
    pairs = zip(probability.tolist(), trials.tolist(), strict=True)
    return [Estimate(share, *wilson(share, n)) for share, n in pairs]

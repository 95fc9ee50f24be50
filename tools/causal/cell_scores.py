"""Scores of conditional probability tables: sums over cells of a function of the two counts in each.

With n0, n1 the rows of a cell without and with the effect, n = n0 + n1, and q the number of cells of a family
(parent configurations, seen or not, by groups of burden where there are any):

    loglik  l = sum n1 log(n1 / n) + n0 log(n0 / n), the II-KEA eq. 5
    bic     l - q log(n_patients) / 2 (Schwarz 1978)
    aic     l - q (Akaike 1974)
    bdeu    log marginal likelihood under Beta(ess / 2q, ess / 2q) (Buntine 1991; Heckerman et al. 1995)
    k2      log marginal likelihood under Beta(1, 1) (Cooper and Herskovits 1992)

All on the scale of the log-likelihood, nats, as pgmpy defines them; higher is better.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

Float = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64] | npt.NDArray[np.float64]


class CellScore(NamedTuple):
    """One score.

    Attributes:
        value: (counts of shape (..., 2), q, ess) -> nats of each cell; 0 for an empty cell.
        charge: (n_patients) -> nats to pay for each cell, empty or not.
    """

    value: Callable[[Counts, npt.ArrayLike, float], Float]
    charge: Callable[[int], float]


def _likelihood(counts: Counts, _q: npt.ArrayLike, _ess: float) -> Float:
    own = _xlogx(counts)
    return np.asarray(own[..., 0] + own[..., 1] - _xlogx(counts[..., 0] + counts[..., 1]))


def _xlogx(counts: Counts) -> Float:
    """N log n, 0 at 0. Whole numbers by the logarithm of numpy, which is several times faster than xlogy."""
    if counts.dtype.kind == "f":
        return np.asarray(special.xlogy(counts, counts))
    return np.asarray(counts * np.log(np.maximum(counts, 1)))


def _bdeu(counts: Counts, q: npt.ArrayLike, ess: float) -> Float:
    share = np.asarray(ess / (2.0 * np.asarray(q, dtype=np.float64)))
    return _marginal(counts, share)


def _k2(counts: Counts, _q: npt.ArrayLike, _ess: float) -> Float:
    return _marginal(counts, np.asarray(1.0))


def _marginal(counts: Counts, alpha: Float) -> Float:
    """Log marginal likelihood of each cell under Beta(alpha, alpha), shape (...)."""
    single = special.gammaln(counts + alpha[..., None]) - special.gammaln(alpha)[..., None]
    total = counts[..., 0] + counts[..., 1]
    both = special.gammaln(total + 2.0 * alpha) - special.gammaln(2.0 * alpha)
    return np.asarray(single[..., 0] + single[..., 1] - both)


def _nothing(_n_patients: int) -> float:
    return 0.0


CELL_SCORES: Mapping[str, CellScore] = {
    "loglik": CellScore(_likelihood, _nothing),
    "bic": CellScore(_likelihood, lambda n_patients: 0.5 * float(np.log(n_patients))),
    "aic": CellScore(_likelihood, lambda _n_patients: 1.0),
    "bdeu": CellScore(_bdeu, _nothing),
    "k2": CellScore(_k2, _nothing),
}

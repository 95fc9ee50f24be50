"""Logistic families: each cause multiplies the odds of its effect.

P(X = 1 | stratum s, parents x) = 1 / (1 + exp(-eta)), eta = intercept_s + sum_a weight_a x_a. The
log-likelihood of grouped counts, sum_c n1_c eta_c - (n0_c + n1_c) log(1 + exp(eta_c)), is concave in the
parameters (McCullagh and Nelder 1989, section 4.4). Where the cases are separated it has no maximum, only a
limit. Every parameter stays within +-CEILING, where there is one. An intercept of -15 and a weight of 30 come
as near that limit as 3e-7 nats a patient.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.numerics import grouped, newton
from tools.numerics.grouped import Link, design
from tools.numerics.jit import Kernels

Float = npt.NDArray[np.float64]

CEILING = 30.0  # odds of 1e13


class LogisticFit(NamedTuple):
    """Maximum-likelihood logistic families; the leading axis is the batch.

    Attributes:
        intercept: shape (n, n_strata), log odds without any parent.
        weights: shape (n, n_parents), log odds ratio of each parent.
        log_likelihood: shape (n,), nats.
    """

    intercept: Float
    weights: Float
    log_likelihood: Float


def _split(without: Float, events: Float) -> tuple[Float, Float]:
    return events, without + events


def _curve(eta: Float) -> Float:
    return -np.logaddexp(0.0, eta)


def _bend(eta: Float) -> tuple[Float, Float]:
    smaller = np.exp(-np.abs(eta))
    chance = np.where(eta > 0.0, 1.0, smaller) / (1.0 + smaller)
    return -chance, smaller / (1.0 + smaller) ** 2


LOGISTIC = Link(-CEILING, CEILING, False, _split, _curve, _bend)


def fit(
    tables: npt.ArrayLike, n_strata: int, max_steps: int = 60, kernels: Kernels | None = None
) -> LogisticFit:
    """Fit a batch of families of one shape.

    A parameter on which the data are silent (an empty stratum, a parent that nobody has) stays 0.

    Args:
        tables: counts, shape (n, n_strata * 2**n_parents, 2), cells as in `grouped.design`.
        n_strata: number of intercepts.
        max_steps: Newton steps; about five are taken, some thirty where cases are separated.
        kernels: see `jit.DEFAULT_KERNELS`.
    """
    counts = np.asarray(tables, dtype=np.float64)
    start = _start(counts, n_strata)
    best, value = newton.maximise(start, counts, n_strata, LOGISTIC, max_steps=max_steps, kernels=kernels)
    return LogisticFit(best[:, :n_strata], best[:, n_strata:], value)


def _start(counts: Float, n_strata: int) -> Float:
    """The odds of each stratum, with half a patient more on both sides, and weights of 0."""
    totals = grouped.totals(counts, design(n_strata, grouped.n_parents_of(counts, n_strata)))
    start = np.log((totals.events + 0.5) / (totals.without + 0.5))
    start[:, n_strata:] = 0.0
    return grouped.settled(start, totals, LOGISTIC)

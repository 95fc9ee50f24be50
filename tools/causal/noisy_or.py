"""Leaky noisy-OR likelihood, concave in theta = -log(1 - lambda), fitted for many families in one call.

P(X = 0 | stratum s, parents x) = exp(-eta), eta = leak_s + sum_a theta_a x_a, every parameter >= 0.
The log-likelihood of grouped counts, sum_c n0_c (-eta_c) + n1_c log(1 - exp(-eta_c)), is concave in the
parameters: each term is.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.numerics import grouped, newton
from tools.numerics.grouped import Link
from tools.numerics.jit import DEFAULT_KERNELS, Kernels

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

CEILING = 30.0  # lambda = 1 - 1e-13: a parent that has never failed to be followed by its effect
FLOOR = 1e-12  # keeps log(1 - exp(-eta)) finite while the search is on its way
LEAST_START = 0.05


class NoisyOrFit(NamedTuple):
    """Maximum-likelihood noisy-OR families; the leading axis is the batch.

    Attributes:
        leak: shape (n, n_strata), theta of the leak.
        theta: shape (n, n_parents), theta of each parent.
        log_likelihood: shape (n,), nats.
    """

    leak: Float
    theta: Float
    log_likelihood: Float


def strength(theta: Float) -> Float:
    """Lambda = 1 - exp(-theta), the probability that a present cause brings about its effect."""
    return -np.expm1(-theta)


def _split(without: Float, events: Float) -> tuple[Float, Float]:
    return -without, events


def _curve(eta: Float) -> Float:
    return np.log(-np.expm1(-np.maximum(eta, FLOOR)))


def _bend(eta: Float) -> tuple[Float, Float]:
    odds = 1.0 / np.expm1(np.maximum(eta, FLOOR))
    return odds, odds * (1.0 + odds)


NOISY_OR = Link(0.0, CEILING, True, _split, _curve, _bend)


def log_likelihood(parameters: Float, tables: Float, cells: Float) -> Float:
    """Log-likelihood of each family, shape (n,); `tables` is (n, n_cells, 2) counts of X = 0 and 1."""
    return grouped.log_likelihood(parameters, tables, cells, NOISY_OR)


def derivatives(parameters: Float, tables: Float, cells: Float) -> tuple[Float, Float]:
    """Gradient, shape (n, m), and negated Hessian, shape (n, m, m), of `log_likelihood`."""
    return grouped.derivatives(parameters, tables, cells, NOISY_OR)


def pressed(parameters: Float, gradient: Float) -> Bool:
    """Which parameters the likelihood presses against 0 or CEILING."""
    return newton.pressed(parameters, gradient, NOISY_OR)


def fit(
    tables: npt.ArrayLike, n_strata: int, max_steps: int = 60, kernels: Kernels | None = None
) -> NoisyOrFit:
    """Fit a batch of families of one shape.

    A parameter on which the data are silent (an empty stratum, a parent that nobody has) stays at its start.

    Args:
        tables: counts, shape (n, n_strata * 2**n_parents, 2), cells as in `design`.
        n_strata: number of leaks.
        max_steps: Newton steps; the problem is concave and takes about five.
        kernels: see `jit.DEFAULT_KERNELS`.

    Returns:
        The maxima; see `profile` for their uncertainty.
    """
    found = np.asarray(tables)
    if (kernels or DEFAULT_KERNELS) == "numba":
        from tools.causal import family_kernels

        kind = np.int64 if found.dtype == np.int64 else np.float64
        sides = LEAST_START, NOISY_OR.lowest, NOISY_OR.highest
        start, counts = family_kernels.start(np.require(found, kind, ("C", "W")), n_strata, *sides)
    else:
        counts = found.astype(np.float64, copy=False)
        start = _start(counts, n_strata)
    best, value = maximise(start, counts, n_strata, max_steps=max_steps, kernels=kernels)
    return NoisyOrFit(best[:, :n_strata], best[:, n_strata:], value)


def log_likelihoods_with(
    tables: npt.NDArray[np.int64],
    owner: npt.NDArray[np.int64],
    without: NoisyOrFit,
) -> Float:
    """Maximum log-likelihood of families from the fits of these families without their last parent; compiled.

    A parent that does not raise the likelihood of the fit without it stays at theta = 0 (Karush-Kuhn-Tucker:
    the likelihood is concave), which costs no fit; the others begin from that fit.

    Args:
        tables: counts of families of one shape, shape (n, n_strata * 2**n_parents, 2).
        owner: the row of `without` each belongs to, shape (n,), rising.
        without: the fits.

    Returns:
        Nats, shape (n,).
    """
    from tools.causal import family_kernels

    best, n_strata = np.hstack([without.leak, without.theta]), without.leak.shape[1]
    sides = FLOOR, LEAST_START, CEILING
    better, start, counts = family_kernels.additions(tables, owner, best, n_strata, *sides)
    values = without.log_likelihood[owner]
    if len(better):
        values[better] = maximise(start, counts, n_strata, kernels="numba")[1]
    return values


def maximise(
    start: Float,
    counts: Float,
    n_strata: int,
    fixed: Bool | None = None,
    max_steps: int = 60,
    kernels: Kernels | None = None,
) -> tuple[Float, Float]:
    """`newton.maximise` of noisy-OR families."""
    return newton.maximise(start, counts, n_strata, NOISY_OR, fixed, max_steps, kernels)


def _start(counts: Float, n_strata: int) -> Float:
    """Leaks from those who have no parent; each theta from those who have this parent alone.

    With the leaks given, theta_a = log(sum_s n_sa exp(-leak_s) / sum_s n0_sa) makes as many of these stay
    without the effect as did. Half a patient keeps the logarithms finite; that of a stratum's leak has the
    stratum's rate.
    """
    n_parents = grouped.n_parents_of(counts, n_strata)
    totals = grouped.totals(counts, grouped.design(n_strata, n_parents))
    without, events = (total[:, :n_strata] for total in totals)
    rate = (events + 0.5) / (without + events + 1.0)
    cells = counts.reshape(len(counts), n_strata, 2**n_parents, 2)
    spared = (cells[:, :, 0, 0] + 1.0 - rate) / (cells[:, :, 0].sum(axis=-1) + 1.0)
    alone = cells[:, :, [2**a for a in range(n_parents)]]
    expected = np.sum(alone.sum(axis=-1) * spared[..., None], axis=1)
    theta = np.log((expected + 0.5) / (alone[..., 0].sum(axis=1) + 0.5))
    start = np.hstack([-np.log(spared), np.clip(theta, LEAST_START, CEILING)])
    return grouped.settled(start, totals, NOISY_OR)

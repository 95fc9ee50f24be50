"""Leaky noisy-OR likelihood, concave in theta = -log(1 - lambda), fitted for many families in one call.

P(X = 0 | stratum s, parents x) = exp(-eta), eta = leak_s + sum_a theta_a x_a, every parameter >= 0.
The log-likelihood of grouped counts, sum_c n0_c (-eta_c) + n1_c log(1 - exp(-eta_c)), is concave in the
parameters (each term is), so a point that satisfies the Karush-Kuhn-Tucker conditions is the maximum.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]
Direction = Callable[[Float, Float, Bool], Float]

CEILING = 30.0  # lambda = 1 - 1e-13: a parent that has never failed to be followed by its effect
FLOOR = 1e-12  # keeps log(1 - exp(-eta)) finite while the search is on its way
TINY = 1e-9
TOLERANCE = 1e-10
RIDGE = 1e-10


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


@cache
def design(n_strata: int, n_parents: int) -> Float:
    """Which parameters act in each cell, shape (n_strata * 2**n_parents, n_strata + n_parents).

    Cell s * 2**n_parents + sum_i x_i 2**i has stratum s and parents x.
    """
    n_patterns = 2**n_parents
    cells = np.arange(n_strata * n_patterns)
    leaks = cells[:, None] // n_patterns == np.arange(n_strata)
    parents = cells[:, None] % n_patterns >> np.arange(n_parents) & 1
    return np.hstack([leaks, parents]).astype(np.float64)


def log_likelihood(parameters: Float, tables: Float, cells: Float) -> Float:
    """Log-likelihood of each family, shape (n,); `tables` is (n, n_cells, 2) counts of X = 0 and 1."""
    eta = np.maximum(parameters @ cells.T, FLOOR)
    return np.asarray(np.sum(tables[..., 1] * np.log(-np.expm1(-eta)) - tables[..., 0] * eta, axis=-1))


def derivatives(parameters: Float, tables: Float, cells: Float) -> tuple[Float, Float]:
    """Gradient, shape (n, m), and negated Hessian, shape (n, m, m), of `log_likelihood`."""
    eta = np.maximum(parameters @ cells.T, FLOOR)
    odds = 1.0 / np.expm1(eta)
    n0, n1 = tables[..., 0], tables[..., 1]
    gradient = (n1 * odds - n0) @ cells
    weights = n1 * odds * (1.0 + odds)
    size = cells.shape[1]
    products = (cells[:, :, None] * cells[:, None, :]).reshape(len(cells), -1)
    return gradient, (weights @ products).reshape(-1, size, size)


def fit(tables: npt.ArrayLike, n_strata: int, max_steps: int = 60) -> NoisyOrFit:
    """Fit a batch of families of one shape by projected Newton steps (Bertsekas 1982) with an active set.

    Args:
        tables: counts, shape (n, n_strata * 2**n_parents, 2), cells as in `design`.
        n_strata: number of leaks.
        max_steps: Newton steps; the problem is concave and takes about ten.

    Returns:
        The maxima; see `profile` for their uncertainty.
    """
    counts = np.asarray(tables, dtype=np.float64)
    n_parents = int(np.log2(counts.shape[1] // n_strata))
    parameters = _start(counts, n_strata, n_parents)
    best, value = maximise(parameters, counts, design(n_strata, n_parents), max_steps=max_steps)
    return NoisyOrFit(best[:, :n_strata], best[:, n_strata:], value)


def maximise(
    start: Float, counts: Float, cells: Float, fixed: Bool | None = None, max_steps: int = 60
) -> tuple[Float, Float]:
    """Climb from a start to the maximum over the parameters that are not fixed.

    Args:
        start: shape (n, m).
        counts: shape (n, n_cells, 2).
        cells: see `design`.
        fixed: parameters that stay where they start, shape (n, m).
        max_steps: Newton steps.

    Returns:
        Parameters, shape (n, m), and log-likelihood, shape (n,).
    """
    parameters = start.copy()
    fixed = np.zeros(start.shape, dtype=np.bool_) if fixed is None else fixed
    value = log_likelihood(parameters, counts, cells)
    moving = np.arange(len(counts))
    for _ in range(max_steps):
        before = value[moving]
        _climb(parameters, value, counts, cells, fixed, moving, _newton_step)
        slow = moving[value[moving] - before <= TOLERANCE * (1.0 + np.abs(before))]
        _climb(parameters, value, counts, cells, fixed, slow, _scaled_gradient)
        moving = moving[value[moving] - before > TOLERANCE * (1.0 + np.abs(before))]
        if not len(moving):
            break
    return parameters, log_likelihood(parameters, counts, cells)


def _start(counts: Float, n_strata: int, n_parents: int) -> Float:
    by_stratum = counts.reshape(len(counts), n_strata, -1, 2).sum(axis=2)
    rate = (by_stratum[..., 1] + 0.5) / (by_stratum.sum(axis=-1) + 1.0)
    return np.hstack([-np.log1p(-rate), np.full((len(counts), n_parents), 0.05)])


def pressed(parameters: Float, gradient: Float) -> Bool:
    """Which parameters the likelihood presses against a bound."""
    return ((parameters <= 0.0) & (gradient <= 0.0)) | ((parameters >= CEILING) & (gradient >= 0.0))


def _climb(
    parameters: Float,
    value: Float,
    counts: Float,
    cells: Float,
    fixed: Bool,
    families: Index,
    direction: Direction,
) -> None:
    """Move some families one step; updates `parameters` and `value` in place."""
    if not len(families):
        return
    here, tables = parameters[families], counts[families]
    gradient, curvature = derivatives(here, tables, cells)
    held = fixed[families] | pressed(here, gradient)
    step = direction(np.where(held, 0.0, gradient), curvature, held)
    parameters[families], gained = _line_search(here, step, gradient, tables, cells, value[families])
    value[families] += gained


def _scaled_gradient(gradient: Float, curvature: Float, _held: Bool) -> Float:
    """Always climbs along the projected path, which a Newton step that meets a bound may not."""
    diagonal = np.arange(curvature.shape[1])
    return np.asarray(gradient / np.maximum(curvature[:, diagonal, diagonal], TINY))


def _newton_step(gradient: Float, curvature: Float, held: Bool) -> Float:
    return solve(curvature, held, gradient)


def solve(curvature: Float, held: Bool, right: Float) -> Float:
    """Solve for the parameters that are not held, scaled to a unit diagonal with a small ridge."""
    diagonal = np.arange(curvature.shape[1])
    scale = np.sqrt(curvature[:, diagonal, diagonal])
    scale = np.where(held | (scale < TINY), 1.0, scale)
    matrix = curvature / (scale[:, :, None] * scale[:, None, :])
    matrix *= ~held[:, :, None] & ~held[:, None, :]
    matrix[:, diagonal, diagonal] += np.where(held, 1.0, RIDGE)
    return np.asarray(np.linalg.solve(matrix, (right / scale)[..., None])[..., 0] / scale)


def _line_search(
    parameters: Float, step: Float, gradient: Float, counts: Float, cells: Float, value: Float
) -> tuple[Float, Float]:
    """Halve each family's step until its likelihood rises enough along the projected path.

    A step that brings eta of a cell with events to less than a tenth is too long as well: near 0 the
    likelihood is a logarithm, on which Newton's method only doubles eta at each step back.
    """
    best, gained = parameters.copy(), np.zeros(len(parameters))
    rounding = 1e-13 * (1.0 + np.abs(value))
    lowest = np.where(counts[..., 1] > 0, 0.1 * (parameters @ cells.T), 0.0)
    pending, length = np.arange(len(parameters)), 1.0
    while len(pending) and length > 1e-9:
        trial = np.clip(parameters[pending] + length * step[pending], 0.0, CEILING)
        gain = log_likelihood(trial, counts[pending], cells) - value[pending]
        promised = np.sum(gradient[pending] * (trial - parameters[pending]), axis=1)
        accepted = gain >= 1e-4 * np.maximum(promised, 0.0) - rounding[pending]
        accepted &= np.all(trial @ cells.T >= lowest[pending], axis=1)
        best[pending[accepted]], gained[pending[accepted]] = trial[accepted], gain[accepted]
        pending, length = pending[~accepted], length / 2.0
    return best, gained

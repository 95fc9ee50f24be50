"""Profile-likelihood intervals of noisy-OR strengths.

The profile log-likelihood of theta is the maximum over all other parameters with theta held. A 95 % interval
holds every theta whose profile lies at most chi2(0.95) / 2 below the maximum (Venzon and Moolgavkar 1988, "A
method for computing profile-likelihood-based confidence intervals"). It needs no standard error, so it stays
right where an estimate is at a bound or rests on few events.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal import noisy_or
from tools.causal.noisy_or import CEILING, NoisyOrFit
from tools.numerics import grouped, newton
from tools.numerics.jit import Kernels

Float = npt.NDArray[np.float64]

CHI2_95 = 3.841458820694124
CLOSE = 1e-3  # of the deviance, on chi2's scale
LEAST_START = 1e-4  # a parameter at 0 cannot explain the events that the held one leaves to it
MAX_ROUNDS = 60


class _Ends(NamedTuple):
    """Ends that are looked for, one row each.

    Attributes:
        n_strata: number of leaks.
        counts: the family's table, shape (n, n_cells, 2).
        best: its maximum-likelihood parameters, shape (n, m).
        value: its log-likelihood, shape (n,).
        place: the parameter, shape (n,).
        bound: how far the parameter may go, 0 or CEILING, shape (n,).
        kernels: see `jit.DEFAULT_KERNELS`.
    """

    n_strata: int
    counts: Float
    best: Float
    value: Float
    place: npt.NDArray[np.intp]
    bound: Float
    kernels: Kernels | None

    @property
    def cells(self) -> Float:
        return grouped.design(self.n_strata, self.best.shape[1] - self.n_strata)

    def some(self, rows: npt.NDArray[np.intp]) -> "_Ends":
        return self._replace(
            counts=self.counts[rows],
            best=self.best[rows],
            value=self.value[rows],
            place=self.place[rows],
            bound=self.bound[rows],
        )


def strength_intervals(
    fitted: NoisyOrFit, tables: npt.ArrayLike, kernels: Kernels | None = None
) -> tuple[Float, Float]:
    """95 % profile-likelihood interval of each parent's theta.

    Args:
        fitted: of these tables.
        tables: as given to `noisy_or.fit`.
        kernels: see `jit.DEFAULT_KERNELS`.

    Returns:
        Lower and upper ends, each of shape (n, n_parents). An end is 0 or CEILING where the data do not rule
        that bound out.
    """
    n_strata, (n, n_parents) = fitted.leak.shape[1], fitted.theta.shape
    side, family, parent = (index.ravel() for index in np.indices((2, n, n_parents)))
    ends = _Ends(
        n_strata,
        np.asarray(tables, dtype=np.float64)[family],
        np.hstack([fitted.leak, fitted.theta])[family],
        fitted.log_likelihood[family],
        n_strata + parent,
        np.where(side == 0, 0.0, CEILING),
        kernels,
    )
    lower, upper = _find(ends).reshape(2, n, n_parents)
    return np.minimum(lower, fitted.theta), np.maximum(upper, fitted.theta)


def _find(ends: _Ends) -> Float:
    """Newton's method on the root of the deviance, almost a straight line, within a bracket."""
    everyone = np.arange(len(ends.best))
    inside, outside = ends.best[everyone, ends.place], ends.bound.copy()
    theta = outside.copy()
    parameters, deviance, _ = _hold(ends, np.maximum(ends.best, LEAST_START), theta)
    pending = everyone[deviance > CHI2_95]
    theta[pending] = _guess(ends.some(pending))
    for _ in range(MAX_ROUNDS):
        if not len(pending):
            break
        here = _between(theta[pending], inside[pending], outside[pending])
        parameters[pending], deviance, slope = _hold(ends.some(pending), parameters[pending], here)
        is_in = deviance <= CHI2_95
        inside[pending[is_in]], outside[pending[~is_in]] = here[is_in], here[~is_in]
        far = np.abs(deviance - CHI2_95) > CLOSE
        root = np.sqrt(deviance)
        step = np.divide(
            root * (root - np.sqrt(CHI2_95)), slope, out=np.full_like(root, np.inf), where=slope != 0
        )
        theta[pending] = np.where(far, here + step, here)
        pending = pending[far]
    return theta


def _between(theta: Float, inside: Float, outside: Float) -> Float:
    """Theta where it lies within the bracket, else the middle of it."""
    low, high = np.minimum(inside, outside), np.maximum(inside, outside)
    return np.where((theta > low) & (theta < high), theta, (low + high) / 2.0)


def _hold(ends: _Ends, start: Float, theta: Float) -> tuple[Float, Float, Float]:
    """Maximise with one parameter held.

    Returns:
        Parameters, shape (n, m); deviance from the maximum, >= 0; slope of the profile log-likelihood.
    """
    rows = np.arange(len(theta))
    fixed = np.zeros(start.shape, dtype=np.bool_)
    fixed[rows, ends.place] = True
    start = np.where(fixed, theta[:, None], start)
    parameters, value = noisy_or.maximise(start, ends.counts, ends.n_strata, fixed, kernels=ends.kernels)
    gradient = grouped.gradient(parameters[:, None], ends.counts[:, None], ends.cells, noisy_or.NOISY_OR)
    return parameters, np.maximum(2.0 * (ends.value - value), 0.0), gradient[rows, 0, ends.place]


def _guess(ends: _Ends) -> Float:
    """The end by the quadratic approximation of the profile at the maximum."""
    rows = np.arange(len(ends.best))
    apart, curvature = noisy_or.derivatives(ends.best[:, None], ends.counts[:, None], ends.cells)
    gradient = apart[:, 0]
    held = noisy_or.pressed(ends.best, gradient)
    slope = np.where(held, gradient, 0.0)[rows, ends.place]
    held[rows, ends.place] = False
    unit = np.zeros_like(ends.best)
    unit[rows, ends.place] = 1.0
    variance = np.maximum(newton.solve(curvature, held, unit)[rows, ends.place], 0.0)
    drift = variance * slope
    reach = np.sqrt(drift**2 + CHI2_95 * variance)
    return np.asarray(ends.best[rows, ends.place] + drift + np.where(ends.bound > 0.0, reach, -reach))

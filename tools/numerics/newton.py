"""The maximum of concave families in their box, for many families in one call.

Newton steps with an active set: each goes to the top of the quadratic model along the sides of the box that
it meets (Nocedal and Wright 2006, section 16.5). A point that satisfies the Karush-Kuhn-Tucker conditions is
the maximum. Here the batch moves together; `newton_kernels` moves one family after the other by like rules.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.numerics.grouped import Link, derivatives, design, gradient, log_likelihood
from tools.numerics.jit import DEFAULT_KERNELS, Kernels

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]
LAST = 1e-7  # nats
SHORTEST = 1e-9
TINY = 1e-9
RIDGE = 1e-10


class _Batch(NamedTuple):
    """Families that climb: `counts` of shape (n, n_cells, 2), `fixed` of shape (n, m)."""

    counts: Float
    fixed: Bool
    cells: Float
    link: Link

    def some(self, families: Index) -> "_Batch":
        return self._replace(counts=self.counts[families], fixed=self.fixed[families])

    def boxed(self, parameters: Float) -> Float:
        return np.clip(parameters, self.link.lowest, self.link.highest)


def maximise(
    start: Float,
    counts: Float,
    n_strata: int,
    link: Link,
    fixed: Bool | None = None,
    max_steps: int = 60,
    kernels: Kernels | None = None,
) -> tuple[Float, Float]:
    """Climb from a start to the maximum over the parameters that are not fixed.

    Args:
        start: shape (n, m), within the box; where the link is vanishing, eta > 0 in cells with events.
        counts: without and with the effect, shape (n, n_strata * 2**(m - n_strata), 2).
        n_strata: number of intercepts.
        link: what is fitted.
        fixed: parameters that stay where they start, shape (n, m).
        max_steps: Newton steps; about five are taken.
        kernels: see `jit.DEFAULT_KERNELS`.

    Returns:
        Parameters, shape (n, m), and log-likelihood, nats, shape (n,).
    """
    fixed = np.zeros(start.shape, dtype=np.bool_) if fixed is None else fixed
    if (kernels or DEFAULT_KERNELS) == "numba":
        from tools.numerics import newton_kernels

        start, counts, fixed = _ready(start), _ready(counts), np.require(fixed, np.bool_, ("C", "W"))
        box = link.lowest, link.highest
        return newton_kernels.maximise(start, counts, fixed, n_strata, *box, link.vanishing, max_steps)
    batch = _Batch(counts, fixed, design(n_strata, start.shape[1] - n_strata), link)
    return _climb_together(start.copy(), batch, max_steps)


def _ready(array: Float) -> Float:
    """The array as compiled code takes it."""
    is_ready = array.dtype == np.float64 and array.flags.carray
    return array if is_ready else np.require(array, np.float64, ("C", "W"))


def _climb_together(parameters: Float, batch: _Batch, max_steps: int) -> tuple[Float, Float]:
    moving = np.arange(len(parameters))
    for _ in range(max_steps):
        if not len(moving):
            break
        parameters[moving], moves = _move(parameters[moving], batch.some(moving))
        moving = moving[moves]
    return parameters, log_likelihood(parameters, batch.counts, batch.cells, batch.link)


def pressed(parameters: Float, gradient: Float, link: Link) -> Bool:
    """Which parameters the likelihood presses against a side of the box."""
    down = (parameters <= link.lowest) & (gradient <= 0.0)
    return down | ((parameters >= link.highest) & (gradient >= 0.0))


def _move(here: Float, batch: _Batch) -> tuple[Float, Bool]:
    """Where each family is a step later, and which have further to go."""
    slopes, curvature = derivatives(here, batch.counts, batch.cells, batch.link)
    held = batch.fixed | pressed(here, slopes, batch.link)
    step = _newton_step(here, slopes, curvature, held, batch.link)
    promised = np.sum(slopes * step, axis=1)
    best = batch.boxed(here + step)
    far = np.flatnonzero(promised > LAST)
    best[far], moved = _line_search(here[far], step[far], promised[far], batch.some(far))
    moves = np.zeros(len(here), dtype=np.bool_)
    moves[far] = moved
    return best, moves


def _newton_step(here: Float, slopes: Float, curvature: Float, held: Bool, link: Link) -> Float:
    """A step to the top of the quadratic model in the box, or nearly.

    It heads for the top, stops at the first side of the box, and goes on along that side. The model rises all
    the way, so the likelihood rises where the step begins.
    """
    held, step, ahead = held.copy(), np.zeros_like(here), np.zeros_like(here)
    going = np.arange(len(here))
    while len(going):
        hold, given, model = held[going], np.where(held[going], ahead[going], 0.0), curvature[going]
        right = np.where(hold, 0.0, slopes[going] - np.einsum("nij,nj->ni", model, given))
        target = given + np.where(hold, 0.0, solve(model, hold, right))
        change = target - step[going]
        side = np.where(change > 0.0, link.highest, link.lowest) - here[going]
        room = np.full(change.shape, np.inf)
        np.divide(side - step[going], change, out=room, where=~hold & (change != 0.0))
        first, rows = np.argmin(room, axis=1), np.arange(len(going))
        share = np.minimum(room[rows, first], 1.0)
        step[going] += share[:, None] * change
        blocked = share < 1.0
        going, first, side = going[blocked], first[blocked], side[rows, first][blocked]
        step[going, first] = ahead[going, first] = side
        held[going, first] = True
    return step


def solve(curvature: Float, held: Bool, right: Float) -> Float:
    """Solve for the parameters that are not held, scaled to a unit diagonal with a small ridge.

    Args:
        curvature: negated Hessians, shape (n, m, m).
        held: parameters whose solution is 0 where their `right` is, shape (n, m).
        right: shape (n, m).

    Returns:
        Shape (n, m).
    """
    diagonal = np.arange(curvature.shape[1])
    scale = np.sqrt(curvature[:, diagonal, diagonal])
    scale = np.where(held | (scale < TINY), 1.0, scale)
    matrix = curvature / (scale[:, :, None] * scale[:, None, :])
    matrix *= ~held[:, :, None] & ~held[:, None, :]
    matrix[:, diagonal, diagonal] += np.where(held, 1.0, RIDGE)
    return np.asarray(np.linalg.solve(matrix, (right / scale)[..., None])[..., 0] / scale)


def _line_search(here: Float, step: Float, promised: Float, batch: _Batch) -> tuple[Float, Bool]:
    """Halve each step until the likelihood no longer falls steeply; which families have such a place.

    The slope there decides, and no difference of likelihoods, which near the maximum is rounding (the
    approximate Wolfe condition of Hager and Zhang 2005, equation 4.1, with delta = 1/4).
    """
    best, moved = here.copy(), np.zeros(len(here), dtype=np.bool_)
    length, pending = _longest(here, step, batch), np.arange(len(here))
    while len(pending):
        trial = batch.boxed(here[pending] + length[pending, None] * step[pending])
        some = batch.some(pending)
        slope = np.sum(gradient(trial, some.counts, some.cells, some.link) * step[pending], axis=1)
        accepted = slope >= -0.5 * promised[pending]
        best[pending[accepted]], moved[pending[accepted]] = trial[accepted], True
        length /= 2.0
        pending = pending[~accepted & (length[pending] > SHORTEST)]
    return best, moved


def _longest(here: Float, step: Float, batch: _Batch) -> Float:
    """At most 1, and no further than to where eta of a cell with events is a tenth of what it was.

    Near 0, a vanishing phi is a logarithm, on which Newton's method only doubles eta at each step back.
    """
    if not batch.link.vanishing:
        return np.ones(len(here))
    eta, fall = here @ batch.cells.T, -step @ batch.cells.T
    length = np.ones_like(eta)
    np.divide(0.9 * eta, fall, out=length, where=(batch.counts[..., 1] > 0) & (fall > 0.9 * eta))
    return np.asarray(length.min(axis=1, initial=1.0))

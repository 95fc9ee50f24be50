"""Families of grouped counts whose log-likelihood is concave in a few parameters within a box.

A family has one intercept a stratum and one coefficient a parent; in cell c (see `design`) they add up to
eta_c. Its log-likelihood is f = sum_c straight_c eta_c + curved_c phi(eta_c), with phi concave. A `Link` says
which counts these are and what phi is.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]


class Link(NamedTuple):
    """How a cell's eta gives the probability of the effect.

    Attributes:
        lowest, highest: the sides of the box, the same for every parameter.
        vanishing: whether phi falls without limit where eta falls to 0. Compiled code knows a link by this.
        split: counts without and with the effect -> straight and curved counts.
        curve: eta -> phi.
        bend: eta -> phi' and -phi''.
    """

    lowest: float
    highest: float
    vanishing: bool
    split: Callable[[Float, Float], tuple[Float, Float]]
    curve: Callable[[Float], Float]
    bend: Callable[[Float], tuple[Float, Float]]


@lru_cache(maxsize=64)
def design(n_strata: int, n_parents: int) -> Float:
    """Which parameters act in each cell, shape (n_strata * 2**n_parents, n_strata + n_parents).

    Cell s * 2**n_parents + sum_i x_i 2**i has stratum s and parents x.
    """
    n_patterns = 2**n_parents
    cells = np.arange(n_strata * n_patterns)
    intercepts = cells[:, None] // n_patterns == np.arange(n_strata)
    parents = cells[:, None] % n_patterns >> np.arange(n_parents) & 1
    acting = np.hstack([intercepts, parents]).astype(np.float64)
    acting.flags.writeable = False
    return acting


def n_parents_of(tables: Float, n_strata: int) -> int:
    """Number of parents of families whose tables have shape (n, n_strata * 2**n_parents, 2)."""
    n_patterns: int = tables.shape[1] // n_strata
    return n_patterns.bit_length() - 1


def log_likelihood(parameters: Float, tables: Float, cells: Float, link: Link) -> Float:
    """Log-likelihood of each family, nats, shape (n,).

    Args:
        parameters: shape (n, m).
        tables: counts without and with the effect, shape (n, n_cells, 2).
        cells: see `design`, shape (n_cells, m).
        link: what eta means.
    """
    eta = parameters @ cells.T
    straight, curved = link.split(tables[..., 0], tables[..., 1])
    return np.asarray(np.sum(straight * eta + curved * link.curve(eta), axis=-1))


def gradient(parameters: Float, tables: Float, cells: Float, link: Link) -> Float:
    """Gradient of `log_likelihood`, shape (n, m)."""
    straight, curved = link.split(tables[..., 0], tables[..., 1])
    slope, _ = link.bend(parameters @ cells.T)
    return (straight + curved * slope) @ cells


def derivatives(parameters: Float, tables: Float, cells: Float, link: Link) -> tuple[Float, Float]:
    """Gradient, shape (n, m), and negated Hessian, shape (n, m, m), of `log_likelihood`."""
    straight, curved = link.split(tables[..., 0], tables[..., 1])
    slope, weight = link.bend(parameters @ cells.T)
    size = cells.shape[1]
    products = (cells[:, :, None] * cells[:, None, :]).reshape(len(cells), -1)
    return (straight + curved * slope) @ cells, ((curved * weight) @ products).reshape(-1, size, size)


class Totals(NamedTuple):
    """Counts over the cells in which each parameter acts, shape (n, m) each."""

    without: Float
    events: Float


def totals(tables: Float, cells: Float) -> Totals:
    """Counts without and with the effect, by stratum and by parent."""
    return Totals(tables[..., 0] @ cells, tables[..., 1] @ cells)


def settled(start: Float, counts: Totals, link: Link) -> Float:
    """The start with those parameters at a side of the box that belong there wherever the others are.

    Where a stratum or parent never comes with the effect, the likelihood falls in its parameter; where it
    never comes without, it rises.
    """
    without, events = counts
    start = np.where((events == 0.0) & (without > 0.0), link.lowest, start)
    return np.where((without == 0.0) & (events > 0.0), link.highest, start)

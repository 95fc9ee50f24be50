"""The terms of one patient's hazards, with how well each is known."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tools.prediction.hazards import PSEUDO_VISITS, Hazards
from tools.prediction.steps import Int32, Int64, Steps

Float = npt.NDArray[np.float64]

_LEAST = 0.5  # of a shape: what rests on less is known no worse than by half a coming
_TAILS = (0.025, 0.975)


class Terms(NamedTuple):
    """What makes up L of some nodes at one step (`tools.prediction.hazards`).

    Each estimate is taken as a gamma variable of this mean; its shape is one over the squared relative error.
    Of a pair that is 1 / informed + (K / exposure)^2: by chance, and by being drawn to 0.

    Attributes:
        codes: of the history, shape (n_history,).
        pairs: h w_a theta_ab, shape (n_history, n_nodes); 0 for the node itself.
        pair_shapes: of their gammas, likewise.
        again: g m_b of the nodes in the history, 0 elsewhere, shape (n_nodes,).
        again_shape: of its gamma.
        base: h base_b, likewise.
        base_shape: of its gamma.
        total: L, likewise.
        total_shape: of its gamma, the terms' errors taken as independent. They offset each other, so that an
            interval is rather too wide than too narrow.
    """

    codes: Int32
    pairs: Float
    pair_shapes: Float
    again: Float
    again_shape: Float
    base: Float
    base_shape: Float
    total: Float
    total_shape: Float


def terms_of(hazards: Hazards, step: Steps, nodes: Int64) -> Terms:
    """The terms of each node.

    Args:
        hazards: the fitted model.
        step: one.
        nodes: vocabulary columns, each once.
    """
    weights = hazards.weights(step).data
    pairs, shapes = _pairs(hazards, step, weights, nodes)
    again, again_shape = _again(hazards, step, nodes)
    base = hazards.factors[hazards.burden.of(step.sizes)[0]] * hazards.base[nodes]
    base_shape = hazards.base_comings[nodes] + 1.0
    total = pairs.sum(axis=0) + again + base
    variance = (pairs**2 / shapes).sum(axis=0) + again**2 / again_shape + base**2 / base_shape
    shape = np.square(total) / variance
    return Terms(step.codes, pairs, shapes, again, again_shape, base, base_shape, total, shape)


def gamma_interval(values: Float, shapes: Float) -> tuple[Float, Float]:
    """95 % intervals of gamma variables from their means and shapes."""
    low, high = (special.gammaincinv(shapes, tail) / shapes for tail in _TAILS)
    return values * np.minimum(low, 1.0), values * np.maximum(high, 1.0)


def _pairs(hazards: Hazards, step: Steps, weights: Float, nodes: Int64) -> tuple[Float, Float]:
    """The value and the shape of each code of the history with each node."""
    place = np.full(len(hazards.base), -1)
    place[nodes] = np.arange(len(nodes))
    values = np.zeros((len(step.codes), len(nodes)))
    shapes = np.full_like(values, _LEAST)
    follows = hazards.follows
    for row, (code, weight) in enumerate(zip(step.codes, weights, strict=True)):
        entries = slice(*follows.indptr[code : code + 2])
        at = place[follows.indices[entries]]
        kept = at >= 0
        values[row, at[kept]] = weight * follows.data[entries][kept]
        drawn = (PSEUDO_VISITS / max(hazards.exposure[code], 1.0)) ** 2
        informed = np.maximum(hazards.informed[entries][kept], _LEAST)
        shapes[row, at[kept]] = np.maximum(1.0 / (1.0 / informed + drawn), _LEAST)
    return values, shapes


def _again(hazards: Hazards, step: Steps, nodes: Int64) -> tuple[Float, Float]:
    """Recurrence of the nodes in the history; its error is of the pattern's rate and of the proneness."""
    found, shape = np.zeros(len(nodes)), np.ones(len(nodes))
    at = {int(code): place for place, code in enumerate(nodes)}
    held = [(row, at[code]) for row, code in enumerate(step.codes.tolist()) if code in at]
    if held:
        rows, places = map(list, zip(*held, strict=True))
        patterns, codes = step.patterns[rows], step.codes[rows]
        found[places] = hazards.again(step)[rows]
        error = 1.0 / hazards.proneness_credits[codes] + 1.0 / (hazards.recurrence_credits[patterns] + 1.0)
        shape[places] = 1.0 / error
    return found, shape

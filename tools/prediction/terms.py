"""The terms of one patient's hazards, with how well each is known."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tools.prediction.hazards import PSEUDO_VISITS, Hazards
from tools.prediction.steps import Int32, Int64, Steps

Float = npt.NDArray[np.float64]

_LEAST = 0.5  # events: what rests on less is known no worse than by half an event
_TAILS = (0.025, 0.975)


class Interval(NamedTuple):
    """Values of one shape with their 95 % limits."""

    value: Float
    low: Float
    high: Float


class Terms(NamedTuple):
    """What makes up L of some nodes at one step (`tools.prediction.hazards`).

    Limits are those of a Poisson rate by its number of events (Garwood 1936). Those of a pair undo its being
    drawn to 0 at the upper end, so that a source seen in few visits has a wide interval. What never followed
    is taken to add nothing, visits of one patient to be independent, and the constants of the model to be
    right.

    Attributes:
        codes: of the history, shape (n_history,).
        pairs: h w_a theta_ab, shape (n_history, n_nodes); 0 for the node itself.
        again: g m_b of the nodes in the history, 0 elsewhere, shape (n_nodes,).
        base: h base_b, likewise.
        total: L, likewise; its limits are those of a sum of independent terms (`joined`).
    """

    codes: Int32
    pairs: Interval
    again: Interval
    base: Interval
    total: Interval


def terms_of(hazards: Hazards, step: Steps, nodes: Int64) -> Terms:
    """The terms of each node.

    Args:
        hazards: the fitted model.
        step: one.
        nodes: vocabulary columns, each once.
    """
    pairs = _pairs(hazards, step, nodes)
    again = _again(hazards, step, nodes)
    factor = hazards.factors[hazards.burden.of(step.sizes)[0]]
    base = _of_events(factor * hazards.base[nodes], hazards.base_comings[nodes] + 1.0)
    rows = (np.vstack([own, rest, of_pairs]) for own, rest, of_pairs in zip(again, base, pairs, strict=True))
    return Terms(step.codes, pairs, again, base, joined(Interval(*rows)))


def joined(terms: Interval) -> Interval:
    """The sum of independent terms over the first axis, by the distances of its terms' limits.

    The limits are sum - sqrt(sum (value - low)^2) and sum + sqrt(sum (high - value)^2) (Zou and Donner 2008,
    "Construction of confidence limits about effect measures").
    """
    total = terms.value.sum(axis=0)
    below, above = (np.sqrt(np.square(terms.value - limit).sum(axis=0)) for limit in terms[1:])
    return Interval(total, np.maximum(total - below, 0.0), total + above)


def _of_events(values: Float, events: Float) -> Interval:
    """Rates that rest on some number of events, which need not be whole."""
    low, high = (special.gammaincinv(events, tail) / events for tail in _TAILS)
    return Interval(values, values * np.minimum(low, 1.0), values * np.maximum(high, 1.0))


def _pairs(hazards: Hazards, step: Steps, nodes: Int64) -> Interval:
    """Each code of the history with each node."""
    place = np.full(len(hazards.base), -1)
    place[nodes] = np.arange(len(nodes))
    values = np.zeros((len(step.codes), len(nodes)))
    low, high = np.zeros_like(values), np.zeros_like(values)
    follows = hazards.follows
    for row, (code, weight) in enumerate(zip(step.codes, hazards.weights(step).data, strict=True)):
        entries = slice(*follows.indptr[code : code + 2])
        at = place[follows.indices[entries]]
        kept = at >= 0
        found = _of_pairs(
            follows.data[entries][kept], hazards.informed[entries][kept], hazards.exposure[code]
        )
        for table, numbers in zip((values, low, high), found, strict=True):
            table[row, at[kept]] = weight * numbers
    return Interval(values, low, high)


def _of_pairs(thetas: Float, informed: Float, exposure: float) -> Interval:
    """The theta of some pairs of one source.

    The lower limit is that of the estimate, by as many events as tell it from other terms. The upper one is
    that of all comings after the source, N, less what the other terms bring: with s the source's share of
    these comings, N = credit / s and the others' hazard is theta (1 - s) / s. Nothing is drawn to 0 in it.
    """
    visits = max(exposure, 1.0)
    events = np.maximum(informed, _LEAST)
    low = thetas * np.minimum(special.gammaincinv(events, _TAILS[0]) / events, 1.0)
    credit = np.maximum(thetas * (exposure + PSEUDO_VISITS), 1e-12)
    share = np.clip(informed / credit, 1e-6, 1.0)
    high = special.gammaincinv(credit / share + 1.0, _TAILS[1]) / visits - thetas * (1.0 - share) / share
    return Interval(thetas, low, np.where(thetas > 0.0, np.maximum(high, thetas), 0.0))


def _again(hazards: Hazards, step: Steps, nodes: Int64) -> Interval:
    """Recurrence of the nodes in the history; its error is of the pattern's rate and of the proneness."""
    found, events = np.zeros(len(nodes)), np.ones(len(nodes))
    at = {int(code): place for place, code in enumerate(nodes)}
    held = [(row, at[code]) for row, code in enumerate(step.codes.tolist()) if code in at]
    if held:
        rows, places = map(list, zip(*held, strict=True))
        patterns, codes = step.patterns[rows], step.codes[rows]
        found[places] = hazards.again(step)[rows]
        error = 1.0 / hazards.proneness_credits[codes] + 1.0 / (hazards.recurrence_credits[patterns] + 1.0)
        events[places] = 1.0 / error
    return _of_events(found, events)

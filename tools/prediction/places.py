"""In which order codes are listed: by tens of probability, within ten by what it is worth to name each."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.dataset.arrays import blocks
from tools.prediction.hazards import Hazards
from tools.prediction.steps import Steps

Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

BLOCK = 10  # places within which the worth decides
MOST_STEPS = 10_000  # that the worth is learned from
_LEAST_KEPT = 20
_ROUNDS = 40
_AT_ONCE = 256


class Places(NamedTuple):
    """What it is worth to name each code among a patient's first n.

    A patient's n codes are to have the largest weighted F1 over all patients (`tools.evaluation.metrics`).
    Naming code b once more, where it follows with probability p, changes the expected s_b F_b by

        2 s_b / (c_b + s_b) * (p - F_b / 2),    F_b = 2 t_b / (c_b + s_b),

    s_b how often it comes, c_b how often it is named, t_b how often it is named and comes: a code is worth
    naming above half the F1 it reaches (Lipton 2014, "Optimal thresholding of classifiers to maximize F1
    measure"). So what many have must be more probable to stand before what few have.

    Attributes:
        weights: 2 s_b / (c_b + s_b), shape (n_codes,).
        thresholds: F_b / 2, likewise.
    """

    weights: Float
    thresholds: Float

    def order(self, columns: Int64, probabilities: Float) -> Int64:
        """Places of some codes, first to last: the ten most probable, the next ten, and so on.

        Within ten by worth; ties by column.

        Args:
            columns: vocabulary columns, each once.
            probabilities: beside them.
        """
        by_chance = np.lexsort((columns, -probabilities))
        tens = np.empty(len(columns), dtype=np.int64)
        tens[by_chance] = np.arange(len(columns)) // BLOCK
        worth = self.weights[columns] * (probabilities - self.thresholds[columns])
        return np.lexsort((columns, -worth, tens))


def learn(hazards: Hazards, steps: Steps, n_named: int) -> Places:
    """Find weights and thresholds on the steps of a cohort, from the model's own probabilities.

    The worth is the gradient of the expected weighted F1 in what is named. So 40 steps of Frank and Wolfe
    (1956) climb it from "nothing is named", the r-th by 2 / (r + 1) of the way to the codes of most worth.
    Only probabilities enter, no outcome.

    Args:
        hazards: the fitted model.
        steps: of the same patients; of many, evenly spread 10,000.
        n_named: codes that are named to each, such as the mean number in a visit.
    """
    n = len(steps.sizes)
    some = steps.part(np.linspace(0, n - 1, min(n, MOST_STEPS)).astype(np.int64))
    codes, chances, comes = _most_probable(hazards, some, max(_LEAST_KEPT, 2 * n_named))
    n_named = min(n_named, codes.shape[1])
    named, right = np.zeros(len(comes)), np.zeros(len(comes))
    for r in range(1, _ROUNDS + 1):
        worth = _places(comes, named, right)
        values = worth.weights[codes] * (chances - worth.thresholds[codes])
        first = np.argpartition(-values, n_named - 1, axis=1)[:, :n_named]
        chosen = np.take_along_axis(codes, first, axis=1).ravel()
        hits = np.take_along_axis(chances, first, axis=1).ravel()
        named += (np.bincount(chosen, minlength=len(comes)) - named) * 2 / (r + 1)
        right += (np.bincount(chosen, hits, minlength=len(comes)) - right) * 2 / (r + 1)
    return _places(comes, named, right)


def _places(comes: Float, named: Float, right: Float) -> Places:
    return Places(2 * comes / (named + comes), right / (named + comes))


def _most_probable(hazards: Hazards, steps: Steps, kept: int) -> tuple[Int64, Float, Float]:
    """Each history's most probable codes, their probabilities, and how often each code is to be expected."""
    n, n_codes = len(steps.sizes), len(hazards.base)
    kept = min(kept, n_codes)
    codes, chances = np.empty((n, kept), dtype=np.int64), np.empty((n, kept))
    comes = np.zeros(n_codes)
    for block in blocks(n, _AT_ONCE):
        found = -np.expm1(-hazards.totals(steps.part(np.arange(block.start, block.stop))))
        codes[block] = np.argpartition(-found, kept - 1, axis=1)[:, :kept]
        chances[block] = np.take_along_axis(found, codes[block], axis=1)
        comes += found.sum(axis=0)
    return codes, chances, comes

"""What was known before a visit: the codes of the earlier visits, how long ago and how often."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.dataset.clinical import ClinicalDataset
from tools.numerics.runs import offsets, ranges

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Uint8 = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float64]

LEVELS = 3  # of age, of times seen, and of visits so far
N_PATTERNS = LEVELS**3
_MOST = 255


class Steps(NamedTuple):
    """Histories, one for each step from some visits of a patient to the next one.

    Attributes:
        offsets: shape (n_steps + 1,); the different codes of history s are codes[offsets[s]:offsets[s + 1]].
        codes: vocabulary columns.
        ages: beside `codes`, how many visits ago each was last seen; 1 for the visit before. At most 255.
        patterns: beside `codes`, (age, times seen, visits so far), each 1, 2, or 3 and more, as one number
            below 27: what the chance to come again depends on.
    """

    offsets: Int64
    codes: Int32
    ages: Uint8
    patterns: Uint8

    @property
    def sizes(self) -> Int64:
        """How many different codes each history has, shape (n_steps,)."""
        return np.diff(self.offsets)

    def part(self, places: Int64) -> "Steps":
        """Some of the steps."""
        entries = ranges(self.offsets, places)
        return Steps(
            offsets(self.sizes[places]), self.codes[entries], self.ages[entries], self.patterns[entries]
        )


class Transitions(NamedTuple):
    """Every visit of a cohort that has an earlier one, with what came before it.

    Attributes:
        steps: the histories, patients in order, their visits oldest first.
        next_offsets, next_codes: the codes of the visit that each step leads to.
    """

    steps: Steps
    next_offsets: Int64
    next_codes: Int32


def transitions(dataset: ClinicalDataset) -> Transitions:
    """The steps of all patients of a data set; several a patient with more than two visits."""
    from tools.prediction import hazard_kernels

    visits, of_codes, codes = dataset.visits()
    n_codes = dataset.n_codes
    bounds = offsets(hazard_kernels.history_sizes(visits, of_codes, codes, n_codes))
    found = hazard_kernels.histories(visits, of_codes, codes, n_codes, bounds)
    held, ages, seen, before, predicted = found
    patterns = pattern(ages, seen, np.repeat(before, np.diff(bounds)))
    next_offsets = offsets(np.diff(of_codes)[predicted])
    next_codes = codes[ranges(of_codes, predicted)]
    return Transitions(Steps(bounds, held, ages, patterns), next_offsets, next_codes)


def step_after(visits: Sequence[Sequence[int]]) -> Steps:
    """The one step from a patient's visits, oldest first, each its vocabulary columns, to what comes next.

    Visits without a code do not count as visits, here as in a cohort: the vocabulary decides which have one.
    """
    visits = [visit for visit in visits if len(visit)]
    last: dict[int, int] = {}
    seen: dict[int, int] = {}
    for t, visit in enumerate(visits):
        for code in dict.fromkeys(visit):
            last[code] = t
            seen[code] = seen.get(code, 0) + 1
    ages = np.minimum([len(visits) - t for t in last.values()], _MOST).astype(np.uint8)
    times = np.minimum(list(seen.values()), _MOST).astype(np.uint8)
    before = np.full(len(last), min(len(visits), _MOST), dtype=np.uint8)
    codes = np.array(list(last), dtype=np.int32)
    return Steps(offsets(np.array([len(last)])), codes, ages, pattern(ages, times, before))


def pattern(ages: Uint8, seen: Uint8, before: Uint8) -> Uint8:
    """See `Steps.patterns`."""
    digits = (np.clip(number, 1, LEVELS).astype(np.uint8) - 1 for number in (ages, seen, before))
    code = np.zeros(np.shape(ages), dtype=np.uint8)
    for digit in digits:
        code = code * np.uint8(LEVELS) + digit.astype(np.uint8)
    return code

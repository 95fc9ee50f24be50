"""What the baselines learn from: training patients, in columns of their own vocabulary."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tools.dataset.clinical import ClinicalDataset
from tools.evaluation.examples import Examples
from tools.records.cohort import Cohort, IntArray, Vocabulary
from tools.records.rollup import columns_within

Float = npt.NDArray[np.float64]

UNRANKED = -np.inf


@dataclass(frozen=True, eq=False)
class Training:
    """Training patients beside the vocabulary that predictions are expressed in.

    Attributes:
        cohort: the training patients, with a vocabulary of only their codes (`training_cohort`).
        whole: the vocabulary of the whole cohort, whose columns `Examples` use.
    """

    cohort: Cohort
    whole: Vocabulary

    @cached_property
    def columns(self) -> IntArray:
        """Where each training code stands in the whole vocabulary, shape (n_training_codes,)."""
        return columns_within(self.cohort.vocabulary, self.whole)

    @cached_property
    def dataset(self) -> ClinicalDataset:
        """Transition counts over the training patients (II-KEA eq. 1-3)."""
        return ClinicalDataset.build(self.cohort)

    @cached_property
    def shares(self) -> Float:
        """Share of the training visits that hold each training code, shape (n_training_codes,)."""
        visits = np.bincount(self.cohort.codes, minlength=len(self.cohort.vocabulary))
        return np.asarray(visits / max(self.cohort.n_visits, 1), dtype=np.float64)

    @cached_property
    def codes_per_visit(self) -> int:
        """Mean number of codes of a training visit, rounded, at least 1: the list a baseline proposes."""
        return max(1, round(len(self.cohort.codes) / max(self.cohort.n_visits, 1)))

    def placed(self, scores: npt.NDArray[np.floating]) -> Float:
        """Scores of training codes as scores of all codes; -inf for a code no training patient has.

        Args:
            scores: shape (n, n_training_codes).

        Returns:
            Shape (n, n_codes).
        """
        whole = np.full((len(scores), len(self.whole)), UNRANKED)
        whole[:, self.columns] = scores
        return whole

    def histories(self, examples: Examples) -> list[list[list[int]]]:
        """The visits of each history in columns of the training vocabulary, unknown codes left out."""
        own = np.full(len(self.whole), -1)
        own[self.columns] = np.arange(len(self.columns))
        return [[_known(visit, own) for visit in visits] for visits in examples.history]


def _known(visit: Sequence[int], own: IntArray) -> list[int]:
    return [int(own[code]) for code in visit if own[code] >= 0]

"""Splits with their training stores: made once, and used by every method and every later run."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from app.evaluation.asked import Asked
from tools.dataset.clinical import ClinicalDataset
from tools.evaluation.examples import Examples, examples
from tools.evaluation.frequency import Banded, by_band
from tools.evaluation.manifest import joint_hash
from tools.evaluation.splits import Split, leave_one_out, split
from tools.evaluation.training import Training
from tools.records.cohort import Cohort, IntArray
from tools.records.rollup import columns_within, training_cohort
from tools.safety.errors import InputError

_LEAVE_ONE_OUT = "loo"


class Fold:
    """One split: who is learned from and who is predicted.

    Args:
        cohort: all patients.
        parts: of the split.
        seed: of the split; 0 for leave-one-out.
        test: patients that are predicted, rows of the cohort, ascending; shape (n,).
        stores: folder of training stores.
        credentialed: whether third parties must not see the cohort.
    """

    def __init__(
        self,
        cohort: Cohort,
        parts: Split,
        seed: int,
        test: IntArray,
        stores: Path,
        credentialed: bool = False,
    ) -> None:
        self.cohort, self.parts, self.seed, self.test = cohort, parts, seed, test
        self.credentialed = credentialed
        name = hashlib.sha256(np.ascontiguousarray(parts.train, dtype="<i8").tobytes()).hexdigest()
        self.store = stores / name[:16]

    @cached_property
    def examples(self) -> Examples:
        """What is predicted."""
        return examples(self.cohort, self.test)

    def training(self) -> Cohort:
        """The patients learned from, with their own vocabulary."""
        return training_cohort(self.cohort, self.parts.train)

    def learned(self) -> Training:
        """The same beside the whole vocabulary, for baselines."""
        return Training(self.training(), self.cohort.vocabulary)

    def dataset(self) -> ClinicalDataset:
        """The counted training patients; saved where no sound store of them is there yet."""
        try:
            return ClinicalDataset.open(self.store)
        except InputError:
            ClinicalDataset.build(self.training(), self.credentialed).save(self.store)
            return ClinicalDataset.open(self.store)

    def columns(self) -> dict[str, int]:
        """The cohort's column of each key of the store's vocabulary."""
        part = self.dataset().vocabulary
        return dict(zip(part.keys, columns_within(part, self.cohort.vocabulary).tolist(), strict=True))

    def banded(self) -> Banded:
        """What is predicted, by how many training patients have each code."""
        dataset = self.dataset()
        counts = np.zeros(len(self.cohort.vocabulary), dtype=np.int64)
        columns = columns_within(dataset.vocabulary, self.cohort.vocabulary)
        counts[columns] = np.diff(dataset.diagnoses.indptr)
        return by_band(self.test, self.examples.target, counts)


def fold(cohort: Cohort, asked: Asked, data: str) -> tuple[Fold, ...]:
    """The splits of an evaluation; one a patient for leave-one-out, all of seed 0.

    The limit takes the first patients of a random order of the test set, so that a higher one keeps them.

    Args:
        cohort: rolled up already.
        asked: which split, how many seeds, what limit.
        data: hash of the cohort, which training stores are kept apart by.

    Raises:
        InputError: the cohort is too small, or too large, for the split.
    """
    guarded = bool(asked.credentialed)
    stores = asked.out / "stores" / f"{data[:16]}{'-credentialed' if guarded else ''}"
    if asked.split == _LEAVE_ONE_OUT:
        left_out = list(leave_one_out(cohort))
        chosen = _limited(np.arange(len(left_out)), asked.limit, 0)
        return tuple(
            Fold(cohort, left_out[place], 0, left_out[place].test, stores, guarded) for place in chosen
        )
    parts = [split(cohort, asked.split, seed) for seed in range(asked.n_seeds)]  # type: ignore[arg-type]
    return tuple(
        Fold(cohort, part, seed, _limited(part.test, asked.limit, seed), stores, guarded)
        for seed, part in enumerate(parts)
    )


def _limited(rows: IntArray, limit: int | None, seed: int) -> IntArray:
    return np.sort(np.random.default_rng(seed).permutation(rows)[:limit])


def store_hashes(folds: Sequence[Fold]) -> dict[int, str]:
    """Hash of the training data of each seed; over all its splits where it has several."""
    seeds = sorted({one.seed for one in folds})
    return {seed: joint_hash(one.dataset().hash for one in folds if one.seed == seed) for seed in seeds}

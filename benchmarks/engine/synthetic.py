"""Seeded visits of many patients as arrays, made in seconds; codes are Zipf-like and recur."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from tools.dataset.clinical import ClinicalDataset
from tools.dataset.transitions import count_visits
from tools.numerics.runs import offsets
from tools.records.cohort import ConceptColumns, Vocabulary

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


class Visits(NamedTuple):
    """Visits as `tools.dataset.columns.Columns` keeps them."""

    visit_offsets: Int64
    code_offsets: Int64
    codes: Int32

    def history(self, patient: int) -> Int32:
        """Distinct codes of a patient, in order."""
        first, last = self.visit_offsets[patient : patient + 2]
        return np.unique(self.codes[self.code_offsets[first] : self.code_offsets[last]])


def draw(
    seed: int, n_patients: int, n_codes: int = 10_000, visits: float = 2.5, per_visit: float = 11
) -> Visits:
    """Visits that look like a hospital's.

    Args:
        seed: of the random numbers.
        n_patients: number of patients.
        n_codes: size of the vocabulary.
        visits: mean number of visits a patient, at least 1.
        per_visit: mean number of codes drawn a visit; repeats are dropped. A third of a visit's codes are
            drawn from the patient's own few, as chronic diseases are.
    """
    rng = np.random.default_rng(seed)
    visit_offsets = offsets(rng.geometric(1 / visits, n_patients))
    patient = np.repeat(np.arange(n_patients), np.diff(visit_offsets))
    visit = np.repeat(np.arange(len(patient)), 1 + rng.poisson(per_visit - 1, len(patient)))
    chance = 1 / (np.arange(n_codes) + 10.0)
    reached = np.cumsum(chance) / chance.sum()
    codes = np.searchsorted(reached, rng.random(len(visit)))
    own = np.searchsorted(reached, rng.random((n_patients, 6)))
    chronic = rng.random(len(visit)) < 1 / 3
    codes[chronic] = own[patient[visit[chronic]], rng.integers(0, 6, int(chronic.sum()))]
    shuffled = rng.permutation(n_codes)
    pairs = np.sort(visit * n_codes + shuffled[np.minimum(codes, n_codes - 1)])
    pairs = pairs[np.r_[True, pairs[1:] != pairs[:-1]]]
    lengths = np.bincount(pairs // n_codes, minlength=len(patient))
    return Visits(visit_offsets, offsets(lengths), (pairs % n_codes).astype(np.int32))


def names(n_codes: int) -> tuple[str, ...]:
    """Codes of the vocabulary, in column order."""
    return tuple(f"C{column:06d}" for column in range(n_codes))


def vocabulary(n_codes: int) -> Vocabulary:
    """The vocabulary of `names`."""
    codes = names(n_codes)
    display = tuple(f"A disease of some length of name, number {code}" for code in codes)
    return Vocabulary.of_columns(
        ConceptColumns(("MADE UP",) * n_codes, codes, display, ("record",) * n_codes)
    )


def dataset(visits: Visits, n_codes: int = 10_000) -> ClinicalDataset:
    """The visits counted."""
    return ClinicalDataset(vocabulary(n_codes), count_visits(*visits, n_codes), "synthetic")


def write_shards(folder: Path, n_shards: int, n_patients: int, n_codes: int = 10_000) -> None:
    """Parquet shards, about eight codes a visit and three visits a patient; a visit's codes in no order.

    Args:
        folder: made.
        n_shards: number of files.
        n_patients: in each.
        n_codes: size of the vocabulary.
    """
    folder.mkdir(parents=True)
    codes = pa.array(names(n_codes))
    for shard in range(n_shards):
        drawn = draw(shard, n_patients, n_codes, visits=3.0, per_visit=8.6)
        visit = np.repeat(np.arange(len(drawn.code_offsets) - 1), np.diff(drawn.code_offsets))
        patient = np.repeat(np.arange(n_patients), np.diff(drawn.visit_offsets))[visit]
        order = np.argsort(visit + np.random.default_rng(shard).random(len(visit)))
        days = 30 * (visit - drawn.visit_offsets[patient])
        table = pa.table(
            {
                "subject_id": 10_000_000 + shard * n_patients + patient,
                "time": days.astype("datetime64[D]").astype("datetime64[s]"),
                "code": pa.DictionaryArray.from_arrays(drawn.codes[order], codes).cast(pa.string()),
            }
        )
        parquet.write_table(table, folder / f"shard-{shard:03d}.parquet")

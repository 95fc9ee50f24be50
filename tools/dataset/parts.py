"""Stores that are to be joined, read an array at a time, and the vocabulary they have together."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tools.dataset import arrays, store
from tools.dataset.arrays import Array
from tools.dataset.clinical import ClinicalDataset
from tools.dataset.columns import Int64
from tools.records.cohort import ConceptColumns, NameSource, Vocabulary


class Part(NamedTuple):
    """A store of which no array stays in memory.

    Attributes:
        folder: where it is.
        manifest: what it holds.
        vocabulary: column order of its arrays.
    """

    folder: Path
    manifest: store.Manifest
    vocabulary: Vocabulary

    @classmethod
    def open(cls, folder: Path, verify: bool) -> "Part":
        """A store, looked at.

        Args:
            folder: see `ClinicalDataset.open`.
            verify: also check hashes and values.

        Raises:
            InputError: no store is there, or a damaged one.
        """
        vocabulary = ClinicalDataset.open(folder, verify).vocabulary
        return cls(folder, store.read_manifest(folder), vocabulary)

    def array(self, name: str) -> Array:
        """One of its arrays, memory-mapped for as long as the caller holds it."""
        return arrays.load(self.folder, name, self.manifest.arrays[name])

    def read(self, name: str, entries: slice) -> Array:
        """A copy of some elements of one of its arrays, so that no page of the file stays in memory."""
        return np.array(self.array(name)[entries])

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return self.manifest.arrays["visit_offsets"].shape[0] - 1

    @property
    def n_visits(self) -> int:
        """Number of visits."""
        return self.manifest.arrays["onsets_per_visit"].shape[0]


def joined_vocabulary(vocabularies: Sequence[Vocabulary]) -> tuple[Vocabulary, list[Int64]]:
    """All concepts of some vocabularies; one that several have keeps its first name.

    Returns:
        The joint vocabulary, and for each given one the joint column of each of its own, increasing.
    """
    rows: dict[tuple[str, str], tuple[str, str, str, NameSource]] = {}
    for vocabulary in vocabularies:
        for row in zip(*vocabulary.columns, strict=True):
            rows.setdefault(row[:2], row)
    in_order = [rows[pair] for pair in sorted(rows)]
    place = {row[:2]: column for column, row in enumerate(in_order)}
    joint = Vocabulary.of_columns(
        ConceptColumns(
            tuple(row[0] for row in in_order),
            tuple(row[1] for row in in_order),
            tuple(row[2] for row in in_order),
            tuple(row[3] for row in in_order),
        )
    )
    columns = [
        np.array([place[pair] for pair in zip(v.columns.system, v.columns.code, strict=True)], dtype=np.int64)
        for v in vocabularies
    ]
    return joint, columns

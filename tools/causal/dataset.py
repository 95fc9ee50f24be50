"""The clinical data set of II-KEA: transition counts A_T and diagnoses A_D (section 2.1.1, eq. 1-3)."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tools.causal import store
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.transitions import Columns, are_consistent, count, narrow, visit_rows, with_successor
from tools.records.cohort import Cohort, Vocabulary
from tools.safety.errors import InputError

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]


class ClinicalDataset:
    """Integer counts over a cohort, from which every probability is derived.

    Counts, not probabilities, are kept, so that shards of a cohort add up. Patient ids are not kept.

    Args:
        vocabulary: column order of every array.
        columns: see `Columns`.
        source: the format the records came in.
        digest: known hash of the contents (a store's), else computed when asked for.
    """

    def __init__(
        self, vocabulary: Vocabulary, columns: Columns, source: str, digest: str | None = None
    ) -> None:
        self.vocabulary = vocabulary
        self.columns = columns
        self.source = source
        self._digest = digest

    @classmethod
    def build(cls, cohort: Cohort) -> "ClinicalDataset":
        """Count a cohort: X = visits that have a successor, W = union of each with the next (eq. 1-3)."""
        return cls(cohort.vocabulary, count(cohort), cohort.source)

    @classmethod
    def open(cls, folder: Path | str, verify: bool = False) -> "ClinicalDataset":
        """Open a saved data set memory-mapped.

        Args:
            folder: see `save`.
            verify: also check every array's sha256.

        Raises:
            InputError: missing, damaged, or from a newer version.
        """
        manifest, arrays = store.read(Path(folder), verify)
        if set(arrays) != set(Columns._fields):
            raise InputError("store", "holds other arrays than this program's; fit the records again")
        columns = Columns(**arrays)
        vocabulary = Vocabulary(manifest.vocabulary)
        if vocabulary.concepts != manifest.vocabulary or not are_consistent(columns, len(vocabulary)):
            raise InputError("store", "the arrays do not belong together; fit the records again")
        return cls(vocabulary, columns, manifest.source, manifest.hash)

    def save(self, folder: Path | str) -> None:
        """Write to a folder in one step (see `store.write`).

        Raises:
            InputError: the folder holds something other than a store, or the disk refuses.
        """
        store.write(Path(folder), self.columns._asdict(), self._manifest)

    @cached_property
    def _manifest(self) -> store.Manifest:
        counts = {"patients": self.n_patients, "visits": self.n_visits, "transitions": self.n_transitions}
        arrays = {name: store.describe(array) for name, array in self.columns._asdict().items()}
        return store.Manifest(
            source=self.source, counts=counts, vocabulary=self.vocabulary.concepts, arrays=arrays
        )

    @property
    def hash(self) -> str:
        """Sha256 of the contents, hexadecimal; equal data sets have equal hashes."""
        return self._digest or self._manifest.hash

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return len(self.columns.visit_offsets) - 1

    @property
    def n_visits(self) -> int:
        """Number of visits."""
        return len(self.columns.code_offsets) - 1

    @cached_property
    def n_transitions(self) -> int:
        """Number of visits that have a successor."""
        return len(with_successor(self.columns.visit_offsets))

    @property
    def denominators(self) -> Int64:
        """Number of visits with a successor that hold each code, shape (n_codes,)."""
        return self.columns.denominators

    @cached_property
    def visits(self) -> "sparse.csr_array[np.int32]":
        """Visits by codes, ones, shape (n_visits, n_codes)."""
        return visit_rows(self.columns.code_offsets, self.columns.codes, len(self.vocabulary))

    def counts(self, next_only: bool = False) -> "sparse.csr_array[np.int32]":
        """N[a,b] = number of visits t holding a with b in t or t+1 (eq. 1); `next_only`: b in t+1.

        Returns:
            Integers, shape (n_codes, n_codes).
        """
        c = self.columns
        offsets, columns, data = (
            (c.next_offsets, c.next_columns, c.next_counts)
            if next_only
            else (c.union_offsets, c.union_columns, c.union_counts)
        )
        size = len(self.vocabulary)
        return sparse.csr_array((data, columns, narrow(offsets)), shape=(size, size))

    @cached_property
    def base_rates(self) -> Float:
        """Share of transitions whose next visit has each code, shape (n_codes,)."""
        return self._marginal(next_only=True)

    def _marginal(self, next_only: bool) -> Float:
        source = with_successor(self.columns.visit_offsets)
        hits = self.visits[source + 1]
        if not next_only:
            hits = hits + self.visits[source]
        return np.bincount(hits.indices, minlength=len(self.vocabulary)) / max(len(source), 1)

    @cached_property
    def _union_marginal(self) -> Float:
        return self._marginal(next_only=False)

    def transition(self, next_only: bool = False, shrink: float = 0.0) -> "sparse.csr_array[np.float64]":
        """Transition probabilities A_T (II-KEA eq. 1).

        A_T[a,b] = (N[a,b] + shrink m_b) / (den_a + shrink), m_b the code's marginal over transitions.
        Pairs never seen together stay implicit zeros; `transition_rows` gives their shrunk value too.
        A_T[a,a] = 1 where a has a successor at all, unless `next_only`.

        Args:
            next_only: count b in the next visit only, not in the union with the current one.
            shrink: pseudo-count in visits, >= 0, that pulls rows resting on few visits to the marginal.

        Raises:
            InputError: `shrink` is negative or not finite.
        """
        counts = self.counts(next_only)
        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        values = self._shrunk(counts.data, rows, counts.indices, next_only, shrink)
        if not next_only:
            values[rows == counts.indices] = 1.0
        return sparse.csr_array((values, counts.indices, counts.indptr), shape=counts.shape)

    def transition_rows(self, keys: Iterable[str], next_only: bool = False, shrink: float = 0.0) -> Float:
        """Dense rows of A_T, shape (n_keys, n_codes), unseen pairs included; see `transition`."""
        rows = np.array([self.vocabulary.column(key) for key in keys], dtype=np.int64)
        counts = self.counts(next_only)[rows].toarray()
        values = self._shrunk(counts, rows[:, None], slice(None), next_only, shrink)
        if not next_only:
            values[np.arange(len(rows)), rows] = (self.denominators[rows] > 0).astype(float)
        return values

    def _shrunk(
        self,
        counts: npt.NDArray[np.int32],
        rows: Int64,
        columns: "Int32 | slice",
        next_only: bool,
        shrink: float,
    ) -> Float:
        if not 0 <= shrink < np.inf:
            raise InputError("shrink", "a finite number of visits, 0 or more")
        weights = np.asarray(self.denominators[rows] + shrink, dtype=np.float64)
        if not shrink:
            return np.asarray(counts / np.maximum(weights, 1.0), dtype=np.float64)
        marginal = self.base_rates if next_only else self._union_marginal
        return np.asarray((counts + shrink * marginal[columns]) / weights, dtype=np.float64)

    @cached_property
    def diagnoses(self) -> "sparse.csc_array[np.bool_]":
        """A_D[p,a] = whether patient p ever had a (eq. 3), shape (n_patients, n_codes)."""
        c = self.columns
        ones = np.ones(len(c.diagnosis_patients), dtype=np.bool_)
        shape = (self.n_patients, len(self.vocabulary))
        pattern = (ones, c.diagnosis_patients, narrow(c.diagnosis_offsets))
        return sparse.csc_array(pattern, shape=shape)

    @cached_property
    def _repeats(self) -> tuple[Int64, Int64]:
        c = self.columns
        patient = np.repeat(np.arange(self.n_patients), np.diff(c.visit_offsets))
        pair = c.codes * np.int64(self.n_patients) + np.repeat(patient, np.diff(c.code_offsets))
        # Sorted by code and patient, as the diagnoses are.
        _, times = np.unique(pair, return_counts=True)
        later = np.diff(c.visit_offsets)[c.diagnosis_patients] - 1 - c.diagnosis_visits
        return times.astype(np.int64) - 1, later.astype(np.int64)

    def repeats(self, key: str | None = None) -> tuple[Int64, Int64]:
        """How often a code came back to each patient who had it and came again.

        Args:
            key: vocabulary key; None for every code, one after the other.

        Returns:
            Visits after the first one with the code: how many have it again, and how many there are, each of
            shape (n_patients_at_risk,).

        Raises:
            InputError: the key is not in the vocabulary.
        """
        again, later = self._repeats
        if key is not None:
            column = self.vocabulary.column(key)
            entries = slice(*self.columns.diagnosis_offsets[column : column + 2])
            again, later = again[entries], later[entries]
        return again[later > 0], later[later > 0]

    @cached_property
    def repeat_rate(self) -> float:
        """Share of visits after a first diagnosis that have the code again, over all codes."""
        again, later = self.repeats()
        return float(again.sum() / max(later.sum(), 1))

    @cached_property
    def slots(self) -> int | None:
        """How many codes the records have room for in a visit, None where no such limit shows.

        A limit shows where more than half of the visits with a code have the same, largest number of them.
        There a patient's number of codes counts the slots, and a disease takes the place of another.
        """
        lengths = np.diff(self.columns.code_offsets)
        filled = lengths[lengths > 0]
        limit = int(filled.max(initial=0))
        return limit if limit and np.mean(filled == limit) > 0.5 else None

    @cached_property
    def _onsets_per_visit(self) -> Int64:
        c = self.columns
        first = c.visit_offsets[c.diagnosis_patients] + c.diagnosis_visits
        return np.bincount(first, minlength=self.n_visits)

    def matrix(self, nodes: Iterable[str]) -> DiagnosisMatrix:
        """The columns of A_D for some diseases, with when each began.

        Raises:
            InputError: a key is unknown or given twice, or there is none.
        """
        names = tuple(nodes)
        if len(set(names)) != len(names) or not names:
            raise InputError("nodes", "one or more diseases, each once")
        c = self.columns
        first = np.full((self.n_patients, len(names)), -1, dtype=np.int32)
        for place, key in enumerate(names):
            column = self.vocabulary.column(key)
            entries = slice(c.diagnosis_offsets[column], c.diagnosis_offsets[column + 1])
            first[c.diagnosis_patients[entries], place] = c.diagnosis_visits[entries]
        return DiagnosisMatrix(names, first, np.asarray(c.visit_offsets), self._onsets_per_visit, self.slots)

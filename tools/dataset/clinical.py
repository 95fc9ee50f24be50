"""The clinical data set of II-KEA: transition counts A_T and diagnoses A_D (section 2.1.1, eq. 1-3)."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse, special

from tools.causal.diagnoses import FirstDiagnoses
from tools.causal.matrix import DiagnosisMatrix
from tools.dataset import store
from tools.dataset.arrays import blocks, describe, save
from tools.dataset.columns import Columns, fit_together
from tools.dataset.integrity import Integrity
from tools.numerics.jit import Kernels
from tools.numerics.memory import Memory
from tools.records.build import notices_of
from tools.records.cohort import Cohort, Vocabulary
from tools.safety.errors import InputError

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]

_MEMORY_BYTES = 256 << 20


class ClinicalDataset:
    """Integer counts over a cohort, from which every probability is derived.

    Counts, not probabilities, are kept, so that shards of a cohort add up. Patient ids are not kept.

    Args:
        vocabulary: column order of every array, or what gives it when it is first asked for.
        columns: see `Columns`.
        source: the format the records came in.
        digest: known hash of the contents (a store's), else computed when asked for.
        integrity: what looks at arrays that may be damaged before they are used; None for sound ones.
        credentialed: whether the records may not be shown to third parties: whoever asks a model about a
            patient of theirs must ask one that is near. No part of the hash.
    """

    def __init__(
        self,
        vocabulary: Vocabulary | Callable[[], Vocabulary],
        columns: Columns,
        source: str,
        digest: str | None = None,
        integrity: Integrity | None = None,
        credentialed: bool = False,
    ) -> None:
        self.columns = columns
        self.source = source
        self.credentialed = credentialed
        self._vocabulary = vocabulary
        self._digest = digest
        self._integrity = integrity
        self._diagnosed: dict[int, FirstDiagnoses] = {}

    @classmethod
    def build(cls, cohort: Cohort, credentialed: bool = False) -> "ClinicalDataset":
        """Count a cohort: X = visits that have a successor, W = union of each with the next (eq. 1-3)."""
        from tools.dataset.transitions import count

        return cls(cohort.vocabulary, count(cohort), cohort.source, credentialed=credentialed)

    @classmethod
    def open(cls, folder: Path | str, verify: bool = False) -> "ClinicalDataset":
        """Open a saved data set memory-mapped, without reading its arrays.

        Types and lengths are checked here, the values of an array when it is first used: any method may
        refuse a damaged store.

        Args:
            folder: see `save`.
            verify: also check every array's sha256 and values now (reads the whole store).

        Raises:
            InputError: missing, damaged, or from another version.
        """
        opened = store.read(Path(folder), verify)
        if set(opened.arrays) != set(Columns._fields):
            raise InputError("store", "holds other arrays than this program's; fit the records again")
        columns, n_codes = Columns(**opened.arrays), opened.manifest.vocabulary.codes
        if not fit_together(columns, n_codes):
            raise InputError("store", "the arrays do not belong together; fit the records again")
        integrity = Integrity(columns)
        if verify:
            integrity.require_all()
        vocabulary = partial(store.parse_vocabulary, opened.vocabulary, n_codes)
        manifest = opened.manifest
        return cls(vocabulary, columns, manifest.source, manifest.hash, integrity, manifest.credentialed)

    def save(self, folder: Path | str) -> None:
        """Write to a folder in one step (see `store.replacing`).

        Raises:
            InputError: the folder holds something other than a store, or the disk refuses.
        """
        with store.replacing(Path(folder)) as fresh:
            written = {name: save(fresh, name, array) for name, array in self.columns._asdict().items()}
            store.write(fresh, self.vocabulary, written, self.source, self.credentialed)

    @property
    def vocabulary(self) -> Vocabulary:
        """Column order of every array."""
        if not isinstance(self._vocabulary, Vocabulary):
            self._vocabulary = self._vocabulary()
        return self._vocabulary

    @cached_property
    def memory(self) -> Memory:
        """Answers about this data set, which die with it."""
        return Memory(_MEMORY_BYTES)

    def _sound(self, *names: str) -> Columns:
        """The arrays, of which some are about to be used (see `Integrity.require`)."""
        if self._integrity is not None:
            self._integrity.require(*names)
        return self.columns

    @cached_property
    def hash(self) -> str:
        """Sha256 of the contents, hexadecimal; equal data sets have equal hashes."""
        if self._digest is not None:
            return self._digest
        arrays = {name: describe(array) for name, array in self.columns._asdict().items()}
        return store.joint_hash(store.describe_vocabulary(self.vocabulary), arrays)

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return len(self.columns.visit_offsets) - 1

    @property
    def n_visits(self) -> int:
        """Number of visits."""
        return len(self.columns.code_offsets) - 1

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know about the records behind it."""
        c = self._sound("visit_offsets", "code_offsets")
        return notices_of(self.vocabulary, np.diff(c.visit_offsets), np.diff(c.code_offsets))

    @property
    def n_codes(self) -> int:
        """Size of the vocabulary."""
        return len(self.columns.denominators)

    @cached_property
    def n_transitions(self) -> int:
        """Number of visits that have a successor."""
        return self.n_visits - sum(int(np.count_nonzero(visits)) for visits in self._visits_per_patient())

    def _visits_per_patient(self) -> Iterator[Int64]:
        offsets = self._sound("visit_offsets").visit_offsets
        return (np.diff(offsets[block.start : block.stop + 1]) for block in blocks(self.n_patients))

    def visits(self) -> tuple[Int64, Int64, Int32]:
        """The visits of all patients: copies of `Columns.visit_offsets`, `code_offsets` and `codes`."""
        c = self._sound("visit_offsets", "code_offsets", "codes")
        return np.array(c.visit_offsets), np.array(c.code_offsets), np.array(c.codes)

    @property
    def denominators(self) -> Int64:
        """Number of visits with a successor that hold each code, shape (n_codes,)."""
        return self._sound("denominators").denominators

    def counts(self, next_only: bool = False) -> "sparse.csr_array[np.int32]":
        """N[a,b] = number of visits t holding a with b in t or t+1 (eq. 1); `next_only`: b in t+1.

        Returns:
            Integers, shape (n_codes, n_codes).
        """
        kind = "next" if next_only else "union"
        self._sound(f"{kind}_offsets", f"{kind}_columns", f"{kind}_counts")
        offsets, columns, counts = self._csr(next_only)
        return sparse.csr_array((counts, columns, _narrow(offsets)), shape=(self.n_codes, self.n_codes))

    def _csr(self, next_only: bool) -> tuple[Int64, Int32, Int32]:
        c = self.columns
        if next_only:
            return c.next_offsets, c.next_columns, c.next_counts
        return c.union_offsets, c.union_columns, c.union_counts

    def _count_rows(self, rows: Int64, next_only: bool) -> Int32:
        """Dense rows of `counts`, of which no others are read."""
        self._sound("next_offsets" if next_only else "union_offsets")
        offsets, columns, counts = self._csr(next_only)
        dense = np.zeros((len(rows), self.n_codes), dtype=np.int32)
        for place, row in enumerate(rows):
            entries = slice(*offsets[row : row + 2])
            if self._integrity is not None:
                self._integrity.require_rows(columns[entries], counts[entries])
            dense[place, columns[entries]] = counts[entries]
        return dense

    @cached_property
    def base_rates(self) -> Float:
        """Share of transitions whose next visit has each code, shape (n_codes,)."""
        return self._sound("arrivals").arrivals / max(self.n_transitions, 1)

    @cached_property
    def _union_marginal(self) -> Float:
        stayed = self.counts(next_only=True).diagonal()
        return (self.denominators + self._sound("arrivals").arrivals - stayed) / max(self.n_transitions, 1)

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
        values = self.probabilities(counts.data, rows, counts.indices, next_only, shrink)
        if not next_only:
            values[rows == counts.indices] = 1.0
        return sparse.csr_array((values, counts.indices, counts.indptr), shape=counts.shape)

    def transition_rows(self, keys: Iterable[str], next_only: bool = False, shrink: float = 0.0) -> Float:
        """Dense rows of A_T, shape (n_keys, n_codes), unseen pairs included; see `transition`."""
        rows = np.array([self.vocabulary.column(key) for key in keys], dtype=np.int64)
        counts = self._count_rows(rows, next_only)
        values = self.probabilities(counts, rows[:, None], slice(None), next_only, shrink)
        if not next_only:
            values[np.arange(len(rows)), rows] = (self.denominators[rows] > 0).astype(float)
        return values

    def probabilities(
        self,
        counts: npt.NDArray[np.int32],
        rows: Int64,
        columns: "Int32 | slice",
        next_only: bool,
        shrink: float,
    ) -> Float:
        """Entries of A_T from those of `counts`, see `transition`.

        Args:
            counts: any of them.
            rows: the row of each, of a shape that broadcasts to that of `counts`.
            columns: the column of each, likewise, or a slice.
            next_only: see `counts`.
            shrink: see `transition`.

        Raises:
            InputError: `shrink` is negative or not finite.
        """
        if not 0 <= shrink < np.inf:
            raise InputError("shrink", "a finite number of visits, 0 or more")
        weights = np.asarray(self.denominators[rows] + shrink, dtype=np.float64)
        if not shrink:
            return np.asarray(counts / np.maximum(weights, 1.0), dtype=np.float64)
        marginal = self.base_rates if next_only else self._union_marginal
        values = np.asarray(counts + shrink * marginal[columns], dtype=np.float64)
        values /= weights
        return values

    @cached_property
    def diagnoses(self) -> "sparse.csc_array[np.bool_]":
        """A_D[p,a] = whether patient p ever had a (eq. 3), shape (n_patients, n_codes)."""
        c = self._sound("diagnosis_offsets")
        if self._integrity is not None:
            self._integrity.require_diagnoses(slice(0, len(c.diagnosis_patients)))
        ones = np.ones(len(c.diagnosis_patients), dtype=np.bool_)
        pattern = (ones, c.diagnosis_patients, _narrow(c.diagnosis_offsets))
        return sparse.csc_array(pattern, shape=(self.n_patients, self.n_codes))

    @cached_property
    def slots(self) -> int | None:
        """How many codes the records have room for in a visit, None where no such limit shows.

        A limit shows where more than half of the visits with a code have the same, largest number of them.
        There a patient's number of codes counts the slots, and a disease takes the place of another.
        """
        offsets = self._sound("code_offsets").code_offsets
        visits = np.zeros(self.n_codes + 1, dtype=np.int64)
        for block in blocks(self.n_visits):
            lengths = np.diff(offsets[block.start : block.stop + 1])
            visits += np.bincount(np.minimum(lengths, self.n_codes), minlength=len(visits))
        visits[0] = 0
        limit = int(np.flatnonzero(visits).max(initial=0))
        return limit if visits[limit] > 0.5 * visits.sum() else None

    def matrix(self, nodes: Iterable[str], kernels: Kernels | None = None) -> DiagnosisMatrix:
        """The columns of A_D for some diseases, with when each began.

        Args:
            nodes: vocabulary keys.
            kernels: which implementation counts and fits; compiled unless told.

        Raises:
            InputError: a key is unknown or given twice, or there is none.
        """
        names = tuple(nodes)
        columns = [self.vocabulary.column(key) for key in names]
        return DiagnosisMatrix.of(
            names,
            map(self._first_diagnoses, columns),
            np.asarray(self.columns.visit_offsets),
            self.columns.onsets_per_visit,
            slots=self.slots,
            out_of_graph=self._independent_log_likelihood(columns),
            kernels=kernels,
        )

    def _first_diagnoses(self, column: int) -> FirstDiagnoses:
        """Those of a code, which are looked at once; threads that ask at once may look at the same."""
        if column not in self._diagnosed:
            c = self._sound("visit_offsets", "onsets_per_visit", "diagnosis_offsets")
            entries = slice(*map(int, c.diagnosis_offsets[column : column + 2]))
            if self._integrity is not None:
                self._integrity.require_diagnoses(entries)
            parts = (np.asarray(values[entries]) for values in (c.diagnosis_patients, c.diagnosis_visits))
            self._diagnosed[column] = FirstDiagnoses(*parts)
        return self._diagnosed[column]

    def _independent_log_likelihood(self, left_out: list[int]) -> float:
        """Of every code but some, as if each came to patients by its own share alone, nats."""
        terms = (np.delete(some, left_out).sum() for some in self._share_terms)
        return float(max(self.n_patients, 1) * sum(terms))

    @cached_property
    def _share_terms(self) -> Float:
        """Share times log share of the patients with each code, and of those without, shape (2, n_codes)."""
        with_code = np.diff(self._sound("diagnosis_offsets").diagnosis_offsets)
        n = max(self.n_patients, 1)
        shares = np.stack([with_code / n, 1.0 - with_code / n])
        return np.asarray(special.xlogy(shares, shares), dtype=np.float64)


def _narrow(offsets: Int64) -> "Int32 | Int64":
    """Offsets as int32 where they fit: beside wider ones, scipy copies int32 indices."""
    fits = not len(offsets) or int(offsets[-1]) <= np.iinfo(np.int32).max
    return offsets.astype(np.int32) if fits else offsets

"""What is predicted and from what: each patient's last visit, from the earlier ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tools.numerics.runs import offsets, ranges
from tools.records.cohort import Cohort, IntArray
from tools.safety.errors import InputError

Visits = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Examples:
    """Patients to be predicted; codes are columns of the whole cohort's vocabulary.

    Attributes:
        rows: of the cohort, shape (n,).
        history: each patient's visits but the last, oldest first; a visit is its codes, ascending. A visit
            without a code is there, empty.
        target: codes of the last visit, boolean CSR of shape (n, n_codes). A row may be empty.
        repeats: those of `target` that the history has too, likewise.
    """

    rows: IntArray
    history: tuple[Visits, ...]
    target: "sparse.csr_array[np.bool_]"
    repeats: "sparse.csr_array[np.bool_]"

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_codes(self) -> int:
        """Size of the whole cohort's vocabulary."""
        return int(self.target.shape[1])

    def part(self, places: slice) -> "Examples":
        """Some of the patients, such as a block of them."""
        return Examples(self.rows[places], self.history[places], self.target[places], self.repeats[places])

    @cached_property
    def latest(self) -> "sparse.csr_array[np.bool_]":
        """The codes of each history's last visit, boolean CSR of shape (n, n_codes)."""
        return _incidence([visits[-1] for visits in self.history], self.n_codes)

    @cached_property
    def known(self) -> "sparse.csr_array[np.bool_]":
        """The codes of each history, boolean CSR of shape (n, n_codes)."""
        codes = [sorted({code for visit in visits for code in visit}) for visits in self.history]
        return _incidence(codes, self.n_codes)


def examples(cohort: Cohort, rows: npt.ArrayLike) -> Examples:
    """The examples of some patients: the last visit is the target, the earlier ones are the input.

    Args:
        cohort: with the vocabulary that the columns are of.
        rows: patients, shape (n,), in the order wanted.

    Raises:
        InputError: one of them has fewer than two visits.
    """
    rows = np.asarray(rows, dtype=np.int64)
    if (cohort.visits_per_patient[rows] < 2).any():
        raise InputError("patients", "one has a single visit, so nothing to predict from; leave it out")
    last = cohort.visit_offsets[rows + 1] - 1
    target = _pattern(
        offsets(np.diff(cohort.code_offsets)[last]),
        cohort.codes[ranges(cohort.code_offsets, last)],
        len(cohort.vocabulary),
    )
    history = tuple(_visits(cohort, *cohort.visit_offsets[row : row + 2]) for row in rows)
    earlier = Examples(rows, history, target, target)
    return Examples(rows, history, target, _both(target, earlier.known))


def _visits(cohort: Cohort, first: int, end: int) -> Visits:
    """All visits but the last of those numbered first:end."""
    bounds = cohort.code_offsets[first:end].tolist()
    codes = cohort.codes[bounds[0] : bounds[-1]].tolist()
    return tuple(tuple(codes[a - bounds[0] : b - bounds[0]]) for a, b in pairwise(bounds))


def _incidence(codes: Sequence[Sequence[int]], n_codes: int) -> "sparse.csr_array[np.bool_]":
    """Each patient's codes, ascending, as a row."""
    columns = np.array([code for patient in codes for code in patient], dtype=np.int64)
    return _pattern(offsets(np.array([len(patient) for patient in codes], dtype=np.int64)), columns, n_codes)


def _pattern(starts: IntArray, columns: IntArray, n_codes: int) -> "sparse.csr_array[np.bool_]":
    ones = np.ones(len(columns), dtype=np.bool_)
    return sparse.csr_array((ones, columns.astype(np.int32), starts), shape=(len(starts) - 1, n_codes))


def _both(
    one: "sparse.csr_array[np.bool_]", other: "sparse.csr_array[np.bool_]"
) -> "sparse.csr_array[np.bool_]":
    shared = sparse.csr_array(one.multiply(other))
    shared.sort_indices()
    return shared

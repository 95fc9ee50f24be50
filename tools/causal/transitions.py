"""Counting a cohort: transitions between visits and first diagnoses, as integer arrays."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tools.records.cohort import Cohort

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


class Columns(NamedTuple):
    """The arrays of a data set, as they lie on disk.

    Attributes:
        visit_offsets: shape (n_patients + 1,); visits of patient p are visit_offsets[p]:visit_offsets[p+1].
        code_offsets: shape (n_visits + 1,); codes of visit v are codes[code_offsets[v]:code_offsets[v+1]].
        codes: shape (n_entries,), vocabulary columns.
        denominators: shape (n_codes,), visits with a successor that hold the code.
        union_offsets, union_columns, union_counts: CSR of N = X^T W.
        next_offsets, next_columns, next_counts: CSR of X^T (next visit).
        diagnosis_offsets, diagnosis_patients: CSC pattern of A_D.
        diagnosis_visits: beside `diagnosis_patients`, the index of the visit of first diagnosis.
    """

    visit_offsets: Int64
    code_offsets: Int64
    codes: Int32
    denominators: Int64
    union_offsets: Int64
    union_columns: Int32
    union_counts: Int32
    next_offsets: Int64
    next_columns: Int32
    next_counts: Int32
    diagnosis_offsets: Int64
    diagnosis_patients: Int32
    diagnosis_visits: Int32


def count(cohort: Cohort) -> Columns:
    """Count a cohort: X = visits that have a successor, W = union of each with the next (II-KEA eq. 1-3)."""
    codes = np.asarray(cohort.codes, dtype=np.int32)
    visits = visit_rows(cohort.code_offsets, codes, len(cohort.vocabulary))
    source = with_successor(cohort.visit_offsets)
    present, following = visits[source], visits[source + 1]
    either = present + following
    either.data[:] = 1
    union = _canonical(present.T @ either)
    followed = _canonical(present.T @ following)
    return Columns(
        np.asarray(cohort.visit_offsets, dtype=np.int64),
        np.asarray(cohort.code_offsets, dtype=np.int64),
        codes,
        np.bincount(present.indices, minlength=len(cohort.vocabulary)).astype(np.int64),
        *_parts(union),
        *_parts(followed),
        *_first_diagnoses(cohort.visit_offsets, cohort.code_offsets, codes, len(cohort.vocabulary)),
    )


def visit_rows(offsets: Int64, codes: Int32, n_codes: int) -> "sparse.csr_array[np.int32]":
    """Visits by codes, ones, shape (n_visits, n_codes)."""
    ones = np.ones(len(codes), dtype=np.int32)
    return sparse.csr_array((ones, codes, narrow(offsets)), shape=(len(offsets) - 1, n_codes))


def narrow(offsets: Int64) -> "Int32 | Int64":
    """Offsets as int32 where they fit: beside wider ones, scipy copies int32 indices."""
    fits = not len(offsets) or int(offsets[-1]) <= np.iinfo(np.int32).max
    return offsets.astype(np.int32) if fits else offsets


def with_successor(visit_offsets: Int64) -> Int64:
    """Visits that are not their patient's last, shape (n_transitions,)."""
    last = np.zeros(int(visit_offsets[-1]), dtype=bool)
    filled = visit_offsets[1:] > visit_offsets[:-1]
    last[visit_offsets[1:][filled] - 1] = True
    return np.flatnonzero(~last)


def _canonical(product: "sparse.csc_array[np.int32]") -> "sparse.csr_array[np.int32]":
    counts = product.tocsr()
    counts.sort_indices()
    return counts


def _parts(counts: "sparse.csr_array[np.int32]") -> tuple[Int64, Int32, Int32]:
    return counts.indptr.astype(np.int64), counts.indices.astype(np.int32), counts.data.astype(np.int32)


def _first_diagnoses(
    visit_offsets: Int64, code_offsets: Int64, codes: Int32, n_codes: int
) -> tuple[Int64, Int32, Int32]:
    """CSC pattern of A_D with the visit index of each first diagnosis."""
    n_patients = len(visit_offsets) - 1
    patients = np.repeat(np.arange(n_patients), np.diff(visit_offsets))
    index = np.arange(len(patients)) - visit_offsets[patients]
    visit = np.repeat(np.arange(len(patients)), np.diff(code_offsets))
    pair = codes.astype(np.int64) * max(n_patients, 1) + patients[visit]
    # Entries lie in visit order, so the first of equal pairs is the earliest visit.
    pairs, first = np.unique(pair, return_index=True)
    offsets = np.searchsorted(pairs, np.arange(n_codes + 1, dtype=np.int64) * max(n_patients, 1))
    return (
        offsets.astype(np.int64),
        (pairs % max(n_patients, 1)).astype(np.int32),
        index[visit[first]].astype(np.int32),
    )


def are_consistent(columns: Columns, n_codes: int) -> bool:
    """Whether the arrays fit each other and the vocabulary's size, so that no index can point outside."""
    return _have_right_types(columns) and _fit_together(columns, n_codes) and _first_visits_exist(columns)


def _have_right_types(columns: Columns) -> bool:
    wide = {name for name in Columns._fields if name.endswith("offsets")} | {"denominators"}
    return all(
        array.ndim == 1 and array.dtype == (np.int64 if name in wide else np.int32)
        for name, array in columns._asdict().items()
    )


def _first_visits_exist(columns: Columns) -> bool:
    visits, patients = columns.diagnosis_visits, columns.diagnosis_patients
    return bool(np.all((visits >= 0) & (visits < np.diff(columns.visit_offsets)[patients])))


def _fit_together(columns: Columns, n_codes: int) -> bool:
    c = columns
    ends = (
        (c.visit_offsets, len(c.code_offsets) - 1),
        (c.code_offsets, len(c.codes)),
        (c.union_offsets, len(c.union_columns)),
        (c.next_offsets, len(c.next_columns)),
        (c.diagnosis_offsets, len(c.diagnosis_patients)),
    )
    by_code = (c.union_offsets, c.next_offsets, c.diagnosis_offsets)
    indices = (c.codes, c.union_columns, c.next_columns)
    return (
        all(len(o) and o[0] == 0 and o[-1] == end and bool(np.all(np.diff(o) >= 0)) for o, end in ends)
        and all(len(offsets) == n_codes + 1 for offsets in by_code)
        and len(c.denominators) == n_codes
        and len(c.union_counts) == len(c.union_columns)
        and len(c.next_counts) == len(c.next_columns)
        and len(c.diagnosis_visits) == len(c.diagnosis_patients)
        and all(_within(columns, n_codes) for columns in indices)
        and _within(c.diagnosis_patients, len(c.visit_offsets) - 1)
    )


def _within(indices: Int32, size: int) -> bool:
    return not len(indices) or (int(indices.min()) >= 0 and int(indices.max()) < size)

"""Counting a cohort: transitions between visits and first diagnoses, as integer arrays."""

from typing import NamedTuple

import numpy as np

from tools.dataset.columns import Columns, Int32, Int64
from tools.numerics.runs import offsets
from tools.records.cohort import Cohort
from tools.safety.errors import InputError

_MOST = np.iinfo(np.int32).max


class Transitions(NamedTuple):
    """Counts over the visits that have a successor; see `Columns` for each array."""

    union_offsets: Int64
    union_columns: Int32
    union_counts: Int32
    next_offsets: Int64
    next_columns: Int32
    next_counts: Int32


def count(cohort: Cohort) -> Columns:
    """Count a cohort: X = visits that have a successor, W = union of each with the next (II-KEA eq. 1-3).

    Raises:
        InputError: more than 2^31 - 1 visits; fit shards of the records and merge the stores.
    """
    return count_visits(
        np.require(cohort.visit_offsets, np.int64, ["C", "W"]),
        np.require(cohort.code_offsets, np.int64, ["C", "W"]),
        np.require(cohort.codes, np.int32, ["C", "W"]),
        len(cohort.vocabulary),
    )


def count_visits(visit_offsets: Int64, code_offsets: Int64, codes: Int32, n_codes: int) -> Columns:
    """Count visits given as arrays; see `Columns`. The arrays become part of the result.

    Args:
        visit_offsets: shape (n_patients + 1,).
        code_offsets: shape (n_visits + 1,).
        codes: shape (n_entries,), below `n_codes` and increasing within a visit.
        n_codes: size of the vocabulary.

    Raises:
        InputError: more visits than 32-bit numbers can count.
    """
    from tools.dataset import transition_kernels as kernels

    refuse_too_many(len(code_offsets) - 1)
    onsets_per_visit = np.zeros(len(code_offsets) - 1, dtype=np.int32)
    tallies = np.zeros((3, n_codes), dtype=np.int64)
    kernels.onsets(visit_offsets, code_offsets, codes, onsets_per_visit, tallies)
    denominators, arrivals, patients_by_code = tallies
    by_code = offsets(patients_by_code)
    patients, first = np.empty((2, int(by_code[-1])), dtype=np.int32)
    kernels.diagnoses(visit_offsets, code_offsets, codes, by_code, patients, first)
    counts = count_transitions(visit_offsets, code_offsets, codes, denominators)
    return Columns(
        visit_offsets=visit_offsets,
        code_offsets=code_offsets,
        codes=codes,
        denominators=denominators,
        arrivals=arrivals,
        **counts._asdict(),
        diagnosis_offsets=by_code,
        diagnosis_patients=patients,
        diagnosis_visits=first,
        onsets_per_visit=onsets_per_visit,
    )


def count_transitions(
    visit_offsets: Int64, code_offsets: Int64, codes: Int32, denominators: Int64
) -> Transitions:
    """N = X^T W and its next-only variant in canonical CSR form (II-KEA eq. 1-2).

    Args:
        visit_offsets: see `Columns`.
        code_offsets: see `Columns`.
        codes: see `Columns`.
        denominators: see `Columns`.
    """
    from tools.dataset import transition_kernels as kernels

    starts = offsets(denominators)
    visits = np.empty(starts[-1], dtype=np.int32)
    kernels.holders(visit_offsets, code_offsets, codes, starts, visits)
    # Memory that is never written to is never really there, so generous bounds cost nothing.
    marked = np.empty(2 * len(codes), dtype=np.uint32)
    union_of_visit = np.empty(len(code_offsets), dtype=np.int64)
    kernels.unions(visit_offsets, code_offsets, codes, union_of_visit, marked)
    most = kernels.row_bound(starts, visits, union_of_visit)
    written = tuple(np.empty(most, dtype=np.int32) for _ in range(4))
    ends = np.zeros((2, len(starts)), dtype=np.int64)
    kernels.rows(starts, visits, union_of_visit, marked, ends, *written)
    for array, length in zip(written, np.repeat(ends[:, -1], 2), strict=True):
        array.resize(int(length), refcheck=False)
    union_columns, union_counts, next_columns, next_counts = written
    return Transitions(ends[0], union_columns, union_counts, ends[1], next_columns, next_counts)


def refuse_too_many(n_visits: int) -> None:
    """Ends the counting where a visit's number or a count would not fit an array.

    Raises:
        InputError: more than 2^31 - 1 visits.
    """
    if n_visits > _MOST:
        raise InputError("records", f"more than {_MOST:,} visits; keep several stores")

"""The arrays of a clinical data set: what each holds, its type and its shape."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


class Columns(NamedTuple):
    """The arrays of a data set, as they lie on disk.

    Attributes:
        visit_offsets: shape (n_patients + 1,); visits of patient p are visit_offsets[p]:visit_offsets[p+1].
        code_offsets: shape (n_visits + 1,); codes of visit v are codes[code_offsets[v]:code_offsets[v+1]].
        codes: shape (n_entries,), vocabulary columns, increasing within a visit.
        denominators: shape (n_codes,), visits with a successor that hold the code.
        arrivals: shape (n_codes,), visits with a predecessor that hold the code.
        union_offsets, union_columns, union_counts: CSR of N = X^T W, columns increasing within a row.
        next_offsets, next_columns, next_counts: CSR of X^T (next visit), likewise.
        diagnosis_offsets, diagnosis_patients: CSC pattern of A_D, patients increasing within a code.
        diagnosis_visits: beside `diagnosis_patients`, the patient's visit of first diagnosis, from 0.
        onsets_per_visit: shape (n_visits,), codes of the whole vocabulary first diagnosed at each visit.
    """

    visit_offsets: Int64
    code_offsets: Int64
    codes: Int32
    denominators: Int64
    arrivals: Int64
    union_offsets: Int64
    union_columns: Int32
    union_counts: Int32
    next_offsets: Int64
    next_columns: Int32
    next_counts: Int32
    diagnosis_offsets: Int64
    diagnosis_patients: Int32
    diagnosis_visits: Int32
    onsets_per_visit: Int32


WIDE = frozenset(name for name in Columns._fields if name.endswith("offsets")) | {"denominators", "arrivals"}
DTYPES: dict[str, "np.dtype[np.int32] | np.dtype[np.int64]"] = {
    name: np.dtype(np.int64) if name in WIDE else np.dtype(np.int32) for name in Columns._fields
}


def ends(columns: Columns) -> dict[str, int]:
    """Where the last offset of each array of offsets has to point: the length of what it cuts."""
    return {
        "visit_offsets": len(columns.onsets_per_visit),
        "code_offsets": len(columns.codes),
        "union_offsets": len(columns.union_columns),
        "next_offsets": len(columns.next_columns),
        "diagnosis_offsets": len(columns.diagnosis_patients),
    }


def fit_together(columns: Columns, n_codes: int) -> bool:
    """Whether types and lengths fit each other and the vocabulary; reads the ends of the offsets only."""
    c, arrays = columns, columns._asdict()
    return (
        all(array.ndim == 1 and array.dtype == DTYPES[name] for name, array in arrays.items())
        and len(c.visit_offsets) > 0
        and len(c.code_offsets) == len(c.onsets_per_visit) + 1
        and len(c.denominators) == len(c.arrivals) == n_codes
        and all(len(o) == n_codes + 1 for o in (c.union_offsets, c.next_offsets, c.diagnosis_offsets))
        and all(arrays[name][0] == 0 and arrays[name][-1] == end for name, end in ends(c).items())
        and len(c.union_counts) == len(c.union_columns)
        and len(c.next_counts) == len(c.next_columns)
        and len(c.diagnosis_visits) == len(c.diagnosis_patients)
    )

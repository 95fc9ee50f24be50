"""Runs of consecutive places in one array, as offsets cut them."""

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]


def offsets(lengths: Int64) -> Int64:
    """Where each of consecutive runs begins, and the end: shape (len(lengths) + 1,), from 0."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def spans(starts: npt.NDArray[np.integer], lengths: npt.NDArray[np.integer]) -> Int64:
    """Consecutive numbers from each start, one run after the other, shape (sum(lengths),)."""
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)


def ranges(offsets: Int64, rows: npt.NDArray[np.integer]) -> Int64:
    """The places of some runs: offsets[r] .. offsets[r+1] - 1 for each r of `rows`, joined."""
    return spans(offsets[rows], offsets[rows + 1] - offsets[rows])

"""Counts of rows by the values of a few binary columns, for many families at once.

A family is a list of columns. Its cells are numbered by their values, the first column the lowest binary
digit: cell = sum_i x_i 2^i. Everything here is integer, so the compiled and the numpy path give equal counts.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.numerics import bits as packed
from tools.numerics.bits import Words
from tools.numerics.jit import Kernels

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Columns = tuple[int, ...]

_CELLS_BY_WORD = 32  # beyond, the numpy path is faster row by row
_CHUNK_WORDS = 1 << 17  # of conjunctions held at a time by the numpy path: one megabyte


class Packed(NamedTuple):
    """Binary columns over some rows.

    Attributes:
        bits: shape (n_columns, n_words), see `bits.pack`; bits beyond the last row are 0.
        n_rows: number of rows.
        kernels: which implementation counts.
    """

    bits: Words
    n_rows: int
    kernels: Kernels


class FamilyCounts(NamedTuple):
    """Counts of many families.

    Attributes:
        counts: of all families one after the other.
        starts: where each begins, and the end, shape (n_families + 1,).
    """

    counts: Int64
    starts: Int64

    def family(self, place: int) -> Int64:
        """Counts of one family by cell, shape (2**n_columns,)."""
        return self.counts[self.starts[place] : self.starts[place + 1]]


def family_counts(data: Packed, families: Sequence[Columns]) -> FamilyCounts:
    """Rows by cell of each family."""
    widths = np.fromiter(map(len, families), dtype=np.int64, count=len(families))
    starts = np.concatenate([[0], np.cumsum(1 << widths)])
    counts = np.empty(starts[-1], dtype=np.int64)
    if data.kernels == "numpy":
        for width in set(widths.tolist()):
            chosen = [place for place, family in enumerate(families) if len(family) == width]
            columns = np.array([families[place] for place in chosen], dtype=np.int64).reshape(
                len(chosen), width
            )
            places = starts[chosen][:, None] + np.arange(1 << width)
            counts[places] = _counts_of_one_width(data, columns)
        return FamilyCounts(counts, starts)
    from tools.numerics import counting_kernels

    flat = np.fromiter((column for family in families for column in family), dtype=np.int64)
    begins = np.concatenate([[0], np.cumsum(widths)])
    counting_kernels.family_counts(data.bits, flat, begins, data.n_rows, counts)
    return FamilyCounts(counts, starts)


def addition_counts(data: Packed, family: Columns, added: Columns) -> Int64:
    """For each added column, the rows in which it is 1 by the cell of a family.

    Returns:
        Shape (n_added, 2**n_columns).
    """
    columns, more = np.array(family, dtype=np.int64), np.array(added, dtype=np.int64)
    if data.kernels == "numpy":
        few_cells = 1 << len(family) <= _CELLS_BY_WORD
        return _additions_by_word(data, columns, more) if few_cells else _additions_by_row(data, family, more)
    from tools.numerics import counting_kernels

    out = np.empty((len(added), 1 << len(family)), dtype=np.int64)
    counting_kernels.addition_counts(data.bits, data.bits, columns, more, data.n_rows, out)
    return out


def cells(data: Packed, family: Columns) -> Int32:
    """The cell of each row, shape (n_rows,)."""
    columns = np.array(family, dtype=np.int64)
    out = np.zeros(data.n_rows, dtype=np.int32)
    if data.kernels == "numpy":
        for place, column in enumerate(columns):
            out |= packed.unpack(data.bits[column], data.n_rows).astype(np.int32) << place
        return out
    from tools.numerics import counting_kernels

    counting_kernels.cells(data.bits, data.bits, columns, out)
    return out


def pair_counts(left: Packed, right: Packed, starts: Int64) -> Int64:
    """Rows in which a column of `left` and one of `right` are both 1, by range of words.

    Args:
        left: columns over some rows.
        right: columns over the same rows.
        starts: words at which the ranges begin, and the end, shape (n_ranges + 1,).

    Returns:
        Shape (n_ranges, n_left, n_right).
    """
    out = np.zeros((len(starts) - 1, len(left.bits), len(right.bits)), dtype=np.int64)
    if left.kernels == "numpy":
        for part, (begin, end) in enumerate(pairwise(starts.tolist())):
            rows = packed.WORD * (end - begin)
            one, other = (packed.unpack(side.bits[:, begin:end], rows) for side in (left, right))
            out[part] = np.rint(one.astype(np.float64) @ other.T.astype(np.float64))
        return out
    from tools.numerics import counting_kernels

    counting_kernels.pair_counts(left.bits, right.bits, starts, out)
    return out


def _counts_of_one_width(data: Packed, columns: Int64) -> Int64:
    """Counts of families with equally many columns, shape (n_families, 2**width)."""
    n_families, width = columns.shape
    counts = np.zeros((n_families, 1 << width), dtype=np.int64)
    step = max(_CHUNK_WORDS // max(n_families << width, 1), 1)
    for begin in range(0, data.bits.shape[1], step):
        masks = _conjunctions(data.bits[columns, begin : begin + step])
        counts[:, 1:] += np.bitwise_count(masks[:, 1:]).sum(axis=2, dtype=np.int64)
    counts[:, 0] = data.n_rows
    return _exactly(counts, width)


def _additions_by_word(data: Packed, columns: Int64, added: Int64) -> Int64:
    counts = np.zeros((len(added), 1 << len(columns)), dtype=np.int64)
    step = max(_CHUNK_WORDS // max(len(added), 1), 1)
    for begin in range(0, data.bits.shape[1], step):
        masks = _conjunctions(data.bits[columns[None], begin : begin + step])[0]
        more = data.bits[added, begin : begin + step]
        counts[:, 0] += np.bitwise_count(more).sum(axis=1, dtype=np.int64)
        for cell in range(1, len(masks)):
            counts[:, cell] += np.bitwise_count(masks[cell] & more).sum(axis=1, dtype=np.int64)
    return _exactly(counts, len(columns))


def _additions_by_row(data: Packed, family: Columns, added: Int64) -> Int64:
    cell, size = cells(data, family), 1 << len(family)
    counts = np.empty((len(added), size), dtype=np.int64)
    for place, column in enumerate(added):
        ones = packed.unpack(data.bits[column], data.n_rows).view(np.bool_)
        counts[place] = np.bincount(cell[ones], minlength=size)
    return counts


def _conjunctions(words: Words) -> Words:
    """Of every set of columns but the empty one, whose place is left unset.

    Args:
        words: shape (n_families, width, n_words).

    Returns:
        Shape (n_families, 2**width, n_words).
    """
    n_families, width, n_words = words.shape
    masks = np.empty((n_families, 1 << width, n_words), dtype=np.uint64)
    for place in range(width):
        filled = 1 << place
        masks[:, filled] = words[:, place]
        np.bitwise_and(masks[:, 1:filled], words[:, place, None], out=masks[:, filled + 1 : 2 * filled])
    return masks


def _exactly(at_least: Int64, width: int) -> Int64:
    """From rows in which AT LEAST the columns of a cell are 1 to rows in which exactly they are (Moebius)."""
    for place in range(width):
        halves = at_least.reshape(len(at_least), 1 << width - place - 1, 2, 1 << place)
        halves[:, :, 0] -= halves[:, :, 1]
    return at_least

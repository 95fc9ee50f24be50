"""Compiled counting over packed columns; `tools.numerics.counting` says what each function counts.

The inner loops run over a block of words that stays in the processor's first cache; there the compiler turns
them into vector instructions, the population count included.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic

from tools.numerics.jit import compiled

Words = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

BLOCK = 512
CACHED_WORDS = 2048  # of conjunctions that stay in the first cache: 16 KiB
WORDS_A_ROW = 20  # counting a set bit by its row costs about as much as counting this many words of bits


def _of_word(instruction: Callable[[Any, Any, Any], Any]) -> Callable[[np.uint64], np.uint64]:
    """One instruction of the processor on a word; numba has no name for it."""

    def typed(_typing: object, _word: object) -> tuple[Any, Any]:
        return types.uint64(types.uint64), lambda c, builder, _s, words: instruction(c, builder, words[0])

    return cast("Callable[[np.uint64], np.uint64]", intrinsic(typed))


# The number of set bits, and the place of the lowest one.
_ones = _of_word(lambda _context, builder, word: builder.ctpop(word))
_lowest = _of_word(lambda c, builder, word: builder.cttz(word, c.get_constant(types.boolean, True)))


@compiled
def _block(n_columns: int) -> int:
    """Words of a block, so that the conjunctions of `n_columns` columns over it stay in the cache."""
    return min(BLOCK, max(16, CACHED_WORDS >> n_columns))


@compiled
def _conjoin(bits: Words, columns: Int64, begin: int, width: int, masks: Words) -> None:
    """masks[S] = the conjunction of the columns in S, over some words; masks[0] is not written."""
    filled = 1
    for place in range(len(columns)):
        column, new = bits[columns[place], begin : begin + width], masks[filled]
        for w in range(width):
            new[w] = column[w]
        for s in range(1, filled):
            old, new = masks[s], masks[filled + s]
            for w in range(width):
                new[w] = old[w] & column[w]
        filled *= 2


@compiled
def _to_cells(counts: Int64, n_columns: int) -> None:
    """From rows in which AT LEAST the columns of S are 1 to rows in which exactly they are, in place.

    Moebius inversion over the subset lattice, one column after the other.
    """
    for place in range(n_columns):
        step = 1 << place
        for s in range(len(counts)):
            if not s & step:
                counts[s] -= counts[s | step]


@compiled
def cells(bits: Words, columns: Int64, out: Int32) -> None:
    """The cell of each row."""
    for word in range(bits.shape[1]):
        begin = 64 * word
        here = out[begin : min(begin + 64, len(out))]
        for r in range(len(here)):
            here[r] = 0
        for place in range(len(columns)):
            value = bits[columns[place], word]
            for r in range(len(here)):
                here[r] |= np.int32((value >> np.uint64(r)) & np.uint64(1)) << place


@compiled
def family_counts(bits: Words, columns: Int64, starts: Int64, n_rows: int, out: Int64) -> None:
    """Counts by cell of many families, one after the other in `out`; those with many cells row by row."""
    place = 0
    for family in range(len(starts) - 1):
        mine = columns[starts[family] : starts[family + 1]]
        counts = out[place : place + (1 << len(mine))]
        for s in range(len(counts)):
            counts[s] = 0
        place += len(counts)
        if len(counts) * bits.shape[1] > WORDS_A_ROW * n_rows:
            cell = np.empty(n_rows, dtype=np.int32)
            cells(bits, mine, cell)
            for r in range(n_rows):
                counts[cell[r]] += 1
            continue
        block = _block(len(mine))
        masks = np.empty((len(counts), block), dtype=np.uint64)
        for begin in range(0, bits.shape[1], block):
            width = min(block, bits.shape[1] - begin)
            _conjoin(bits, mine, begin, width, masks)
            for s in range(1, len(counts)):
                mask, total = masks[s], np.int64(0)
                for w in range(width):
                    total += np.int64(_ones(mask[w]))
                counts[s] += total
        counts[0] = n_rows
        _to_cells(counts, len(mine))


@compiled
def _count_by_row(column: Words, cell: Int32, counts: Int64) -> None:
    """Count the cells of the rows in which a column is 1, row by row."""
    for word in range(len(column)):
        value = column[word]
        while value:
            counts[cell[64 * word + np.int64(_lowest(value))]] += 1
            value &= value - np.uint64(1)


@compiled
def _count_by_word(bits: Words, columns: Int64, added: Int64, chosen: Bool, out: Int64) -> None:
    """Count the cells of the rows in which each chosen column is 1, a block of words at a time."""
    size, block = 1 << len(columns), _block(len(columns))
    masks = np.empty((size, block), dtype=np.uint64)
    for begin in range(0, bits.shape[1], block):
        width = min(block, bits.shape[1] - begin)
        _conjoin(bits, columns, begin, width, masks)
        everyone = masks[0]
        for w in range(width):
            everyone[w] = ~np.uint64(0)
        for place in range(len(added)):
            if not chosen[place]:
                continue
            column, counts = bits[added[place], begin : begin + width], out[place]
            for s in range(size):
                mask, total = masks[s], np.int64(0)
                for w in range(width):
                    total += np.int64(_ones(mask[w] & column[w]))
                counts[s] += total
    for place in range(len(added)):
        if chosen[place]:
            _to_cells(out[place], len(columns))


@compiled
def addition_counts(bits: Words, columns: Int64, added: Int64, n_rows: int, out: Int64) -> None:
    """For each added column, the rows in which it is 1, by the cell of the other columns.

    A column with few ones is counted row by row, one with many a block of words at a time.
    """
    size, n_by_word = 1 << len(columns), 0
    by_word = np.empty(len(added), dtype=np.bool_)
    for place in range(len(added)):
        total, column = np.int64(0), bits[added[place]]
        for w in range(len(column)):
            total += np.int64(_ones(column[w]))
        by_word[place] = total * WORDS_A_ROW > size * len(column)
        n_by_word += by_word[place]
        for s in range(size):
            out[place, s] = 0
    if n_by_word:
        _count_by_word(bits, columns, added, by_word, out)
    if n_by_word < len(added):
        cell = np.empty(n_rows, dtype=np.int32)
        cells(bits, columns, cell)
        for place in range(len(added)):
            if not by_word[place]:
                _count_by_row(bits[added[place]], cell, out[place])


@compiled
def pair_counts(left: Words, right: Words, starts: Int64, out: Int64) -> None:
    """Rows in which a column of `left` and one of `right` are 1, by range of words."""
    for part in range(len(starts) - 1):
        for begin in range(starts[part], starts[part + 1], BLOCK):
            end = min(begin + BLOCK, starts[part + 1])
            for a in range(len(left)):
                one = left[a, begin:end]
                for b in range(len(right)):
                    other, total = right[b, begin:end], np.int64(0)
                    for w in range(end - begin):
                        total += np.int64(_ones(one[w] & other[w]))
                    out[part, a, b] += total

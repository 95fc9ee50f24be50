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
WORDS_A_CELL = 3  # finding the cell of a row costs as much as counting this many
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
def _column(bits: Words, digits: Words, column: int) -> Words:
    """A column of `bits`, or of `digits`, which are numbered behind them."""
    if column < len(bits):
        own: Words = bits[column]
        return own
    other: Words = digits[column - len(bits)]
    return other


@compiled
def _conjoin(bits: Words, digits: Words, columns: Int64, begin: int, width: int, masks: Words) -> None:
    """masks[S] = the conjunction of the columns in S, over some words; masks[0] is not written."""
    filled = 1
    for place in range(len(columns)):
        column = _column(bits, digits, columns[place])[begin : begin + width]
        new = masks[filled]
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
def cells(bits: Words, digits: Words, columns: Int64, out: Int32) -> None:
    """The cell of each row."""
    for word in range(bits.shape[1]):
        begin = 64 * word
        here = out[begin : min(begin + 64, len(out))]
        for r in range(len(here)):
            here[r] = 0
        for place in range(len(columns)):
            value = _column(bits, digits, columns[place])[word]
            for r in range(len(here)):
                here[r] |= np.int32((value >> np.uint64(r)) & np.uint64(1)) << place


@compiled
def _count(bits: Words, digits: Words, columns: Int64, n_rows: int, counts: Int64) -> None:
    """Counts of one family by cell; those with many cells row by row."""
    for s in range(len(counts)):
        counts[s] = 0
    if len(counts) * bits.shape[1] > WORDS_A_ROW * n_rows:
        cell = np.empty(n_rows, dtype=np.int32)
        cells(bits, digits, columns, cell)
        for r in range(n_rows):
            counts[cell[r]] += 1
        return
    block = _block(len(columns))
    masks = np.empty((len(counts), block), dtype=np.uint64)
    for begin in range(0, bits.shape[1], block):
        width = min(block, bits.shape[1] - begin)
        _conjoin(bits, digits, columns, begin, width, masks)
        for s in range(1, len(counts)):
            mask, total = masks[s], np.int64(0)
            for w in range(width):
                total += np.int64(_ones(mask[w]))
            counts[s] += total
    counts[0] = n_rows
    _to_cells(counts, len(columns))


@compiled
def family_counts(bits: Words, columns: Int64, starts: Int64, n_rows: int, out: Int64) -> None:
    """Counts by cell of many families, one after the other in `out`."""
    place = 0
    for family in range(len(starts) - 1):
        mine = columns[starts[family] : starts[family + 1]]
        counts = out[place : place + (1 << len(mine))]
        place += len(counts)
        _count(bits, bits, mine, n_rows, counts)


@compiled
def _count_by_row(column: Words, cell: Int32, counts: Int64) -> None:
    """Count the cells of the rows in which a column is 1, row by row."""
    for word in range(len(column)):
        value = column[word]
        while value:
            counts[cell[64 * word + np.int64(_lowest(value))]] += 1
            value &= value - np.uint64(1)


@compiled
def _count_by_word(
    bits: Words, digits: Words, columns: Int64, added: Int64, chosen: Bool, out: Int64
) -> None:
    """Count the cells of the rows in which each chosen column is 1, a block of words at a time."""
    size, block = 1 << len(columns), _block(len(columns))
    masks = np.empty((size, block), dtype=np.uint64)
    for begin in range(0, bits.shape[1], block):
        width = min(block, bits.shape[1] - begin)
        _conjoin(bits, digits, columns, begin, width, masks)
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
def addition_counts(
    bits: Words, digits: Words, columns: Int64, added: Int64, n_rows: int, out: Int64
) -> None:
    """For each added column of `bits`, the rows in which it is 1, by the cell of the other columns.

    A column with few ones is counted row by row, one with many a block of words at a time.
    """
    size, n_words = 1 << len(columns), bits.shape[1]
    by_word, spared = np.empty(len(added), dtype=np.bool_), np.int64(0)
    for place in range(len(added)):
        total, column = np.int64(0), bits[added[place]]
        for w in range(n_words):
            total += np.int64(_ones(column[w]))
        by_word[place] = total * WORDS_A_ROW > size * n_words
        spared += 0 if by_word[place] else size * n_words - total * WORDS_A_ROW
        for s in range(size):
            out[place, s] = 0
    if spared < WORDS_A_CELL * n_rows:
        by_word[:] = True
    if by_word.any():
        _count_by_word(bits, digits, columns, added, by_word, out)
    if not by_word.all():
        cell = np.empty(n_rows, dtype=np.int32)
        cells(bits, digits, columns, cell)
        for place in range(len(added)):
            if not by_word[place]:
                _count_by_row(bits[added[place]], cell, out[place])


@compiled
def neighbours(
    bits: Words, digits: Words, columns: Int64, n_parents: int, added: Int64, kept: Int64, n_rows: int
) -> tuple[Int64, Int64, Int64]:
    """The table of a family, those without each parent, and those with each added column as the last parent.

    Args:
        bits: the columns of the data, shape (n_columns, n_words).
        digits: those of the groups, numbered behind them.
        columns: the effect, then the parents, then the digits of the groups.
        n_parents: how many of them are parents.
        added: columns of `bits`.
        kept: the groups that there are among those that the digits have room for, shape (n_groups,).
        n_rows: number of rows.

    Returns:
        As `tools.causal.tables.Neighbours`.
    """
    counted = np.empty(1 << len(columns), dtype=np.int64)
    _count(bits, digits, columns, n_rows, counted)
    present = np.empty((len(added), len(counted)), dtype=np.int64)
    addition_counts(bits, digits, columns, added, n_rows, present)
    n_groups, half = len(kept), 1 << n_parents
    own = np.empty((n_groups * half, 2), dtype=np.int64)
    fewer = np.zeros((n_parents, n_groups * half // 2, 2), dtype=np.int64)
    more = np.empty((len(added), 2 * n_groups * half, 2), dtype=np.int64)
    for place in range(n_groups):
        first = kept[place] * 2 * half
        for pattern in range(half):
            row = place * half + pattern
            for side in range(2):
                own[row, side] = counted[first + 2 * pattern + side]
            for parent in range(n_parents):
                low = pattern & ((1 << parent) - 1)
                merged = place * half // 2 + (pattern >> parent + 1 << parent | low)
                fewer[parent, merged, 0] += own[row, 0]
                fewer[parent, merged, 1] += own[row, 1]
    for candidate in range(len(added)):
        for place in range(n_groups):
            first = kept[place] * 2 * half
            for pattern in range(half):
                without = 2 * place * half + pattern
                for side in range(2):
                    there = present[candidate, first + 2 * pattern + side]
                    more[candidate, without, side] = counted[first + 2 * pattern + side] - there
                    more[candidate, without + half, side] = there
    return own, fewer, more


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

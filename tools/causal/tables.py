"""Count tables of families: an effect by its direct causes, apart for each group of rows.

A table has the shape (n_groups * 2**n_parents, 2): row g * 2**n_parents + sum_i x_i 2**i is group g with
parents x, column 1 the rows in which the effect is there.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal.strata import Groups
from tools.numerics import counting
from tools.numerics.counting import Columns, FamilyCounts, Packed

Int64 = npt.NDArray[np.int64]

MAX_PARENTS = 10


class Family(NamedTuple):
    """An effect with its causes, columns of packed data.

    Attributes:
        effect: column.
        parents: columns.
        groups: partitions of the rows, counted apart; of several, the last varies slowest.
    """

    effect: int
    parents: Columns
    groups: tuple[Groups, ...] = ()

    @property
    def n_groups(self) -> int:
        """Number of groups in all."""
        n_groups = 1
        for group in self.groups:
            n_groups *= group.size
        return n_groups

    def trim(self, counts: Int64, n_added: int = 0) -> Int64:
        """Tables from counts by cell: without the groups that only the binary digits have room for.

        Args:
            counts: shape (n, 2**n_columns), of this family with `n_added` more parents.
            n_added: see `counts`.

        Returns:
            Shape (n, n_groups * 2**n_parents, 2).
        """
        n_patterns = 2 << len(self.parents) + n_added
        digits = [1 << len(group.digits) for group in reversed(self.groups)]
        cells = counts.reshape(len(counts), *digits, n_patterns)
        kept = cells[(slice(None), *(slice(group.size) for group in reversed(self.groups)))]
        return kept.reshape(len(counts), self.n_groups << len(self.parents) + n_added, 2)


class _Layout:
    """Some data with the digits of all groups of some families as further columns."""

    def __init__(self, data: Packed, families: Sequence[Family]) -> None:
        self._places: dict[int, range] = {}
        columns, end = [data.bits], len(data.bits)
        for group in (group for family in families for group in family.groups):
            if id(group) not in self._places:
                self._places[id(group)] = range(end, end := end + len(group.digits))
                columns.append(group.digits)
        self.data = data if end == len(data.bits) else data._replace(bits=np.concatenate(columns))

    def columns(self, family: Family) -> Columns:
        digits = (place for group in family.groups for place in self._places[id(group)])
        return (family.effect, *family.parents, *digits)


def count(data: Packed, families: Sequence[Family]) -> FamilyCounts:
    """Counts of many families by cell, in one go; `Family.trim` makes tables of them."""
    layout = _Layout(data, families)
    return counting.family_counts(layout.data, [layout.columns(family) for family in families])


def table(data: Packed, family: Family) -> Int64:
    """The table of one family, shape (n_cells, 2)."""
    return np.asarray(family.trim(count(data, [family]).counts[None])[0])


class Neighbours(NamedTuple):
    """The table of a family, and of the families with one parent fewer or more.

    Attributes:
        own: shape (n_cells, 2).
        fewer: without each parent, shape (n_parents, n_cells / 2, 2).
        more: with each candidate as the last parent, shape (n_candidates, n_cells * 2, 2).
    """

    own: Int64
    fewer: Int64
    more: Int64


@lru_cache(maxsize=256)
def _kept(groups: tuple[tuple[int, int], ...]) -> Int64:
    """The groups that there are among those that their binary digits, of each partition, have room for."""
    kept = np.zeros(1, dtype=np.int64)
    for size, n_digits in reversed(groups):
        kept = (kept[:, None] * (1 << n_digits) + np.arange(size)).ravel()
    return kept


def neighbours(data: Packed, family: Family, candidates: Columns) -> Neighbours:
    """Count a family once: a lost parent is summed out, and a new one only splits the cells."""
    n_parents = len(family.parents)
    if data.kernels == "numba":
        return _compiled_neighbours(data, family, candidates)
    layout = _Layout(data, [family])
    columns = layout.columns(family)
    counted = counting.family_counts(layout.data, [columns]).counts
    own = family.trim(counted[None])[0]
    fewer = np.empty((n_parents, len(own) // 2, 2), dtype=np.int64)
    for place in range(n_parents):
        own.reshape(-1, 2, 1 << place, 2).sum(axis=1, out=fewer[place].reshape(-1, 1 << place, 2))
    n_patterns = 2 << n_parents
    more = np.empty((len(candidates), len(counted) // n_patterns, 2, n_patterns), dtype=np.int64)
    if candidates:
        present = counting.addition_counts(layout.data, columns, candidates)
        more[:, :, 1] = present.reshape(len(candidates), -1, n_patterns)
        np.subtract(counted.reshape(-1, n_patterns), more[:, :, 1], out=more[:, :, 0])
    return Neighbours(own, fewer, family.trim(more.reshape(len(more), 2 * len(counted)), n_added=1))


def _compiled_neighbours(data: Packed, family: Family, candidates: Columns) -> Neighbours:
    from tools.numerics import counting_kernels

    groups, end = family.groups, len(data.bits)
    several = [data.bits[:0], *(group.digits for group in groups)]
    digits = several[1] if len(several) == 2 else np.concatenate(several)
    columns = np.array([family.effect, *family.parents, *range(end, end + len(digits))])
    kept = _kept(tuple([(group.size, len(group.digits)) for group in groups]))
    added = np.array(candidates, dtype=np.int64)
    given = columns, len(family.parents), added, kept, data.n_rows
    return Neighbours(*counting_kernels.neighbours(data.bits, digits, *given))

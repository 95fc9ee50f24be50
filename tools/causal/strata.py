"""Groups of like rows, within which families are counted apart."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.numerics import bits
from tools.numerics.bits import Words

MAX_STRATA = 16  # of patients: coarser ones leave frailty inside, and edges that are not there appear
MAX_LAGGED_STRATA = 8  # each has a leak of its own to learn for every onset
MIN_ROWS = 50
Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]


class Strata(NamedTuple):
    """Groups of about equal size by a count; equal counts share a group, and no group is empty.

    Attributes:
        edges: increasing; a count of at most edges[0] is in group 0, and so on.
    """

    edges: Int64

    @classmethod
    def over(cls, counts: Int64, most: int) -> "Strata":
        """Quantile groups: `most` of them, or fewer so that about 50 rows are in each."""
        n_groups = int(np.clip(len(counts) // MIN_ROWS, 1, most))
        if n_groups == 1:
            return cls(np.zeros(0, dtype=np.int64))
        levels = np.arange(1, n_groups) / n_groups
        edges = np.unique(np.quantile(counts, levels, method="inverted_cdf"))
        return cls(edges[edges < counts.max()].astype(np.int64))

    @property
    def size(self) -> int:
        """Number of groups."""
        return len(self.edges) + 1

    def of(self, counts: npt.ArrayLike) -> Int8:
        """The group of each count."""
        return np.searchsorted(self.edges, counts, side="left").astype(np.int8)


class Groups(NamedTuple):
    """A partition of the rows.

    Attributes:
        size: number of groups.
        digits: the group of each row as binary columns (see `bits.planes`), shape (n_digits, n_words).
    """

    size: int
    digits: Words

    @classmethod
    def of(cls, numbers: Int8, size: int | None = None) -> "Groups":
        """From the group of each row; `size` is one more than the largest unless given."""
        n_groups = int(numbers.max(initial=0)) + 1 if size is None else size
        return cls(n_groups, bits.planes(numbers, n_groups))

    def numbers(self, n_rows: int) -> Int8:
        """The group of each row, shape (n_rows,)."""
        digits = bits.unpack(self.digits, n_rows).astype(np.int8)
        return np.asarray((digits << np.arange(len(digits))[:, None]).sum(axis=0), dtype=np.int8)

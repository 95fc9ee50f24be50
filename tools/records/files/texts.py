"""Columns of texts as numbers into their distinct texts, so that work is done by text, not by row."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tools.records.build import UNKNOWN
from tools.records.cohort import IntArray


class Texts(NamedTuple):
    """A column of texts.

    Attributes:
        distinct: without outer spaces, none empty; each is in some row.
        at: which of them each row has, -1 for none, shape (n_rows,).
    """

    distinct: tuple[str, ...]
    at: IntArray

    def has(self, *texts: str) -> npt.NDArray[np.bool_]:
        """Which rows have one of some texts, shape (n_rows,)."""
        return np.isin(self.at, [place for place, text in enumerate(self.distinct) if text in texts])

    def cells(self) -> npt.NDArray[np.object_]:
        """The text of each row, empty for none, shape (n_rows,)."""
        return np.array([*self.distinct, ""], dtype=object)[self.at]

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """Which rows have one, shape (n_rows,)."""
        return self.at >= 0

    def of(self, kept: npt.NDArray[np.bool_]) -> "Texts":
        """The same of some rows."""
        if kept.all():
            return self
        at = self.at[kept]
        used = np.flatnonzero(np.bincount(at[at >= 0], minlength=len(self.distinct)))
        new = np.full(len(self.distinct) + 1, -1, dtype=np.int64)
        new[used] = np.arange(len(used))
        return Texts(tuple(self.distinct[place] for place in used.tolist()), new[at])

    def numbered(self, numbers: IntArray) -> IntArray:
        """The number of each row, `UNKNOWN` for none, given those of the distinct texts."""
        return np.asarray(np.append(numbers, UNKNOWN)[self.at], dtype=np.int64)


def no_texts(n_rows: int) -> Texts:
    """A column in which no row has a text."""
    return Texts((), np.full(n_rows, -1, dtype=np.int64))


def texts_in(cells: Sequence[str], clean: Callable[[str], str]) -> Texts:
    """A column of cells; those that cleaning leaves empty are none."""
    at, found = pd.factorize(np.array(cells, dtype=object))
    return cleaned(found.tolist(), at, clean)


def cleaned(distinct: list[str], at: IntArray, clean: Callable[[str], str]) -> Texts:
    """A column whose distinct cells are told, of which cleaning may make the same text, or none."""
    texts, numbers = list(map(clean, distinct)), dict[str, int]()
    if texts == distinct and "" not in texts:
        return Texts(tuple(texts), np.asarray(at, dtype=np.int64))
    new = [numbers.setdefault(text, len(numbers)) if text else -1 for text in texts]
    return Texts(tuple(numbers), np.array([*new, -1], dtype=np.int64)[at])

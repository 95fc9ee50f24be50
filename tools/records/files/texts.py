"""Columns of texts as numbers into their distinct texts, so that work is done by text, not by row."""

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

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """Which rows have one, shape (n_rows,)."""
        return self.at >= 0

    def numbered(self, numbers: IntArray) -> IntArray:
        """The number of each row, `UNKNOWN` for none, given those of the distinct texts."""
        return np.asarray(np.append(numbers, UNKNOWN)[self.at], dtype=np.int64)


def no_texts(n_rows: int) -> Texts:
    """A column in which no row has a text."""
    return Texts((), np.full(n_rows, -1, dtype=np.int64))


def texts_in(cells: "pd.Series[str]") -> Texts:
    """A column of a table, whose cells have no outer spaces; empty ones are none."""
    at, found = pd.factorize(cells.to_numpy())
    distinct = found.tolist()
    kept = [place for place, text in enumerate(distinct) if text]
    new = np.full(len(distinct), -1, dtype=np.int64)
    new[kept] = np.arange(len(kept))
    return Texts(tuple(distinct[place] for place in kept), new[at])

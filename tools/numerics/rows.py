"""Rows of a table that nobody needs whole, by their numbers."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """Some rows of a table.

    Attributes:
        numbers: of the rows, ascending, each once, shape (n,).
        values: the rows, shape (n, ...).
    """

    numbers: Int64 = np.zeros(0, dtype=np.int64)
    values: Float = np.zeros(0)

    def places(self, numbers: Int64) -> Int64:
        """Where each of some rows lies, -1 where it is not here."""
        if not len(self.numbers):
            return np.full(len(numbers), -1)
        places = np.searchsorted(self.numbers, numbers)
        places[self.numbers.take(places, mode="clip") != numbers] = -1
        return places

    def joined(self, numbers: Int64, values: Float) -> "Rows":
        """With further rows, none of which is here yet."""
        if not len(self.numbers):
            order = np.argsort(numbers)
            return Rows(numbers[order], values[order])
        every = np.concatenate([self.numbers, numbers])
        order = np.argsort(every)
        return Rows(every[order], np.concatenate([self.values, values])[order])

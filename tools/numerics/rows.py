"""Rows of a table that nobody needs whole, by their numbers."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """Some rows of a table, one or more.

    Attributes:
        numbers: of the rows, ascending, each once, shape (n,).
        values: the rows, shape (n, ...).
    """

    numbers: Int64
    values: Float

    @classmethod
    def of(cls, numbers: Int64, values: Float) -> "Rows":
        """From rows in any order."""
        order = numbers.argsort()
        return cls(numbers[order], values[order])

    def some(self, numbers: Int64) -> tuple[Float, Bool]:
        """Rows by their numbers, in a new array, and which of them are not here and so hold anything."""
        places = self.numbers.searchsorted(numbers)
        places[places == len(self.numbers)] = 0
        return self.values[places], self.numbers[places] != numbers

    def joined(self, numbers: Int64, values: Float) -> "Rows":
        """With further rows, none of which is here yet."""
        return Rows.of(np.concatenate([self.numbers, numbers]), np.concatenate([self.values, values]))

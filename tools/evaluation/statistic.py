"""Metrics as functions of sums over patients, so that resampling patients is one product of matrices."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Statistic:
    """m(w) = f(sum_i w_i x_i), with w_i how often patient i is counted.

    Attributes:
        parts: x, what each patient adds to m sums; CSR of shape (n, m).
        of_sums: f, from sums of shape (b, m) to values of shape (b,), NaN where it has no value.
    """

    parts: "sparse.csr_array[np.float64]"
    of_sums: Callable[[Float], Float]

    def __len__(self) -> int:
        return int(self.parts.shape[0])

    def value(self) -> float:
        """The metric with each patient counted once; NaN where it has no value, as over nobody."""
        return float(self.values(np.ones((1, len(self))))[0])

    def values(self, weights: npt.ArrayLike) -> Float:
        """The metric under several weightings.

        Args:
            weights: 0 or more, shape (b, n).

        Returns:
            Shape (b,).

        Raises:
            InputError: weights of another shape.
        """
        w = np.asarray(weights, dtype=np.float64)
        if w.ndim != 2 or w.shape[1] != len(self):
            raise InputError("weights", f"need a column for each of {len(self):,} patients")
        return self.of_sums(np.asarray(w @ self.parts))

    def of(self, rows: npt.ArrayLike) -> "Statistic":
        """The metric over some of the patients, by row or by mask."""
        return Statistic(self.parts[np.asarray(rows)], self.of_sums)


def mean(amounts: npt.ArrayLike, counts: npt.ArrayLike) -> Statistic:
    """sum_i w_i a_i / sum_i w_i c_i: a mean over all that is counted, NaN where that is nothing.

    Args:
        amounts: a, shape (n,).
        counts: c, shape (n,).
    """
    columns = np.column_stack([np.asarray(amounts, np.float64), np.asarray(counts, np.float64)])
    return Statistic(sparse.csr_array(columns), lambda sums: ratio(sums[:, 0], sums[:, 1]))


def ratio(above: npt.NDArray[np.number], below: npt.NDArray[np.number], where_empty: float = np.nan) -> Float:
    """The quotient, and `where_empty` where `below` is 0; all of one shape."""
    empty = np.full(np.shape(below), where_empty)
    return np.asarray(np.divide(above, below, out=empty, where=below != 0))

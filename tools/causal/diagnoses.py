"""Who has a disease, and since when."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.numerics.runs import ranges

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


class FirstDiagnoses(NamedTuple):
    """The first diagnoses of a disease.

    Attributes:
        patients: who has it, ascending, shape (n,).
        visits: the index of the visit of first diagnosis of each, shape (n,).
    """

    patients: Int32
    visits: Int32

    def drawn(self, begins: Int64) -> "FirstDiagnoses":
        """After patient p has become the patients begins[p] to begins[p + 1] - 1."""
        times = (begins[1:] - begins[:-1])[self.patients]
        return FirstDiagnoses(ranges(begins, self.patients).astype(np.int32), np.repeat(self.visits, times))

"""Where records break rules: every place is counted, the first are kept, values never are."""

from bisect import insort
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.safety.errors import Fault, InputError

FAULTS_KEPT = 50


def counted(number: int, noun: str) -> str:
    """`1 visit`, `1,204 visits`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class RecordFaults(InputError):
    """The records break rules, so nothing of them was loaded.

    Args:
        field: what was being read.
        count: how many faults there are; `faults` holds the first of them.
        faults: by row, column and rule.
    """

    def __init__(self, field: str, count: int, faults: tuple[Fault, ...]) -> None:
        first = faults[0]
        listed = f"; the first {len(faults)} are listed" if count > len(faults) else ""
        rule = f"{counted(count, 'fault')}{listed}; nothing was loaded. First: {first.column}: {first.rule}"
        super().__init__(field, rule, row=first.row, faults=faults)
        self.count = count


class Faults:
    """Collects faults: all are counted, the first by row are kept. Values are never looked at."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[Fault] = []

    def add(self, row: int, column: str, rule: str) -> None:
        """Note that a row (1-based line of the file) breaks a rule in a column."""
        self.count += 1
        insort(self._kept, Fault(row, column, rule))
        del self._kept[FAULTS_KEPT:]

    def add_rows(self, rows: npt.ArrayLike, column: str, rule: str) -> None:
        """Note that several rows break the same rule in a column."""
        in_order = np.sort(np.asarray(rows, dtype=np.int64))
        for row in in_order[:FAULTS_KEPT]:
            self.add(int(row), column, rule)
        self.count += max(0, len(in_order) - FAULTS_KEPT)

    @property
    def kept(self) -> tuple[Fault, ...]:
        """The first faults by row, at most 50."""
        return tuple(self._kept)

    def refuse(self, field: str) -> None:
        """End the reading where anything was noted.

        Raises:
            RecordFaults: there are faults.
        """
        if self.count:
            raise self.error(field)

    def error(self, field: str) -> RecordFaults:
        """What was noted, of which there is something, as an error to raise."""
        return RecordFaults(field, self.count, self.kept)


class Noting(NamedTuple):
    """Where some rows of a table are, for faults.

    Attributes:
        faults: where they are noted.
        label: put before the name of a column.
        first_row: the row that number 0 is.
    """

    faults: Faults
    label: str
    first_row: int

    def note(self, column: str, rows: npt.NDArray[np.integer], rule: str) -> None:
        """Note rows, from 0, that break a rule."""
        self.faults.add_rows(rows + self.first_row, f"{self.label}{column}", rule)

    def require(self, column: str, there: npt.NDArray[np.bool_]) -> None:
        """Note the rows without a value."""
        self.note(column, np.flatnonzero(~there), "empty; every row needs a value here")

"""Visits that the records list one a row, under an id of their own."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tools.records.build import UNKNOWN, Numbering, Visits, natural_ranks, stacked
from tools.records.cohort import IntArray
from tools.records.files.table import Table
from tools.records.files.texts import Texts


class Admissions:
    """Collects visits; the same id with another patient or time is a fault.

    Args:
        table: where they stand.
        id_column: how faults call the visit id.
    """

    def __init__(self, table: Table, id_column: str) -> None:
        self.patients = Numbering()
        self.ids = Numbering()
        self._table = table
        self._id_column = id_column
        self._parts: list[tuple[IntArray, IntArray, IntArray, IntArray]] = []

    def add(self, ids: Texts, patients: Texts, times: IntArray, row: IntArray) -> IntArray:
        """Add some rows.

        Args:
            ids: of the visits, shape (n_rows,).
            patients: whose they are, the same.
            times: see `tools.records.cohort.Visit.time`, the same.
            row: of the file, the same.

        Returns:
            The visits' numbers, shape (n_rows,).
        """
        number = ids.numbered(self.ids.add_distinct(ids.distinct))
        patient = patients.numbered(self.patients.add_distinct(patients.distinct))
        self._parts.append((number, patient, times, row))
        return number

    def visits(self) -> Visits:
        """The visits by number; faults are noted for ids that contradict themselves."""
        number, patient, time, row = (stacked(column) for column in _columns(self._parts))
        rows = pd.DataFrame({"number": number, "patient": patient, "time": time}, index=row)
        distinct = rows[number != UNKNOWN].drop_duplicates()
        again = distinct["number"].duplicated()
        self._table.note(
            distinct.index[again], self._id_column, "listed before with another patient or time; keep one"
        )
        first = distinct[~again].sort_values("number")
        return Visits(
            patient=first["patient"].to_numpy(np.int64),
            time=first["time"].to_numpy(np.int64),
            rank=natural_ranks(self.ids.texts),
        )


def _columns(parts: Sequence[tuple[IntArray, ...]]) -> list[tuple[IntArray, ...]]:
    return list(zip(*parts, strict=True)) if parts else [(), (), (), ()]

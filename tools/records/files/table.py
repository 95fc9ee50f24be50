"""Delimited files as a stream of checked columns; what breaks a rule is collected by row and column."""

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path

import numpy.typing as npt

from tools.records.faults import Faults
from tools.records.files.opening import damage, open_bytes
from tools.records.files.rows import Batch, Rows, unquoted
from tools.safety.errors import InputError

_WHOLE_ROW = "(row)"


class Table:
    """One .csv file, plain, .gz or .zst, with a header line, UTF-8, read some rows at a time.

    Args:
        path: the file.
        faults: where broken rules are noted.
        label: put before column names in faults, for formats of several files (`ADMISSIONS`).
        may_be_tabbed: a header with tabs makes it a table with tabs for commas, in which quotes around a cell
            are dropped and other quotes are text.
    """

    def __init__(self, path: Path, faults: Faults, label: str = "", may_be_tabbed: bool = False) -> None:
        self.path = path
        self.faults = faults
        self.label = label
        self._may_be_tabbed = may_be_tabbed

    def header(self) -> tuple[str, ...]:
        """Column names in lower case.

        Raises:
            InputError: the file cannot be opened, holds no line, or no header can be made of the first.
        """
        with open_bytes(self.path, self._name) as stream:
            return self._header(Rows(stream, self._whole_row, self._may_be_tabbed))

    def batches(self, columns: Mapping[str, tuple[str, ...]], required: Set[str]) -> Iterator[Batch]:
        """The wanted columns, some rows at a time; texts have no outer spaces.

        Args:
            columns: our name of a column to the lower-case spellings it may have in the file.
            required: our names of the columns that must be there; the others come when they are.

        Raises:
            InputError: the file cannot be opened, holds no line, or no header can be made of the first.
        """
        with open_bytes(self.path, self._name) as stream:
            rows = Rows(stream, self._whole_row, self._may_be_tabbed)
            header = self._header(rows)
            places = self._places(header, columns, required)
            if required <= places.keys():
                yield from rows.batches(len(header), places)
                self._note_damage(rows)

    def name_of(self, column: str) -> str:
        """How faults call a column."""
        return f"{self.label}.{column}" if self.label else column

    def note(self, rows: npt.ArrayLike, column: str, rule: str) -> None:
        """Note faults in a column of this table."""
        self.faults.add_rows(rows, self.name_of(column), rule)

    def require(self, batch: Batch, *columns: str) -> None:
        """Note the rows of a batch that have no text in one of some columns."""
        for column in columns:
            empty = ~batch.texts[column].there
            self.note(batch.row[empty], column, "empty; every row needs a value here")

    @property
    def _name(self) -> str:
        return self.label or "records"

    def _header(self, rows: Rows) -> tuple[str, ...]:
        cells = rows.header()
        if cells is None:
            self._note_damage(rows)
            self.faults.refuse(self._name)
            raise InputError(self._name, "the file is empty; it needs a header line")
        return tuple(unquoted(cell).lower() for cell in cells)

    def _places(
        self, header: Sequence[str], columns: Mapping[str, tuple[str, ...]], required: Set[str]
    ) -> dict[str, int]:
        places = {}
        for column, spellings in columns.items():
            found = [place for place, cell in enumerate(header) if cell in spellings]
            if len(found) == 1:
                places[column] = found[0]
            elif found:
                self.note([1], column, f"stands {len(found)} times in the header; keep one such column")
            elif column in required:
                self.note([1], column, f"missing column; the header needs one of: {', '.join(spellings)}")
        return places

    def _note_damage(self, rows: Rows) -> None:
        if rows.is_damaged:
            self._whole_row(rows.next_row, damage(self.path))

    def _whole_row(self, row: int, rule: str) -> None:
        self.faults.add(row, self.name_of(_WHOLE_ROW), rule)

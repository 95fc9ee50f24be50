"""Delimited files as a stream of checked chunks; what breaks a rule is collected by row and column."""

import csv
from collections.abc import Callable, Iterator, Mapping, Set
from functools import partial
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy.typing as npt
import pandas as pd

from tools.records.faults import Faults, counted
from tools.records.opening import UNREADABLE, damage, open_text
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from _csv import Reader

_LONGEST_LINE = 1_000_000
_ROWS_A_CHUNK = 50_000
_WHOLE_ROW = "(row)"


class Table:
    """One .csv file, plain, .gz or .zst, with a header line, UTF-8, read in chunks.

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
        with open_text(self.path, self._name) as stream:
            return self._header(self._reader(stream)[0])

    def chunks(self, columns: Mapping[str, tuple[str, ...]], required: Set[str]) -> Iterator[pd.DataFrame]:
        """The wanted columns, without outer spaces, chunk by chunk.

        Args:
            columns: our name of a column to the lower-case spellings it may have in the file.
            required: our names of the columns that must be there; the others come when they are.

        Yields:
            Frames of `str` with our column names; the index is the 1-based line of the file.

        Raises:
            InputError: the file cannot be opened, holds no line, or no header can be made of the first.
        """
        with open_text(self.path, self._name) as stream:
            reader, clean = self._reader(stream)
            header = self._header(reader)
            places = self._places(header, columns, required)
            if required <= places.keys():
                yield from self._frames(self._records(reader, len(header)), places, clean)

    def name_of(self, column: str) -> str:
        """How faults call a column."""
        return f"{self.label}.{column}" if self.label else column

    def note(self, rows: npt.ArrayLike, column: str, rule: str) -> None:
        """Note faults in a column of this table."""
        self.faults.add_rows(rows, self.name_of(column), rule)

    def require(self, frame: pd.DataFrame, column: str) -> None:
        """Note the rows of a chunk whose cell is empty."""
        empty = (frame[column] == "").to_numpy()
        self.note(frame.index[empty], column, "empty; every row needs a value here")

    @property
    def _name(self) -> str:
        return self.label or "records"

    def _reader(self, stream: TextIO) -> "tuple[Reader, Callable[[str], str]]":
        """The reader of the file's rows, and what cleans a cell."""
        lines = self._lines(stream)
        if self._may_be_tabbed:
            first = list(islice(lines, 1))
            lines = chain(first, lines)
            if first and "\t" in first[0]:
                return csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), _unquoted
        return csv.reader(lines, strict=True), str.strip

    def _header(self, reader: "Reader") -> tuple[str, ...]:
        try:
            return tuple(_unquoted(cell).lower() for cell in next(reader))
        except StopIteration:
            self.faults.refuse(self._name)
            raise InputError(self._name, "the file is empty; it needs a header line") from None
        except csv.Error:
            self._whole_row(1, "the header's quoting is broken; mend it")
            raise self.faults.error(self._name) from None

    def _lines(self, stream: TextIO) -> Iterator[str]:
        row = 0
        lines = iter(partial(stream.readline, _LONGEST_LINE), "")
        while True:
            try:
                line = next(lines)
            except StopIteration:
                return
            except UNREADABLE:
                self._whole_row(row + 1, damage(self.path))
                return
            row += 1
            if len(line) == _LONGEST_LINE:
                self._whole_row(row, f"longer than {_LONGEST_LINE:,} characters; is this a table?")
                return
            if "\0" in line:
                self._whole_row(row, "holds a NUL byte; save the file as plain text")
            if not (line.isascii() or _is_unicode(line)):
                self._whole_row(row, "not UTF-8; save the file in that encoding")
            yield line

    def _records(self, reader: "Reader", width: int) -> Iterator[tuple[int, list[str]]]:
        while True:
            row = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                self._whole_row(row, "a quote is not closed or text follows its end; mend the quoting")
                continue
            if len(cells) == width:
                yield row, cells
            elif cells:
                found = counted(len(cells), "field")
                self._whole_row(row, f"has {found} where the header has {width}; quote commas")

    def _places(
        self, header: tuple[str, ...], columns: Mapping[str, tuple[str, ...]], required: Set[str]
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

    def _frames(
        self,
        records: Iterator[tuple[int, list[str]]],
        places: dict[str, int],
        clean: Callable[[str], str],
    ) -> Iterator[pd.DataFrame]:
        # A single index would make itemgetter give a bare cell, so one more is picked and dropped below.
        pick = itemgetter(*places.values(), 0)
        while chunk := [(row, *pick(cells)) for row, cells in islice(records, _ROWS_A_CHUNK)]:
            rows, *values = zip(*chunk, strict=True)
            yield pd.DataFrame(
                {name: [clean(v) for v in column] for name, column in zip(places, values, strict=False)},
                index=pd.Index(rows, name="row"),
                dtype=object,
            )

    def _whole_row(self, row: int, rule: str) -> None:
        self.faults.add(row, self.name_of(_WHOLE_ROW), rule)


def _unquoted(cell: str) -> str:
    cell = cell.strip()
    return cell[1:-1].strip() if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _is_unicode(line: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in line)

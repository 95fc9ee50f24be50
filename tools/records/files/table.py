"""Delimited files as a stream of checked chunks; what breaks a rule is collected by row and column."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import accumulate, chain, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy.typing as npt
import pandas as pd

from tools.records.faults import Faults, counted
from tools.records.files.opening import UNREADABLE, damage, open_text
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from _csv import Reader

_LONGEST_LINE = 1_000_000
_ROWS_A_CHUNK = 50_000
_ROWS_AT_ONCE = 2_000
_LINES_AT_ONCE = 64  # of the longest lines these are 64 MB
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
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
        return chain.from_iterable(self._checked_lines(stream))

    def _checked_lines(self, stream: TextIO) -> Iterator[Iterable[str]]:
        """Lines, some at a time, since what is sound is told of many as fast as of one; the header alone."""
        row, is_whole = 1, True
        remaining = iter(partial(stream.readline, _LONGEST_LINE), "")
        while is_whole:
            lines: list[str] = []
            try:
                # Lines read before the stream raises stay in the list.
                lines.extend(islice(remaining, _LINES_AT_ONCE if row > 1 else 1))
            except UNREADABLE:
                self._whole_row(row + len(lines), damage(self.path))
                is_whole = False
            if not lines:
                return
            text = "".join(lines)
            if len(text) < _LONGEST_LINE and text.isascii() and "\0" not in text:
                yield lines
            else:
                yield self._looked_at(lines, row)
                is_whole &= max(map(len, lines)) < _LONGEST_LINE
            row += len(lines)

    def _looked_at(self, lines: Iterable[str], first_row: int) -> Iterator[str]:
        for row, line in enumerate(lines, first_row):
            if len(line) == _LONGEST_LINE:
                self._whole_row(row, f"longer than {_LONGEST_LINE:,} characters; is this a table?")
                return
            if "\0" in line:
                self._whole_row(row, "holds a NUL byte; save the file as plain text")
            if not (line.isascii() or _is_unicode(line)):
                self._whole_row(row, "not UTF-8; save the file in that encoding")
            yield line

    def _records(self, reader: "Reader", width: int) -> Iterator[tuple[Sequence[int], list[list[str]]]]:
        """The cells of some rows at a time, with the lines that these begin at."""
        is_whole = False
        while not is_whole:
            row, cells, is_broken = reader.line_num + 1, list[list[str]](), False
            try:
                # Rows read before the reader raises stay in the list.
                cells.extend(islice(reader, min(_ROWS_AT_ONCE, _ROWS_A_CHUNK)))
                is_whole = not cells
            except csv.Error:
                is_broken = True
            rows: Sequence[int] = range(row, row + len(cells))
            if is_broken or reader.line_num + 1 - row != len(cells):
                *rows, after = accumulate(map(_lines_of, cells), initial=row)
                if is_broken:
                    self._whole_row(after, "a quote is not closed or text follows its end; mend the quoting")
            if any(len(row_cells) != width for row_cells in cells):
                rows, cells = self._of_width(width, rows, cells)
            yield rows, cells

    def _of_width(
        self, width: int, rows: Sequence[int], cells: list[list[str]]
    ) -> tuple[list[int], list[list[str]]]:
        """Those rows that are as wide as the header; others are noted unless they are blank."""
        for row, row_cells in zip(rows, cells, strict=True):
            if row_cells and len(row_cells) != width:
                found = counted(len(row_cells), "field")
                self._whole_row(row, f"has {found} where the header has {width}; quote commas")
        kept = [place for place, row_cells in enumerate(cells) if len(row_cells) == width]
        return [rows[place] for place in kept], [cells[place] for place in kept]

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
        records: Iterator[tuple[Sequence[int], list[list[str]]]],
        places: dict[str, int],
        clean: Callable[[str], str],
    ) -> Iterator[pd.DataFrame]:
        # A single index would make itemgetter give a bare cell, so one more is picked and dropped below.
        pick = itemgetter(*places.values(), 0)
        rows, chunk = list[int](), list[tuple[str, ...]]()
        for some_rows, cells in chain(records, [([], [])]):
            rows.extend(some_rows)
            chunk.extend(map(pick, cells))
            if chunk and (len(chunk) >= _ROWS_A_CHUNK or not cells):
                columns = {
                    name: list(map(clean, column))
                    for name, column in zip(places, zip(*chunk, strict=True), strict=False)
                }
                yield pd.DataFrame(columns, index=pd.Index(rows, name="row"), dtype=object)
                rows, chunk = [], []

    def _whole_row(self, row: int, rule: str) -> None:
        self.faults.add(row, self.name_of(_WHOLE_ROW), rule)


def _lines_of(cells: list[str]) -> int:
    """How many lines a row takes."""
    return 1 + sum(len(_LINE_ENDS.findall(cell)) for cell in cells)


def _unquoted(cell: str) -> str:
    cell = cell.strip()
    return cell[1:-1].strip() if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _is_unicode(line: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in line)

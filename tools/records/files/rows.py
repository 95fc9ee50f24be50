"""Rows of a delimited stream: many at a time where they are plain, else by the csv module."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BufferedReader
from itertools import accumulate, islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.records.cohort import IntArray
from tools.records.faults import counted
from tools.records.files.blocks import Blocks
from tools.records.files.cells import Dialect, split
from tools.records.files.lines import Lines
from tools.records.files.texts import Texts, texts_in

if TYPE_CHECKING:
    from _csv import Reader

_ROWS_AT_ONCE = 50_000
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_BROKEN_HEADER = "the header's quoting is broken; mend it"
_BROKEN_ROW = (
    "a quote is not closed, text follows its end, or a cell is longer than 131,072 characters; mend the row"
)
_COMMAS = Dialect(",", is_quoted=True, clean=str.strip)


class Batch(NamedTuple):
    """Some rows of a table.

    Attributes:
        row: the 1-based line of the file that each begins at, shape (n_rows,).
        texts: columns by name.
    """

    row: IntArray
    texts: dict[str, Texts]

    def of(self, kept: npt.NDArray[np.bool_]) -> "Batch":
        """Some of the rows."""
        return Batch(self.row[kept], {name: column.of(kept) for name, column in self.texts.items()})


class Rows:
    """The rows of a stream, to be read once: the header, then the others.

    Args:
        stream: of `open_bytes`.
        note: told the row and the rule of what is wrong with a whole line or row.
        may_be_tabbed: see `tools.records.files.table.Table`.

    Attributes:
        next_row: the line after the batches read.
    """

    def __init__(
        self, stream: BufferedReader, note: Callable[[int, str], None], may_be_tabbed: bool = False
    ) -> None:
        self.next_row = 1
        self._source, self._note = Blocks(stream), note
        self._blocks = iter(self._source)
        first = next(self._blocks, b"")
        is_tabbed = may_be_tabbed and any(b"\t" in line for line in first.splitlines()[:1])
        self._dialect = Dialect("\t", is_quoted=False, clean=unquoted) if is_tabbed else _COMMAS
        self._lines, self._reader = self._csv_from(first)

    @property
    def is_damaged(self) -> bool:
        """Whether the stream broke off in the next row, which is known when all before it was read."""
        return self._source.is_damaged and not self._lines.is_cut

    def header(self) -> list[str] | None:
        """The cells of the first row; None where there is none, or none can be made of it, which is noted."""
        try:
            return next(self._reader, None)
        except csv.Error:
            self._note(1, _BROKEN_HEADER)
            self.next_row += self._lines.taken
            return None

    def batches(self, width: int, places: Mapping[str, int]) -> Iterator[Batch]:
        """All rows after the header that are as wide, some at a time; others but blank ones are noted.

        Args:
            width: number of columns.
            places: of the wanted columns, by the names that they get.
        """
        yield from self._by_csv(width, places)
        while not self._lines.is_cut and (block := next(self._blocks, None)) is not None:
            cells = split(block, width, self._dialect)
            if cells is not None:
                row = np.arange(self.next_row, self.next_row + len(cells.ends))
                yield Batch(row, {name: cells.texts(place) for name, place in places.items()})
                self.next_row += len(cells.ends)
            else:
                self._lines, self._reader = self._csv_from(block)
                yield from self._by_csv(width, places)

    def _csv_from(self, block: bytes) -> "tuple[Lines, Reader]":
        """A reader from a block on, which comes to further ones only where a row goes on in them."""
        lines = Lines(block, self._blocks, self.next_row, self._note)
        if self._dialect.is_quoted:
            return lines, csv.reader(lines, delimiter=self._dialect.delimiter, strict=True)
        return lines, csv.reader(lines, delimiter=self._dialect.delimiter, quoting=csv.QUOTE_NONE)

    def _by_csv(self, width: int, places: Mapping[str, int]) -> Iterator[Batch]:
        """The rows of the reader, to where a row and a block end together."""
        begun, lines, reader = self.next_row, self._lines, self._reader
        while reader.line_num < lines.taken:
            lines_before, cells, is_broken = reader.line_num, list[list[str]](), False
            first = begun + lines_before
            try:
                # Rows read before the reader raises stay in the list.
                cells.extend(islice(reader, min(_ROWS_AT_ONCE, lines.taken - lines_before)))
            except csv.Error:
                is_broken = True
            rows: Sequence[int] = range(first, first + len(cells))
            if is_broken or reader.line_num - lines_before != len(cells):
                *rows, after = accumulate(map(_lines_of, cells), initial=first)
                if is_broken:
                    self._note(after, _BROKEN_ROW)
            if any(len(row_cells) != width for row_cells in cells):
                rows, cells = self._of_width(width, rows, cells)
            if cells:
                columns = list(zip(*cells, strict=True))
                texts = {n: texts_in(columns[place], self._dialect.clean) for n, place in places.items()}
                yield Batch(np.array(rows, dtype=np.int64), texts)
        self.next_row = begun + reader.line_num

    def _of_width(
        self, width: int, rows: Sequence[int], cells: list[list[str]]
    ) -> tuple[list[int], list[list[str]]]:
        """Those rows that are as wide as the header; others are noted unless they are blank."""
        for row, row_cells in zip(rows, cells, strict=True):
            if row_cells and len(row_cells) != width:
                found = counted(len(row_cells), "field")
                self._note(row, f"has {found} where the header has {width}; quote commas")
        kept = [place for place, row_cells in enumerate(cells) if len(row_cells) == width]
        return [rows[place] for place in kept], [cells[place] for place in kept]


def unquoted(cell: str) -> str:
    """A cell without outer spaces, without quotes around it, and without outer spaces in these."""
    cell = cell.strip()
    return cell[1:-1].strip() if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _lines_of(cells: list[str]) -> int:
    """How many lines a row takes."""
    return 1 + sum(len(_LINE_ENDS.findall(cell)) for cell in cells)

"""Checked lines of a delimited file as text, for the rows that only the csv module can tell."""

from collections.abc import Callable, Iterator
from io import StringIO
from itertools import chain

from tools.records.files.blocks import LONGEST_LINE


class Lines:
    """The lines of blocks; line ends, also in quotes, are as they stand.

    Args:
        block: the first.
        further: blocks after it, of which those are taken that a reader of the lines comes to.
        first_row: the row of the first line.
        note: told the row and the rule of what is wrong with a line.

    Attributes:
        taken: number of lines of the blocks taken.
        is_cut: whether a line was so long that it and all after it are left out.
    """

    def __init__(
        self, block: bytes, further: Iterator[bytes], first_row: int, note: Callable[[int, str], None]
    ) -> None:
        self.taken = 0
        self.is_cut = False
        self._first_row, self._note = first_row, note
        self._first, self._further = self._checked(block), further

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[list[str]]:
        yield self._first
        while not self.is_cut and (block := next(self._further, None)) is not None:
            yield self._checked(block)

    def _checked(self, block: bytes) -> list[str]:
        text = block.decode("utf-8", "surrogateescape")
        lines, row = list(StringIO(text, newline="")), self._first_row + self.taken
        if len(text) >= LONGEST_LINE:
            lines = self._before_the_cut(lines, row)
        if "\0" in text or not text.isascii():
            for number, line in enumerate(lines, row):
                self._look_at(line, number)
        self.taken += len(lines)
        return lines

    def _before_the_cut(self, lines: list[str], row: int) -> list[str]:
        long = next((place for place, line in enumerate(lines) if len(line) >= LONGEST_LINE), None)
        if long is None:
            return lines
        self._note(row + long, f"longer than {LONGEST_LINE:,} characters; is this a table?")
        self.is_cut = True
        return lines[:long]

    def _look_at(self, line: str, row: int) -> None:
        if "\0" in line:
            self._note(row, "holds a NUL byte; save the file as plain text")
        if not (line.isascii() or _is_unicode(line)):
            self._note(row, "not UTF-8; save the file in that encoding")


def _is_unicode(line: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in line)

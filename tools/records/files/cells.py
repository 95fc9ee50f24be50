"""Cells of many rows at once, by the places of separators: the plain case, that most of every file is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tools.records.cohort import IntArray
from tools.records.files.texts import Texts, cleaned

_QUOTE, _NEWLINE = b'"'[0], b"\n"[0]
_WORD = 8
_MOST_WORDS = 8
_LONGEST_ROW = 1 << 17  # the longest cell that the csv module takes
# The first bytes of a word, which are its lowest, by their number.
_FIRST_BYTES = np.array([(1 << 8 * n) - 1 for n in range(_WORD + 1)], dtype="<u8")

Bytes = npt.NDArray[np.uint8]


class Dialect(NamedTuple):
    """How cells are told apart.

    Attributes:
        delimiter: between the cells of a row, one ASCII character.
        is_quoted: whether quotes around a cell are none of its text and may hide separators.
        clean: what makes a cell's text of what stands between separators and quotes.
    """

    delimiter: str
    is_quoted: bool
    clean: Callable[[str], str]


class Cells(NamedTuple):
    """Rows of one line each.

    Attributes:
        block: the lines, and a word more.
        begins: place of the first byte of each cell, shape (n_rows, n_columns).
        ends: place after its last.
        clean: see `Dialect`.
    """

    block: bytes
    begins: IntArray
    ends: IntArray
    clean: Callable[[str], str]

    def texts(self, column: int) -> Texts:
        """The texts of a column."""
        begins, ends = self.begins[:, column], self.ends[:, column]
        longest = int((ends - begins).max(initial=0))
        if longest > _MOST_WORDS * _WORD:
            cells = [self.block[b:e] for b, e in zip(begins.tolist(), ends.tolist(), strict=True)]
            at, found = pd.factorize(np.array(cells, dtype=object))
            distinct = found.tolist()
        else:
            words = self._words(begins, ends - begins, -(-max(longest, 1) // _WORD))
            at, first = _numbered(words)
            spelled = np.stack([word[first] for word in words], axis=1)
            distinct = spelled.view(f"S{spelled.shape[1] * _WORD}").ravel().tolist()
        # No cell has a line end in it.
        return cleaned(b"\n".join(distinct).decode().split("\n"), at, self.clean)

    def _words(self, begins: IntArray, lengths: IntArray, n_words: int) -> list[npt.NDArray[np.uint64]]:
        """The bytes of each cell as whole numbers, 0 after its end; each of shape (n_rows,)."""
        n_places = len(self.block) - _WORD + 1
        at_every_place = np.ndarray((n_places,), "<u8", self.block, 0, (1,))
        words = []
        for first in range(0, n_words * _WORD, _WORD):
            word = at_every_place[np.minimum(begins + first, n_places - 1)]
            words.append(word & _FIRST_BYTES[np.clip(lengths - first, 0, _WORD)])
        return words


def split(block: bytes, width: int, dialect: Dialect) -> Cells | None:
    """The cells of a block, or None where that takes the csv module or there is something to be noted.

    That is: not UTF-8, NUL, blank lines, rows of another width, very long ones, carriage returns but in line
    ends, and quotes in cells, or line ends in quotes.

    Args:
        block: whole lines; the last may lack its end.
        width: number of columns.
        dialect: how the cells are told apart.
    """
    if b"\0" in block or not _is_utf8(block):
        return None
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
        if b"\r" in block:
            return None
    block += (b"" if block.endswith(b"\n") else b"\n") + bytes(_WORD)
    data = np.frombuffer(block, np.uint8)
    is_end = (data == ord(dialect.delimiter)) | (data == _NEWLINE)
    has_quotes = dialect.is_quoted and b'"' in block
    if has_quotes:
        is_end &= (np.cumsum(data == _QUOTE, dtype=np.uint8) & 1) == 0
    places, n_rows = np.flatnonzero(is_end), block.count(b"\n")
    if len(places) != n_rows * width:
        return None
    begins = np.r_[0, places[:-1] + 1].reshape(n_rows, width)
    ends = places.reshape(n_rows, width)
    lengths = ends[:, -1] - begins[:, 0]
    if (data[ends[:, -1]] != _NEWLINE).any() or lengths.max() >= _LONGEST_ROW or not lengths.all():
        return None
    cells = Cells(block, begins, ends, dialect.clean)
    return _unquoted(cells, data) if has_quotes else cells


def _unquoted(cells: Cells, data: Bytes) -> Cells | None:
    """Cells without the quotes around them; None where there are others."""
    begins, ends = cells.begins, cells.ends
    is_quoted = (data[begins] == _QUOTE) & (data[ends - 1] == _QUOTE) & (ends - begins > 1)
    if 2 * int(is_quoted.sum()) != cells.block.count(b'"'):
        return None
    return cells._replace(begins=begins + is_quoted, ends=ends - is_quoted)


def _numbered(words: list[npt.NDArray[np.uint64]]) -> tuple[IntArray, IntArray]:
    """Numbers of rows by their words, the same for the same, and the first row of each number."""
    at = _factorized(words[0])
    for word in words[1:]:
        more = _factorized(word)
        n_more = int(more.max(initial=0)) + 1
        if n_more > 1:
            at = _factorized(at * n_more + more)
    first = np.empty(int(at.max(initial=-1)) + 1, dtype=np.int64)
    first[at[::-1]] = np.arange(len(at))[::-1]
    return at, first


def _factorized(values: npt.NDArray[np.integer]) -> IntArray:
    return np.asarray(pd.factorize(values)[0], dtype=np.int64)


def _is_utf8(block: bytes) -> bool:
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True

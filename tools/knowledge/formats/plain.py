"""Plain text and one-line notes."""

import re
from collections.abc import Iterator, Sequence

from tools.knowledge.formats.blocks import Block, Reading
from tools.knowledge.formats.limits import MAX_NOTE_CHARACTERS
from tools.knowledge.formats.lines import paragraphs
from tools.safety.errors import InputError

_MARKED = re.compile(r"(={1,6})\s*(\S.*?)\s*\1\s*")
_UNDERLINE = re.compile(r"(=|-)\1{2,}\s*")
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})\.?\s+[^\W\d_].{0,78}[^\s.!?:;,]")
_MOST_WORDS = 12


def read_plain(text: str) -> Reading:
    """A text file; headings are underlined (=== or ---), marked (== Heading ==), or numbered lines alone."""
    return Reading(_blocks(text.split("\n")))


def read_note(text: str, name: str) -> Reading:
    """A note of one line.

    Raises:
        InputError: empty, longer than `MAX_NOTE_CHARACTERS`, or of more lines.
    """
    note = text.strip()
    if not note:
        raise InputError(name, "the note is empty; write a sentence")
    if "\n" in note:
        raise InputError(name, "a note is one line; add a longer text as a file")
    if len(note) > MAX_NOTE_CHARACTERS:
        raise InputError(name, f"longer than {MAX_NOTE_CHARACTERS:,} characters; add it as a file")
    return Reading([Block(note)])


def _blocks(lines: Sequence[str]) -> Iterator[Block]:
    kept: list[str] = []
    row = 0
    while row < len(lines):
        heading, n_lines = _heading(lines, row)
        if heading is None:
            kept.append(lines[row])
        else:
            yield from map(Block, paragraphs(kept))
            yield heading
            kept = []
        row += n_lines
    yield from map(Block, paragraphs(kept))


def _heading(lines: Sequence[str], row: int) -> tuple[Block | None, int]:
    """The heading that begins at a line, if one does, and its number of lines."""
    line, following = lines[row].strip(), _line(lines, row + 1)
    if match := _MARKED.fullmatch(line):
        return Block(match[2], min(len(match[1]), 3)), 1
    stands_first = bool(line) and not _line(lines, row - 1)
    if stands_first and (match := _UNDERLINE.fullmatch(following)):
        return Block(line, 1 if match[1] == "=" else 2), 2
    if (
        stands_first
        and not following
        and (match := _NUMBERED.fullmatch(line))
        and not _is_in_list(lines, row)
    ):
        return Block(line, min(match[1].count(".") + 2, 3)), 1
    return None, 1


def _is_in_list(lines: Sequence[str], row: int) -> bool:
    """Whether a numbered line is too long for a heading, or the nearest line with text is numbered too."""
    near = (_nearest(lines, row, -1), _nearest(lines, row, 1))
    return len(lines[row].split()) > _MOST_WORDS or any(map(_NUMBERED.fullmatch, near))


def _line(lines: Sequence[str], row: int) -> str:
    return lines[row].strip() if 0 <= row < len(lines) else ""


def _nearest(lines: Sequence[str], row: int, step: int) -> str:
    """The nearest line with text before or after a line."""
    row += step
    while 0 <= row < len(lines) and not lines[row].strip():
        row += step
    return _line(lines, row)

"""PDF documents: the text of each page, under the headings of the outline."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from tools.knowledge.formats.blocks import DEEPEST_SECTION, Block, Reading
from tools.knowledge.formats.limits import MAX_PAGE_CHARACTERS, MAX_PAGES, MAX_SECTIONS
from tools.knowledge.formats.lines import paragraphs
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from pypdf import PdfReader
    from pypdf.generic import Destination

_PAGES_KEPT = 50  # of what the parser remembers


class _Outlined(NamedTuple):
    """An entry of the outline on a page.

    Attributes:
        title: as printed.
        level: 1 the highest; those below the deepest section count as it.
        is_low: whether it points at the lower half of the page.
    """

    title: str
    level: int
    is_low: bool


def read_pdf(file: BinaryIO, name: str) -> Reading:
    """A PDF document; an entry of its outline begins a section where it is printed, else with its page.

    Args:
        file: of the document.
        name: how messages call it.

    Raises:
        InputError: encrypted with a password, or too many pages.
    """
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError

    try:
        reader = PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError(name, "encrypted; save it without a password")
    except (DependencyError, FileNotDecryptedError):
        raise InputError(name, "encrypted in a way that is not read; save it without encryption") from None
    n_pages = len(reader.pages)
    if n_pages > MAX_PAGES:
        raise InputError(name, f"more than {MAX_PAGES:,} pages; split it")
    title = reader.metadata.title if reader.metadata else None
    return Reading(_blocks(reader, _outline(reader, name), name), str(title or ""), n_pages=n_pages)


def _outline(reader: "PdfReader", name: str) -> dict[int, list[_Outlined]]:
    """Entries of the outline by 0-based page, in order."""
    entries: dict[int, list[_Outlined]] = defaultdict(list)
    waiting: list[tuple[Any, int]] = [(reader.outline, 0)]
    count = 0
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, list):
            waiting.extend((child, depth + 1) for child in reversed(item))
            continue
        count += 1
        if count > MAX_SECTIONS:
            raise InputError(name, f"an outline of more than {MAX_SECTIONS:,} entries; save it without")
        page = reader.get_destination_page_number(item)
        if page is not None and page >= 0:
            level = min(depth, DEEPEST_SECTION)
            entries[page].append(_Outlined(str(item.title or ""), level, _is_low(reader, page, item)))
    return entries


def _is_low(reader: "PdfReader", page: int, entry: "Destination") -> bool:
    box = reader.pages[page].mediabox
    top = entry.top
    return isinstance(top, int | float) and float(top) < float(box.bottom) + float(box.height) / 2


def _blocks(reader: "PdfReader", outline: Mapping[int, list[_Outlined]], name: str) -> Iterator[Block]:
    below: list[Block] = []
    for number, page in enumerate(reader.pages, start=1):
        if number > MAX_PAGES:
            raise InputError(name, f"more than {MAX_PAGES:,} pages; split it")
        text = page.extract_text()
        if len(text) > MAX_PAGE_CHARACTERS:
            raise InputError(name, f"more than {MAX_PAGE_CHARACTERS:,} characters on page {number}; split it")
        lines = text.splitlines()
        placed = _placed(lines, outline.get(number - 1, []))
        yield from (block._replace(page=number) for block in below)
        unprinted = [entry for entry, row in placed if row is None]
        below = [Block(entry.title, entry.level) for entry in unprinted if entry.is_low]
        yield from (Block(entry.title, entry.level, number) for entry in unprinted if not entry.is_low)
        yield from _under_headings(lines, {row: entry for entry, row in placed if row is not None}, number)
        if number % _PAGES_KEPT == 0:
            reader.resolved_objects.clear()


def _placed(lines: Sequence[str], entries: Sequence[_Outlined]) -> list[tuple[_Outlined, int | None]]:
    """Each entry of a page with the line that prints it, if one does, looked for in reading order."""
    printed = [_letters(line) for line in lines]
    placed: list[tuple[_Outlined, int | None]] = []
    start = 0
    for entry in entries:
        wanted = _letters(entry.title)
        row = next((row for row in range(start, len(lines)) if wanted and printed[row] == wanted), None)
        placed.append((entry, row))
        start = start if row is None else row + 1
    return placed


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text.casefold()))


def _under_headings(lines: Sequence[str], headings: Mapping[int, _Outlined], page: int) -> Iterator[Block]:
    kept: list[str] = []
    for row, line in enumerate(lines):
        if row in headings:
            yield from (Block(text, page=page) for text in paragraphs(kept, unhyphenate=True))
            yield Block(headings[row].title, headings[row].level, page)
            kept = []
        else:
            kept.append(line)
    yield from (Block(text, page=page) for text in paragraphs(kept, unhyphenate=True))

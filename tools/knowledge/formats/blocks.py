"""What every reader gives, blocks of text and headings, and how they become the sections of a document."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tools.knowledge.formats.limits import MAX_CHARACTERS, MAX_HEADING_CHARACTERS, MAX_SECTIONS
from tools.knowledge.passage import Extract, FrontMatter, Media, Section
from tools.knowledge.screen import speaks_to_machines
from tools.knowledge.text import clean
from tools.safety.errors import InputError

DEEPEST_SECTION = 3


class Block(NamedTuple):
    """A paragraph, list item or row of a table, or a heading.

    Attributes:
        text: of any white space; an empty one counts for its page alone.
        level: of the heading, 1 the highest; 0 for text.
        page: 1-based, where the document has pages.
    """

    text: str
    level: int = 0
    page: int | None = None


class Reading(NamedTuple):
    """A document as a reader sees it.

    Attributes:
        blocks: in reading order.
        title: what the document calls itself; empty where it does not.
        front: what it says of itself.
        n_pages: 0 for a document without pages.
    """

    blocks: Iterable[Block]
    title: str = ""
    front: FrontMatter = FrontMatter()
    n_pages: int = 0


def assemble(media: Media, name: str, reading: Reading) -> Extract:
    """Makes the sections of a document: headings of level 1 to 3 begin one, and so does a page.

    Text loses what cannot be seen, and its white space is folded. A heading that speaks to machines, or is
    longer than a heading, is ordinary text; such a title is none. Without a title of its own, a document has
    that of its first heading of level 1; a PDF has none, as its outline begins with covers and prefaces.

    Raises:
        InputError: no text at all, or more than the limits.
    """
    first_heading: list[str] = []
    sections = tuple(_sections(_clean(reading.blocks), name, first_heading))
    if not sections:
        scanned = " (scanned pages need text recognition, OCR, first)" if media == "pdf" else ""
        raise InputError(name, f"no text in it{scanned}; add a document with text")
    title = as_heading(reading.title) or ("" if media == "pdf" else "".join(first_heading))
    return Extract(media=media, title=reading.front.title or title, front=reading.front, sections=sections)


def as_heading(text: str) -> str:
    """A text as title or heading; empty if it cannot be one."""
    words = fold(text)
    return "" if len(words) > MAX_HEADING_CHARACTERS or speaks_to_machines(words) else words


def fold(text: str) -> str:
    """Cleaned text on one line, its white space folded."""
    return " ".join(clean(text).split())


def _clean(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        text = fold(block.text)
        is_heading = 0 < block.level <= DEEPEST_SECTION and as_heading(text)
        yield Block(text, block.level if is_heading else 0, block.page)


def _sections(blocks: Iterable[Block], name: str, first_heading: list[str]) -> Iterator[Section]:
    heading, page = "", None
    lines: list[str] = []
    count = n_characters = 0
    for block in blocks:
        n_characters += len(block.text)
        if n_characters > MAX_CHARACTERS:
            raise InputError(name, f"more than {MAX_CHARACTERS:,} characters of text; split it")
        if lines and (block.level or block.page != page):
            yield Section(heading=heading, page=page, text="\n".join(lines))
            lines, count = [], count + 1
            if count >= MAX_SECTIONS:
                raise InputError(name, f"more than {MAX_SECTIONS:,} sections; split it")
        page = block.page
        if block.level:
            heading = block.text
            if block.level == 1 and not first_heading:
                first_heading.append(heading)
        elif block.text:
            lines.append(block.text)
    if lines:
        yield Section(heading=heading, page=page, text="\n".join(lines))

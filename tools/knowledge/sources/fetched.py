"""A fetched document as a Markdown file of a library, in which its text can be nothing but text."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import yaml

from tools.knowledge.formats.blocks import Block, fold
from tools.knowledge.passage import FrontMatter
from tools.knowledge.text import slug

MAX_STEM_CHARACTERS = 100

_INLINE = re.compile(r"[\\`*_\[\]<>&|~#!]")
_NUMBER = re.compile(r"\d{1,9}[.)]")


class Fetched(NamedTuple):
    """A document that a publisher gave.

    Attributes:
        title: what the publisher calls it.
        markdown: the document: front matter, headings and paragraphs.
        file_stem: for its file and its id in a library: lower-case letters, digits and hyphens.
        front: what the front matter says: title, licence, publisher, address and revision, which is what an
            attribution needs.
    """

    title: str
    markdown: str
    file_stem: str
    front: FrontMatter


def compose(front: FrontMatter, blocks: Iterable[Block], publisher: str, number: str) -> Fetched:
    """Writes a document from its parts, which are cleaned and escaped.

    Args:
        front: what is known of it; its title is set.
        blocks: paragraphs and headings; headings without text below them are left out.
        publisher: what the file's name begins with.
        number: the publisher's number of the document; titles without Latin letters may look alike.

    Returns:
        A file whose words, read as Markdown, are those of the blocks.
    """
    said = front.model_dump(mode="json", exclude_defaults=True)
    head = yaml.safe_dump(said, allow_unicode=True, sort_keys=False)
    lines = (
        f"{'#' * block.level} {block.text}".lstrip() for block in _escaped(_without_bare_headings(blocks))
    )
    named = f"{slug(publisher)}-{slug(front.title or '')}"[:MAX_STEM_CHARACTERS].strip("-")
    stem = f"{named}-{slug(number)}".strip("-")
    return Fetched(front.title or "", f"---\n{head}---\n\n" + "\n\n".join(lines) + "\n", stem, front)


def _without_bare_headings(blocks: Iterable[Block]) -> Iterator[Block]:
    headings: list[Block] = []
    for block in blocks:
        text = fold(block.text)
        if text and block.level:
            headings = [above for above in headings if above.level < block.level]
            headings.append(Block(text, block.level))
        elif text:
            yield from headings
            headings.clear()
            yield Block(text)


def _escaped(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        text = _INLINE.sub(r"\\\g<0>", block.text)
        if not block.level and text[0] in "-+":
            text = f"\\{text}"
        if not block.level and (number := _NUMBER.match(text)):
            text = f"{number[0][:-1]}\\{text[number.end() - 1 :]}"
        yield Block(text, block.level)

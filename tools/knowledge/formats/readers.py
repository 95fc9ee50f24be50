"""One reader a kind of document."""

from typing import BinaryIO

from tools.knowledge.formats.blocks import Reading
from tools.knowledge.formats.html import read_html
from tools.knowledge.formats.limits import MAX_TEXT_BYTES
from tools.knowledge.formats.markdown import read_markdown
from tools.knowledge.formats.pdf import read_pdf
from tools.knowledge.formats.plain import read_note, read_plain
from tools.knowledge.formats.word import read_word
from tools.knowledge.passage import Media
from tools.knowledge.text import plain
from tools.safety.errors import InputError


def read(media: Media, file: BinaryIO, name: str) -> Reading:
    """Reads an open document with the reader of its kind.

    Args:
        media: its kind.
        file: at its beginning.
        name: how messages call it.

    Raises:
        InputError: the document breaks a rule of its kind.
    """
    if media == "pdf":
        return read_pdf(file, name)
    if media == "docx":
        return read_word(file, name)
    data = file.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise InputError(name, f"larger than {MAX_TEXT_BYTES:,} bytes; split it")
    if media == "html":
        return read_html(data, name)
    text = plain(data, name)
    if media == "markdown":
        return read_markdown(text, name)
    return read_note(text, name) if media == "note" else read_plain(text)

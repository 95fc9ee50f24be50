"""Reading a document of any kind: the only door by which the text of a document comes in."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from tools.knowledge.formats.blocks import assemble
from tools.knowledge.formats.kinds import HEAD_BYTES, check_content, media_of
from tools.knowledge.formats.limits import max_bytes, open_source
from tools.knowledge.formats.parsing import parsed
from tools.knowledge.formats.readers import read
from tools.knowledge.passage import Extract, Media

READ_HERE: frozenset[Media] = frozenset({"markdown", "text", "note"})
MAX_BYTES_HERE = 100_000

_MARKUP = re.compile(rb"<[a-zA-Z/!?]")


def read_source(
    path: Path,
    name: str,
    media: Media | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Extract:
    """Reads a document: its title, what it says of itself, and its plain text by section.

    A PDF, Word or HTML document, Markdown that may hold HTML, and a large file of another kind, is parsed in
    another process with limits of memory and time.

    Args:
        path: of a regular file; links are not followed.
        name: its file name, whose ending says what kind of document it is; messages call it so, but for a
            note, which is called that.
        media: its kind where the name does not say: a note is a text file of one line.
        progress: told of each page read, and of the number of pages.

    Returns:
        Text that is cleaned of what cannot be seen, and never empty.

    Raises:
        InputError: not a regular file, not of its kind, above a limit, without text, or not to be parsed.
    """
    kind = media_of(name, media)
    if kind == "note":
        name = "note"
    with open_source(path, name, max_bytes(kind)) as file:
        check_content(kind, os.pread(file.fileno(), HEAD_BYTES, 0), name)
        if _is_simple(kind, file.fileno()):
            return assemble(kind, name, read(kind, file, name))
        with parsed(file, kind, name, progress) as reading:
            return assemble(kind, name, reading)


def _is_simple(kind: Media, descriptor: int) -> bool:
    """Whether a document is read without a parser that a hostile one could keep busy for hours."""
    if kind not in READ_HERE or os.fstat(descriptor).st_size > MAX_BYTES_HERE:
        return False
    return kind != "markdown" or _MARKUP.search(os.pread(descriptor, MAX_BYTES_HERE, 0)) is None

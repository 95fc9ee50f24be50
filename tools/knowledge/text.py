"""Plain text of documents: reading it safely, and cutting it into sentences and parts."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from tools.safety.errors import InputError

MAX_FILE_BYTES = 1_000_000

_KEPT_CONTROLS = "\n\t"
_KEPT_JOINERS = "\u200c\u200d"
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\sa-z])|\n+")


def read_text(path: Path, name: str) -> str:
    r"""The text of a small file: UTF-8, NFC, newlines as `\n`, invisible characters removed.

    Args:
        path: a regular file of at most `MAX_FILE_BYTES` bytes.
        name: how messages call it.

    Raises:
        InputError: not a regular file, too large, not UTF-8, or it holds control characters or
            bidirectional overrides, which can make text read differently from what it says.
    """
    if not path.is_file():
        raise InputError(name, "not a regular file; remove it from the library")
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise InputError(name, f"larger than {MAX_FILE_BYTES:,} bytes; split it")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise InputError(name, "not UTF-8 text; save it as UTF-8", row) from None
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(_visible_characters(text, name))


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a passage, in order, each once stripped; a newline ends a sentence."""
    return tuple(part.strip() for part in _SENTENCE_END.split(text) if part.strip())


def slug(text: str) -> str:
    """Lower-case ASCII letters and digits joined by hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def parts(text: str, limit: int) -> Iterator[str]:
    """The text in parts of at most `limit` characters, cut between sentences wherever one fits."""
    part = ""
    for block in text.split("\n"):
        for position, piece in enumerate(_pieces(block, limit)):
            if part and len(part) + 1 + len(piece) > limit:
                yield part
                part = ""
            joint = " " if position else "\n"
            part = f"{part}{joint}{piece}" if part else piece
    if part:
        yield part


def _pieces(text: str, limit: int) -> Iterator[str]:
    for sentence in sentences(text):
        rest = sentence
        while len(rest) > limit:
            space = rest.rfind(" ", 1, limit + 1)
            cut = space if space > 0 else limit
            yield rest[:cut]
            rest = rest[cut:].lstrip()
        yield rest


def _visible_characters(text: str, name: str) -> Iterator[str]:
    row = 1
    for character in text:
        row += character == "\n"
        category = unicodedata.category(character)
        if character in _BIDI_CONTROLS or (category == "Cc" and character not in _KEPT_CONTROLS):
            raise InputError(name, "a control character or text-direction override; remove it", row)
        if category != "Cf" or character in _KEPT_JOINERS:
            yield character

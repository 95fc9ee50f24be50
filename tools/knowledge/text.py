"""Plain text of documents: reading it safely, and cutting it into sentences."""

import codecs
import re
import unicodedata
from pathlib import Path

from tools.knowledge.formats.limits import read_bytes
from tools.safety.errors import InputError

MAX_FILE_BYTES = 1_000_000

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\sa-z])|\n+")

_KEPT_CONTROLS = "\n\t"
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Joiners shape Arabic and Indic words; after an ASCII character they can only hide something.
_JOINERS = "\u200c\u200d"
_IDLE_JOINER = re.compile(f"(?:(?<=[\x00-\x7f])|^|(?<=[{_JOINERS}]))[{_JOINERS}]+")
# Not format characters by category, but as invisible: fillers, grapheme joiner, variation selectors.
_BLANKS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_text(path: Path, name: str, max_bytes: int = MAX_FILE_BYTES) -> str:
    r"""The text of a file: NFC, newlines as `\n`, invisible characters removed.

    Args:
        path: a regular file, UTF-8 or, with a byte order mark, UTF-16.
        name: how messages call it.
        max_bytes: what the file may hold.

    Raises:
        InputError: not a regular file, too large, in another encoding, or it holds control characters or
            bidirectional overrides, which can make text read differently from what it says.
    """
    return plain(read_bytes(path, name, max_bytes), name)


def plain(data: bytes, name: str) -> str:
    """The text of a file's bytes; see `read_text`.

    Raises:
        InputError: in another encoding, or with control characters or bidirectional overrides; names the row.
    """
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise InputError(name, "not UTF-8 text; save it as UTF-8", row) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    refused = [character for character in set(text) if _is_refused(character)]
    if refused:
        first = min(map(text.index, refused))
        rule = "a control character or text-direction override; remove it"
        raise InputError(name, rule, text.count("\n", 0, first) + 1)
    return clean(text)


def clean(text: str) -> str:
    """Text without what cannot be seen: control, format and filler characters go, the rest is composed (NFC).

    Lone surrogates become U+FFFD, control characters that part words become spaces; newlines and tabs stay.
    """
    if text.isascii() and text.isprintable():
        return text
    while text != (cleaned := _cleaned_once(text)):
        text = cleaned
    return text


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a passage, in order, each once stripped; a newline ends a sentence."""
    return tuple(part.strip() for part in SENTENCE_END.split(text) if part.strip())


def slug(text: str) -> str:
    """Lower-case ASCII letters and digits joined by hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _cleaned_once(text: str) -> str:
    replaced = {ord(character): _replacement(character) for character in set(text)}
    text = _BLANKS.sub("", text.translate(replaced))
    return unicodedata.normalize("NFC", _IDLE_JOINER.sub("", text))


def _replacement(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category == "Cc" and character not in _KEPT_CONTROLS:
        return " " if character.isspace() else ""
    return "" if category == "Cf" and character not in _JOINERS else character


def _is_refused(character: str) -> bool:
    is_control = unicodedata.category(character) == "Cc" and character not in _KEPT_CONTROLS
    return is_control or character in _BIDI_CONTROLS

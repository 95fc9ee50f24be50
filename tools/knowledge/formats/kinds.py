"""What kind of document a file is: its name says so, and its first bytes must not say otherwise."""

import re
from pathlib import PurePath

from tools.knowledge.formats.limits import MEDIA
from tools.knowledge.passage import Media
from tools.safety.errors import InputError

HEAD_BYTES = 4_096

_ADVICE = "give it the ending of what it is"
_PDF = b"%PDF-"
_PDF_WITHIN = 1_024
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"
_BINARY = {
    _PDF: "a PDF",
    _ZIP: "a zip archive",
    b"PK\x05\x06": "a zip archive",
    b"PK\x07\x08": "a zip archive",
    _OLE: "an old or encrypted Office document",
    b"{\\rtf": "rich text (RTF)",
    b"\x1f\x8b": "a compressed file",
    b"\xfd7zXZ": "a compressed file",
    b"\x28\xb5\x2f\xfd": "a compressed file",
    b"7z\xbc\xaf": "an archive",
    b"Rar!\x1a\x07": "an archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF87a": "a picture",
    b"GIF89a": "a picture",
    b"\x7fELF": "a program",
    b"SQLite format 3\0": "a database",
}
_BZIP = re.compile(rb"BZh[1-9]1AY&SY")
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.S | re.I
)
_TAG = re.compile(r"</?[a-z][a-z0-9]*[\s/>]|<!doctype", re.I)


def media_of(name: str, media: Media | None = None) -> Media:
    """What kind of document a name says that a file is.

    Args:
        name: of the file.
        media: what it is said to be; a note is kept as a text file.

    Raises:
        InputError: an unknown ending, or one that says something else than `media`.
    """
    named = MEDIA.get(PurePath(name).suffix.lower())
    if media is None and named is None:
        raise InputError(name, f"not a kind of document that is read; give one of {', '.join(sorted(MEDIA))}")
    if media is None or media == named:
        return named or "text"
    if named is None or (media, named) == ("note", "text"):
        return media
    raise InputError(name, f"its ending says {named}, not {media}; rename it")


def check_content(media: Media, head: bytes, name: str) -> None:
    """Refuses a file whose first bytes are not of its kind.

    Args:
        media: its kind.
        head: its first `HEAD_BYTES` bytes.
        name: how messages call it.

    Raises:
        InputError: they are not.
    """
    if media == "pdf":
        if _PDF not in head[:_PDF_WITHIN]:
            raise InputError(name, f"not a PDF, though its name says so; {_ADVICE}")
    elif media == "docx":
        if head.startswith(_OLE):
            raise InputError(name, "an old or encrypted Office document; save it as .docx without a password")
        if not head.startswith(_ZIP):
            raise InputError(name, f"not a Word document, though its name says so; {_ADVICE}")
    else:
        _check_text(media, head, name)


def _check_text(media: Media, head: bytes, name: str) -> None:
    found = next((what for mark, what in _BINARY.items() if head.startswith(mark)), None)
    if _BZIP.match(head):
        found = "a compressed file"
    if found is None and b"\0" in head and not head.startswith(_WIDE):
        found = "no text: it holds NUL, a control character"
    if found is not None:
        raise InputError(name, f"its content is {found}; {_ADVICE}, or leave it out")
    is_wide = head.startswith(_WIDE)
    if media != "html" and _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        raise InputError(name, "its content is HTML; give it the ending .html")
    text = head.decode("utf-16", "ignore") if is_wide else head.decode("latin-1")
    if media == "html" and not _TAG.search(text):
        raise InputError(name, f"no HTML in it, though its name says so; {_ADVICE}")

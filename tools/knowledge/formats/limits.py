"""How much of a document is read, and opening one without following or waiting for anything."""

import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from tools.knowledge.passage import Media
from tools.safety.errors import InputError

MEDIA: dict[str, Media] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".txt": "text",
    ".pdf": "pdf",
    ".docx": "docx",
}
SUFFIXES = frozenset(MEDIA)

MAX_TEXT_BYTES = 20_000_000
MAX_BYTES = 200_000_000
MAX_PAGES = 5_000
MAX_SECTIONS = 100_000
MAX_CHARACTERS = 30_000_000
MAX_PAGE_CHARACTERS = 500_000
MAX_NOTE_CHARACTERS = 2_000
MAX_HEADING_CHARACTERS = 200
MAX_ZIP_ENTRIES = 5_000
MAX_ZIP_BYTES = 500_000_000
MAX_ZIP_RATIO = 200

_BLOCK = 1 << 20


def max_bytes(media: Media | None) -> int:
    """What a file of a kind may hold."""
    return MAX_BYTES if media in ("pdf", "docx") else MAX_TEXT_BYTES


def open_source(path: Path, name: str, most_bytes: int) -> BinaryIO:
    """Opens a regular file: no link is followed, no pipe or device touched.

    Args:
        path: of the file.
        name: how messages call it.
        most_bytes: what it may hold.

    Raises:
        InputError: no such file, not a regular file, not readable, or too large.
    """
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a symbolic link, " if stat.S_ISLNK(mode) else ""
            raise InputError(name, f"{kind}not a regular file; give the document itself")
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise InputError(name, f"cannot be opened ({reason}); give a file that can be read") from None
    file = os.fdopen(descriptor, "rb")
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        file.close()
        raise InputError(name, "not a regular file; give the document itself")
    if found.st_size > most_bytes:
        file.close()
        raise InputError(name, f"larger than {most_bytes:,} bytes; split it")
    return file


def read_bytes(path: Path, name: str, most_bytes: int) -> bytes:
    """The bytes of a regular file.

    Raises:
        InputError: see `open_source`.
    """
    with open_source(path, name, most_bytes) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise InputError(name, f"larger than {most_bytes:,} bytes; split it")
    return data


def copy_source(path: Path, target: Path, name: str) -> str:
    """Copies a document; what cannot be copied whole leaves nothing behind.

    Args:
        path: a regular file of at most as many bytes as its kind may have.
        target: of the copy; an older file there is replaced.
        name: how messages call it.

    Returns:
        SHA-256 of its bytes, hexadecimal.

    Raises:
        InputError: see `open_source`; or the copy cannot be written.
    """
    most_bytes = max_bytes(MEDIA.get(path.suffix.lower()))
    digest, size = sha256(), 0
    with open_source(path, name, most_bytes) as file:
        try:
            target.unlink(missing_ok=True)
            with target.open("xb") as copy:
                while size <= most_bytes and (block := file.read(_BLOCK)):
                    size += len(block)
                    digest.update(block)
                    copy.write(block)
        except OSError as error:
            target.unlink(missing_ok=True)
            raise InputError(name, f"cannot be copied into the library ({error.strerror})") from None
    if size > most_bytes:
        target.unlink()
        raise InputError(name, f"larger than {most_bytes:,} bytes; split it")
    return digest.hexdigest()

"""Text files, plain or compressed; which, the end of their name tells."""

import gzip
import sys
import zlib
from collections.abc import Callable
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import NamedTuple, TextIO, cast

from tools.safety.errors import InputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNREADABLE = (EOFError, zlib.error, gzip.BadGzipFile, zstd.ZstdError)  # what a damaged file raises
_DAMAGED = "the compressed file is cut off or damaged here; get it again"


class _Compression(NamedTuple):
    """A compression: its name in words, the bytes that its files begin with, and how they are opened."""

    name: str
    begins: bytes
    open: Callable[[Path], object]


_COMPRESSIONS = {
    ".gz": _Compression("gzip", b"\x1f\x8b", gzip.open),
    ".zst": _Compression("zstd", b"\x28\xb5\x2f\xfd", zstd.open),
}
ENDINGS = ("", *_COMPRESSIONS)


def open_bytes(path: Path, name: str) -> BufferedReader:
    """What a file holds, unpacked; reading raises one of `UNREADABLE` where it is damaged, see `damage`.

    Args:
        path: the file.
        name: what the error calls it.

    Raises:
        InputError: it cannot be opened.
    """
    found = _COMPRESSIONS.get(path.suffix.lower())
    try:
        return cast(BufferedReader, found.open(path) if found else path.open("rb"))
    except OSError as error:
        rule = f"the file cannot be opened ({error.strerror}); check its path and rights"
        raise InputError(name, rule) from None


def open_text(path: Path, name: str) -> TextIO:
    """A UTF-8 file, line ends as they are; bytes that are no UTF-8 become lone surrogates.

    See `open_bytes`.
    """
    opened = open_bytes(path, name)
    return TextIOWrapper(opened, encoding="utf-8-sig", errors="surrogateescape", newline="")


def damage(path: Path) -> str:
    """What is wrong with a file that raised one of `UNREADABLE`."""
    found = _COMPRESSIONS[path.suffix.lower()]
    with path.open("rb") as stream:
        is_compressed = found.begins.startswith(stream.read(len(found.begins)))
    if is_compressed:
        return _DAMAGED
    return f"not a {found.name} file; compress it, or take {path.suffix} off its name"

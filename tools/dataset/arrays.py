"""Plain `.npy` files: appended to piece by piece, hashed on the way, read memory-mapped."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy
from pydantic import BaseModel, ConfigDict

from tools.safety.errors import InputError

BLOCK = 1 << 16
Array = npt.NDArray[Any]


class ArrayRecord(BaseModel):
    """What one array file must look like."""

    model_config = ConfigDict(frozen=True)

    shape: tuple[int, ...]
    dtype: str
    sha256: str


def blocks(length: int, size: int = BLOCK) -> Iterator[slice]:
    """Consecutive slices of at most `size` that cover a length, so that no copy of the whole is made."""
    return (slice(begin, min(begin + size, length)) for begin in range(0, length, size))


def describe(array: Array) -> ArrayRecord:
    """The record of an array in memory."""
    digest = hashlib.sha256()
    for block in blocks(len(array)):
        digest.update(np.ascontiguousarray(array[block]).data)
    return ArrayRecord(shape=array.shape, dtype=array.dtype.str, sha256=digest.hexdigest())


class ArrayWriter:
    """A one-dimensional `.npy` file in the making; the length may be unknown until its end.

    Args:
        folder: where the file goes.
        name: of the array; the file is `NAME.npy`.
        dtype: of the elements.
    """

    def __init__(self, folder: Path, name: str, dtype: "np.dtype[Any]") -> None:
        self.dtype = dtype
        self.length = 0
        self._digest = hashlib.sha256()
        self._stream = (folder / f"{name}.npy").open("wb")
        self._write_header()

    def __enter__(self) -> "ArrayWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self._write_header()
        self._stream.close()

    def append(self, values: Array) -> None:
        """Add elements at the end.

        Raises:
            OSError: the disk refuses.
        """
        piece = np.ascontiguousarray(values, dtype=self.dtype)
        self._digest.update(piece.data)
        self._stream.write(piece.data)
        self.length += len(piece)

    @property
    def record(self) -> ArrayRecord:
        """What has been written so far."""
        return ArrayRecord(shape=(self.length,), dtype=self.dtype.str, sha256=self._digest.hexdigest())

    def _write_header(self) -> None:
        # numpy leaves room in a header for the length to grow, so the second one fits over the first.
        self._stream.seek(0)
        described = {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.length,)}
        npy.write_array_header_1_0(self._stream, described)


def save(folder: Path, name: str, array: Array) -> ArrayRecord:
    """Write a whole array.

    Raises:
        OSError: the disk refuses.
    """
    with ArrayWriter(folder, name, array.dtype) as writer:
        for block in blocks(len(array)):
            writer.append(array[block])
    return writer.record


def load(folder: Path, name: str, record: ArrayRecord, verify: bool = False) -> Array:
    """Open an array memory-mapped.

    Args:
        folder: where the file is.
        name: of the array.
        record: what must be there.
        verify: also compare the sha256, which reads the whole file.

    Raises:
        InputError: the file is missing, cut, too long, or not what the record says.
    """
    path = folder / f"{Path(name).name}.npy"
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = isinstance(array, np.memmap) and array.offset + array.nbytes == path.stat().st_size
    except (OSError, ValueError, EOFError):
        raise InputError("store", f"array '{name}' is missing or damaged; fit the records again") from None
    if array.shape != record.shape or array.dtype.str != record.dtype or not whole:
        raise InputError("store", f"array '{name}' is not what the manifest says; fit the records again")
    if verify and describe(array).sha256 != record.sha256:
        raise InputError("store", f"array '{name}' has changed since it was written; fit the records again")
    return array

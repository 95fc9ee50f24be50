"""A data set on disk: plain `.npy` arrays and a JSON manifest, written all at once, opened memory-mapped."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from tools.records.cohort import Concept
from tools.safety.errors import InputError

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
Arrays = Mapping[str, npt.NDArray[Any]]


class ArrayRecord(BaseModel):
    """What one array file must look like."""

    model_config = ConfigDict(frozen=True)

    shape: tuple[int, ...]
    dtype: str
    sha256: str


class Manifest(BaseModel):
    """The contents of a store.

    Attributes:
        format: marks the folder as a store, so that nothing else is ever overwritten.
        version: of the layout; a newer one is refused.
        source: the format the records came in.
        counts: patients, visits and transitions, for people.
        vocabulary: the concepts, in column order.
        arrays: one entry a file `NAME.npy`.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["ii-kea clinical dataset"] = "ii-kea clinical dataset"
    version: int = FORMAT_VERSION
    source: str
    counts: dict[str, int]
    vocabulary: tuple[Concept, ...]
    arrays: dict[str, ArrayRecord]

    @property
    def hash(self) -> str:
        """Sha256 over the vocabulary and every array's own hash, hexadecimal."""
        digest = hashlib.sha256()
        for concept in self.vocabulary:
            digest.update(f"{concept.system}\0{concept.code}\0".encode())
        for name, record in sorted(self.arrays.items()):
            digest.update(f"{name}\0{record.sha256}\0".encode())
        return digest.hexdigest()


def describe(array: npt.NDArray[Any]) -> ArrayRecord:
    """The manifest entry of an array."""
    digest = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
    return ArrayRecord(shape=array.shape, dtype=array.dtype.str, sha256=digest)


def write(folder: Path, arrays: Arrays, manifest: Manifest) -> None:
    """Write a store in one step: the folder holds the old store or the new one, never a mixture.

    Args:
        folder: a new path, an empty folder, or an earlier store, which is replaced.
        arrays: by name; the files are `NAME.npy`.
        manifest: describes `arrays`.

    Raises:
        InputError: the folder holds something else, or the disk refuses the write.
    """
    if folder.exists() and not _replaceable(folder):
        raise InputError("store", "the folder holds other files; name a new folder")
    staging: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        fresh = staging / "new"
        fresh.mkdir()
        for name, array in arrays.items():
            np.save(fresh / f"{name}.npy", array, allow_pickle=False)
        (fresh / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
        _swap(folder, fresh, staging / "old")
    except OSError as error:
        reason = error.strerror or "the disk refused the write"
        raise InputError("store", f"not written ({reason}); free space or name another folder") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _swap(folder: Path, fresh: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise


def _replaceable(folder: Path) -> bool:
    if not folder.is_dir() or folder.is_symlink():
        return False
    if not any(folder.iterdir()):
        return True
    try:
        read_manifest(folder)
    except InputError:
        return False
    return True


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a store.

    Raises:
        InputError: no store there, an unreadable manifest, or one of a newer version.
    """
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            "store", "no readable manifest.json in this folder; make one with `iikea records fit`"
        ) from None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError:
        raise InputError("store", "manifest.json is damaged; fit the records again") from None
    if manifest.version > FORMAT_VERSION:
        rule = f"layout version {manifest.version} is newer than this program's {FORMAT_VERSION}; update"
        raise InputError("store", rule)
    return manifest


def read(folder: Path, verify: bool = False) -> tuple[Manifest, dict[str, npt.NDArray[Any]]]:
    """Open a store memory-mapped, so that many processes share one copy.

    Args:
        folder: where `write` put it.
        verify: also recompute every array's sha256 (reads the whole store).

    Raises:
        InputError: see `read_manifest`; or an array is missing, cut, or not what the manifest says.
    """
    manifest = read_manifest(folder)
    arrays = {name: _open(folder, name, record, verify) for name, record in manifest.arrays.items()}
    return manifest, arrays


def _open(folder: Path, name: str, record: ArrayRecord, verify: bool) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(
            folder / f"{Path(name).name}.npy", mmap_mode="r", allow_pickle=False
        )
    except (OSError, ValueError, EOFError):
        raise InputError("store", f"array '{name}' is missing or damaged; fit the records again") from None
    if array.shape != record.shape or array.dtype.str != record.dtype:
        raise InputError("store", f"array '{name}' is not what the manifest says; fit the records again")
    if verify and describe(array).sha256 != record.sha256:
        raise InputError("store", f"array '{name}' has changed since it was written; fit the records again")
    return array

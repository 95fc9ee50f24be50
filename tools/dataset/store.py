"""A data set on disk: `.npy` arrays, a vocabulary and a manifest, written all at once, opened mapped."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tools.dataset.arrays import Array, ArrayRecord, load
from tools.records.cohort import ConceptColumns, Vocabulary
from tools.safety.errors import InputError

FORMAT: Literal["ii-kea clinical dataset"] = "ii-kea clinical dataset"
FORMAT_VERSION = 4
MANIFEST = "manifest.json"
VOCABULARY = "vocabulary.json"
_AGAIN = "fit the records again"


class VocabularyRecord(BaseModel):
    """What the vocabulary's file must look like.

    Attributes:
        codes: how many.
        identity: sha256 over systems and codes, hexadecimal; names of codes are no part of it.
        sha256: of the file.
    """

    model_config = ConfigDict(frozen=True)

    codes: int
    identity: str
    sha256: str


class Manifest(BaseModel):
    """The contents of a store.

    Attributes:
        format: marks the folder as a store, so that nothing else is ever overwritten.
        version: of the layout; any other is refused.
        source: the format the records came in.
        credentialed: whether the records may not be shown to third parties.
        vocabulary: of the file `vocabulary.json`, concepts as columns.
        arrays: one entry a file `NAME.npy`.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["ii-kea clinical dataset"] = FORMAT
    version: int = FORMAT_VERSION
    source: str
    credentialed: bool
    vocabulary: VocabularyRecord
    arrays: dict[str, ArrayRecord]

    @property
    def hash(self) -> str:
        """See `joint_hash`."""
        return joint_hash(self.vocabulary, self.arrays)


def joint_hash(vocabulary: VocabularyRecord, arrays: Mapping[str, ArrayRecord]) -> str:
    """Sha256 over the vocabulary's systems and codes and every array's own hash, hexadecimal."""
    digest = hashlib.sha256(f"{vocabulary.identity}\0".encode())
    for name, record in sorted(arrays.items()):
        digest.update(f"{name}\0{record.sha256}\0".encode())
    return digest.hexdigest()


class Opened(NamedTuple):
    """A store as it is opened.

    Attributes:
        manifest: its contents.
        vocabulary: the bytes of its vocabulary, which are what the manifest says; see `parse_vocabulary`.
        arrays: by name, memory-mapped.
    """

    manifest: Manifest
    vocabulary: bytes
    arrays: Mapping[str, Array]


def vocabulary_bytes(vocabulary: Vocabulary) -> bytes:
    """A vocabulary as it is written."""
    return json.dumps(vocabulary.columns._asdict(), ensure_ascii=False).encode()


def parse_vocabulary(written: bytes, n_codes: int) -> Vocabulary:
    """The vocabulary of `vocabulary_bytes`.

    Raises:
        InputError: it is something else, or of another size.
    """
    try:
        vocabulary = Vocabulary.of_columns(TypeAdapter(ConceptColumns).validate_json(written))
    except (ValidationError, InputError):
        raise InputError("store", f"{VOCABULARY} is damaged; {_AGAIN}") from None
    if len(vocabulary) != n_codes:
        raise InputError("store", f"{VOCABULARY} and the arrays do not belong together; {_AGAIN}")
    return vocabulary


def describe_vocabulary(vocabulary: Vocabulary) -> VocabularyRecord:
    """The record of a vocabulary."""
    identity = hashlib.sha256()
    for system, code in zip(vocabulary.columns.system, vocabulary.columns.code, strict=True):
        identity.update(f"{system}\0{code}\0".encode())
    written = hashlib.sha256(vocabulary_bytes(vocabulary)).hexdigest()
    return VocabularyRecord(codes=len(vocabulary), identity=identity.hexdigest(), sha256=written)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder to write a store to, put in the place of `folder` when the block has ended well.

    The folder holds the old store or the new one, never a mixture; what was written before an error is
    removed.

    Args:
        folder: a new path, an empty folder, or a store, which is replaced.

    Raises:
        InputError: the folder holds something else, or the disk refuses a write of the block.
    """
    refuse_other_files(folder)
    staging: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        fresh = staging / "new"
        fresh.mkdir()
        yield fresh
        _swap(folder, fresh, staging / "old")
    except OSError as error:
        reason = error.strerror or "the disk refused the write"
        raise InputError("store", f"not written ({reason}); free space or name another folder") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def refuse_other_files(folder: Path) -> None:
    """Refuse a folder that a store must not take the place of.

    Raises:
        InputError: it is neither new, nor empty, nor a store.
    """
    if folder.exists() and not _is_replaceable(folder):
        raise InputError("store", "the folder holds other files; name a new folder")


def _swap(folder: Path, fresh: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise


def _is_replaceable(folder: Path) -> bool:
    if not folder.is_dir() or folder.is_symlink():
        return False
    if not any(folder.iterdir()):
        return True
    try:
        found = _raw_manifest(folder)
    except InputError:
        return False
    return bool(found["format"] == FORMAT and found["version"] <= FORMAT_VERSION)


def write(
    fresh: Path,
    vocabulary: Vocabulary,
    arrays: Mapping[str, ArrayRecord],
    source: str,
    credentialed: bool = False,
) -> None:
    """Make a store of a folder to which all arrays have been written.

    Args:
        fresh: see `replacing`.
        vocabulary: column order of the arrays.
        arrays: what was written.
        source: the format the records came in.
        credentialed: whether the records may not be shown to third parties.

    Raises:
        OSError: the disk refuses.
    """
    manifest = Manifest(
        source=source,
        credentialed=credentialed,
        vocabulary=describe_vocabulary(vocabulary),
        arrays=dict(arrays),
    )
    (fresh / VOCABULARY).write_bytes(vocabulary_bytes(vocabulary))
    (fresh / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a store.

    Raises:
        InputError: no store there, an unreadable manifest, or one of another version of the layout.
    """
    found = _raw_manifest(folder)
    if found["format"] == FORMAT and found["version"] != FORMAT_VERSION:
        _refuse_version(found["version"])
    try:
        return Manifest.model_validate(found)
    except ValidationError:
        raise InputError("store", f"{MANIFEST} is damaged; {_AGAIN}") from None


def _raw_manifest(folder: Path) -> dict[str, Any]:
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        rule = f"no readable {MANIFEST} in this folder; make one with `iikea records fit`"
        raise InputError("store", rule) from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or "format" not in found or type(found.get("version")) is not int:
        raise InputError("store", f"{MANIFEST} is damaged; {_AGAIN}")
    return found


def _refuse_version(version: int) -> NoReturn:
    if version > FORMAT_VERSION:
        rule = f"layout version {version} is newer than this program's {FORMAT_VERSION}; update the program"
    else:
        rule = f"layout version {version} is older than this program's {FORMAT_VERSION}; {_AGAIN}"
    raise InputError("store", rule)


def read(folder: Path, verify: bool = False) -> Opened:
    """Open a store memory-mapped, so that many processes share one copy.

    Args:
        folder: where `write` put it.
        verify: also recompute every array's sha256 (reads the whole store).

    Raises:
        InputError: see `read_manifest`; or a file is missing, cut, or not what the manifest says.
    """
    manifest = read_manifest(folder)
    try:
        vocabulary = (folder / VOCABULARY).read_bytes()
    except OSError:
        raise InputError("store", f"{VOCABULARY} is missing; {_AGAIN}") from None
    if hashlib.sha256(vocabulary).hexdigest() != manifest.vocabulary.sha256:
        raise InputError("store", f"{VOCABULARY} has changed since it was written; {_AGAIN}")
    arrays = {name: load(folder, name, record, verify) for name, record in manifest.arrays.items()}
    return Opened(manifest, vocabulary, arrays)

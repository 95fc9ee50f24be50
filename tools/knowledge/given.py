"""The files that are given to be added, and the ids that they get."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from tools.knowledge.text import slug
from tools.safety.errors import InputError

_MAX_ID_CHARACTERS = 120


def documents_below(path: Path, suffixes: frozenset[str], limit: int) -> Iterator[tuple[Path, str]]:
    """Files to add with the ids they get: a file itself, or every known kind of file in a folder, sorted.

    Files named README, hidden files and links are left out of a folder.

    Raises:
        InputError: no such file or folder, or more than `limit` files.
    """
    if not path.exists():
        raise InputError(path.name, "no such file or folder; correct its name")
    if not path.is_dir():
        yield path, _short(slug(path.stem))
        return
    files: list[Path] = []
    for found in path.rglob("*"):
        wanted = found.suffix.lower() in suffixes and not found.is_symlink() and found.stem != "README"
        if wanted and not any(part.startswith(".") for part in found.relative_to(path).parts):
            files.append(found)
        if len(files) > limit:
            raise InputError(path.name, f"more than {limit:,} files; add its folders one by one")
    for file in sorted(files):
        yield file, _short(slug(file.relative_to(path).with_suffix("").as_posix()))


def _short(doc_id: str) -> str:
    """An id that a file's name has room for; a long one ends with a hash of the whole."""
    if len(doc_id) <= _MAX_ID_CHARACTERS:
        return doc_id
    return f"{doc_id[: _MAX_ID_CHARACTERS - 13].strip('-')}-{sha256(doc_id.encode()).hexdigest()[:12]}"

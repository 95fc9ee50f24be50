"""Published indexes: a library's readers see the last whole one while a writer makes the next.

    index/CURRENT               the name of the published index
    index/<n>/documents.jsonl   the documents that it was made from
    index/<n>/chroma/           Chroma's database (not where a server holds it)
    index/<n>/chromadb          the version of Chroma that wrote it
    index/draft/                the next one, unfinished; that of a writer who was killed is taken up

A published index is never written to. The one before is kept until the next, for readers that still use it.
"""

import shutil
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tools.knowledge.manifest import DOCUMENTS, read_states
from tools.knowledge.passage import Entry
from tools.knowledge.probe import Place, probe, take_as_sound
from tools.safety.errors import InputError
from tools.safety.files import PUBLIC, write_whole

INDEX = "index"
_CURRENT = "CURRENT"
_DRAFT = "draft"
_CHROMA = "chroma"
_VERSION = "chromadb"


class Published(NamedTuple):
    """A published index.

    Attributes:
        folder: of this index.
        entries: the documents that it was made from, as they were then.
    """

    folder: Path
    entries: tuple[Entry, ...]

    @property
    def database(self) -> Path:
        """Chroma's folder."""
        return self.folder / _CHROMA


def published(library: Path) -> Published | None:
    """The index that readers use; None where none was ever published.

    Raises:
        InputError: what says which it is was damaged, or names one that is not there; or a later version of
            Chroma wrote it.
    """
    current = library / INDEX / _CURRENT
    if not current.is_file():
        return None
    name = current.read_text(encoding="ascii", errors="replace").strip()
    folder = library / INDEX / name
    if not (name.isdecimal() and (folder / DOCUMENTS).is_file()):
        raise InputError("index", "the published index is not there; run `iikea knowledge rebuild`")
    _refuse_later(folder / _VERSION)
    return Published(folder, read_states(folder))


def draft(library: Path, collection: str, anew: bool = False) -> Path:
    """The database of the next index: that of a killed writer if it is sound, else a copy of the last.

    Only for who holds the library's lock.

    Args:
        library: its folder.
        collection: the name of the collection in the database.
        anew: start from nothing; the published index may be damaged then.

    Raises:
        InputError: the published index is damaged.
    """
    folder = library / INDEX / _DRAFT
    if folder.exists() and (anew or not _is_sound(folder / _CHROMA, collection)):
        shutil.rmtree(folder)
    last = None if anew else published(library)
    if not folder.exists() and last is not None and last.database.is_dir():
        probe(Place(str(last.database), collection))
        half = folder.with_name(".copy")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(last.database, half / _CHROMA)
        half.replace(folder)
    (folder / _CHROMA).mkdir(parents=True, exist_ok=True)
    return folder / _CHROMA


def publish(library: Path, entries: Iterable[Entry], collection: str) -> None:
    """Makes the draft the index that readers use from now on. Only for who holds the library's lock."""
    index = library / INDEX
    folder = index / _DRAFT
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{entry.model_dump_json(exclude_defaults=True)}\n" for entry in entries)
    write_whole(folder / DOCUMENTS, lines.encode(), PUBLIC)
    write_whole(folder / _VERSION, f"{version('chromadb')}\n".encode(), PUBLIC)
    numbers = sorted(int(path.name) for path in index.iterdir() if path.name.isdecimal())
    name = str(numbers[-1] + 1 if numbers else 1)
    folder.replace(index / name)
    take_as_sound(Place(str(index / name / _CHROMA), collection))
    write_whole(index / _CURRENT, f"{name}\n".encode(), PUBLIC)
    for number in numbers[:-1]:
        shutil.rmtree(index / str(number), ignore_errors=True)


def _refuse_later(written_with: Path) -> None:
    """Chroma opens a database of a later version and does not say so."""
    theirs = (
        written_with.read_text(encoding="ascii", errors="replace").strip() if written_with.is_file() else ""
    )
    ours = version("chromadb")
    if not theirs or _release(theirs) > _release(ours) or _release(theirs)[0] != _release(ours)[0]:
        written = f"written with chromadb {theirs[:20] or 'of an unknown version'}, this is {ours}"
        raise InputError("index", f"{written}; install that one, or run `iikea knowledge rebuild`")


def _release(text: str) -> tuple[int, int]:
    """Major and minor version; (0, 0) where it is none."""
    numbers = text.split(".")[:2]
    return (
        (int(numbers[0]), int(numbers[1]))
        if len(numbers) == 2 and all(map(str.isdecimal, numbers))
        else (0, 0)
    )


def _is_sound(database: Path, collection: str) -> bool:
    try:
        probe(Place(str(database), collection))
    except InputError:
        return False
    return True

"""Changing a library: documents come in, are revised and retired, the index is made. One writer at a time.

A document is in the library from the moment its line stands in the manifest; its source was written before.
What a killed process left half-done is either not in the manifest, or is made anew from it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ValidationError

from tools.knowledge import publication
from tools.knowledge.cutting import cut
from tools.knowledge.formats.limits import copy_source
from tools.knowledge.formats.reading import read_source
from tools.knowledge.index import PassageIndex
from tools.knowledge.lock import writing
from tools.knowledge.manifest import (
    LIBRARY,
    SOURCES,
    Manifest,
    append_entry,
    latest,
    mend_tail,
    read_manifest,
    read_states,
    write_manifest,
)
from tools.knowledge.opening import Embedding, opened_to_write, place_of
from tools.knowledge.passage import Entry, Extract, Media
from tools.knowledge.reading import read_passages
from tools.knowledge.screen import speaks_to_machines
from tools.knowledge.text import slug
from tools.safety.errors import InputError

Progress = Callable[[str, int, int], None]
State = Literal["added", "revised", "unchanged", "duplicate", "retired"]
UNSTATED = "not stated"
_DRAFT = ".incoming"


def _silent(what: str, done: int, total: int) -> None:
    pass


class Details(NamedTuple):
    """What is said of a document when it is added; it counts before what the document says of itself.

    Attributes:
        added_by: who adds it.
        title: what people call it.
        licence: SPDX identifier, or what the publisher calls it.
        source: who published it.
        codes: dotless codes or code prefixes of the disease it is about.
        aliases: lower-case ways the disease is written.
        expires: the last day on which it is retrieved.
        revise: whether it may take the place of another document of the same id.
    """

    added_by: str
    title: str = ""
    licence: str = ""
    source: str = ""
    codes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    expires: date | None = None
    revise: bool = False


class Outcome(NamedTuple):
    """What became of a document that was given.

    Attributes:
        doc_id: its id; of a duplicate, that of the document already there.
        state: `duplicate`: the library holds the same bytes under another id.
        n_passages: 0 where nothing was read.
    """

    doc_id: str
    state: State
    n_passages: int = 0


@contextmanager
def curate(
    folder: Path,
    new: Manifest | None = None,
    wait_s: float = 60.0,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> Iterator["Curator"]:
    """Opens a library for writing.

    Args:
        folder: of the library.
        new: what the library is if there is none yet; without it, a missing library is refused.
        wait_s: how long to wait for another writer, seconds.
        on_wait: told once, with the other writer's process number, when there is one.

    Raises:
        InputError: no library there and none to make, a folder of other files, or another writer.
    """
    folder = folder.resolve()
    if not (folder / LIBRARY).exists():
        _make_room(folder, new)
    with writing(folder, wait_s, on_wait):
        if new is not None and not (folder / LIBRARY).exists():
            write_manifest(folder, new)
        mend_tail(folder)
        curator = Curator(folder)
        try:
            yield curator
        finally:
            curator.close()


class Curator:
    """A library held for writing; see `curate`.

    Args:
        folder: of the library, resolved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        self._states = list(read_states(folder))
        self._index: PassageIndex | None = None
        self._open = ExitStack()
        (folder / SOURCES).mkdir(exist_ok=True)

    @property
    def entries(self) -> dict[str, Entry]:
        """The last state of every document, retired ones included, by id."""
        return latest(self._states)

    def add(
        self,
        path: Path,
        doc_id: str,
        details: Details,
        progress: Progress = _silent,
        media: Media | None = None,
    ) -> Outcome:
        """Adds a file, or says that the library holds it already.

        Args:
            path: of the file; it is copied.
            doc_id: under which the library will hold it; one that reads like words for a machine is replaced
                by `document-` and the beginning of the file's hash.
            details: what is said of it.
            progress: told of the pages of a long document.
            media: what kind of file it is, where its name does not say.

        Raises:
            InputError: the file cannot be read, its name has no letter for an id, or the id belongs to
                another document and `details.revise` is not set.
        """
        if not doc_id:
            raise InputError(path.name, "its name has no ASCII letter or digit; rename it")
        incoming = self.folder / SOURCES / f"{_DRAFT}{path.suffix.lower()}"
        try:
            digest = copy_source(path, incoming, path.name)
            if media != "note" and speaks_to_machines(doc_id.replace("-", " ")):
                doc_id = f"document-{digest[:12]}"
            known = self._known(doc_id, digest, details)
            if known is not None:
                return known
            extract = read_source(
                incoming, path.name, media, lambda done, total: progress("page", done, total)
            )
            return self._admit(incoming, doc_id, digest, extract, details)
        finally:
            incoming.unlink(missing_ok=True)

    def note(self, text: str, details: Details) -> Outcome:
        """Adds a one-line note.

        Raises:
            InputError: empty, too long, or more than one line.
        """
        day = datetime.now(UTC).date()
        data = f"{text.strip()}\n".encode("utf-8", "surrogatepass")
        key = f"note-{sha256(data).hexdigest()[:12]}"
        path = self.folder / SOURCES / f".{key}.txt"
        path.write_bytes(data)
        details = details._replace(
            title=details.title or f"Note of {day.isoformat()}", source=details.source or details.added_by
        )
        try:
            return self.add(path, key, details, media="note")
        finally:
            path.unlink(missing_ok=True)

    def retire(self, doc_id: str, because: str) -> Outcome:
        """Takes a document out of retrieval; what cites it can still be looked up.

        Raises:
            InputError: no such document, or it is retired already.
        """
        entry = self.entries.get(doc_id)
        if entry is None:
            raise InputError(
                "document", "no document with this id in the library; see `iikea knowledge list`"
            )
        if entry.retired_at is not None:
            raise InputError("document", "it is retired already")
        self._append(entry.model_copy(update={"retired_at": _now(), "retired_because": because}))
        return Outcome(doc_id, "retired")

    def publish(self, progress: Progress = _silent) -> int:
        """Makes the index whole and gives it to the readers.

        Args:
            progress: told of the documents that were not in it yet.

        Returns:
            Number of documents in it.

        Raises:
            InputError: a source was changed, or the index or the embedding cannot be used.
        """
        wanted = {key: entry for key, entry in self.entries.items() if entry.retired_at is None}
        last = publication.published(self.folder)
        if self._index is None and last is not None and last.entries == tuple(self.entries.values()):
            return len(wanted)
        index = self._draft()
        missing = sorted(wanted.keys() - index.holds(wanted.values()))
        for done, doc_id in enumerate(missing, start=1):
            index.put(wanted[doc_id], read_passages(self.folder, wanted[doc_id]))
            progress("document indexed", done, len(missing))
        index.keep_only(wanted)
        index.flush()
        self.close()
        publication.publish(self.folder, self.entries.values())
        return len(wanted)

    def rebuild(self, progress: Progress = _silent) -> int:
        """Reads every source anew and makes the index from nothing, with the same ids; see `publish`."""
        publication.discard(self.folder)
        self._draft(anew=True)
        return self.publish(progress)

    def configure(self, **changes: object) -> None:
        """Changes keys of `library.json`; an index made otherwise must be rebuilt next.

        Raises:
            InputError: a value that is not admitted; names the key.
        """
        try:
            self.manifest = Manifest.model_validate(self.manifest.model_dump() | changes)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            raise InputError(str(fault["loc"][0]), fault["msg"]) from None
        place_of(self.manifest, self.folder)
        Embedding.open(self.manifest.embedding)
        write_manifest(self.folder, self.manifest)

    def close(self) -> None:
        """Stores what was taken in and closes the index; the next use opens it again."""
        if self._index is not None:
            self._index.flush()
            self._index = None
        self._open.close()

    def _draft(self, anew: bool = False) -> PassageIndex:
        if self._index is None:
            on_server = self.manifest.server is not None
            database = self.folder if on_server else publication.draft(self.folder, self.manifest.collection)
            place = place_of(self.manifest, database)
            embedding = Embedding.open(self.manifest.embedding)
            self._index = self._open.enter_context(opened_to_write(place, embedding, anew))
        return self._index

    def _known(self, doc_id: str, digest: str, details: Details) -> Outcome | None:
        """What to say of a file that the library holds already; None where it is new."""
        active = {entry.sha256: entry for entry in self.entries.values() if entry.retired_at is None}
        there = self.entries.get(doc_id)
        if there is not None and there.retired_at is None and there.sha256 == digest and not details.revise:
            return Outcome(doc_id, "unchanged")
        if digest in active and active[digest].id != doc_id:
            return Outcome(active[digest].id, "duplicate")
        if there is not None and not details.revise:
            rule = (
                "another document has this id; give --revise to put this one in its place, or rename the file"
            )
            raise InputError(f"document '{doc_id}'", rule)
        return None

    def _admit(self, incoming: Path, doc_id: str, digest: str, extract: Extract, details: Details) -> Outcome:
        revised = doc_id in self.entries
        entry = self._entry(doc_id, digest, extract, details, incoming.suffix)
        passages = cut(doc_id, entry.title, extract)
        index = self._draft()
        incoming.replace(self.folder / SOURCES / entry.file)
        self._append(entry)
        index.put(entry, passages)
        return Outcome(doc_id, "revised" if revised else "added", len(passages))

    def _entry(self, doc_id: str, digest: str, extract: Extract, details: Details, suffix: str) -> Entry:
        front = extract.front
        try:
            return Entry(
                id=doc_id,
                title=details.title or front.title or extract.title or doc_id,
                file=self._free_file(doc_id, digest, suffix),
                media=extract.media,
                sha256=digest,
                licence=details.licence or front.licence or self.manifest.licence or UNSTATED,
                source=details.source or front.source or UNSTATED,
                url=front.url,
                revision=front.revision,
                codes=details.codes or front.codes,
                aliases=details.aliases or front.aliases,
                added_by=details.added_by,
                added_at=_now(),
                expires=details.expires or front.expires,
            )
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            raise InputError(str(fault["loc"][0]), f"{fault['msg']}; correct what you say of it") from None

    def _free_file(self, doc_id: str, digest: str, suffix: str) -> str:
        """A name for a source that no state of any document uses, unless for the same bytes."""
        taken = {state.file: state.sha256 for state in self._states}
        names = (f"{doc_id}{suffix}", *(f"{doc_id}.{n}{suffix}" for n in range(2, 100_000)))
        return next(name for name in names if taken.get(name, digest) == digest)

    def _append(self, entry: Entry) -> None:
        append_entry(self.folder, entry)
        self._states.append(entry)


def documents_below(path: Path, suffixes: frozenset[str], limit: int) -> Iterator[tuple[Path, str]]:
    """Files to add with the ids they get: a file itself, or every known kind of file in a folder, sorted.

    Files named README, hidden files and links are left out of a folder.

    Raises:
        InputError: no such file or folder, or more than `limit` files.
    """
    if not path.is_dir():
        yield path, slug(path.stem)
        return
    files: list[Path] = []
    for found in path.rglob("*"):
        wanted = found.suffix.lower() in suffixes and not found.is_symlink() and found.stem != "README"
        if wanted and not any(part.startswith(".") for part in found.relative_to(path).parts):
            files.append(found)
        if len(files) > limit:
            raise InputError(path.name, f"more than {limit:,} files; add its folders one by one")
    for file in sorted(files):
        yield file, slug(file.relative_to(path).with_suffix("").as_posix())


def _make_room(folder: Path, new: Manifest | None) -> None:
    if new is None:
        read_manifest(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError("library", "a file of that name is there; name a folder")
    if folder.is_dir() and any(path.name != ".lock" for path in folder.iterdir()):
        raise InputError("library", "the folder holds other files; name a new or an empty one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("library", f"no folder can be made there ({error.strerror})") from None


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)

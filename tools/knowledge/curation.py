"""Changing a library: documents come in, are revised and retired, the index is made. One writer at a time.

A document is in the library from the moment its line stands in the manifest; its source was written before.
What a killed process left half-done is either not in the manifest, or is made anew from it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from tools.knowledge import publication
from tools.knowledge.cutting import cut
from tools.knowledge.details import Details, Outcome, Rebuilt, admitted, configured, said
from tools.knowledge.formats.blocks import fold
from tools.knowledge.formats.limits import copy_source
from tools.knowledge.formats.reading import read_source
from tools.knowledge.index import IndexWriter
from tools.knowledge.lock import LOCK, writing
from tools.knowledge.manifest import (
    COLLECTION,
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
from tools.knowledge.opening import Embedding, forget, opened_to_write, place_of
from tools.knowledge.passage import Entry, Extract, Media
from tools.knowledge.reading import read_passages
from tools.knowledge.screen import speaks_to_machines
from tools.safety.errors import InputError
from tools.safety.files import DRAFT_PREFIX

Progress = Callable[[str, int, int], None]
UNSTATED = "not stated"
_INCOMING = ".incoming"
_NOTE = ".note-"


def _silent(what: str, done: int, total: int) -> None:
    pass


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
    _make_folder(folder, new)
    with writing(folder, wait_s, on_wait):
        if not (folder / LIBRARY).exists():
            _make_library(folder, new)
        _sweep(folder)
        curator = Curator(folder)
        try:
            yield curator
            curator.close()
        except OSError as error:
            rule = f"cannot be written to ({error.strerror}); mend that and run the command again"
            raise InputError("knowledge library", rule) from None
        finally:
            curator.abandon()


class Curator:
    """A library held for writing; see `curate`.

    Args:
        folder: of the library, resolved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        self._states = list(read_states(folder))
        self._files = {state.file: state.sha256 for state in self._states}
        self._latest = latest(self._states)
        self._active = {e.sha256: e.id for e in self._latest.values() if e.retired_at is None}
        self._writer: IndexWriter | None = None
        self._open = ExitStack()

    @property
    def entries(self) -> dict[str, Entry]:
        """The last state of every document, retired ones included, by id."""
        return {doc_id: self._latest[doc_id] for doc_id in sorted(self._latest)}

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
        incoming = self.folder / SOURCES / f"{_INCOMING}{path.suffix.lower()}"
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
        data = f"{text.strip()}\n".encode("utf-8", "surrogatepass")
        key = f"note-{sha256(data).hexdigest()[:12]}"
        path = self.folder / SOURCES / f"{_NOTE}{key}.txt"
        path.unlink(missing_ok=True)
        title = details.title or f"Note of {datetime.now(UTC).date().isoformat()}"
        try:
            with path.open("xb") as file:
                file.write(data)
            known = details._replace(title=title, source=details.source or details.added_by)
            return self.add(path, key, known if key not in self._latest else details, media="note")
        finally:
            path.unlink(missing_ok=True)

    def retire(self, doc_id: str, because: str) -> Outcome:
        """Takes a document out of retrieval; what cites it can still be looked up.

        One that is retired already stays as it is.

        Raises:
            InputError: no such document.
        """
        entry = self._latest.get(doc_id)
        if entry is None:
            raise InputError(
                "document", "no document with this id in the library; see `iikea knowledge list`"
            )
        if entry.retired_at is None:
            self._append(
                admitted(entry.model_dump() | {"retired_at": _now(), "retired_because": fold(because)})
            )
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
        last = publication.published(self.folder)
        if self._writer is None and last is not None and last.entries == tuple(self.entries.values()):
            return len(self._active)
        return self._publish(self.manifest, self._draft(self.manifest), progress)

    def rebuild(self, progress: Progress = _silent, **changes: object) -> Rebuilt:
        """Reads every source anew and makes the index from nothing, with the same ids; see `publish`.

        Readers keep the last index until then; on a server the new one is a collection of its own.

        Args:
            progress: told of the documents.
            changes: keys of `library.json` that shall be otherwise, such as `embedding`, `server` or
                `retrieval`; written when the index is made.

        Raises:
            InputError: see `publish`; or a value that is not admitted, by its key.
        """
        wanted = configured(self.manifest, changes)
        collection = COLLECTION if wanted.server is None else f"iikea-{uuid4().hex}"
        wanted = wanted.model_copy(update={"collection": collection})
        self.abandon()
        n_documents = self._publish(wanted, self._draft(wanted, anew=True), progress)
        old, self.manifest = place_of(self.manifest, self.folder), wanted
        write_manifest(self.folder, wanted)
        try:
            forget(old)
        except InputError:
            return Rebuilt(n_documents, old)
        return Rebuilt(n_documents)

    def close(self) -> None:
        """Stores what was taken in and closes the index; the next use opens it again."""
        if self._writer is not None:
            self._writer.flush()
        self.abandon()

    def abandon(self) -> None:
        """Closes the index without storing what `close` would."""
        self._writer = None
        self._open.close()

    def _publish(self, manifest: Manifest, writer: IndexWriter, progress: Progress) -> int:
        writer.flush()
        wanted = {key: entry for key, entry in self.entries.items() if entry.retired_at is None}
        stored = writer.index.stored()
        missing = [entry for entry in wanted.values() if not stored.holds(entry)]
        for done, entry in enumerate(missing, start=1):
            writer.put(entry, read_passages(self.folder, entry))
            progress("document indexed", done, len(missing))
        for doc_id in {passage.doc_id for passage in stored.passages.values()} - wanted.keys():
            writer.remove(doc_id)
        self.close()
        publication.publish(self.folder, self.entries.values(), manifest.collection)
        return len(wanted)

    def _draft(self, manifest: Manifest, anew: bool = False) -> IndexWriter:
        if self._writer is None:
            on_server = manifest.server is not None
            database = self.folder if on_server else publication.draft(self.folder, manifest.collection, anew)
            opened = opened_to_write(place_of(manifest, database), Embedding.open(manifest.embedding))
            self._writer = self._open.enter_context(opened)
        return self._writer

    def _known(self, doc_id: str, digest: str, details: Details) -> Outcome | None:
        """What to say of a file that the library holds already; None where it is new."""
        there = self._latest.get(doc_id)
        if self._active.get(digest, doc_id) != doc_id:
            return Outcome(self._active[digest], "duplicate")
        if there is None or details.revise:
            return None
        if there.sha256 != digest:
            which = "a retired document" if there.retired_at else "another document"
            rule = f"{which} has this id; give --revise to put this one in its place, or rename the file"
            raise InputError(f"document '{doc_id}'", rule)
        if there.retired_at is not None:
            return Outcome(doc_id, "retired")
        updated = admitted(there.model_dump() | said(details))
        if updated == there:
            return Outcome(doc_id, "unchanged")
        self._append(updated)
        return Outcome(doc_id, "updated")

    def _admit(self, incoming: Path, doc_id: str, digest: str, extract: Extract, details: Details) -> Outcome:
        revised = doc_id in self._latest
        entry = self._entry(doc_id, digest, extract, details, incoming.suffix)
        passages = cut(doc_id, entry.title, extract)
        writer = self._draft(self.manifest)
        incoming.replace(self.folder / SOURCES / entry.file)
        self._append(entry)
        writer.put(entry, passages)
        return Outcome(doc_id, "revised" if revised else "added", len(passages))

    def _entry(self, doc_id: str, digest: str, extract: Extract, details: Details, suffix: str) -> Entry:
        front = extract.front
        known: dict[str, object] = {
            "title": front.title or extract.title or doc_id,
            "licence": front.licence or self.manifest.licence or UNSTATED,
            "source": front.source or UNSTATED,
            "codes": front.codes if details.trusted else (),
            "aliases": front.aliases,
            "expires": front.expires,
            "trusted": details.trusted,
        }
        known |= {"url": front.url, "revision": front.revision, "media": extract.media, "sha256": digest}
        known |= {"id": doc_id, "file": self._free_file(doc_id, digest, suffix)}
        known |= {"added_by": fold(details.added_by), "added_at": _now()}
        return admitted(known | said(details))

    def _free_file(self, doc_id: str, digest: str, suffix: str) -> str:
        """A name for a source that no state of any document uses, unless for the same bytes."""
        names = (f"{doc_id}{suffix}", *(f"{doc_id}.{n}{suffix}" for n in range(2, 100_000)))
        return next(name for name in names if self._files.get(name, digest) == digest)

    def _append(self, entry: Entry) -> None:
        append_entry(self.folder, entry)
        before = self._latest.get(entry.id)
        if before is not None:
            self._active.pop(before.sha256, None)
        if entry.retired_at is None:
            self._active[entry.sha256] = entry.id
        self._files[entry.file] = entry.sha256
        self._latest[entry.id] = entry


def _make_folder(folder: Path, new: Manifest | None) -> None:
    if new is None:
        read_manifest(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError("library", "a file of that name is there; name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("library", f"no folder can be made there ({error.strerror})") from None


def _make_library(folder: Path, new: Manifest | None) -> None:
    """Only for who holds the lock: another may have been making the same library."""
    if new is None:
        read_manifest(folder)
        return
    if any(path.name != LOCK and not path.name.startswith(DRAFT_PREFIX) for path in folder.iterdir()):
        raise InputError("library", "the folder holds other files; name a new or an empty one")
    write_manifest(folder, new)


def _sweep(folder: Path) -> None:
    """Takes away what a killed writer left half-done."""
    mend_tail(folder)
    sources = folder / SOURCES
    if sources.is_symlink() or (folder / publication.INDEX).is_symlink():
        raise InputError("knowledge library", "its sources or index are a link; put the folder itself there")
    sources.mkdir(exist_ok=True)
    left = [*folder.glob(f"{DRAFT_PREFIX}*"), *sources.glob(f"{_INCOMING}*"), *sources.glob(f"{_NOTE}*")]
    for path in left:
        path.unlink(missing_ok=True)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)

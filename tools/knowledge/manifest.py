"""What a library's folder says of it: `library.json` of the whole, `documents.jsonl` of each document."""

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.knowledge.passage import Entry
from tools.knowledge.text import read_text
from tools.safety.errors import InputError
from tools.safety.files import PUBLIC, write_whole

LIBRARY = "library.json"
DOCUMENTS = "documents.jsonl"
SOURCES = "sources"
COLLECTION = "passages"
MAX_MANIFEST_BYTES = 200_000_000

Retrieval = Literal["lexical", "dense", "hybrid"]


class Manifest(BaseModel):
    """What `library.json` says about a library as a whole.

    Attributes:
        title: name of the library.
        description: one paragraph for people and agents.
        licence: SPDX identifier.
        language: BCP 47 tag.
        sections: the headings its documents usually have, in order.
        code_system: the system of the documents' codes.
        embedding: what passages are embedded with; see `tools.knowledge.embeddings.open_embeddings`.
        retrieval: what a search goes by.
        server: URL of a Chroma server that holds the index; without one it is in the folder.
        collection: name of the library's collection there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2_000)
    licence: str = Field(default="", max_length=200)
    language: str = Field(default="en", max_length=35)
    sections: tuple[str, ...] = ()
    code_system: str = "ICD9CM"
    embedding: str = "hashed"
    retrieval: Retrieval = "lexical"
    server: str | None = Field(default=None, pattern=r"^https?://[^/@\s]+/?$")
    collection: str = Field(default=COLLECTION, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{1,98}[a-zA-Z0-9]$")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a library's folder.

    Raises:
        InputError: no such folder, no library in it, or `library.json` breaks a rule; names the key.
    """
    if not folder.is_dir():
        raise InputError("knowledge library", "no such folder; make one with `iikea knowledge add`")
    path = folder / LIBRARY
    if not path.exists():
        rule = f"no {LIBRARY} in this folder; make one with `iikea knowledge add DOCUMENT --library FOLDER`"
        raise InputError("knowledge library", rule)
    _refuse_link_out(path, folder)
    try:
        return Manifest.model_validate_json(read_text(path, LIBRARY))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{LIBRARY}, {key[:40]}" if key else LIBRARY, first["msg"]) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes `library.json`; an earlier one stays whole until the new one is."""
    text = manifest.model_dump_json(indent=2, exclude_none=True)
    write_whole(folder / LIBRARY, f"{text}\n".encode(), PUBLIC)


def read_states(folder: Path) -> tuple[Entry, ...]:
    """Every line of a folder's `documents.jsonl`, oldest first; a document that was changed has several.

    A last line without its end was never finished being written and does not count.

    Raises:
        InputError: a line that is no record of a document; names the row.
    """
    path = folder / DOCUMENTS
    if not path.exists():
        return ()
    _refuse_link_out(path, folder)
    lines = read_text(path, DOCUMENTS, MAX_MANIFEST_BYTES).split("\n")
    return tuple(_entry(line, row, folder) for row, line in enumerate(lines[:-1], start=1))


def latest(states: Iterable[Entry]) -> dict[str, Entry]:
    """The last state of each document by id, sorted by id."""
    last = {state.id: state for state in states}
    return {doc_id: last[doc_id] for doc_id in sorted(last)}


def append_entry(folder: Path, entry: Entry) -> None:
    """Adds a document's new state to the manifest, on the disk when this returns."""
    with (folder / DOCUMENTS).open("ab") as file:
        file.write(entry.model_dump_json(exclude_defaults=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def mend_tail(folder: Path) -> None:
    """Takes away a last line that a killed process did not finish; only for who holds the lock."""
    path = folder / DOCUMENTS
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            os.truncate(path, whole)


def source_path(folder: Path, entry: Entry) -> Path:
    """Where a document's source is.

    Raises:
        InputError: the manifest names a place outside the library's sources.
    """
    path = folder / SOURCES / entry.file
    if not path.resolve().is_relative_to((folder / SOURCES).resolve()):
        raise InputError(
            DOCUMENTS, f"document '{entry.id}': its file leads out of the library; remove the line"
        )
    return path


def sound_source(folder: Path, entry: Entry) -> Path:
    """The path of a document's source after its hash was compared with the manifest's.

    Raises:
        InputError: the source is missing, or was changed since it was added.
    """
    path = source_path(folder, entry)
    place = f"document '{entry.id}'"
    if not path.is_file():
        raise InputError(place, f"its source is missing from {SOURCES}; add the document again")
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != entry.sha256:
        raise InputError(place, "its source was changed since it was added; add it with --revise")
    return path


def _entry(line: str, row: int, folder: Path) -> Entry:
    try:
        return Entry.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        rule = f"{first['msg']}; mend the line, or remove it and add the document again"
        raise InputError(f"{DOCUMENTS}, {key[:40]}" if key else DOCUMENTS, rule, row) from None


def _refuse_link_out(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(path.name, "a link that leads out of the library; copy the file into it")

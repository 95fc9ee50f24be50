"""Whether a library's sources, manifest and index say the same."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.manifest import SOURCES, latest, read_states, sound_source
from tools.knowledge.passage import Entry
from tools.knowledge.reading import read_passages
from tools.safety.errors import InputError


class Problem(NamedTuple):
    """Something that differs, and what mends it."""

    place: str
    rule: str


class Verified(NamedTuple):
    """What was compared, and what differs."""

    n_documents: int
    n_passages: int
    version: str
    problems: tuple[Problem, ...]


def verify(library: Path, today: date) -> Verified:
    """Reads every source of a library anew and compares with its manifest and its index.

    Raises:
        InputError: no library there, or its index cannot be opened at all.
    """
    opened = KnowledgeLibrary(library, today)
    states = read_states(opened.folder)
    problems = [*_of_documents(opened, latest(states)), *_of_revisions(opened.folder, states)]
    problems += _strays(opened.folder, states)
    problems += [Problem("index", notice) for notice in opened.notices("lexical")]
    return Verified(len(opened.entries), len(opened.passages), opened.version, tuple(problems))


def _of_documents(opened: KnowledgeLibrary, entries: dict[str, Entry]) -> Iterator[Problem]:
    for entry in entries.values():
        try:
            made = read_passages(opened.folder, entry)
        except InputError as error:
            yield Problem(error.field, error.rule)
            continue
        found = {key: p for key, p in opened.passages.items() if p.doc_id == entry.id}
        indexed = opened.entries.get(entry.id) == entry
        if indexed and found != {passage.id: passage for passage in made}:
            rule = "its passages in the index are not those of its source; run `iikea knowledge rebuild`"
            yield Problem(f"document '{entry.id}'", rule)


def _of_revisions(folder: Path, states: tuple[Entry, ...]) -> Iterator[Problem]:
    """Sources of earlier revisions: what was cited of them must stay to be seen."""
    current = {entry.file for entry in latest(states).values()}
    for state in {state.file: state for state in states if state.file not in current}.values():
        try:
            sound_source(folder, state)
        except InputError as error:
            yield Problem(f"an earlier revision of {error.field}", error.rule)


def _strays(folder: Path, states: tuple[Entry, ...]) -> Iterator[Problem]:
    known = {state.file for state in states}
    if not (folder / SOURCES).is_dir():
        yield Problem(SOURCES, "the folder is missing")
        return
    for path in sorted((folder / SOURCES).iterdir()):
        if path.name not in known:
            yield Problem(
                f"{SOURCES}/{path.name[:80]}", "not in the manifest; remove it, or add it from elsewhere"
            )

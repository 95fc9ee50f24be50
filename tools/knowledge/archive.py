"""Everything a library ever held: what was cited stays to be seen when its document is retired or revised."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from tools.knowledge.manifest import read_states
from tools.knowledge.passage import Entry, Passage
from tools.knowledge.reading import read_passages

Standing = Literal["retrieved", "expired", "retired", "revised"]


class Held(NamedTuple):
    """A document as it once was or is.

    Attributes:
        entry: its record; of a retired one, the record that says so.
        standing: `revised`: another text has taken its place.
        passages: in reading order.
    """

    entry: Entry
    standing: Standing
    passages: tuple[Passage, ...]


def find_passage(library: Path, passage_id: str, today: date) -> tuple[Passage, Held] | None:
    """A passage by id, of any document and revision; None where the library never held it.

    Raises:
        InputError: the source of its document is missing or was changed.
    """
    for held in held_documents(library, passage_id.partition("#")[0], today):
        for passage in held.passages:
            if passage.id == passage_id:
                return passage, held
    return None


def held_documents(library: Path, doc_id: str, today: date) -> Iterator[Held]:
    """The revisions of a document, the newest first; none where the library never held it."""
    states = [state for state in read_states(library) if state.id == doc_id]
    seen: set[tuple[str, str]] = set()
    for state in reversed(states):
        if (state.sha256, state.title) not in seen:
            seen.add((state.sha256, state.title))
            yield Held(state, _standing(state, states[-1], today), read_passages(library, state))


def _standing(state: Entry, last: Entry, today: date) -> Standing:
    if last.retired_at is not None:
        return "retired"
    if state.sha256 != last.sha256:
        return "revised"
    return "retrieved" if last.is_active(today) else "expired"

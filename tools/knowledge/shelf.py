"""Several libraries at once, the most trusted first: a hospital's own, a society's, a general one."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from tools.knowledge.library import Hit, KnowledgeLibrary
from tools.knowledge.manifest import Retrieval
from tools.knowledge.passage import Entry, Passage
from tools.safety.errors import InputError


class ShelfHit(NamedTuple):
    """A passage found on a shelf.

    Attributes:
        passage: what was found.
        entry: the document it is from.
        score: of its library's retrieval; comparable within that library only.
        ranks: its place in each ranking of its library, 1-based.
        library: title of the library.
        trust: its place on the shelf; 1 is the most trusted.
    """

    passage: Passage
    entry: Entry
    score: float
    ranks: dict[str, int]
    library: str
    trust: int


class Shelf:
    """Libraries in the order of trust, searched as one.

    Scores of different libraries cannot be compared, so their rankings are interleaved: the best passage of
    each library in the order of trust, then the second best of each, and so on. A passage that two libraries
    hold in the same words counts for the more trusted.

    Args:
        libraries: at least one, the most trusted first.

    Raises:
        InputError: none, or one of them twice.
    """

    def __init__(self, libraries: Sequence[KnowledgeLibrary]) -> None:
        if not libraries:
            raise InputError("libraries", "none; name at least one")
        if len({library.folder for library in libraries}) != len(libraries):
            raise InputError("libraries", "one is named twice; name each once, the most trusted first")
        self.libraries = tuple(libraries)

    def search(self, query: str, k: int = 5, retrieval: Retrieval | None = None) -> tuple[ShelfHit, ...]:
        """The k best passages of all libraries; see `KnowledgeLibrary.search`.

        Raises:
            InputError: see there; or two libraries hold other words under one id.
        """
        found = [(library, library.search(query, k, retrieval)) for library in self.libraries]
        ranked = [
            (rank, trust, library, hit)
            for trust, (library, hits) in enumerate(found, start=1)
            for rank, hit in enumerate(hits)
        ]
        unique: dict[str, ShelfHit] = {}
        for _, trust, library, hit in sorted(ranked, key=lambda found: found[:2]):
            there = unique.setdefault(hit.passage.id, _on_shelf(hit, library, trust))
            if there.passage.text != hit.passage.text:
                raise InputError(
                    "libraries", "two hold other words under one id; retire one of the documents"
                )
            if trust < there.trust:
                unique[hit.passage.id] = _on_shelf(hit, library, trust)
        return tuple(unique.values())[:k]

    def aliases(self, code: str, system: str) -> tuple[str, ...]:
        """Ways a disease is written in the most trusted libraries first; see `KnowledgeLibrary.aliases`."""
        return tuple(dict.fromkeys(name for one in self.libraries for name in one.aliases(code, system)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Lower-case titles and aliases of every trusted document, sorted."""
        entries = (entry for library in self.libraries for entry in library.entries.values() if entry.trusted)
        return tuple(sorted({name.lower() for entry in entries for name in (entry.title, *entry.aliases)}))

    def notices(self, retrieval: Retrieval | None = None) -> tuple[str, ...]:
        """What users of these libraries should know; see `KnowledgeLibrary.notices`."""
        return tuple(notice for library in self.libraries for notice in library.notices(retrieval))

    @property
    def described(self) -> list[dict[str, Any]]:
        """Title, version, embedding, retrieval and trust of each library."""
        return [
            {
                "title": library.title,
                "version": library.version,
                "embedding": library.embedding,
                "retrieval": library.described,
                "trust": trust,
            }
            for trust, library in enumerate(self.libraries, start=1)
        ]

    @property
    def metadata(self) -> dict[str, Any]:
        """What an agent is told before it writes a query: what each library holds, JSON-native."""
        each = [library.metadata for library in self.libraries]
        return {
            "title": "; ".join(one["title"] for one in each),
            "description": " ".join(one["description"] for one in each if one["description"]),
            "n_documents": sum(one["n_documents"] for one in each),
            "n_passages": sum(one["n_passages"] for one in each),
            "sections": list(dict.fromkeys(section for one in each for section in one["sections"])),
            "topics": list(dict.fromkeys(topic for one in each for topic in one["topics"])),
        }


def _on_shelf(hit: Hit, library: KnowledgeLibrary, trust: int) -> ShelfHit:
    return ShelfHit(*hit, library=library.title, trust=trust)

"""A knowledge library: documents in a folder, searched by words, by vectors, or by both."""

import threading
import weakref
from datetime import UTC, date, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, TypedDict

from tools.knowledge.embeddings import is_service
from tools.knowledge.fusion import HYBRID_WEIGHTS, fuse
from tools.knowledge.index import READER, PassageIndex, in_memory, searched_text
from tools.knowledge.lexical import Bm25Index
from tools.knowledge.manifest import Retrieval, latest, read_manifest, read_states
from tools.knowledge.opening import Embedding, open_to_read, place_of
from tools.knowledge.passage import Entry, Passage
from tools.knowledge.publication import published
from tools.knowledge.reading import read_passages
from tools.safety.errors import InputError

MAX_QUERY_CHARS = 10_000
_DEPTH = 100


class Hit(NamedTuple):
    """A passage found by a search.

    Attributes:
        passage: what was found.
        entry: the document it is from.
        score: of the retrieval in force; higher is nearer. Comparable within one search only.
        ranks: its place in each ranking that the retrieval joins, 1-based.
    """

    passage: Passage
    entry: Entry
    score: float
    ranks: dict[str, int]


class LibraryMetadata(TypedDict):
    """What an agent is told about a library before it writes a query."""

    title: str
    description: str
    n_documents: int
    n_passages: int
    sections: list[str]
    topics: list[str]


class KnowledgeLibrary:
    """The documents of a library on a day, and its index. Reads only; safe to share between threads.

    Where an index was published, the documents are those that it was made from, and their passages come from
    it. Otherwise the sources are read and indexed in memory, and nothing is written.

    Args:
        folder: of the library.
        today: retired documents, and those that expired before this day, are not retrieved.

    Attributes:
        folder: as given, resolved.
        manifest: what the library is.
        entries: the documents that are retrieved, by id.
        passages: theirs, by id.

    Raises:
        InputError: the folder or its manifest cannot be used.
    """

    def __init__(self, folder: Path | str, today: date | None = None) -> None:
        self.folder = Path(folder).resolve()
        self.manifest = read_manifest(self.folder)
        self._published = published(self.folder)
        now = latest(read_states(self.folder))
        self._documents = latest(self._published.entries) if self._published else now
        day = today or datetime.now(UTC).date()
        # Who was retired since the index was made is out at once; who was added waits for the next one.
        self.entries = {
            key: entry
            for key, entry in self._documents.items()
            if entry.is_active(day) and now.get(key, entry).is_active(day)
        }
        self._waiting = sum(
            entry.retired_at is None and self._documents.get(key) != entry for key, entry in now.items()
        )
        self._building = threading.RLock()
        self._opened_embedding: Embedding | None = None
        self._words: Bm25Index | None = None
        self._vectors: PassageIndex | None = None
        self.passages = self._read_passages()

    @property
    def title(self) -> str:
        """Name of the library."""
        return self.manifest.title

    @property
    def retrieval(self) -> Retrieval:
        """What a search goes by."""
        return self.manifest.retrieval

    @property
    def embedding(self) -> str:
        """Name and dimension of the embedding in force; `none` for a library searched by words alone."""
        return "none" if self.retrieval == "lexical" else str(self._embedding().stamp)

    @property
    def described(self) -> str:
        """The retrieval in force, in words."""
        return self.described_as(None)

    def described_as(self, retrieval: Retrieval | None) -> str:
        """A retrieval in words; the library's own when none is named."""
        chosen = retrieval or self.retrieval
        vectors = f"vectors ({self._embedding().stamp})" if chosen != "lexical" else ""
        return {"lexical": "words (BM25)", "dense": vectors, "hybrid": f"words (BM25) and {vectors}"}[chosen]

    @cached_property
    def version(self) -> str:
        """SHA-256 over manifest, retrieved documents, reader and embedding; equal ones search alike."""
        digest = sha256(self.manifest.model_dump_json(exclude={"server", "collection"}).encode())
        for entry in self.entries.values():
            digest.update(b"\n" + entry.model_dump_json().encode())
        digest.update(f"\nreader {READER}, embedding {self.embedding}".encode())
        return digest.hexdigest()

    @property
    def metadata(self) -> LibraryMetadata:
        """JSON-native summary by its operators' words; none of a document that they do not vouch for."""
        return {
            "title": self.title,
            "description": self.manifest.description,
            "n_documents": len(self.entries),
            "n_passages": len(self.passages),
            "sections": list(self.manifest.sections),
            "topics": [entry.title for entry in self.entries.values() if entry.trusted],
        }

    def notices(self, retrieval: Retrieval | None = None) -> tuple[str, ...]:
        """What its user should know: who is told of queries, and what waits for the next index.

        Args:
            retrieval: instead of the library's own.
        """
        said = []
        if (retrieval or self.retrieval) != "lexical" and is_service(self.manifest.embedding):
            rule = "every query, which names diseases of the patient, is sent to the embedding service"
            said.append(f"library '{self.title}': {rule} {self.manifest.embedding}")
        if self._waiting:
            rule = (
                "added or changed since the index was made, not searched yet; run `iikea knowledge add` again"
            )
            said.append(f"library '{self.title}': {self._waiting:,} of its documents {rule}")
        return tuple(said)

    def search(self, query: str, k: int = 5, retrieval: Retrieval | None = None) -> tuple[Hit, ...]:
        """The k passages nearest to a query, best first; ties in the order of their ids.

        Args:
            query: free text of at most `MAX_QUERY_CHARS` characters.
            k: at least 1; more than the library holds gives all that answer the query.
            retrieval: instead of the library's own, to compare.

        Raises:
            InputError: an empty or overlong query, k below 1, or the index cannot be used.
        """
        if not query.strip():
            raise InputError("query", "empty; name a disease or a question")
        if len(query) > MAX_QUERY_CHARS:
            raise InputError("query", f"longer than {MAX_QUERY_CHARS:,} characters; shorten it")
        if k < 1:
            raise InputError("k", "must be at least 1")
        if not self.passages:
            return ()
        return self._ranked(query, k, retrieval or self.retrieval)

    def aliases(self, code: str, system: str) -> tuple[str, ...]:
        """Ways a disease is written in text: titles and aliases of trusted documents about a code.

        Of the documents whose codes are a prefix of `code` (or equal to it), those with the longest count.

        Args:
            code: dotless, such as `4280`.
            system: of the code; a library knows the codes of its own system only.

        Returns:
            Each once, titles before their aliases; empty when no document is about the code.
        """
        if system != self.manifest.code_system:
            return ()
        prefixes = (code[:length] for length in range(len(code), 0, -1))
        return next((self._named[prefix] for prefix in prefixes if prefix in self._named), ())

    @cached_property
    def _named(self) -> dict[str, tuple[str, ...]]:
        """Titles and aliases of the trusted documents about each code."""
        names: dict[str, dict[str, None]] = {}
        for entry in self.entries.values():
            for code in entry.codes if entry.trusted else ():
                names.setdefault(code, {}).update(dict.fromkeys((entry.title, *entry.aliases)))
        return {code: tuple(found) for code, found in names.items()}

    def _ranked(self, query: str, k: int, retrieval: Retrieval) -> tuple[Hit, ...]:
        depth = k if retrieval != "hybrid" else max(k, _DEPTH)
        rankings: dict[str, list[tuple[str, float]]] = {}
        if retrieval != "dense":
            rankings["lexical"] = self._by_words().search(query, depth)
        if retrieval != "lexical":
            found = self._nearest(query, depth)
            rankings["dense"] = [(key, score) for key, score in found if key in self.passages]
        ranks = {
            name: {key: rank for rank, (key, _) in enumerate(ranking, start=1)}
            for name, ranking in rankings.items()
        }
        if retrieval == "hybrid":
            scored = fuse([[key for key, _ in ranking] for ranking in rankings.values()], HYBRID_WEIGHTS)
        else:
            scored = rankings[retrieval]
        return tuple(
            Hit(
                self.passages[key],
                self.entries[self.passages[key].doc_id],
                round(score, 6),
                {name: places[key] for name, places in ranks.items() if key in places},
            )
            for key, score in scored[:k]
        )

    def _nearest(self, query: str, k: int) -> list[tuple[str, float]]:
        embedding, index = self._embedding(), self._by_vectors()
        embedding.stamp.require(index.stamp)
        without = tuple(sorted(self._documents.keys() - self.entries.keys()))
        return index.search(query, k, embedding.model, without)

    def _embedding(self) -> Embedding:
        with self._building:
            if self._opened_embedding is None:
                self._opened_embedding = Embedding.open(self.manifest.embedding)
            return self._opened_embedding

    def _read_passages(self) -> dict[str, Passage]:
        """Passages of the retrieved documents by id, in the order of documents and of reading."""
        if self._published is None:
            return {p.id: p for entry in self.entries.values() for p in read_passages(self.folder, entry)}
        stored = self._by_vectors().stored()
        lacking = sum(not stored.holds(entry) for entry in self.entries.values())
        if lacking:
            rule = f"lacks passages of {lacking:,} of its documents; wait for who writes to it, or run "
            raise InputError("index", rule + "`iikea knowledge rebuild`")
        return {key: p for key, p in stored.passages.items() if p.doc_id in self.entries}

    def _by_words(self) -> Bm25Index:
        with self._building:
            if self._words is None:
                texts = [searched_text(self.entries[p.doc_id], p) for p in self.passages.values()]
                self._words = Bm25Index(list(self.passages), texts)
            return self._words

    def _by_vectors(self) -> PassageIndex:
        with self._building:
            if self._vectors is None:
                self._vectors = self._indexed_in_memory() if self._published is None else self._opened()
            return self._vectors

    def _indexed_in_memory(self) -> PassageIndex:
        of: dict[str, list[Passage]] = {key: [] for key in self.entries}
        for passage in self.passages.values():
            of[passage.doc_id].append(passage)
        documents = ((entry, of[key]) for key, entry in self.entries.items())
        index, leave = in_memory(documents, *self._embedding())
        weakref.finalize(self, leave).atexit = False
        return index

    def _opened(self) -> PassageIndex:
        database = self._published.database if self._published else self.folder
        index, client = open_to_read(place_of(self.manifest, database))
        weakref.finalize(self, client.close).atexit = False
        return index

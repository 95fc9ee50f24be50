"""The index of a library: its passages with the vectors of their texts, in one collection of Chroma."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from tools.knowledge.chroma import memory_client
from tools.knowledge.passage import Entry, Passage
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from chromadb.api.client import Client
    from langchain_core.embeddings import Embeddings

# Goes up when passages are read or cut in another way: documents of an index are then read anew.
READER = 1
_BATCH = 256
_PAGE = 5_000
_SPARE = 20
_collection_numbers = count()


class Stamp(NamedTuple):
    """What the vectors of an index come from: Chroma keeps it, but compares nothing when it opens.

    Attributes:
        embedding: see `tools.knowledge.embeddings.embedding_id`.
        dimension: length of a vector.
    """

    embedding: str
    dimension: int

    def __str__(self) -> str:
        """Name and dimension."""
        return f"{self.embedding}, {self.dimension} dimensions"

    def require(self, found: Mapping[str, Any]) -> None:
        """Compares with the stamp of an index.

        Raises:
            InputError: the index was made with another embedding; names both, with their dimensions.
        """
        there = Stamp(str(found.get("embedding", "unknown")), int(found.get("dimension", 0)))
        if there != self:
            raise InputError(
                "index",
                f"made with {there}, but the library's embedding is {self}; name the former in library.json, "
                "or run `iikea knowledge rebuild`",
            )


class PassageIndex:
    """Passages by document, found by the nearness of their vectors (cosine, HNSW with a wide beam).

    Args:
        client: of the database.
        collection: its name there, made if missing.
        embeddings: of passages and queries.
        stamp: what they are.

    Raises:
        InputError: a collection of that name has vectors of another embedding.
    """

    def __init__(self, client: "Client", collection: str, embeddings: "Embeddings", stamp: Stamp) -> None:
        from langchain_chroma import Chroma

        self._chroma = Chroma(
            collection_name=collection,
            embedding_function=embeddings,
            client=client,
            collection_metadata=stamp._asdict(),
            collection_configuration={"hnsw": {"space": "cosine", "ef_search": 500, "num_threads": 1}},
        )
        self._embeddings = embeddings
        self._collection = client.get_collection(collection, embedding_function=None)
        stamp.require(self._collection.metadata or {})
        self._pending: list[tuple[str, str, dict[str, Any]]] = []

    @classmethod
    def in_memory(cls, embeddings: "Embeddings", stamp: Stamp) -> "tuple[PassageIndex, Callable[[], None]]":
        """An index in memory, and what takes it out of memory again."""
        client, name = memory_client(), f"iikea-{next(_collection_numbers)}"
        return cls(client, name, embeddings, stamp), lambda: client.delete_collection(name)

    def holds(self, entries: Iterable[Entry]) -> set[str]:
        """Ids of those documents whose passages are all here, as they are now."""
        there = Counter(
            (mark["doc_id"], mark["digest"], mark["of"]) for _, _, mark in self._stored(["metadatas"])
        )
        whole = {(doc_id, digest) for (doc_id, digest, of), n in there.items() if n == of}
        return {entry.id for entry in entries if (entry.id, _digest(entry)) in whole}

    def put(self, entry: Entry, passages: Collection[Passage]) -> None:
        """Takes a document's passages in, in place of those it had; `flush` stores them at the latest."""
        self.remove(entry.id)
        digest = _digest(entry)
        for passage in passages:
            text = searched_text(entry, passage)
            mark = passage.model_dump(exclude={"id", "text", "page"})
            mark |= {"digest": digest, "of": len(passages), "head": len(text) - len(passage.text)}
            mark |= {} if passage.page is None else {"page": passage.page}
            self._pending.append((passage.id, text, mark))
        while len(self._pending) >= _BATCH:
            self._store(_BATCH)

    def remove(self, doc_id: str) -> None:
        """Takes a document's passages out."""
        self._pending = [passage for passage in self._pending if passage[2]["doc_id"] != doc_id]
        found = self._collection.get(where={"doc_id": doc_id}, include=[])["ids"]
        if found:
            self._collection.delete(ids=found)

    def flush(self) -> None:
        """Stores what `put` took in."""
        if self._pending:
            self._store(len(self._pending))

    def keep_only(self, doc_ids: Collection[str]) -> None:
        """Takes out the passages of all other documents."""
        for doc_id in {mark["doc_id"] for _, _, mark in self._stored(["metadatas"])} - set(doc_ids):
            self.remove(doc_id)

    def passages(self) -> dict[str, Passage]:
        """Every passage by id, in the order of documents and of reading."""
        found = [
            Passage(
                id=key,
                text=text[mark["head"] :],
                page=mark.get("page"),
                **{field: mark[field] for field in ("doc_id", "title", "section", "start", "end")},
            )
            for key, text, mark in self._stored(["documents", "metadatas"])
        ]
        return {passage.id: passage for passage in sorted(found, key=lambda p: (p.doc_id, p.start))}

    def search(self, query: str, k: int, without: Collection[str] = ()) -> list[tuple[str, float]]:
        """Ids of the k passages nearest to a query with their cosine, best first; ties in the order of ids.

        Args:
            query: free text.
            k: at least 1; more than there is gives all.
            without: documents whose passages are left out.
        """
        kept: dict[str, Any] | None = {"doc_id": {"$nin": sorted(without)}} if without else None
        # Some more than asked for, so that the order of ids decides between equals at the end of the list.
        wanted = min(self._collection.count(), k + _SPARE)
        if not wanted:
            return []
        vector: list[Sequence[float]] = [self._embeddings.embed_query(query)]
        found = self._collection.query(vector, n_results=wanted, where=kept, include=["distances"])
        distances = (found["distances"] or [[]])[0]
        hits = [(key, round(1 - apart, 6)) for key, apart in zip(found["ids"][0], distances, strict=True)]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:k]

    def _store(self, n: int) -> None:
        batch, self._pending = self._pending[:n], self._pending[n:]
        keys, texts, marks = (list(column) for column in zip(*batch, strict=True))
        self._chroma.add_texts(texts, metadatas=marks, ids=keys)

    def _stored(self, include: list[Any]) -> Iterator[tuple[str, str, Any]]:
        for offset in count(0, _PAGE):
            found = self._collection.get(include=include, limit=_PAGE, offset=offset)
            texts = found["documents"] or [""] * len(found["ids"])
            yield from zip(found["ids"], texts, found["metadatas"] or [], strict=True)
            if len(found["ids"]) < _PAGE:
                return


def searched_text(entry: Entry, passage: Passage) -> str:
    """What is searched of a passage: what its document is about, and its own words, which come last."""
    names = ", ".join((entry.title, *entry.aliases))
    return f"{names}. {passage.section}. {passage.text}"


def _digest(entry: Entry) -> str:
    """Changes with anything that a document's passages or their vectors are made from."""
    made_from = (str(READER), entry.sha256, entry.media, entry.title, *entry.aliases)
    return sha256("\n".join(made_from).encode()).hexdigest()[:32]

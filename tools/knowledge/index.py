"""The index of a library: its passages with the vectors of their texts, in one collection of Chroma."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from tools.knowledge.chroma import memory_client
from tools.knowledge.passage import Entry, Passage
from tools.safety.errors import InputError

if TYPE_CHECKING:
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


class Stored(NamedTuple):
    """What an index holds.

    Attributes:
        passages: by id, in the order of documents and of reading.
        whole: document ids with the digests of what their passages were made from; only those of which
            every passage is there.
    """

    passages: dict[str, Passage]
    whole: frozenset[tuple[str, str]]

    def holds(self, entry: Entry) -> bool:
        """Whether all passages of a document are there, as it is now."""
        return (entry.id, _digest(entry)) in self.whole


class PassageIndex:
    """Passages by document, found by the nearness of their vectors (cosine, HNSW with a wide beam).

    Args:
        client: of the database.
        collection: its name there; it exists.
    """

    def __init__(self, client: "Client", collection: str) -> None:
        with _answered():
            self._collection = client.get_collection(collection, embedding_function=None)

    @property
    def stamp(self) -> Mapping[str, Any]:
        """What its vectors come from, see `Stamp`."""
        return self._collection.metadata or {}

    def stored(self) -> Stored:
        """Everything in it."""
        found = [
            (_passage(key, text, mark), mark["digest"], mark["of"])
            for key, text, mark in self._pages(["documents", "metadatas"])
        ]
        there = Counter((passage.doc_id, digest, of) for passage, digest, of in found)
        whole = frozenset((doc_id, digest) for (doc_id, digest, of), n in there.items() if n == of)
        in_order = sorted((passage for passage, _, _ in found), key=lambda p: (p.doc_id, p.start))
        return Stored({passage.id: passage for passage in in_order}, whole)

    def search(
        self, query: str, k: int, embeddings: "Embeddings", without: Collection[str] = ()
    ) -> list[tuple[str, float]]:
        """Ids of the k passages nearest to a query with their cosine, best first; ties in the order of ids.

        Args:
            query: free text.
            k: at least 1; more than there is gives all.
            embeddings: those that the vectors come from.
            without: documents whose passages are left out.
        """
        kept: dict[str, Any] | None = {"doc_id": {"$nin": sorted(without)}} if without else None
        with _answered():
            # Some more than asked for, so that ids decide between equals at the end of the list.
            wanted = min(self._collection.count(), k + _SPARE)
        if not wanted:
            return []
        vector: list[Sequence[float]] = [embeddings.embed_query(query)]
        with _answered():
            found = self._collection.query(vector, n_results=wanted, where=kept, include=["distances"])
        distances = (found["distances"] or [[]])[0]
        hits = [(key, round(1 - apart, 6)) for key, apart in zip(found["ids"][0], distances, strict=True)]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:k]

    def _pages(self, include: list[Any]) -> Iterator[tuple[str, str, Any]]:
        for offset in count(0, _PAGE):
            with _answered():
                found = self._collection.get(include=include, limit=_PAGE, offset=offset)
            texts = found["documents"] or [""] * len(found["ids"])
            yield from zip(found["ids"], texts, found["metadatas"] or [], strict=True)
            if len(found["ids"]) < _PAGE:
                return


class IndexWriter:
    """An index that is being changed.

    Args:
        client: of the database.
        collection: its name there, made if missing.
        embeddings: of the passages.
        stamp: what they are.

    Raises:
        InputError: a collection of that name has vectors of another embedding.
    """

    def __init__(self, client: "Client", collection: str, embeddings: "Embeddings", stamp: Stamp) -> None:
        from langchain_chroma import Chroma

        with _answered():
            self._chroma = Chroma(
                collection_name=collection,
                embedding_function=embeddings,
                client=client,
                collection_metadata=stamp._asdict(),
                collection_configuration={"hnsw": {"space": "cosine", "ef_search": 500, "num_threads": 1}},
            )
            self._collection = client.get_collection(collection, embedding_function=None)
        self.index = PassageIndex(client, collection)
        stamp.require(self.index.stamp)
        self._pending: list[tuple[str, str, dict[str, Any]]] = []

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
        with _answered():
            found = self._collection.get(where={"doc_id": doc_id}, include=[])["ids"]
            if found:
                self._collection.delete(ids=found)

    def flush(self) -> None:
        """Stores what `put` took in."""
        if self._pending:
            self._store(len(self._pending))

    def _store(self, n: int) -> None:
        batch, self._pending = self._pending[:n], self._pending[n:]
        keys, texts, marks = (list(column) for column in zip(*batch, strict=True))
        with _answered():
            self._chroma.add_texts(texts, metadatas=marks, ids=keys)


def in_memory(
    documents: Iterable[tuple[Entry, Collection[Passage]]], embeddings: "Embeddings", stamp: Stamp
) -> tuple[PassageIndex, Callable[[], None]]:
    """An index in memory, and what takes it out of memory again."""
    client, name = memory_client(), f"iikea-{next(_collection_numbers)}"
    writer = IndexWriter(client, name, embeddings, stamp)
    for entry, passages in documents:
        writer.put(entry, passages)
    writer.flush()
    return writer.index, lambda: client.delete_collection(name)


def searched_text(entry: Entry, passage: Passage) -> str:
    """What is searched of a passage: what its document is about, and its own words, which come last."""
    names = ", ".join((entry.title, *entry.aliases))
    return f"{names}. {passage.section}. {passage.text}"


def _passage(key: str, text: str, mark: Mapping[str, Any]) -> Passage:
    kept = {field: mark[field] for field in ("doc_id", "title", "section", "start", "end")}
    return Passage(id=key, text=text[mark["head"] :], page=mark.get("page"), **kept)


def _digest(entry: Entry) -> str:
    """Changes with anything that a document's passages or their vectors are made from."""
    made_from = (str(READER), entry.sha256, entry.media, entry.title, *entry.aliases)
    return sha256("\n".join(made_from).encode()).hexdigest()[:32]


@contextmanager
def _answered() -> Iterator[None]:
    """Tells of a database that fails while it is used.

    Raises:
        InputError: the database or its server failed; names the kind of failure.
    """
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield
    except (ChromaError, httpx.HTTPError) as error:
        rule = f"failed while it was used ({type(error).__name__}); see that its server runs, or run "
        raise InputError("index", rule + "`iikea knowledge rebuild`") from None

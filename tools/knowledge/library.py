"""A knowledge library: documents in a folder, searched through Chroma in memory."""

import threading
import weakref
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from pydantic import BaseModel, ConfigDict, ValidationError

from tools.knowledge.documents import Document, Passage, read_documents
from tools.knowledge.embeddings import open_embeddings
from tools.knowledge.text import read_text
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from langchain_chroma import Chroma
    from langchain_core.embeddings import Embeddings

MANIFEST = "library.json"
MAX_QUERY_CHARS = 10_000
_BATCH = 5_000
_MIN_CANDIDATES = 100

_building = threading.RLock()
_collection_numbers = count()


class Hit(NamedTuple):
    """A passage found by a search, with its cosine similarity to the query (higher is nearer)."""

    passage: Passage
    score: float


class LibraryMetadata(TypedDict):
    """What an agent is told about a library before it writes a query."""

    title: str
    description: str
    n_documents: int
    n_passages: int
    sections: list[str]
    topics: list[str]


class Manifest(BaseModel):
    """What `library.json` says about a library as a whole.

    Attributes:
        title: name of the library.
        description: one paragraph for people and agents.
        licence: SPDX identifier.
        language: BCP 47 tag.
        sections: the headings its documents usually have, in order.
        code_system: the system of the documents' codes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    description: str = ""
    licence: str = ""
    language: str = "en"
    sections: tuple[str, ...] = ()
    code_system: str = "ICD9CM"


class KnowledgeLibrary:
    """Documents with a search index in memory. Nothing is written to disk or sent anywhere.

    Safe to share between threads.

    Args:
        manifest: what the library is.
        documents: unique by id.
        embedding: see `tools.knowledge.embeddings.open_embeddings`.

    Attributes:
        manifest: as given.
        documents: sorted by id.
        embedding: name and dimension of the embedding, such as `lexical-1024`.
        version: SHA-256 over manifest, documents and embedding; equal versions give equal searches.

    Raises:
        InputError: the embedding cannot be opened.
    """

    def __init__(self, manifest: Manifest, documents: Iterable[Document], embedding: str = "lexical") -> None:
        self.manifest = manifest
        self.documents = tuple(sorted(documents, key=lambda document: document.id))
        self._passages = {p.id: p for document in self.documents for p in document.passages}
        texts = [_indexed_text(d, p) for d in self.documents for p in d.passages]
        model = open_embeddings(embedding, texts)
        dimension = len(model.embed_query("dimension"))
        self.embedding = f"{Path(embedding).name}-{dimension}"
        self.version = self._digest()
        with _building:
            self._index = self._build_index(texts, model) if texts else None

    @classmethod
    def open(cls, folder: Path | str, embedding: str = "lexical") -> "KnowledgeLibrary":
        """The library in a folder; opened once while the folder's content stays the same.

        Args:
            folder: Markdown documents (see `read_documents`) and, if wanted, a `library.json`.
            embedding: see `open_embeddings`.

        Raises:
            InputError: the folder, a document, the manifest or the embedding cannot be used.
        """
        path = Path(folder).resolve()
        documents = read_documents(path)
        manifest = _read_manifest(path)
        with _building:
            return _opened(path, manifest, documents, embedding)

    @property
    def title(self) -> str:
        """Name of the library."""
        return self.manifest.title

    @property
    def description(self) -> str:
        """What it holds, in a few words."""
        return self.manifest.description

    @property
    def metadata(self) -> LibraryMetadata:
        """JSON-native summary; `topics` are the titles of the documents."""
        found = dict.fromkeys(passage.section for passage in self._passages.values())
        return {
            "title": self.title,
            "description": self.description,
            "n_documents": len(self.documents),
            "n_passages": len(self._passages),
            "sections": list(self.manifest.sections or found),
            "topics": [document.title for document in self.documents],
        }

    def search(self, query: str, k: int = 5) -> tuple[Hit, ...]:
        """The k passages nearest to a query, best first; ties in the order of their ids.

        Args:
            query: free text of at most `MAX_QUERY_CHARS` characters.
            k: at least 1; more than the library holds gives all of it.

        Raises:
            InputError: an empty or overlong query, or k below 1.
        """
        if not query.strip():
            raise InputError("query", "empty; name a disease or a question")
        if len(query) > MAX_QUERY_CHARS:
            raise InputError("query", f"longer than {MAX_QUERY_CHARS:,} characters; shorten it")
        if k < 1:
            raise InputError("k", "must be at least 1")
        if self._index is None:
            return ()
        candidates = min(len(self._passages), max(4 * k, _MIN_CANDIDATES))
        found = self._index.similarity_search_with_score(query, k=candidates)
        hits = [Hit(self._passages[str(text.id)], round(1 - distance, 6)) for text, distance in found]
        return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.passage.id))[:k])

    def passage(self, passage_id: str) -> Passage:
        """One passage by id.

        Raises:
            InputError: no such passage.
        """
        try:
            return self._passages[passage_id]
        except KeyError:
            raise InputError("passage", "no passage with this id in the library; search first") from None

    def is_about(self, passage: Passage, code: str, system: str) -> bool:
        """Whether a passage's document is about a disease: one of its codes is a prefix of `code`."""
        return system == self.manifest.code_system and code.startswith(passage.codes)

    def aliases(self, code: str, system: str) -> tuple[str, ...]:
        """Ways a disease is written in text: titles and aliases of the documents about a code.

        Of the documents whose codes are a prefix of `code` (or equal to it), those with the longest count.

        Args:
            code: dotless, such as `4280`.
            system: of the code; a library knows the codes of its own system only.

        Returns:
            Each once, titles before their aliases; empty when no document is about the code.
        """
        if system != self.manifest.code_system:
            return ()
        lengths = [max((len(c) for c in d.codes if code.startswith(c)), default=0) for d in self.documents]
        longest = max(lengths, default=0)
        names: dict[str, None] = {}
        for document, length in zip(self.documents, lengths, strict=True):
            if longest and length == longest:
                names |= dict.fromkeys((document.title, *document.aliases))
        return tuple(names)

    def _digest(self) -> str:
        digest = sha256(self.manifest.model_dump_json().encode())
        for document in self.documents:
            digest.update(b"\n" + document.model_dump_json().encode())
        digest.update(b"\n" + self.embedding.encode())
        return digest.hexdigest()

    def _build_index(self, texts: list[str], model: "Embeddings") -> "Chroma":
        from langchain_chroma import Chroma

        client = _memory_client()
        # In-memory clients of one process share their collections, so each library has a name of its own.
        name = f"{self.version[:32]}-{next(_collection_numbers)}"
        index = Chroma(
            collection_name=name,
            embedding_function=model,
            client=client,
            collection_configuration={"hnsw": {"space": "cosine", "ef_search": 500, "num_threads": 1}},
        )
        ids = list(self._passages)
        for start in range(0, len(ids), _BATCH):
            index.add_texts(texts[start : start + _BATCH], ids=ids[start : start + _BATCH])
        weakref.finalize(self, client.delete_collection, name).atexit = False
        return index


@lru_cache(maxsize=1)
def _memory_client() -> "ClientAPI":
    """Chroma's client in memory, whatever the environment or a `.env` file sets for Chroma."""
    import chromadb
    from chromadb.config import Settings

    settings = Settings(
        chroma_api_impl="chromadb.api.rust.RustBindingsAPI",
        is_persistent=False,
        anonymized_telemetry=False,
        chroma_otel_collection_endpoint="",
    )
    return chromadb.EphemeralClient(settings)


@lru_cache(maxsize=4)
def _opened(
    folder: Path, manifest: Manifest, documents: tuple[Document, ...], embedding: str
) -> KnowledgeLibrary:
    return KnowledgeLibrary(manifest, documents, embedding)


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not path.exists():
        return Manifest(title=folder.name)
    if not path.resolve().is_relative_to(folder):
        raise InputError(MANIFEST, "a link that leads out of the library; copy the file into it")
    try:
        return Manifest.model_validate_json(read_text(path, MANIFEST))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{MANIFEST}, {key[:40]}" if key else MANIFEST, first["msg"]) from None


def _indexed_text(document: Document, passage: Passage) -> str:
    """What is embedded of a passage: its own words, and what the document is about."""
    names = ", ".join((document.title, *document.aliases))
    return f"{names}. {passage.section}. {passage.text}"

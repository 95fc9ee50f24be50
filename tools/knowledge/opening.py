"""Opens what a library's manifest names: its embedding, and its index in a folder or on a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from tools.knowledge.chroma import open_client
from tools.knowledge.embeddings import embedding_id, is_service, open_embeddings
from tools.knowledge.index import IndexWriter, PassageIndex, Stamp
from tools.knowledge.manifest import Manifest
from tools.knowledge.probe import Place, probe
from tools.safety.addresses import address_of, is_this_machine
from tools.safety.destinations import is_near, require_direct, require_near
from tools.safety.errors import InputError
from tools.safety.openai_service import openai_address

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from langchain_core.embeddings import Embeddings


class Embedding(NamedTuple):
    """An opened embedding and what it is."""

    model: "Embeddings"
    stamp: Stamp

    @classmethod
    def open(cls, name: str) -> "Embedding":
        """The embedding of that name.

        Raises:
            InputError: it is not on this machine.
        """
        model = open_embeddings(name)
        return cls(model, Stamp(embedding_id(name), len(model.embed_query("dimension"))))


def require_near_library(manifest: Manifest, why: str) -> None:
    """Refuses a library of which a search would leave this machine and the hosts that the operator lists.

    Args:
        manifest: of the library.
        why: a query must stay near.

    Raises:
        InputError: a query, or its vector, would leave.
    """
    if manifest.retrieval == "lexical":
        return
    what = f"queries of library '{manifest.title}', which name diseases of the patient,"
    if is_service(manifest.embedding):
        require_near(openai_address(), "library", what, why)
    if manifest.server is not None:
        require_near(address_of(manifest.server, "library.json, server"), "library", what, why)


def place_of(manifest: Manifest, database: Path) -> Place:
    """Where a library's index is: in a folder, unless its manifest names a server.

    Raises:
        InputError: no address of a server, or one on another machine without https, or a near one that the
            environment has a proxy before: queries name a patient's diseases.
    """
    if manifest.server is None:
        return Place(str(database), manifest.collection)
    try:
        url = urlsplit(manifest.server)
        named = bool(url.hostname) and url.port != 0
    except ValueError:
        named = False
    if not named:
        raise InputError(
            "library.json, server", "not an address; give http(s)://host:port of a Chroma server"
        )
    if url.scheme != "https" and not is_this_machine(url.hostname or ""):
        raise InputError("library.json, server", "must be https, for queries name a patient's diseases")
    if is_near(address_of(manifest.server, "library.json, server")):
        require_direct(manifest.server, "library.json, server")
    return Place(manifest.server, manifest.collection)


def open_to_read(place: Place) -> tuple[PassageIndex, "Client"]:
    """An index that exists, after another process could open it; and its client.

    Raises:
        InputError: it is damaged, locked, of another version, or silent.
    """
    probe(place)
    client = open_client(place.where)
    return PassageIndex(client, place.collection), client


@contextmanager
def opened_to_write(place: Place, embedding: Embedding) -> Iterator[IndexWriter]:
    """An index to be changed, made if it is missing; closed at the end.

    Raises:
        InputError: it is of another embedding, or its server cannot be used.
    """
    if place.is_server:
        probe(place._replace(collection=""))
    client = open_client(place.where)
    try:
        yield IndexWriter(client, place.collection, embedding.model, embedding.stamp)
    finally:
        client.close()


def forget(place: Place) -> None:
    """Takes a collection off a server, where it is there; what is in a folder goes with the folder.

    Raises:
        InputError: the server does not answer.
    """
    if place.is_server:
        probe(place._replace(collection=""))
        client = open_client(place.where)
        try:
            if place.collection in {found.name for found in client.list_collections()}:
                client.delete_collection(place.collection)
        finally:
            client.close()

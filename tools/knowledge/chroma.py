"""Clients of Chroma, whatever the environment or a `.env` file sets for it."""

from functools import lru_cache
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.config import Settings


TIMEOUT_S = 60.0


def open_client(where: str) -> "Client":
    """A client of the database in a folder or of a server at `http(s)://host[:port]`; close it after use."""
    import chromadb

    if not where.startswith(("http://", "https://")):
        return cast("Client", chromadb.PersistentClient(where, _settings("rust.RustBindingsAPI", True)))
    url = urlsplit(where)
    secure = url.scheme == "https"
    port = url.port or (443 if secure else 8000)
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    settings = _settings("fastapi.FastAPI", False)
    client = cast("Client", chromadb.HttpClient(host, port, secure, settings=settings))
    # Chroma's own client waits for ever.
    client._server._session.timeout = TIMEOUT_S  # type: ignore[attr-defined]
    return client


@lru_cache(maxsize=1)
def memory_client() -> "Client":
    """The one client in memory of this process; its users share their collections."""
    import chromadb

    return cast("Client", chromadb.EphemeralClient(_settings("rust.RustBindingsAPI", False)))


def _settings(implementation: str, persistent: bool) -> "Settings":
    from chromadb.config import Settings

    return Settings(
        chroma_api_impl=f"chromadb.api.{implementation}",
        is_persistent=persistent,
        anonymized_telemetry=False,
        chroma_otel_collection_endpoint="",
    )

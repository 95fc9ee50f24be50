"""An HTTP client that ends a request at a moment, however the answer trickles in.

Timeouts of httpx are for one read: a byte a second outlasts them all. Here each connect, read and write
gets no more than what is left of the request's time, in the thread that asks; none other is needed.
"""

import os
import ssl
import time
from collections.abc import Iterable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Protocol

_LEAST_S = 0.001
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_READ = (*_PROXIES, *map(str.upper, _PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR")  # by a client that is made
_ends_s: ContextVar[float | None] = ContextVar("ends_s", default=None)


class _Stream(Protocol):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes: ...
    def write(self, buffer: bytes, timeout: float | None = None) -> None: ...
    def close(self) -> None: ...
    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "_Stream": ...
    def get_extra_info(self, info: str) -> Any: ...  # noqa: ANN401


class _Backend(Protocol):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> _Stream: ...
    def sleep(self, seconds: float) -> None: ...


class _TimedStream:
    """A connection whose every step ends when the request's time does."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "_TimedStream":
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, self._left(timeout)))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None) -> float | None:
        left = _left(timeout)
        if left is not None and left <= 0:
            # On a closed socket the library raises its own error, whichever library the client is built on.
            self._stream.close()
        return None if left is None else max(left, _LEAST_S)


class _TimedBackend:
    """Opens connections that keep to the request's time."""

    def __init__(self, backend: _Backend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> _TimedStream:
        left = _left(timeout)
        within = None if left is None else max(left, _LEAST_S)
        return _TimedStream(self._backend.connect_tcp(host, port, within, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


def _left(timeout: float | None) -> float | None:
    ends_s = _ends_s.get()
    if ends_s is None:
        return timeout
    left = ends_s - time.monotonic()
    return left if timeout is None else min(timeout, left)


def timed_client(seconds: float, *, is_direct: bool, proxy: str | None = None) -> Any:  # noqa: ANN401
    """The client of OpenAI's library that ends each request after so many seconds, its body read.

    One for all who ask so while the environment names the same proxies and certificates.

    Args:
        seconds: from the connection to the last byte; it holds for answers that are not streamed.
        is_direct: whether to use no proxy, and to follow no redirect.
        proxy: by which to go, instead of that of the environment.
    """
    return _kept_client(seconds, is_direct, proxy, tuple(map(os.environ.get, _READ)))


@lru_cache(maxsize=32)
def _kept_client(seconds: float, is_direct: bool, proxy: str | None, _read: tuple[str | None, ...]) -> Any:  # noqa: ANN401
    from openai import DefaultHttpxClient

    class TimedClient(DefaultHttpxClient):
        def send(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
            token = _ends_s.set(time.monotonic() + seconds)
            try:
                return super().send(*args, **options)
            finally:
                _ends_s.reset(token)

    ways: dict[str, Any] = {"trust_env": False, "follow_redirects": False} if is_direct else {"proxy": proxy}
    client = TimedClient(**ways)
    for transport in (client._transport, *client._mounts.values()):
        if transport is not None:
            pool = transport._pool  # type: ignore[attr-defined]
            pool._network_backend = _TimedBackend(pool._network_backend)
    return client

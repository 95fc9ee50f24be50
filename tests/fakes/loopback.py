"""A server on loopback for the scripted services: it leaves no thread behind and no failure unseen."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, Self, TypeVar

Service = TypeVar("Service")


class Listener(ThreadingHTTPServer, Generic[Service]):
    """Hands requests to a handler class, which finds the scripted service at `self.server.service`."""

    daemon_threads = False
    request_queue_size = 512

    def __init__(self, service: Service, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.service = service
        self.failures: list[BaseException] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        failure = sys.exception()
        if failure is not None and not isinstance(failure, ConnectionError):
            self.failures.append(failure)


class LoopbackServer:
    """A context manager that serves meanwhile; a failure of its own is raised at the end."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._closing = threading.Event()
        self._http = Listener(self, handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        if self._http.failures and kind is None:
            raise self._http.failures[0]

    def wait(self, seconds: float | None) -> bool:
        """Waits; False as soon as the server closes."""
        return not self._closing.wait(seconds)

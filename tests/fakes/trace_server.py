"""A collector of traces on loopback in the place of LangSmith: it keeps every byte that it is sent."""

import json
import re
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.loopback import Listener, LoopbackServer

_PART = re.compile(rb'name="([^"]+)"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]+)\r\n')


class TraceServer(LoopbackServer):
    """The collector; a context manager.

    Attributes:
        paths: of all requests.
        bodies: what was posted.
    """

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        super().__init__(_Handler)

    @property
    def url(self) -> str:
        """The address to give a client as LANGSMITH_ENDPOINT."""
        return f"http://{self.host}"

    def parts(self, kind: str) -> list[Any]:
        """The JSON documents of a kind: `run`, or `inputs`, `outputs`, `extra`, `events`, `error` of one."""
        found = []
        for name, content in _PART.findall(b"".join(self.bodies)):
            field = name.decode().split(".")[2:]
            if (field or ["run"])[0] == kind:
                found.append(json.loads(content))
        return found


class _Handler(BaseHTTPRequestHandler):
    server: Listener[TraceServer]

    def log_message(self, *_: object) -> None:
        """Keeps standard error for the tests."""

    def do_GET(self) -> None:
        self._answer(b'{"version": "0.13.0"}')

    def do_POST(self) -> None:
        self.server.service.bodies.append(self._body())
        self._answer(b"{}")

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, content: bytes) -> None:
        self.server.service.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

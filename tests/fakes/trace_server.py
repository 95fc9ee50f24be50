"""A collector of traces on loopback in the place of LangSmith: it keeps every byte that it is sent."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from backports import zstd

from tests.fakes.loopback import Listener, LoopbackServer


class TraceServer(LoopbackServer):
    """The collector; a context manager.

    Attributes:
        paths: of all requests.
        bodies: what was posted, unpacked.
    """

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        super().__init__(_Handler)

    @property
    def url(self) -> str:
        """The address to give a client as LANGSMITH_ENDPOINT."""
        return f"http://{self.host}"

    def parts(self) -> list[Any]:
        """Every JSON document in what was posted, parts of multipart bodies one by one."""
        found = []
        for body in self.bodies:
            for line in body.replace(b"\r\n", b"\n").split(b"\n"):
                if line.startswith((b"{", b"[")):
                    found.append(json.loads(line))
        return found


class _Handler(BaseHTTPRequestHandler):
    server: Listener[TraceServer]

    def log_message(self, *_: object) -> None:
        """Keeps standard error for the tests."""

    def do_GET(self) -> None:
        limits = {"use_multipart_endpoint": True, "size_limit": 100, "size_limit_bytes": 20_971_520}
        info = {"version": "0.13.0", "instance_flags": {"zstd_compression_enabled": True}}
        self._answer(json.dumps(info | {"batch_ingest_config": limits}).encode())

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("Content-Encoding") == "zstd":
            body = zstd.decompress(body)
        self.server.service.bodies.append(body)
        self._answer(b"{}")

    do_PATCH = do_POST

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

"""A scripted, OpenAI-compatible chat service on loopback, for tests through the real client.

    with ModelServer([status(429, {"Retry-After": "1"}), text("yes")]) as server:
        ChatOpenAI(base_url=server.url, api_key="test", model="scripted", max_retries=0).invoke("well?")

It answers `/v1/chat/completions` (JSON and server-sent events) and `/v1/models`. Run out of replies, it
answers 500 and says so: a test that asks more often than its script foresees fails.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from tests.fakes.loopback import Listener, LoopbackServer
from tests.fakes.replies import (
    FOR_EVER,
    Reply,
    Usage,
    drip,
    drop,
    finish,
    hang,
    html,
    late,
    no_choices,
    refusal,
    status,
    text,
    tool_call,
    tool_calls,
)

__all__ = [
    "ModelServer",
    "Reply",
    "Request",
    "Usage",
    "drip",
    "drop",
    "finish",
    "hang",
    "html",
    "late",
    "no_choices",
    "refusal",
    "status",
    "text",
    "tool_call",
    "tool_calls",
]

Body = Mapping[str, Any]
Script = Sequence[Reply] | Callable[[Body], Reply]

IDLE_S = 30
MODELS = json.dumps(
    {"object": "list", "data": [{"id": "scripted", "object": "model", "created": 0, "owned_by": "tests"}]}
).encode()


class Request(NamedTuple):
    """A request as it arrived.

    Attributes:
        path: such as `/v1/chat/completions`.
        headers: by lower-case name.
        body: the parsed JSON, None for a GET.
        arrived_s: monotonic clock, seconds.
    """

    path: str
    headers: dict[str, str]
    body: Any
    arrived_s: float


class ModelServer(LoopbackServer):
    """The service; a context manager that leaves no thread behind.

    Args:
        script: the replies in order, or a function from the request's body to its reply.

    Attributes:
        requests: every request, in order of arrival.
        in_flight_peak: the most requests that were waiting for their answer at one time.
        exhausted: whether the service was asked more often than its script has replies.
    """

    def __init__(self, script: Script) -> None:
        self.requests: list[Request] = []
        self.in_flight_peak = 0
        self.exhausted = False
        self._script = script
        self._remaining = iter(()) if callable(script) else iter(script)
        self._in_flight = 0
        self._lock = threading.Lock()
        super().__init__(_Handler)

    @property
    def url(self) -> str:
        """The base URL to give a client."""
        return f"http://{self.host}/v1"

    @property
    def bodies(self) -> list[Any]:
        """The bodies of the requests for a completion, in order of arrival."""
        return [request.body for request in self.requests if request.body is not None]

    def arrive(self, request: Request) -> None:
        """Records a request and counts it as in flight."""
        with self._lock:
            self.requests.append(request)
            self._in_flight += 1
            self.in_flight_peak = max(self.in_flight_peak, self._in_flight)

    def leave(self) -> None:
        """Counts a request as answered; called before its last byte, which sets the client free."""
        with self._lock:
            self._in_flight -= 1

    def reply(self, body: Body) -> Reply:
        """The next reply of the script."""
        if callable(self._script):
            return self._script(body)
        with self._lock:
            reply = next(self._remaining, None)
            self.exhausted = self.exhausted or reply is None
        return reply or status(500, message="the script has no reply left for this request")

    def wait(self, seconds: float | None) -> bool:
        """Waits; False as soon as the server closes."""
        return super().wait(None if seconds == FOR_EVER else seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    wbufsize = -1
    server: Listener[ModelServer]

    def log_message(self, *_: object) -> None:
        """Keeps standard error for the tests."""

    def do_GET(self) -> None:
        self._answer(None, lambda: Reply(body=MODELS) if self.path == "/v1/models" else status(404))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat = self.path == "/v1/chat/completions"
        self._answer(body, lambda: self.server.service.reply(body) if chat else status(404))

    def _answer(self, body: Any, choose: Callable[[], Reply]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        service = self.server.service
        service.arrive(Request(self.path, headers, body, time.monotonic()))
        try:
            last = self._begin(choose(), body)
        finally:
            service.leave()
        self.wfile.write(last)

    def _begin(self, reply: Reply, body: Any) -> bytes:
        """Sends the reply but for its last piece, which is returned: it sets the client free."""
        self.close_connection = True
        wait = self.server.service.wait
        if not (wait(reply.delay_s) and reply.status):
            return b""
        content = reply.content(body)
        self.send_response(reply.status)
        lengths = {"Content-Length": str(len(content))} if reply.announced else {}
        for name, value in {**reply.content_headers(body), **lengths, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        arriving = content[: reply.cut_after]
        if not reply.pause_s:
            return arriving
        for position in range(len(arriving) - 1):
            self.wfile.write(arriving[position : position + 1])
            self.wfile.flush()
            if not wait(reply.pause_s):
                return b""
        return arriving[-1:]

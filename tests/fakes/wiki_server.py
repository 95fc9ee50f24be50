"""A scripted wiki on loopback that answers as the action API of MediaWiki does.

    with WikiServer({"Gout": Article("Gout is painful.")}, [busy(429, "1")]) as wiki:
        fetch(["Gout"], Door("someone@example.org", frozenset({wiki.host})), api=wiki.api)

The faults are answered first, one a request; after them come the articles.
"""

import gzip
import json
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.fakes.loopback import Listener, LoopbackServer

JSON = "application/json; charset=utf-8"
RIGHTS = {
    "url": "https://creativecommons.org/licenses/by-sa/4.0/deed.en",
    "text": "Creative Commons Attribution-Share Alike 4.0",
}


class Article(NamedTuple):
    """A page of the wiki.

    Attributes:
        extract: its plain text, headings written `== so ==`.
        revid: of its last revision.
        read_revid: of the revision that is named beside the text, where it is another one.
        is_list_of_meanings: whether its title has several.
        redirect_to: the title that it leads to.
        ns: its namespace, 0 for articles.
    """

    extract: str
    revid: int = 123
    read_revid: int | None = None
    is_list_of_meanings: bool = False
    redirect_to: str | None = None
    ns: int = 0


class Reply(NamedTuple):
    """An answer as bytes.

    Attributes:
        status: HTTP status; 0 to say nothing at all until the server closes.
        body: what is sent.
        headers: added to those of the body's type and length, or replacing them; None leaves one out.
        pause_s: between two bytes, head included; 0 sends all at once.
        cut_after: bytes of the body sent before the connection ends.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str | None] = {}
    pause_s: float = 0.0
    cut_after: int | None = None


class Request(NamedTuple):
    """A request as it arrived.

    Attributes:
        path: without its query.
        query: the last value of each parameter.
        headers: by lower-case name.
        arrived_s: monotonic clock, seconds.
    """

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    arrived_s: float


def busy(status: int, retry_after: str | None = None) -> Reply:
    return Reply(status, b"busy", {"Retry-After": retry_after})


def error(code: str, retry_after: str | None = None) -> Reply:
    return Reply(
        200, json.dumps({"error": {"code": code, "info": "no"}}).encode(), {"Retry-After": retry_after}
    )


def redirect(location: str, status: int = 302) -> Reply:
    return Reply(status, b"", {"Location": location})


def huge(n_bytes: int, is_announced: bool = True) -> Reply:
    return Reply(body=b" " * n_bytes, headers={} if is_announced else {"Content-Length": None})


def bomb(n_bytes: int, layers: int = 1) -> Reply:
    body = b" " * n_bytes
    for _ in range(layers):
        body = gzip.compress(body)
    return Reply(body=body, headers={"Content-Encoding": ", ".join(["gzip"] * layers)})


def drip(pause_s: float) -> Reply:
    return Reply(pause_s=pause_s, body=b"{}")


def hang() -> Reply:
    return Reply(status=0)


def cut_off() -> Reply:
    return Reply(body=b'{"query": {"pages": []}}', cut_after=10)


def html() -> Reply:
    return Reply(body=b"<html><body>Please sign in</body></html>", headers={"Content-Type": "text/html"})


class WikiServer(LoopbackServer):
    """The wiki; a context manager that leaves no thread behind.

    Args:
        articles: by title.
        faults: replies to the first requests.
        rights: the licence that the wiki states.
        site: what it says of itself.

    Attributes:
        requests: every request, in order of arrival.
    """

    def __init__(
        self,
        articles: Mapping[str, Article] | None = None,
        faults: Sequence[Reply] = (),
        rights: Mapping[str, str] = RIGHTS,
        site: Mapping[str, str] | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self._articles = dict(articles or {})
        self._faults = list(faults)
        self._rights = rights
        self._site = {"sitename": "Testpedia", "lang": "en"} if site is None else site
        super().__init__(_Handler)

    @property
    def api(self) -> str:
        """The address of its action API."""
        return f"http://{self.host}/w/api.php"

    def reply(self, request: Request) -> Reply:
        """The next fault, or the article asked for."""
        self.requests.append(request)
        return (
            self._faults.pop(0)
            if self._faults
            else Reply(body=json.dumps(self._answer(request.query)).encode())
        )

    def _answer(self, query: Mapping[str, str]) -> dict[str, Any]:
        title = query["titles"].replace("_", " ")
        article = self._articles.get(title)
        if article is not None and article.redirect_to is not None and query.get("redirects"):
            title = article.redirect_to
            article = self._articles.get(title)
        page: dict[str, Any] = {"title": title, "ns": 0, "missing": True}
        if article is not None:
            read = article.revid if article.read_revid is None else article.read_revid
            page = {"pageid": 7, "ns": article.ns, "title": title, "lastrevid": article.revid}
            page |= {"extract": article.extract, "revisions": [{"revid": read, "parentid": 1}]}
            page |= {"pageprops": {"disambiguation": ""}} if article.is_list_of_meanings else {}
        found = {"pages": [page], "general": dict(self._site), "rightsinfo": dict(self._rights)}
        return {"batchcomplete": True, "query": found}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: Listener[WikiServer]

    def log_message(self, *_: object) -> None:
        """Keeps standard error for the tests."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.service.reply(Request(parts.path, query, headers, time.monotonic()))
        self.close_connection = True
        if not reply.status:
            self.server.service.wait(None)
            return
        sent = {
            "Content-Type": JSON,
            "Content-Length": str(len(reply.body)),
            "Connection": "close",
            **reply.headers,
        }
        lines = [f"HTTP/1.1 {reply.status} Status", *(f"{k}: {v}" for k, v in sent.items() if v is not None)]
        self._send("\r\n".join([*lines, "", ""]).encode() + reply.body[: reply.cut_after], reply.pause_s)

    def _send(self, content: bytes, pause_s: float) -> None:
        if not pause_s:
            self.wfile.write(content)
            return
        for byte in content:
            self.wfile.write(bytes([byte]))
            if not self.server.service.wait(pause_s):
                return

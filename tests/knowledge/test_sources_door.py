"""The door by which documents are fetched: what it sends, unpacks and trusts."""

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.fakes.wiki_server import Article, Reply, WikiServer, bomb, busy, error
from tools.knowledge.sources.door import Door
from tools.safety.errors import ProviderError

CONTACT = "curator@example.org"
MEDIA = ("application/json",)


def open_door(wiki: WikiServer) -> Door:
    return Door(CONTACT, frozenset({wiki.host}), min_interval_s=0, sleep=lambda seconds: None)


def test_a_packed_answer_within_the_limits_is_unpacked() -> None:
    with WikiServer(faults=[bomb(1_000)]) as wiki:
        assert open_door(wiki).get(wiki.api, MEDIA) == b" " * 1_000


@pytest.mark.parametrize("fault", [busy(429), busy(503, "1"), error("maxlag", "1")])
def test_a_server_that_stays_busy_is_asked_four_times(fault: Reply) -> None:
    with WikiServer({"Gout": Article("Gout.")}, [fault] * 9) as wiki:
        with pytest.raises(ProviderError, match="busy"):
            open_door(wiki).get(wiki.api, MEDIA, is_busy=lambda body: b"maxlag" in body)
        assert len(wiki.requests) == 4


def test_no_server_and_no_name_are_told() -> None:
    with pytest.raises(ProviderError, match=re.escape("127.0.0.1")):
        Door(CONTACT, frozenset({"127.0.0.1:9"}), timeout_s=5).get("http://127.0.0.1:9/", MEDIA)
    with pytest.raises(ProviderError, match=re.escape("en.wikipedia.org")):
        Door(CONTACT, resolve=lambda host, port: []).get("https://en.wikipedia.org/", MEDIA)


def test_settings_of_proxies_and_credentials_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password canary\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with WikiServer() as proxy, WikiServer(faults=[Reply()]) as wiki:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{proxy.host}")
        open_door(wiki).get(wiki.api, MEDIA)
        assert proxy.requests == []
        assert not {"authorization", "cookie", "referer"} & wiki.requests[0].headers.keys()


class Secure:
    """A server on loopback with a certificate for one name, and whom to trust for it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.trust = _certify(folder, name)
        self.hosts: list[str] = []
        secure = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Keeps standard error for the tests."""

            def do_GET(self) -> None:
                secure.hosts.append(self.headers["Host"])
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        class Quiet(HTTPServer):
            def handle_error(self, *_: object) -> None:
                """A client that does not trust the server ends the connection."""

        self.http = Quiet(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        self.http.socket = context.wrap_socket(
            self.http.socket, server_side=True, do_handshake_on_connect=False
        )
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))


def _certify(folder: Path, name: str) -> ssl.SSLContext:
    from datetime import UTC, datetime, timedelta

    x509 = pytest.importorskip("cryptography.x509", reason="the extra 'cluster' brings cryptography")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "server.pem").write_bytes(key.private_bytes(*formats) + pem)
    return ssl.create_default_context(cadata=pem.decode())


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Callable[[str], Secure]]:
    started: list[Secure] = []

    def start(name: str) -> Secure:
        server = Secure(tmp_path, name)
        server.thread.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.http.shutdown()
        server.thread.join()
        server.http.server_close()


def test_tls_checks_the_name_though_the_address_is_connected_to(secured: Callable[[str], Secure]) -> None:
    server = secured("localhost")
    place = f"localhost:{server.http.server_port}"
    door = Door(CONTACT, frozenset({place}), trust=server.trust, resolve=lambda host, port: ["127.0.0.1"])
    assert door.get(f"https://{place}/", MEDIA) == b"{}"
    assert server.hosts == [place]


@pytest.mark.parametrize(("certified", "is_trusted"), [("other.test", True), ("localhost", False)])
def test_a_server_that_cannot_prove_its_name_is_not_asked(
    secured: Callable[[str], Secure], certified: str, is_trusted: bool
) -> None:
    server = secured(certified)
    place = f"localhost:{server.http.server_port}"
    trust = server.trust if is_trusted else None
    door = Door(CONTACT, frozenset({place}), trust=trust, resolve=lambda host, port: ["127.0.0.1"])
    with pytest.raises(ProviderError, match="localhost"):
        door.get(f"https://{place}/", MEDIA)
    assert server.hosts == []

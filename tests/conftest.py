"""What every test stands on: a clean environment, no network but loopback, repeatable examples."""

import atexit
import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

SECRET_PREFIXES = ("OPENAI_", "AZURE_OPENAI_", "ANTHROPIC_", "HF_TOKEN", "LANGSMITH_", "LANGCHAIN_", "IIKEA_")
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
KEPT = {"IIKEA_REAL_DATA", "IIKEA_PEERS_PYTHON"}
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "LANGSMITH_TRACING": "false",
    "MPLBACKEND": "Agg",
}

_TESTS = count()

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("repeatable")


def _clean_environment() -> None:
    for name in list(os.environ):
        if name.upper() in PROXIES or (name.startswith(SECRET_PREFIXES) and name not in KEPT):
            del os.environ[name]
    os.environ.update(OFFLINE)
    state = tempfile.mkdtemp(prefix="iikea-tests-")
    os.environ["XDG_STATE_HOME"] = state
    atexit.register(shutil.rmtree, state, ignore_errors=True)


_clean_environment()


class NetworkRefused(RuntimeError):
    """A test reached for a host other than this machine."""


class LoopbackOnly:
    """Refuses connections and name look-ups that leave the machine, and remembers them.

    Attributes:
        attempts: hosts asked for; what refuses may be caught by the code under test, this is not.
    """

    def __init__(self) -> None:
        self.attempts: list[str] = []
        self._connect = socket.socket.connect
        self._connect_ex = socket.socket.connect_ex
        self._getaddrinfo = socket.getaddrinfo

    def install(self, patch: pytest.MonkeyPatch) -> None:
        guard = self

        def connect(sock: socket.socket, address: Any) -> None:
            guard.admit(sock.family, address)
            guard._connect(sock, address)

        def connect_ex(sock: socket.socket, address: Any) -> int:
            guard.admit(sock.family, address)
            return guard._connect_ex(sock, address)

        def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
            guard.admit(socket.AF_INET, (host,))
            return guard._getaddrinfo(host, *args, **kwargs)

        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(socket.socket, "connect_ex", connect_ex)
        patch.setattr(socket, "getaddrinfo", getaddrinfo)

    def admit(self, family: int, address: Any) -> None:
        """Passes loopback and local sockets.

        Raises:
            NetworkRefused: any other address.
        """
        if family not in {socket.AF_INET, socket.AF_INET6} or _is_loopback(address[0]):
            return
        host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
        self.attempts.append(host)
        raise NetworkRefused(f"tests may only reach this machine, not {host}")


def _is_loopback(host: str | bytes | None) -> bool:
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else host
    if name in {"", "localhost"}:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture(scope="session", autouse=True)
def network_guard() -> Iterator[LoopbackOnly]:
    """The guard, in place before any other fixture opens a connection."""
    guard = LoopbackOnly()
    with pytest.MonkeyPatch.context() as patch:
        guard.install(patch)
        yield guard


@pytest.fixture(autouse=True)
def loopback_only(network_guard: LoopbackOnly) -> Iterator[LoopbackOnly]:
    """Fails a test that reached outside, even where the code under test caught the refusal."""
    network_guard.attempts.clear()
    yield network_guard
    if network_guard.attempts:
        pytest.fail(f"reached for {', '.join(sorted(set(network_guard.attempts)))}")


@pytest.fixture(autouse=True)
def audit_log_of_the_test(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's audit log goes: never to the home of who runs it."""
    path = Path(os.environ["XDG_STATE_HOME"]) / str(next(_TESTS)) / "audit.jsonl"
    monkeypatch.setenv("IIKEA_AUDIT_LOG", str(path))
    return path


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real records that `IIKEA_REAL_DATA` names; tests that need it are skipped without it."""
    named = os.environ.get("IIKEA_REAL_DATA")
    if not named:
        pytest.skip("set IIKEA_REAL_DATA to the folder of real records to run this test")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail("IIKEA_REAL_DATA names no folder; correct or unset it")
    return folder

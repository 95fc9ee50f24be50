"""`langgraph dev` as a subprocess that must not reach beyond this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx

from app.house import ROOT
from tests.server.offline import environment

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 10.0


class DevServer(NamedTuple):
    """A running server.

    Attributes:
        url: where it answers.
        folder: its working directory, where it leaves its state.
        log: what it printed.
    """

    url: str
    folder: Path
    log: Path


@contextmanager
def running(folder: Path, more: Mapping[str, str] | None = None) -> Iterator[DevServer]:
    """Starts the server of the repository's `langgraph.json` and ends it, with what it started.

    Args:
        folder: an empty folder; the server's state files and log go there, not into the repository.
        more: variables of its environment.

    Raises:
        RuntimeError: it ended, or did not answer in time; with its log.
    """
    port = _free_port()
    server = DevServer(f"http://127.0.0.1:{port}", folder, folder / "server.log")
    with server.log.open("w") as log:
        process = subprocess.Popen(
            _command(port),
            cwd=folder,
            env=environment(folder) | {"LOG_COLOR": "false"} | dict(more or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(server, process)
        yield server
    finally:
        _end(process)


def _command(port: int) -> list[str]:
    config = str(ROOT / "langgraph.json")
    quiet = ["--no-browser", "--no-reload"]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    jobs = ["--n-jobs-per-worker", "10"]
    return [sys.executable, "-m", "langgraph_cli", "dev", "--config", config, *quiet, *address, *jobs]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: DevServer, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}:\n{server.log.read_text()}")
        if _answers(server.url):
            return
        time.sleep(0.1)
    raise RuntimeError(f"no answer within {READY_WITHIN_S:.0f} s:\n{server.log.read_text()}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ok", timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    _signal(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOPPED_WITHIN_S)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """To the process and its children: it leads a group of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)

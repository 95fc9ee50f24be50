"""A server that cannot start is said with its log, and nothing of it goes on running."""

import sys
import time
from pathlib import Path

import pytest

from tests.server import dev_server

ENDS = "print('the reason'); raise SystemExit(3)"
HANGS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def start(code, folder, monkeypatch):
    monkeypatch.setattr(dev_server, "_command", lambda port: [sys.executable, "-c", code])
    with dev_server.running(folder):
        pass


def is_running(pid):
    """Whether a process lives; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_server_that_ends_is_said_with_its_log(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="ended with 3:\nthe reason"):
        start(ENDS, tmp_path, monkeypatch)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="tells living processes by /proc")
def test_a_server_that_does_not_answer_is_ended_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(dev_server, "READY_WITHIN_S", 1.0)
    with pytest.raises(RuntimeError, match="no answer within 1 s") as error:
        start(HANGS, tmp_path, monkeypatch)
    child = int(str(error.value).split()[-1])
    ended_within = time.monotonic() + 5
    while is_running(child) and time.monotonic() < ended_within:
        time.sleep(0.05)
    assert not is_running(child)

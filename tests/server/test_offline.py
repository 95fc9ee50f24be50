"""The guard of subprocesses refuses what it should, and only that."""

import socket
import subprocess
import sys

import pytest

from tests.server.offline import environment, hosts_reached_for

REACH = "import socket; socket.create_connection(({host!r}, {port}), 2)"


def reach(host, port, folder):
    run = [sys.executable, "-c", REACH.format(host=host, port=port)]
    return subprocess.run(run, env=environment(folder), capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("host", ["example.invalid", "192.0.2.1", "2001:db8::1"])
def test_another_machine_is_refused_and_remembered(host, tmp_path):
    assert not reach(host, 80, tmp_path)
    assert hosts_reached_for(tmp_path) == {host}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached(host, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert reach(host, listening.getsockname()[1], tmp_path)
    assert hosts_reached_for(tmp_path) == set()

"""The tests cannot leave this machine, and do not see the developer's keys."""

import os
import socket

import pytest

from tests.conftest import NetworkRefused

OUTSIDE = ("192.0.2.1", 443)


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection(OUTSIDE, timeout=1),
        lambda: socket.socket().connect_ex(OUTSIDE),
        lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 443)),
        lambda: socket.getaddrinfo("example.org", 443),
        lambda: socket.getaddrinfo(b"example.org", 443),
    ],
)
def test_the_outside_is_refused_and_remembered(reach, loopback_only):
    with pytest.raises(NetworkRefused):
        reach()
    assert len(loopback_only.attempts) == 1
    loopback_only.attempts.clear()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_open(host):
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), timeout=5) as client:
            assert client.getpeername() == server.getsockname()
        assert socket.getaddrinfo(host, server.getsockname()[1])


def test_no_key_proxy_or_tracing_is_left_in_the_environment():
    named = {
        name for name in os.environ if name.startswith(("OPENAI_", "LANGSMITH_", "LANGCHAIN_", "IIKEA_"))
    }
    assert named <= {"LANGSMITH_TRACING", "IIKEA_REAL_DATA", "IIKEA_AUDIT_LOG"}
    assert os.environ["LANGSMITH_TRACING"] == "false"
    assert not {"HTTPS_PROXY", "https_proxy"} & set(os.environ)

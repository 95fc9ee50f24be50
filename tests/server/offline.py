"""Subprocesses that know no key and may reach no machine but this one."""

import os
from pathlib import Path

from app.house import ROOT

_LOG = "reached_outside"

# Python runs it at start. It sees what goes through Python's sockets (clients of providers, tracing,
# telemetry, downloads), not what a native event loop opens by itself.
_GUARD = f"""
import ipaddress, sys
from pathlib import Path

LOG = Path(__file__).with_name("{_LOG}")

def is_local(host):
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified

def refuse_outside(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not is_local(host):
        with LOG.open("a") as log:
            print(host, file=log)
        raise OSError("only this machine may be reached")

sys.addaudithook(refuse_outside)
"""


def environment(folder: Path) -> dict[str, str]:
    """Variables of a subprocess: no key, no proxy, no setting of the person who runs the tests.

    Args:
        folder: its home and place for temporary files; the guard is written into it.
    """
    (folder / "sitecustomize.py").write_text(_GUARD)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
        "LANGSMITH_TRACING": "false",
    }


def hosts_reached_for(folder: Path) -> set[str]:
    """Other machines that a subprocess with the `environment` of this folder reached for."""
    log = folder / _LOG
    return set(log.read_text().split()) if log.exists() else set()

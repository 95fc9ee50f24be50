"""A piece of work in a process of its own, so that peaks of memory and caches are its own too."""

import importlib
import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.engine.measure import ONE_THREAD


def started(work: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process that does the work, prints what it returned as JSON and waits for its input to be closed.

    Args:
        work: `module:function`; the function returns what JSON can hold.
        arguments: of the function, which JSON can hold.
    """
    command = [sys.executable, "-m", "benchmarks.engine.alone", work, json.dumps(arguments)]
    environment = {**os.environ, **ONE_THREAD}
    return subprocess.Popen(  # noqa: S603
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def answer(process: "subprocess.Popen[str]") -> Any:  # noqa: ANN401
    """What a started piece of work returned.

    Raises:
        RuntimeError: it failed; its standard error says why.
    """
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError(f"the work ended with exit code {process.wait()}")
    return json.loads(line)


def alone(work: str, *arguments: object) -> Any:  # noqa: ANN401
    """What a piece of work returns, done in a process that ends with it; see `started`."""
    with started(work, *arguments) as process:
        return answer(process)


def main() -> None:
    """Does the work that the command line names."""
    module, _, function = sys.argv[1].partition(":")
    found = getattr(importlib.import_module(module), function)(*json.loads(sys.argv[2]))
    print(json.dumps(found), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()

"""Parsing in another process, with limits: a parser that crashes, hangs or eats memory harms nothing here."""

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tools.knowledge.formats.blocks import Block, Reading
from tools.knowledge.passage import FrontMatter, Media
from tools.safety.errors import InputError

TIME_LIMIT_S = 900.0
SILENCE_LIMIT_S = 60.0
MAX_LINE_BYTES = 30_000_000
OUT_OF_MEMORY = 70

_CHILD = "tools.knowledge.formats.child"

_ROOT = Path(__file__).resolve().parents[3]
_READ = 1 << 16
_KEPT = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
_ADVICE = "open it in another program, save it anew, and add that; or split it"


@contextmanager
def parsed(
    file: BinaryIO, media: Media, name: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Reading]:
    """What a reader finds in a document, read in another process while the blocks are taken.

    Args:
        file: of the document, a regular one.
        media: its kind.
        name: how messages call it.
        progress: told of each page that was read, and of the number of pages.

    Raises:
        InputError: the document breaks a rule, or its parser failed, hung or needed too much memory.
    """
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", _CHILD, media, name],
        cwd=_ROOT,
        env=_environment(),
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        lines = _objects(process, name)
        if "ready" not in next(lines, {}):
            rule = (
                "the process that reads documents does not start; see that the application is installed whole"
            )
            raise InputError(name, rule)
        first = next(lines)
        front = FrontMatter.model_validate(first["front"])
        n_pages = int(first["n_pages"])
        yield Reading(_blocks(lines, n_pages, progress), str(first["title"]), front, n_pages)
    finally:
        process.kill()
        process.communicate()


def _environment() -> dict[str, str]:
    """What the interpreter needs to start, and nothing else: no key is in reach of a parser."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {"PATH": "", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **kept}


def _blocks(
    lines: Iterator[dict[str, Any]], n_pages: int, progress: Callable[[int, int], None]
) -> Iterator[Block]:
    for line in lines:
        page = line["page"]
        for text, level in line["blocks"]:
            yield Block(text, level, page)
        if page is not None:
            progress(page, n_pages)


def _objects(process: "subprocess.Popen[bytes]", name: str) -> Iterator[dict[str, Any]]:
    """The lines of the other process up to its end.

    Raises:
        InputError: what it refused, or it ended or stopped before its end.
    """
    started = False
    for line in _lines(process, name):
        found: dict[str, Any] = json.loads(line)
        if "rule" in found:
            raise InputError(found["field"], found["rule"], found["row"])
        if "end" in found:
            return
        started = True
        yield found
    if not started:
        return
    code = process.wait()
    if code == OUT_OF_MEMORY:
        raise InputError(name, f"reading it needs too much memory; {_ADVICE}")
    raise InputError(name, f"damaged, or not what its name says: it cannot be read; {_ADVICE}")


def _lines(process: "subprocess.Popen[bytes]", name: str) -> Iterator[bytes]:
    output = process.stdout
    if output is None:
        return
    end = time.monotonic() + TIME_LIMIT_S
    rest = bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(output, selectors.EVENT_READ)
        while True:
            if not waiting.select(max(0.0, min(SILENCE_LIMIT_S, end - time.monotonic()))):
                raise InputError(name, f"reading it takes too long; {_ADVICE}")
            data = os.read(output.fileno(), _READ)
            if not data:
                return
            rest += data
            if b"\n" in data:
                *whole, last = rest.split(b"\n")
                rest = last
                yield from map(bytes, whole)
            if len(rest) > MAX_LINE_BYTES:
                raise InputError(name, f"too much text on a page; {_ADVICE}")

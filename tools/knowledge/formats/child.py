"""The process in which a document is parsed: what a parser does to it, it does to no other.

Reads the document from standard input and writes JSON lines: that it is ready, what the document is, its
blocks, and an end.
"""

import json
import os
import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from typing import TextIO, cast

from tools.knowledge.formats.blocks import Block
from tools.knowledge.formats.parsing import OUT_OF_MEMORY
from tools.knowledge.formats.readers import read
from tools.knowledge.passage import Media
from tools.safety.errors import InputError

MEMORY_BYTES = 1_500_000_000
CPU_S = 900
BLOCKS_A_LINE = 500
CHARACTERS_A_LINE = 1_000_000


def _limit() -> None:
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    for kind, limit in limits.items():
        # Some systems know no limit of memory; the parent's limit of time holds there too.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def _own_output() -> TextIO:
    """Standard output for us alone: what a parser prints goes to standard error."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "w", encoding="utf-8")


def _batches(blocks: Iterable[Block], name: str) -> Iterator[dict[str, object]]:
    for page, of_page in groupby(blocks, key=lambda block: block.page):
        batch: list[tuple[str, int]] = []
        size = 0
        for text, level, _ in of_page:
            if len(text) > CHARACTERS_A_LINE:
                raise InputError(name, f"a paragraph of more than {CHARACTERS_A_LINE:,} characters; part it")
            if text and not text.isspace():
                batch.append((text, level))
                size += len(text)
            if len(batch) >= BLOCKS_A_LINE or size > CHARACTERS_A_LINE:
                yield {"page": page, "blocks": batch}
                batch, size = [], 0
        yield {"page": page, "blocks": batch}


def _lines(media: Media, name: str) -> Iterator[dict[str, object]]:
    yield {"ready": True}
    sys.stdin.buffer.seek(0)
    try:
        reading = read(media, sys.stdin.buffer, name)
        yield {
            "title": reading.title,
            "n_pages": reading.n_pages,
            "front": reading.front.model_dump(mode="json"),
        }
        yield from _batches(reading.blocks, name)
    except InputError as error:
        yield {"field": error.field, "rule": error.rule, "row": error.row}
    yield {"end": True}


def _main(media: str, name: str) -> None:
    _limit()
    output = _own_output()
    try:
        for line in _lines(cast(Media, media), name):
            output.write(json.dumps(line) + "\n")
            output.flush()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    _main(*sys.argv[1:])

"""Logs must not carry patients away: what client libraries write while they ask is withheld."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

_WITHHELD = "withheld: written while a service was asked, it may hold what was sent"
_OF_THE_SERVER = ("langgraph_runtime_inmem.ops", "langgraph_api.stream")
_asking: set[object] = set()


@contextmanager
def withheld_details() -> Iterator[None]:
    """Has every line below INFO that is logged inside the block lose its words and the values of its fields.

    Clients of some providers write whole prompts at DEBUG, some from threads of their own; whom a thread
    works for cannot be told, so that it holds for all of the process, until no block is left. Lines keep
    their logger, level and time, whichever library writes them, and whatever levels are set before or after.
    """
    _withhold()
    block = object()
    _asking.add(block)
    try:
        yield
    finally:
        _asking.discard(block)


def silence_server() -> None:
    """Drops the lines below INFO by which the LangGraph server writes the results that it streams."""
    for name in _OF_THE_SERVER:
        logging.getLogger(name).addFilter(_is_no_detail)


@cache
def _withhold() -> None:
    """Once for the process; a record factory would not see the fields, and another may take its place."""
    made = logging.Logger.makeRecord

    def without_details(
        self: logging.Logger,
        name: str,
        level: int,
        fn: str,
        lno: int,
        msg: object,
        args: Any,  # noqa: ANN401
        exc_info: Any,  # noqa: ANN401
        func: str | None = None,
        extra: Mapping[str, object] | None = None,
        sinfo: str | None = None,
    ) -> logging.LogRecord:
        if _asking and level < logging.INFO:
            msg, args, exc_info, sinfo = _WITHHELD, (), None, None
            extra = dict.fromkeys(extra or (), _WITHHELD)
        return made(self, name, level, fn, lno, msg, args, exc_info, func, extra, sinfo)

    logging.Logger.makeRecord = without_details  # type: ignore[method-assign]


def _is_no_detail(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.INFO

"""Logs must not carry patients away: what client libraries write while they ask is withheld."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

_WITHHELD = "withheld: written while a service was asked, it may hold what was sent"
_OF_THE_SERVER = ("langgraph_runtime_inmem.ops", "langgraph_api.stream")
_asks: ContextVar[bool] = ContextVar("asks", default=False)


@contextmanager
def withheld_details() -> Iterator[None]:
    """Has every line below INFO that this thread logs inside the block lose its words.

    Clients of some providers write whole prompts at DEBUG. Lines keep their logger, level and time; it
    holds whichever library writes them, and whatever levels are set before or after.
    """
    _withhold()
    token = _asks.set(True)
    try:
        yield
    finally:
        _asks.reset(token)


def silence_server() -> None:
    """Drops the lines below INFO by which the LangGraph server writes the results that it streams."""
    for name in _OF_THE_SERVER:
        logging.getLogger(name).addFilter(_is_no_detail)


@cache
def _withhold() -> None:
    made = logging.getLogRecordFactory()

    def without_details(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401
        record = made(*args, **kwargs)
        # A record that is only copied (by formatters, in `makeLogRecord`) is made without a level.
        if _asks.get() and record.levelno is not None and not _is_no_detail(record):
            record.msg, record.args = _WITHHELD, ()
            record.exc_info = record.stack_info = None
        return record

    logging.setLogRecordFactory(without_details)


def _is_no_detail(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.INFO

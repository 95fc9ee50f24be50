"""Logs must not carry patients away."""

import logging

_OF_THE_SERVER = ("langgraph_runtime_inmem.ops", "langgraph_api.stream")


def silence_server() -> None:
    """Drops the lines below INFO by which the LangGraph server writes the results that it streams."""
    for name in _OF_THE_SERVER:
        logging.getLogger(name).addFilter(_is_no_detail)


def _is_no_detail(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.INFO

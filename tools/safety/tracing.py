"""Traces must not carry patients away: nothing but the structure of a run leaves, or no run starts."""

import os

from tools.safety.errors import InputError

_CHOICE = "IIKEA_TRACING"
_ANONYMIZED = "anonymized"
_SWITCHES = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")


def prepare_tracing() -> None:
    """Makes ours the client of this process, where the environment asks for traces without patients.

    It counts from the next run on: a run that has begun keeps the client that it found.
    """
    if not (_is_chosen() and any(map(_is_on, _SWITCHES))):
        return
    from langsmith import run_trees

    from tools.safety.trace_client import StructureClient

    with run_trees._LOCK:
        if run_trees._CLIENT is None:
            run_trees._CLIENT = StructureClient()


def admit_tracing() -> None:
    """Lets a run start whose trace carries no patient away; where tracing is on, it goes through our client.

    Raises:
        InputError: tracing is on and not anonymized, or another client would send the trace.
    """
    from langsmith.run_helpers import get_tracing_context

    context = get_tracing_context()
    on = [name for name in _SWITCHES if _is_on(name)] + ["tracing_context"] * bool(context["enabled"])
    if not on:
        return
    if not _is_chosen():
        remedy = f"unset it, or set {_CHOICE}={_ANONYMIZED}, with which only the structure of a run leaves"
        raise InputError(on[0], f"traces would send patient data away; {remedy}")
    prepare_tracing()
    if not _are_ours(context["client"], getattr(context["parent"], "client", None)):
        remedy = f"leave that out, and set {_CHOICE} before the program starts"
        raise InputError(on[0], f"another client would send the traces; {remedy}")


def _are_ours(*given: object) -> bool:
    """Whether the process's client and those of the context keep patients out."""
    from langsmith import run_trees

    from tools.safety.trace_client import StructureClient

    others = [client for client in given if client is not None]
    return all(isinstance(client, StructureClient) for client in (run_trees.get_cached_client(), *others))


def _is_chosen() -> bool:
    return os.environ.get(_CHOICE) == _ANONYMIZED


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}

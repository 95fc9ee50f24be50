"""Traces must not carry patients away unseen."""

import os

from tools.safety.errors import InputError

_SWITCHES = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
# LangSmith hides only at the exact word "true"; any other spelling would send the data.
_HIDDEN = ("LANGSMITH_HIDE_INPUTS", "LANGSMITH_HIDE_OUTPUTS")


def refuse_open_tracing() -> None:
    """Refuses to run where a trace would send patient data to LangSmith.

    Raises:
        InputError: tracing is on and inputs or outputs are not hidden.
    """
    from langsmith.run_helpers import get_tracing_context

    on = [name for name in _SWITCHES if _is_on(name)]
    if get_tracing_context()["enabled"]:
        on.append("tracing_context")
    if on and any(os.environ.get(name) != "true" for name in _HIDDEN):
        rule = f"traces would send patient data away; unset it, or also set {' and '.join(_HIDDEN)} to true"
        raise InputError(on[0], rule)


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}

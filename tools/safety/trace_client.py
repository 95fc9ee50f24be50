"""The client of LangSmith that lets nothing but the structure of a run out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langsmith import Client

_ERROR = re.compile(r"([A-Za-z_][\w.]{0,80})\(")
_TAG = re.compile(r"(?:seq:step|graph:step|branch):[\w:]{0,40}|nostream|langsmith:(?:hidden|nostream)")
_METADATA = frozenset(
    {
        *("langgraph_node", "langgraph_step", "langgraph_triggers", "langgraph_path"),
        *("ls_provider", "ls_model_name", "ls_model_type", "ls_temperature", "ls_integration"),
        "usage_metadata",
    }
)
_OF_A_RUN = frozenset(
    {
        *("id", "trace_id", "parent_run_id", "dotted_order", "session_name", "session_id", "address"),
        *("start_time", "end_time", "_replica_auths", "api_key", "api_url"),
    }
)
_ROOT = "run"


class StructureClient(Client):
    """A LangSmith client that sends names of nodes, times, token counts and classes of errors.

    Inputs and outputs (histories, comments, prompts, what a model wrote), messages of errors, tags and
    metadata that a caller set, and the name that a caller gave to a run are dropped.
    """

    def __init__(self) -> None:
        # One mode alone: another exporter would not go through this class.
        super().__init__(
            hide_inputs=True,
            hide_outputs=True,
            anonymizer=_anonymized,
            omit_traced_runtime_info=True,
            tracing_mode="langsmith",
        )

    def create_run(self, name: str, inputs: dict[str, Any], run_type: Any, **more: Any) -> None:  # noqa: ANN401
        """Sends the structure of a run that starts."""
        super().create_run(_name(name, more), {}, run_type, **_structure(more))

    def update_run(self, run_id: Any, name: str | None = None, **more: Any) -> None:  # noqa: ANN401
        """Sends the structure of a run that ended."""
        told = {"run_type": more["run_type"]} if "run_type" in more else {}
        super().update_run(run_id, name=_name(name, more), **told, **_structure(more))


def structure_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Of a run's metadata what says where it stands, by which model, and for how many tokens."""
    kept = {name: value for name, value in metadata.items() if name in _METADATA}
    usage = kept.pop("usage_metadata", None)
    return kept | ({"usage_metadata": _numbers(usage)} if isinstance(usage, Mapping) else {})


def error_name(error: str) -> str:
    """The class of an error, without its message and trace."""
    found = _ERROR.match(error)
    return found[1] if found else "error"


def _anonymized(document: dict[str, Any]) -> dict[str, Any]:
    """What the client of LangSmith applies to metadata and, as its only key, to an error."""
    if set(document) == {"error"}:
        return {"error": error_name(str(document["error"]))}
    return structure_of(document)


def _structure(run: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in run.items() if name in _OF_A_RUN}
    metadata = (run.get("extra") or {}).get("metadata") or {}
    tags: Sequence[str] = run.get("tags") or ()
    events = [{name: event[name] for name in ("name", "time")} for event in run.get("events") or ()]
    error = {"error": run["error"]} if run.get("error") else {}
    told = {"tags": [tag for tag in tags if _TAG.fullmatch(tag)], "events": events}
    return kept | error | told | {"extra": {"metadata": structure_of(metadata)}}


def _name(name: str | None, run: Mapping[str, Any]) -> str:
    """The name of a node; that of a whole run is its caller's to give, and not told."""
    return name if name and run.get("parent_run_id") else _ROOT


def _numbers(usage: Mapping[str, Any]) -> dict[str, Any]:
    nested = {name: _numbers(value) for name, value in usage.items() if isinstance(value, Mapping)}
    return {name: value for name, value in usage.items() if isinstance(value, int | float)} | nested

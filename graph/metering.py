"""Budgets around the nodes of a run: its time is counted, and a resume may bring larger ones."""

from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from langgraph.runtime import Runtime

from agents.budget import BUDGETS
from graph.context import DiagnosisContext
from graph.state import DiagnosisState


class Metered(Protocol):
    """A node that is told what the run, or its resume, was configured with."""

    def __call__(self, state: DiagnosisState, *, runtime: Runtime[DiagnosisContext]) -> dict[str, Any]:
        """An update of the state."""


def metered(node: Callable[[Any], dict[str, Any]]) -> Metered:
    """A node whose time counts, under the budgets of the run, or those that it is resumed with.

    Of the context of a resume nothing but budgets and prices is taken, and only what it says itself: every
    other setting, and every gate, stays what it was when the run began.
    """

    def run(state: DiagnosisState, *, runtime: Runtime[DiagnosisContext]) -> dict[str, Any]:
        began = monotonic()
        changed = _changed(state["settings"], runtime.context)
        settings = state["settings"] | changed
        update = node(state | {"settings": settings})
        ran_s = state.get("ran_s", 0.0) + monotonic() - began
        kept = {"settings": changed, "limits": {"max_calls": settings["max_calls"]}} if changed else {}
        return update | {"ran_s": ran_s} | kept

    return run


def _changed(settings: dict[str, Any], context: DiagnosisContext | None) -> dict[str, Any]:
    said = BUDGETS & context.model_fields_set if context else frozenset()
    return {name: value for name in sorted(said) if (value := getattr(context, name)) != settings.get(name)}

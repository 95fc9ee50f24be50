"""The `diagnosis` graph: from a patient's history to ranked next diagnoses and the causal graph behind.

prepare -> select -> query -> retrieve -> read (one a passage) -> gather
        -> propose -> fit <-> amend -> settle -> decide -> review -> conclude
"""

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send

from agents import budget, conclusion, decision, discovery, intake, knowledge
from agents.model import most_requests
from agents.settings import Settings
from graph.context import DiagnosisContext
from graph.cycle import CycleLimits, add_cycle, chosen_trial, stop_reason
from graph.declining import or_declined
from graph.guard import TracingGuard
from graph.metering import metered
from graph.review import review
from graph.state import DiagnosisInput, DiagnosisOutput, DiagnosisState, forgotten


def prepare(state: DiagnosisInput, runtime: Runtime[DiagnosisContext]) -> dict[str, Any]:
    """Starts a run: forgets the thread's last patient, keeps every gate and limit, admits the history.

    Gates and limits go into the state, where a run that is resumed without its context still finds them.
    """
    context = runtime.context or DiagnosisContext()
    settings = context.model_dump(mode="json", include=set(Settings.model_fields))
    falls_back = bool(context.fallback_model)
    limits = CycleLimits(
        max_iterations=context.max_iterations,
        change_threshold=context.change_threshold,
        max_calls=context.max_calls,
        reserve=most_requests(context.max_tool_calls, falls_back) + most_requests(falls_back=falls_back),
    )
    admitted = intake.admit(dict(state), settings)
    gates = {"settings": settings, "limits": limits, "review": context.review, "select": context.select}
    return forgotten() | gates | admitted | {"notices": Overwrite(admitted["notices"])}


def fit(state: DiagnosisState) -> dict[str, Any]:
    """Fits the current hypothesis, and tells whether the budgets last for another."""
    fitted = discovery.fit(state)  # type: ignore[arg-type]
    settings = Settings.model_validate(state["settings"])
    return fitted | {"is_spent": budget.is_nearly_spent(settings, budget.Used.of(state))}


def settle(state: DiagnosisState) -> dict[str, Any]:
    """Takes the graph that the cycle returns."""
    chosen = chosen_trial(state["trials"], "last" if state["select"] == "last" else "best")
    return {"graph": chosen["fit"]}


def conclude(state: DiagnosisState) -> dict[str, Any]:
    """Puts the result together."""
    trials = state.get("trials")
    calls = state.get("calls", 0)
    stopped = stop_reason(trials, state["limits"], calls, bool(state.get("is_spent"))) if trials else None
    return conclusion.conclude(state, stopped)  # type: ignore[arg-type]


def _after_prepare(state: DiagnosisState) -> Literal["select", "conclude"]:
    return "conclude" if state.get("refusal") else "select"


def _after_select(state: DiagnosisState) -> Literal["query", "propose", "decide"]:
    return _mind_after_reading(state) if state["settings"]["without_knowledge"] else "query"


def _after_query(state: DiagnosisState) -> Literal["retrieve", "conclude"]:
    return "conclude" if state.get("refusal") else "retrieve"


def _after_gather(state: DiagnosisState) -> Literal["propose", "decide", "conclude"]:
    return "conclude" if state.get("refusal") else _mind_after_reading(state)


def _mind_after_reading(state: DiagnosisState) -> Literal["propose", "decide"]:
    return "decide" if state["settings"]["without_causal"] else "propose"


def _fan_out(state: DiagnosisState) -> list[Send] | Literal["gather"]:
    shared = {key: state[key] for key in ("diseases", "settings", "spent", "ran_s", "answered")}
    used = state.get("calls", 0)
    return [
        Send("read", {"passage": passage, "order": order, "calls": used + order, **shared})
        for order, passage in enumerate(state["passages"])
    ] or "gather"


def build() -> StateGraph[DiagnosisState, DiagnosisContext, DiagnosisInput, DiagnosisOutput]:
    """The graph before compilation, for callers that bring a checkpointer."""
    builder = StateGraph(
        DiagnosisState,
        context_schema=DiagnosisContext,
        input_schema=DiagnosisInput,
        output_schema=DiagnosisOutput,
    )
    builder.add_node("prepare", prepare)
    builder.add_node("select", metered(intake.select))
    builder.add_node("query", metered(or_declined(knowledge.write_query)))
    builder.add_node("retrieve", metered(knowledge.retrieve))
    builder.add_node("read", metered(or_declined(knowledge.read)))
    builder.add_node("gather", knowledge.gather)
    add_cycle(
        builder,
        propose=metered(or_declined(discovery.propose)),
        fit=metered(fit),
        amend=metered(or_declined(discovery.amend)),
        done="settle",
        refused="conclude",
    )
    builder.add_node("settle", settle)
    builder.add_node("decide", metered(or_declined(decision.decide)))
    builder.add_node("review", review)
    builder.add_node("conclude", metered(conclude))
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", _after_prepare)
    builder.add_conditional_edges("select", _after_select)
    builder.add_conditional_edges("query", _after_query)
    builder.add_conditional_edges("retrieve", _fan_out, ["read", "gather"])
    builder.add_edge("read", "gather")
    builder.add_conditional_edges("gather", _after_gather)
    builder.add_edge("settle", "decide")
    builder.add_edge("decide", "review")
    builder.add_edge("conclude", END)
    return builder


Diagnosis = CompiledStateGraph[DiagnosisState, DiagnosisContext, DiagnosisInput, DiagnosisOutput]

graph: Diagnosis = build().compile(name="diagnosis").with_config(callbacks=[TracingGuard()])

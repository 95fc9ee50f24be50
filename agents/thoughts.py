"""What the statistical reasoner thinks: for each task, from the case alone, a tool to call or an answer."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import networkx as nx
from pydantic import Field, TypeAdapter

from agents.answers import Answer, Hypothesis, ProposedEdge, Query
from agents.breeding import propose_operators
from agents.cases import (
    AmendmentCase,
    CaseEdit,
    DecisionCase,
    Limits,
    ModelCase,
    PassageCase,
    ProposalCase,
    QueryCase,
)
from agents.imputation_cases import ImputationCase
from agents.ranking import decide
from agents.reading import read_passage
from agents.weak_priors import propose_model
from tools.causal.dag import CausalGraph
from tools.safety.errors import InputError

_QUERY_HISTORY = 5
_QUERY_CANDIDATES = 7
_TABU = 10
_STEPS = 200
_AnyCase = Annotated[
    QueryCase | PassageCase | ProposalCase | AmendmentCase | DecisionCase | ModelCase | ImputationCase,
    Field(discriminator="task"),
]
_CASES: TypeAdapter[_AnyCase] = TypeAdapter(_AnyCase)


class ToolRequest(NamedTuple):
    """A tool the reasoner wants run before it answers."""

    tool: str
    arguments: dict[str, Any]


def think(case: str, offered: frozenset[str], results: list[dict[str, Any]]) -> Answer | ToolRequest:  # noqa: PLR0911
    """The reasoner's next step on a case.

    Args:
        case: the case document, JSON.
        offered: names of the tools it may call.
        results: what the tools it called so far returned.

    Raises:
        pydantic.ValidationError: `case` is no case document.
    """
    match _read(case):
        case QueryCase() as query:
            return write_query(query)
        case PassageCase() as passage:
            return read_passage(passage)
        case ProposalCase() as proposal:
            return propose_graph(proposal, offered, results)
        case AmendmentCase() as amendment:
            return amend_graph(amendment, offered, results)
        case DecisionCase() as decision:
            return decide(decision)
        case ModelCase() as model:
            return propose_model(model)
        case ImputationCase() as imputation:
            return propose_operators(imputation)


@lru_cache(maxsize=8)
def _read(case: str) -> _AnyCase:
    """The case of a document, which is put again after each tool call."""
    return _CASES.validate_json(case)


def write_query(case: QueryCase) -> Query:
    """The names of the leading diseases, in the library's own words where it has them."""
    leading = case.history[:_QUERY_HISTORY] + case.candidates[:_QUERY_CANDIDATES]
    names = dict.fromkeys(disease.short for disease in leading)
    return Query(query=f"causes and complications of {', '.join(names)}"[:600])


def propose_graph(
    case: ProposalCase, offered: frozenset[str], results: list[dict[str, Any]]
) -> Hypothesis | ToolRequest:
    """Climbs with `search_graph` from a draft; without tools, proposes the draft.

    The draft: for each disease its strongest association, and every finding of a raised chance that the
    records bear out. Edges enter in the order of their gain, unless they would close a circle.
    """
    return _searched(_drafted(case), {}, offered, results)


def _drafted(case: ProposalCase) -> list[tuple[str, str]]:
    gains = {(pair.cause, pair.effect): pair.gain for pair in case.associations if pair.gain > 0}
    strongest: dict[str, tuple[str, str]] = {}
    for edge in sorted(gains, key=lambda edge: (-gains[edge], edge)):
        strongest.setdefault(edge[1], edge)
    raised = {(f.cause, f.effect) for f in case.findings if f.direction == "raises"} & set(gains)
    wanted = sorted({*strongest.values(), *raised}, key=lambda edge: (-gains[edge], edge))  # type: ignore[index]
    return _acyclic(wanted, case.limits.max_edges, case.limits.max_parents)  # type: ignore[arg-type]


def _acyclic(edges: Iterable[tuple[str, str]], max_edges: int, max_parents: int) -> list[tuple[str, str]]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    for cause, effect in edges:
        graph.add_nodes_from((cause, effect))
        room = graph.number_of_edges() < max_edges and graph.in_degree(effect) < max_parents
        # Most pairs have an end that nothing leads to or from, so that there is no path to look for.
        may_close = graph.out_degree(effect) and graph.in_degree(cause)
        if room and not (may_close and nx.has_path(graph, effect, cause)):
            graph.add_edge(cause, effect)
    return sorted(graph.edges)


def amend_graph(
    case: AmendmentCase, offered: frozenset[str], results: list[dict[str, Any]]
) -> Hypothesis | ToolRequest:
    """Climbs on from the best graph, past a summit; without tools, makes the best edit of each disease.

    One climb: limited in its steps, `search_graph` does not climb a second time from the summit of BIC, which
    the proposal was already compared with.
    """
    start = case.memory.best.edges if "search_graph" in offered and not results else _edited(case)
    return _searched(start, {"tabu": _TABU, "max_steps": _STEPS}, offered, results)


def _searched(
    start: Sequence[tuple[str, str]],
    how: dict[str, int],
    offered: frozenset[str],
    results: list[dict[str, Any]],
) -> Hypothesis | ToolRequest:
    """What `search_graph` reaches from a start; the start where it is not offered or refused."""
    if results and "edges" in results[-1]:
        return _hypothesis([(edge[0], edge[1]) for edge in results[-1]["edges"]])
    if "search_graph" in offered and not results:
        return ToolRequest("search_graph", {"start_edges": [list(edge) for edge in start], **how})
    return _hypothesis(start)


def _edited(case: AmendmentCase) -> list[tuple[str, str]]:
    """The current graph after its best edits; no two touch the causes of one disease, so gains add up."""
    graph = CausalGraph((disease.code for disease in case.diseases), case.memory.current.edges)
    touched: set[str] = set()
    for edit in sorted(case.edits, key=lambda edit: -edit.gain):
        concerned = {edit.effect} if edit.kind != "reverse" else {edit.cause, edit.effect}
        if edit.gain <= 0 or touched & concerned:
            continue
        edited = _apply(edit, graph)
        if edited is not None and _fits(edited, case.limits):
            graph = edited
            touched |= concerned
    return list(graph.edges)


def _apply(edit: CaseEdit, graph: CausalGraph) -> CausalGraph | None:
    """The edited graph, or None where another edit has made this one close a circle."""
    edge = (edit.cause, edit.effect)
    added = {"add": [edge], "remove": [], "reverse": [edge[::-1]]}[edit.kind]
    try:
        return graph.edit(add=added, remove=[edge])
    except InputError:
        return None


def _fits(graph: CausalGraph, limits: Limits) -> bool:
    most = max(len(graph.parents(node)) for node in graph.nodes)
    return len(graph.edges) <= limits.max_edges and most <= limits.max_parents


def _hypothesis(edges: Iterable[tuple[str, str]]) -> Hypothesis:
    proposed = [ProposedEdge(cause=cause, effect=effect) for cause, effect in edges]
    reason = "" if proposed else "no pair of these diseases is associated strongly enough in the records"
    return Hypothesis(edges=proposed, no_edges_because=reason)

"""The engines as LangChain tools: what agents, chat front ends and traces see.

A mind sees and sets only the arguments that are not injected; codes go in and out as vocabulary keys.
Every result is JSON.
"""

from typing import Annotated, Any, Literal

from langchain_core.tools import InjectedToolArg, tool
from pydantic import Field

from tools import resources
from tools.causal import candidates, fitting, forecast, search
from tools.causal.dag import CausalGraph

Pair = Annotated[list[str], Field(min_length=2, max_length=2)]
Edges = Annotated[list[Pair], Field(max_length=2_000, description="[cause, effect] pairs of codes")]
Nodes = Annotated[list[str], InjectedToolArg]
History = Annotated[list[str], InjectedToolArg]
Store = Annotated[str, InjectedToolArg]
_PARTS = {"base": "base rate", "cause": "cause", "recurrence": "recurrence"}
Method = Literal["noisy_or_bic", "bic", "loglik"]
Mode = Literal["noisy_or", "any", "all", "top_k"]


@tool
def select_candidates(
    history: Annotated[list[str], Field(description="codes the patient has had", min_length=1)],
    mode: Annotated[Mode, Field(description="which diseases count as candidates")] = "noisy_or",
    epsilon: Annotated[float, Field(ge=0, lt=1, description="least transition probability")] = 0.01,
    limit: Annotated[int, Field(ge=1, le=100)] = 40,
    store: Store = "",
) -> dict[str, Any]:
    """Diseases that often follow the given ones in the records, best first, with their base rates."""
    found = candidates.select_candidates(resources.open_dataset(store), history, mode, epsilon, limit)
    return {
        "candidates": [
            {"code": c.key, "score": c.score, "base_rate": c.base_rate, "lift": c.lift} for c in found
        ],
    }


@tool
def score_graph(
    edges: Edges,
    nodes: Nodes,
    method: Method = "noisy_or_bic",
    store: Store = "",
) -> dict[str, Any]:
    """Fits a causal graph to the diagnosis matrix: its score, log-likelihood, and each edge's strength."""
    fitted = fitting.fit(_graph(nodes, edges), resources.open_matrix(store, tuple(nodes)), method)
    return fitted._asdict() | {
        "edges": [
            {
                "cause": edge.cause,
                "effect": edge.effect,
                "strength": edge.strength,
                "interval": [edge.lower, edge.upper],
                "gain": edge.gain,
                "direction": edge.direction._asdict(),
            }
            for edge in fitted.edges
        ]
    }


@tool
def orient_graph(
    edges: Edges,
    nodes: Nodes,
    history: Annotated[list[str], InjectedToolArg],
    max_parents: Annotated[int, InjectedToolArg] = 6,
    store: Store = "",
) -> dict[str, Any]:
    """Turns round the edges that time speaks against; drops those that cannot be turned."""
    rules = search.Constraints(tiers=_tiers(nodes, history), max_parents=max_parents)
    found = search.orient(_graph(nodes, edges), resources.open_matrix(store, tuple(nodes)), rules)
    listed = {"edges": found.graph.edges, "turned": found.turned, "dropped": found.dropped}
    return {name: [list(edge) for edge in some] for name, some in listed.items()}


@tool
def score_edits(
    edges: Edges,
    nodes: Nodes,
    history: History,
    limit: Annotated[int, Field(ge=1, le=500)] = 40,
    method: Method = "noisy_or_bic",
    max_parents: Annotated[int, InjectedToolArg] = 6,
    store: Store = "",
) -> dict[str, Any]:
    """What each legal single-edge edit of a graph (add, remove, reverse) would gain, best first, nats."""
    matrix = resources.open_matrix(store, tuple(nodes))
    rules = search.Constraints(tiers=_tiers(nodes, history), max_parents=max_parents)
    edits = search.edit_gains(_graph(nodes, edges), matrix, rules, method)[:limit]
    return {
        "edits": [
            {
                "kind": e.operation,
                "cause": e.cause,
                "effect": e.effect,
                "gain": e.gain,
                "gain_per_patient": e.gain / matrix.n_patients,
            }
            for e in edits
        ]
    }


@tool
def search_graph(
    start_edges: Edges,
    nodes: Nodes,
    history: History,
    max_steps: Annotated[int, Field(ge=1, le=1_000, description="most single-edge edits")] = 1_000,
    method: Method = "noisy_or_bic",
    max_parents: Annotated[int, InjectedToolArg] = 6,
    store: Store = "",
) -> dict[str, Any]:
    """Climbs from a graph, edit by edit, to one that no single legal edit improves."""
    rules = search.Constraints(tiers=_tiers(nodes, history), max_parents=max_parents)
    matrix = resources.open_matrix(store, tuple(nodes))
    found = search.hill_climb(matrix, _graph(nodes, start_edges), rules, method, max_steps)
    return {"edges": [list(edge) for edge in found.edges]}


@tool
def next_visit_risks(
    edges: Edges,
    nodes: Nodes,
    history: History,
    n_visits: Annotated[int | None, InjectedToolArg] = None,
    store: Store = "",
) -> dict[str, Any]:
    """The records' probability that the next visit carries each disease, in named parts, under a graph."""
    dataset, matrix = resources.open_dataset(store), resources.open_matrix(store, tuple(nodes))
    model = forecast.next_visit_model(_graph(nodes, edges), dataset, history, matrix, n_visits)
    return {
        "risks": [
            {
                "code": found.key,
                "kind": "recurrence" if found.is_repeat else "onset",
                "probability": found.probability,
                "low": found.lower,
                "high": found.upper,
                "parts": [
                    {
                        "name": _PARTS[part.kind],
                        "cause": part.key if part.kind == "cause" else None,
                        "value": part.probability,
                        "low": part.lower,
                        "high": part.upper,
                    }
                    for part in found.parts
                ],
            }
            for found in model.ranking()
        ]
    }


@tool
def search_knowledge(
    query: Annotated[str, Field(min_length=1, max_length=2_000)],
    k: Annotated[int, Field(ge=1, le=50, description="passages")] = 5,
    library: Annotated[str, InjectedToolArg] = "",
) -> dict[str, Any]:
    """Passages of the knowledge library nearest to a query, each with its source."""
    hits = resources.open_library(library).search(query, k)
    return {"passages": [{**hit.passage.model_dump(mode="json"), "score": hit.score} for hit in hits]}


@tool
def look_up_code(
    text: Annotated[str, Field(min_length=1, max_length=100, description="a code, or words of its name")],
    limit: Annotated[int, Field(ge=1, le=50)] = 10,
    store: Store = "",
) -> dict[str, Any]:
    """Codes of the data set's vocabulary by spelling or by words of their names."""
    vocabulary = resources.open_dataset(store).vocabulary
    words = text.lower().split()
    exact = vocabulary.find(text)
    names = ((key, vocabulary.concept(key).display.lower()) for key in vocabulary.keys if words)
    keys = [exact] if exact else [key for key, name in names if all(word in name for word in words)][:limit]
    return {"codes": [{"key": key, **vocabulary.concept(key).model_dump(mode="json")} for key in keys]}


def _graph(nodes: list[str], edges: list[list[str]]) -> CausalGraph:
    return CausalGraph(nodes, [(cause, effect) for cause, effect in edges])


def _tiers(nodes: list[str], history: list[str]) -> dict[str, int]:
    had = set(history)
    return {node: 0 if node in had else 1 for node in nodes}


CATALOGUE = (
    select_candidates,
    orient_graph,
    score_graph,
    score_edits,
    search_graph,
    next_visit_risks,
    search_knowledge,
    look_up_code,
)

"""A causal graph over diseases, acyclic by construction."""

from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import NamedTuple

import networkx as nx

from tools.safety.errors import InputError


class Edge(NamedTuple):
    """A direct causal claim: `cause` makes `effect` more likely. Both are vocabulary keys."""

    cause: str
    effect: str


class CausalGraph:
    """A directed acyclic graph whose nodes are vocabulary keys. Immutable.

    Args:
        nodes: in the order of the case, each once.
        edges: (cause, effect) pairs over `nodes`.

    Raises:
        InputError: a self-loop, a node that is not given, or a cycle (named in the message).
    """

    def __init__(self, nodes: Iterable[str], edges: Iterable[tuple[str, str]] = ()) -> None:
        self.nodes = tuple(nodes)
        self.edges = tuple(sorted({Edge(*edge) for edge in edges}))
        known = set(self.nodes)
        if len(known) != len(self.nodes):
            raise InputError("graph", "a node is given twice; give each once")
        for edge in self.edges:
            if edge.cause == edge.effect:
                raise InputError("graph", f"self-loop {edge.cause} -> {edge.effect}; remove it")
            for node in edge:
                if node not in known:
                    raise InputError("graph", f"'{node[:24]}' is not one of the given diseases")
        self._graph = _acyclic(self.nodes, self.edges)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, CausalGraph)
            and set(self.nodes) == set(other.nodes)
            and self.edges == other.edges
        )

    def __hash__(self) -> int:
        return hash((frozenset(self.nodes), self.edges))

    def __repr__(self) -> str:
        return f"CausalGraph({len(self.nodes)} nodes, {len(self.edges)} edges)"

    @cached_property
    def networkx(self) -> "nx.DiGraph[str]":
        """A copy as a networkx graph."""
        return self._graph.copy()

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Nodes with every cause before its effects; ties in the order of `nodes`."""
        position = {node: i for i, node in enumerate(self.nodes)}
        return tuple(nx.lexicographical_topological_sort(self._graph, key=position.__getitem__))

    def parents(self, node: str) -> tuple[str, ...]:
        """Direct causes of a node, sorted."""
        return tuple(sorted(self._graph.predecessors(node)))

    def children(self, node: str) -> tuple[str, ...]:
        """Direct effects of a node, sorted."""
        return tuple(sorted(self._graph.successors(node)))

    def ancestors(self, node: str) -> frozenset[str]:
        """Every direct or indirect cause of a node."""
        return frozenset(nx.ancestors(self._graph, node))

    def descendants(self, node: str) -> frozenset[str]:
        """Every direct or indirect effect of a node."""
        return frozenset(nx.descendants(self._graph, node))

    def joined(self, edges: Iterable[tuple[str, str]]) -> "CausalGraph":
        """The graph with those of some edges, in their order, that close no cycle with what is there."""
        graph = self._graph.copy()
        for cause, effect in edges:
            if not nx.has_path(graph, effect, cause):
                graph.add_edge(cause, effect)
        return CausalGraph(self.nodes, graph.edges)

    def edit(
        self, add: Iterable[tuple[str, str]] = (), remove: Iterable[tuple[str, str]] = ()
    ) -> "CausalGraph":
        """The graph with some edges removed, then some added (a reversal is both).

        Raises:
            InputError: the result has a cycle, a self-loop or an unknown node.
        """
        kept = set(self.edges) - {Edge(*edge) for edge in remove}
        return CausalGraph(self.nodes, kept | {Edge(*edge) for edge in add})

    def change(self, other: "CausalGraph") -> float:
        """Share of edges added, removed or reversed (a reversal counts once) to reach `other`.

        Over the larger of the two edge counts; 0 when both are empty.
        """
        mine, theirs = set(self.edges), set(other.edges)
        pairs = {frozenset(edge) for edge in mine ^ theirs}
        return len(pairs) / max(len(mine), len(theirs), 1)


@lru_cache(maxsize=64)
def _acyclic(nodes: tuple[str, ...], edges: tuple[Edge, ...]) -> "nx.DiGraph[str]":
    """As networkx has it, frozen, as it is shared: a case builds each of its few graphs many times."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    if nx.is_directed_acyclic_graph(graph):
        nx.freeze(graph)
        return graph
    cycle = [cause for cause, _ in nx.find_cycle(graph)]
    path = " -> ".join([*cycle, cycle[0]])
    raise InputError("graph", f"cycle {path}; remove or reverse one of these edges")

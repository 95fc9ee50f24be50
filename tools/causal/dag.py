"""A causal graph over diseases, acyclic by construction."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
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
        self._parents: dict[str, list[str]] = {node: [] for node in self.nodes}
        self._children: dict[str, list[str]] = {node: [] for node in self.nodes}
        if len(self._parents) != len(self.nodes):
            raise InputError("graph", "a node is given twice; give each once")
        for cause, effect in self.edges:
            if cause == effect:
                raise InputError("graph", f"self-loop {cause} -> {effect}; remove it")
            for node in (cause, effect):
                if node not in self._parents:
                    raise InputError("graph", f"'{node[:24]}' is not one of the given diseases")
            self._parents[effect].append(cause)
            self._children[cause].append(effect)
        self._refuse_cycle()

    def _refuse_cycle(self) -> None:
        """Takes out, again and again, what has no cause left (Kahn 1962)."""
        waiting = {node: len(causes) for node, causes in self._parents.items()}
        free = [node for node, n_causes in waiting.items() if not n_causes]
        for node in free:
            for effect in self._children[node]:
                waiting[effect] -= 1
                if not waiting[effect]:
                    free.append(effect)
        if len(free) == len(self.nodes):
            return
        cycle = [cause for cause, _ in nx.find_cycle(self.networkx)]
        path = " -> ".join([*cycle, cycle[0]])
        raise InputError("graph", f"cycle {path}; remove or reverse one of these edges")

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
        """As a networkx graph; do not change it."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from(self.edges)
        return graph

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Nodes with every cause before its effects; ties in the order of `nodes`."""
        position = {node: i for i, node in enumerate(self.nodes)}
        return tuple(nx.lexicographical_topological_sort(self.networkx, key=position.__getitem__))

    def parents(self, node: str) -> tuple[str, ...]:
        """Direct causes of a node, sorted."""
        return tuple(self._parents[node])

    def children(self, node: str) -> tuple[str, ...]:
        """Direct effects of a node, sorted."""
        return tuple(self._children[node])

    def ancestors(self, node: str) -> frozenset[str]:
        """Every direct or indirect cause of a node."""
        return frozenset(_reached(self._parents, node))

    def descendants(self, node: str) -> frozenset[str]:
        """Every direct or indirect effect of a node."""
        return frozenset(_reached(self._children, node))

    def joined(self, edges: Iterable[tuple[str, str]]) -> "CausalGraph":
        """The graph with those of some edges, in their order, that close no cycle with what is there."""
        children = {node: list(effects) for node, effects in self._children.items()}
        added = []
        for cause, effect in edges:
            if cause not in _reached(children, effect):
                children[cause].append(effect)
                added.append((cause, effect))
        return CausalGraph(self.nodes, [*self.edges, *added])

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


def _reached(following: Mapping[str, Sequence[str]], node: str) -> set[str]:
    """What comes after a node, step by step."""
    found: set[str] = set()
    ahead = list(following[node])
    while ahead:
        here = ahead.pop()
        if here not in found:
            found.add(here)
            ahead.extend(following[here])
    return found

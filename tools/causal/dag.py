"""A causal graph over diseases, acyclic by construction."""

from collections.abc import Iterable, Mapping
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
        self._links = _linked(self.nodes, self.edges)

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
        return self._drawn()

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Nodes with every cause before its effects; ties in the order of `nodes`."""
        position = self._links.places.__getitem__
        return tuple(nx.lexicographical_topological_sort(self._drawn(), key=position))

    def _drawn(self) -> "nx.DiGraph[str]":
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from(self.edges)
        return graph

    def parents(self, node: str) -> tuple[str, ...]:
        """Direct causes of a node, sorted."""
        return self._links.parents[node]

    def children(self, node: str) -> tuple[str, ...]:
        """Direct effects of a node, sorted."""
        return self._links.children[node]

    def ancestors(self, node: str) -> frozenset[str]:
        """Every direct or indirect cause of a node."""
        return frozenset(other for other in self.nodes if self.leads(other, node))

    def descendants(self, node: str) -> frozenset[str]:
        """Every direct or indirect effect of a node."""
        return frozenset(other for other in self.nodes if self.leads(node, other))

    def leads(self, cause: str, effect: str) -> bool:
        """Whether edges lead, directly or not, from one node to another."""
        places = self._links.places
        return bool(self._links.above[places[effect]] >> places[cause] & 1)

    def joined(self, edges: Iterable[tuple[str, str]]) -> "CausalGraph":
        """The graph with those of some edges, in their order, that close no cycle with what is there."""
        kept: list[tuple[str, str]] = [*self.edges]
        places, above = self._links.places, [*self._links.above]
        for cause, effect in edges:
            begin, end = places[cause], places[effect]
            if begin != end and not above[begin] >> end & 1:
                kept.append((cause, effect))
                gained = above[begin] | 1 << begin
                if gained & ~above[end]:
                    for place, causes in enumerate(above):
                        if place == end or causes >> end & 1:
                            above[place] = causes | gained
        return CausalGraph(self.nodes, kept)

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


_Neighbours = Mapping[str, tuple[str, ...]]


class _Links(NamedTuple):
    """Who is linked to whom; shared by graphs, so that nothing here may be changed.

    Attributes:
        places: of the nodes.
        parents, children: of each node, sorted.
        above: for each place the places of direct and indirect causes, a bit each.
    """

    places: Mapping[str, int]
    parents: _Neighbours
    children: _Neighbours
    above: tuple[int, ...]


@lru_cache(maxsize=64)
def _linked(nodes: tuple[str, ...], edges: tuple[Edge, ...]) -> _Links:
    """The links that sorted edges make; kept, as a case builds each of its few graphs many times."""
    places = {node: place for place, node in enumerate(nodes)}
    if len(places) != len(nodes):
        raise InputError("graph", "a node is given twice; give each once")
    parents: dict[str, list[str]] = {node: [] for node in nodes}
    children: dict[str, list[str]] = {node: [] for node in nodes}
    for cause, effect in edges:
        if cause == effect:
            raise InputError("graph", f"self-loop {cause} -> {effect}; remove it")
        for node in (cause, effect):
            if node not in places:
                raise InputError("graph", f"'{node[:24]}' is not one of the given diseases")
        parents[effect].append(cause)
        children[cause].append(effect)
    frozen = [{node: tuple(some) for node, some in links.items()} for links in (parents, children)]
    return _Links(places, frozen[0], frozen[1], _above(places, *frozen))


def _above(places: Mapping[str, int], parents: _Neighbours, children: _Neighbours) -> tuple[int, ...]:
    """See `_Links.above`; nodes are taken once all their causes are, which a cycle never lets happen."""
    above, missing = [0] * len(places), {node: len(causes) for node, causes in parents.items()}
    taken = [node for node, n_missing in missing.items() if not n_missing]
    for node in taken:
        gained = above[places[node]] | 1 << places[node]
        for effect in children[node]:
            above[places[effect]] |= gained
            missing[effect] -= 1
            if not missing[effect]:
                taken.append(effect)
    if len(taken) < len(places):
        edges = [(cause, effect) for cause, effects in children.items() for effect in effects]
        cycle = [cause for cause, _ in nx.find_cycle(nx.DiGraph(edges))]
        path = " -> ".join([*cycle, cycle[0]])
        raise InputError("graph", f"cycle {path}; remove or reverse one of these edges")
    return tuple(above)

"""Greedy search over causal graphs by single-edge edits, under what time and the caller rule out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal import scores
from tools.causal.dag import CausalGraph, Edge
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.orientation import IDENTIFIED_NATS, time_evidence
from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Operation = Literal["add", "remove", "reverse"]

OPERATIONS: tuple[Operation, ...] = ("add", "remove", "reverse")
MIN_GAIN = 1e-6


class Edit(NamedTuple):
    """One change of one edge. `gain` is the change of the accepted score, nats."""

    operation: Operation
    cause: str
    effect: str
    gain: float


class Oriented(NamedTuple):
    """A graph none of whose edges runs against time, but for required ones.

    Attributes:
        graph: the result.
        turned: edges that ran against time and were turned round, as they were, strongest evidence first.
        dropped: edges that ran against time and could not be turned, as they were, likewise.
    """

    graph: CausalGraph
    turned: tuple[Edge, ...]
    dropped: tuple[Edge, ...]


@dataclass(frozen=True)
class Constraints:
    """What a search may do.

    Attributes:
        tiers: a node's rank in time; where time itself is undecided, no edge runs to a lower tier.
        required: edges that stay (a person pinned them).
        forbidden: edges that never enter.
        max_parents: most direct causes of a node.
        max_edges: most edges in all, None for no limit.
    """

    tiers: Mapping[str, int] | None = None
    required: tuple[tuple[str, str], ...] = ()
    forbidden: tuple[tuple[str, str], ...] = ()
    max_parents: int = 5
    max_edges: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.max_parents <= scores.MAX_PARENTS:
            raise InputError("max_parents", f"1 to {scores.MAX_PARENTS}")
        if set(self.required) & set(self.forbidden):
            raise InputError("constraints", "an edge is both required and forbidden; drop one")


class _Space:
    """The graphs within reach of one matrix."""

    def __init__(self, matrix: DiagnosisMatrix, constraints: Constraints, method: str) -> None:
        self.matrix, self.constraints, self.method = matrix, constraints, method
        self.fixed = self._pairs(constraints.required)
        self.allowed = self._allowed()

    def _pairs(self, edges: tuple[tuple[str, str], ...]) -> Bool:
        marks = np.zeros((len(self.matrix.nodes),) * 2, dtype=bool)
        for cause, effect in edges:
            marks[self.matrix.column(cause), self.matrix.column(effect)] = True
        return marks

    def _allowed(self) -> Bool:
        gain = time_evidence(self.matrix).lagged_gain
        tiers = self.constraints.tiers or {}
        tier = np.array([tiers.get(node, 0) for node in self.matrix.nodes])
        undecided = np.abs(gain) < IDENTIFIED_NATS
        allowed = (gain >= IDENTIFIED_NATS) | (undecided & (tier[:, None] <= tier))
        np.fill_diagonal(allowed, False)
        return np.asarray(allowed & ~self._pairs(self.constraints.forbidden) & ~self.fixed.T)

    def score(self, node: str, parents: tuple[str, ...]) -> float:
        return scores.local_score(self.matrix, node, parents, self.method)

    def additions(self, node: str, parents: tuple[str, ...]) -> Float:
        """Gain of each new parent, shape (n_nodes,); -inf for those that no graph may give it."""
        gains = np.full(len(self.matrix.nodes), -np.inf)
        open_ = self.allowed[:, self.matrix.column(node)].copy()
        open_[[self.matrix.column(parent) for parent in parents]] = False
        columns = tuple(np.flatnonzero(open_).tolist())
        added = scores.addition_scores(self.matrix, node, parents, columns, self.method)
        gains[list(columns)] = added - self.score(node, parents)
        return gains

    def removal(self, cause: str, effect: str, graph: CausalGraph) -> float:
        parents = graph.parents(effect)
        rest = tuple(parent for parent in parents if parent != cause)
        return self.score(effect, rest) - self.score(effect, parents)

    def gains(self, graph: CausalGraph) -> Float:
        """Gain of each operation on each pair, nats, -inf where illegal; shape (3, n_nodes, n_nodes)."""
        adjacency = self._pairs(graph.edges)
        reach = _reachability(adjacency)
        inside = np.isin(self.matrix.nodes, graph.nodes)
        room = inside & (adjacency.sum(axis=0) < self.constraints.max_parents)
        gains = np.full((len(OPERATIONS), *adjacency.shape), -np.inf)
        added, removed, turned = gains
        limit = self.constraints.max_edges
        if limit is None or len(graph.edges) < limit:
            free = self.allowed & room & inside[:, None] & ~adjacency & ~adjacency.T & ~reach.T
            for effect in np.flatnonzero(free.any(axis=0)):
                rises = self.additions(self.matrix.nodes[effect], graph.parents(self.matrix.nodes[effect]))
                added[free[:, effect], effect] = rises[free[:, effect]]
        for a, b in np.argwhere(adjacency & ~self.fixed):
            cause, effect = self.matrix.nodes[a], self.matrix.nodes[b]
            removed[a, b] = self.removal(cause, effect, graph)
            has_detour = bool(np.any(adjacency[a] & reach[:, b]))
            if self.allowed[b, a] and room[a] and not has_detour:
                turned[a, b] = removed[a, b] + self.additions(cause, graph.parents(cause))[b]
        return gains

    def edit(self, gains: Float, place: int) -> Edit:
        """The edit at a flat position of `gains`."""
        operation, cause, effect = np.unravel_index(place, gains.shape)
        nodes = self.matrix.nodes
        return Edit(OPERATIONS[operation], nodes[cause], nodes[effect], float(gains.flat[place]))


def _reachability(adjacency: Bool) -> Bool:
    """Paths of one edge or more."""
    paths, n_paths = adjacency.astype(np.float32), -1
    while n_paths != (n_paths := int(paths.sum())):
        paths = np.minimum(paths + paths @ paths, 1.0)
    return paths > 0


def edit_gains(
    graph: CausalGraph,
    matrix: DiagnosisMatrix,
    constraints: Constraints | None = None,
    method: str = scores.DEFAULT_SCORE,
) -> tuple[Edit, ...]:
    """What each legal single-edge edit would gain.

    Legal: the result is acyclic and within `constraints`, and the new edge does not run against time (see
    `Direction`).

    Returns:
        Best first; ties by operation, cause, effect.

    Raises:
        InputError: unknown method, or a node that is not a column of `matrix`.
    """
    space = _Space(matrix, constraints or Constraints(), method)
    gains = space.gains(graph)
    edits = (space.edit(gains, int(place)) for place in np.flatnonzero(gains > -np.inf))
    return tuple(sorted(edits, key=lambda edit: (-edit.gain, edit[:3])))


def orient(graph: CausalGraph, matrix: DiagnosisMatrix, constraints: Constraints | None = None) -> Oriented:
    """Turn round the edges that run against time (verdict `against`, see `Direction`).

    They are all taken out and put back the other way, strongest evidence first. One stays out if the turned
    edge would close a cycle, is forbidden, or is one direct cause too many. Required edges stay as they are.

    Args:
        graph: its nodes are columns of `matrix`.
        matrix: the data.
        constraints: what the graph may hold.

    Raises:
        InputError: a node that is not a column of `matrix`.
    """
    rules = constraints or Constraints()
    gain = time_evidence(matrix).lagged_gain
    evidence = {
        edge: float(gain[matrix.column(edge.cause), matrix.column(edge.effect)]) for edge in graph.edges
    }
    wrong = [e for e in graph.edges if evidence[e] <= -IDENTIFIED_NATS and e not in rules.required]
    turned, dropped = [], []
    found = graph.edit(remove=wrong)
    for edge in sorted(wrong, key=lambda edge: (evidence[edge], edge)):
        cause, effect = edge.effect, edge.cause
        if (
            (cause, effect) in rules.forbidden
            or cause in found.descendants(effect)
            or len(found.parents(effect)) >= rules.max_parents
        ):
            dropped.append(edge)
        else:
            found = found.edit(add=[(cause, effect)])
            turned.append(edge)
    return Oriented(found, tuple(turned), tuple(dropped))


def hill_climb(
    matrix: DiagnosisMatrix,
    start: CausalGraph | None = None,
    constraints: Constraints | None = None,
    method: str = scores.DEFAULT_SCORE,
    max_steps: int = 1_000,
) -> CausalGraph:
    """Climb to a graph that no single legal edit improves; deterministic.

    First, required edges are put in, forbidden ones taken out, and edges against time turned (see `orient`);
    from there the score never falls.

    Args:
        matrix: the data.
        start: where to begin; the empty graph over the matrix's nodes by default.
        constraints: what the search may do.
        method: name in `SCORES`. By `loglik` it only ever adds edges.
        max_steps: most edits.

    Raises:
        InputError: unknown method or node, or required edges that form a cycle.
    """
    rules = constraints or Constraints()
    space = _Space(matrix, rules, method)
    graph = start or CausalGraph(matrix.nodes)
    reversed_required = [(effect, cause) for cause, effect in rules.required]
    graph = graph.edit(add=rules.required, remove=[*rules.forbidden, *reversed_required])
    graph = orient(graph, matrix, rules).graph
    for _ in range(max_steps):
        gains = space.gains(graph)
        best = space.edit(gains, int(np.argmax(gains)))
        if best.gain <= MIN_GAIN:
            break
        graph = apply(graph, best)
    return graph


def apply(graph: CausalGraph, edit: Edit) -> CausalGraph:
    """The graph after one edit."""
    edge = (edit.cause, edit.effect)
    if edit.operation == "add":
        return graph.edit(add=[edge])
    if edit.operation == "remove":
        return graph.edit(remove=[edge])
    return graph.edit(add=[edge[::-1]], remove=[edge])

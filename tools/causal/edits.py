"""What every single-edge edit of a graph would do to its score."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal import scores
from tools.causal.constraints import UNCONSTRAINED, Constraints
from tools.causal.dag import CausalGraph
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.orientation import permitted
from tools.causal.scores import Method, Wanted

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Operation = Literal["add", "remove", "reverse"]

OPERATIONS: tuple[Operation, ...] = ("add", "remove", "reverse")


class Edit(NamedTuple):
    """One change of one edge. `gain` is the change of the accepted score, nats."""

    operation: Operation
    cause: str
    effect: str
    gain: float


class Neighbourhood:
    """A graph that changes edge by edge, with what each further edit would gain.

    The gain of a new or lost edge depends on the causes of its effect alone, so an edit makes only the gains
    of the families it touches out of date.

    Args:
        graph: where to begin; its nodes are columns of `matrix`.
        matrix: the data.
        constraints: what the graphs may hold.
        method: the score.

    Raises:
        InputError: unknown method, or a node that is not a column of `matrix`.
    """

    def __init__(
        self, graph: CausalGraph, matrix: DiagnosisMatrix, constraints: Constraints, method: Method
    ) -> None:
        size = len(matrix.nodes)
        self.matrix, self.constraints, self.score = matrix, constraints, scores.named(method)
        self._nodes = graph.nodes
        self._inside = np.zeros(size, dtype=np.bool_)
        self._inside[[matrix.column(node) for node in graph.nodes]] = True
        self._fixed = self._pairs(constraints.required)
        self._allowed = self._may_be_edges()
        self.edges = self._pairs(graph.edges)
        self._rises = np.full((size, size), -np.inf)
        self._losses = np.full((size, size), -np.inf)
        self._stale = set(np.flatnonzero(self._inside).tolist())

    @property
    def graph(self) -> CausalGraph:
        """The graph as it stands."""
        names = self.matrix.nodes
        return CausalGraph(self._nodes, [(names[a], names[b]) for a, b in np.argwhere(self.edges)])

    def gains(self) -> Float:
        """Change of the score by each operation on each pair, nats, -inf where illegal; shape (3, n, n)."""
        self._freshen()
        edges, paths = self.edges, _paths(self.edges)
        room = self._inside & (edges.sum(axis=0) < self.constraints.max_parents)
        gains = np.full((len(OPERATIONS), *edges.shape), -np.inf)
        limit = self.constraints.max_edges
        if limit is None or np.count_nonzero(edges) < limit:
            free = self._allowed & room & self._inside[:, None] & ~edges & ~edges.T & ~paths.T
            np.copyto(gains[0], self._rises, where=free)
        loose = edges & ~self._fixed
        np.copyto(gains[1], self._losses, where=loose)
        has_detour = edges.astype(np.float32) @ paths.astype(np.float32) > 0
        turnable = loose & self._allowed.T & room[:, None] & ~has_detour
        np.add(self._losses, self._rises.T, out=gains[2], where=turnable)
        return gains

    def apply(self, operation: Operation, cause: int, effect: int) -> None:
        """Make one edit; columns."""
        self.edges[cause, effect] = operation == "add"
        self._stale.add(effect)
        if operation == "reverse":
            self.edges[effect, cause] = True
            self._stale.add(cause)

    def edit(self, gains: Float, place: int) -> Edit:
        """The edit at a flat position of `gains`."""
        operation, cause, effect = np.unravel_index(place, gains.shape)
        nodes = self.matrix.nodes
        return Edit(OPERATIONS[operation], nodes[cause], nodes[effect], float(gains.flat[place]))

    def _pairs(self, edges: tuple[tuple[str, str], ...]) -> Bool:
        marks = np.zeros((len(self.matrix.nodes),) * 2, dtype=np.bool_)
        for cause, effect in edges:
            marks[self.matrix.column(cause), self.matrix.column(effect)] = True
        return marks

    def _may_be_edges(self) -> Bool:
        """Edges that may be added: what time, tiers and people permit, between diseases that vary."""
        forbidden = self._pairs(self.constraints.forbidden) | self._fixed.T
        varies = np.array(
            [0 < len(one.patients) < self.matrix.n_patients for one in self.matrix.first_diagnoses]
        )
        free = permitted(self.matrix, self.constraints) & ~forbidden
        return np.asarray(free & varies[:, None] & varies)

    def _freshen(self) -> None:
        for effect in sorted(self._stale):
            wanted = self._family(effect)
            parents = list(wanted.parents)
            open_ = self._allowed[:, effect] & self._inside
            open_[parents] = False
            has_room = len(parents) < self.constraints.max_parents
            candidates = np.flatnonzero(open_).tolist() if has_room else []
            found = scores.neighbour_scores(self.matrix, wanted, tuple(candidates), self.score)
            self._rises[:, effect] = self._losses[:, effect] = -np.inf
            self._rises[candidates, effect] = found.more - found.own
            self._losses[parents, effect] = found.fewer - found.own
        self._stale.clear()

    def _family(self, effect: int) -> Wanted:
        return Wanted(effect, tuple(np.flatnonzero(self.edges[:, effect]).tolist()))


def _paths(edges: Bool) -> Bool:
    """Pairs joined by a path of one edge or more."""
    paths, n_paths = edges.astype(np.float32), -1
    while n_paths != (n_paths := int(np.count_nonzero(paths))):
        paths = np.minimum(paths + paths @ paths, 1.0)
    return paths > 0


def edit_deltas(
    graph: CausalGraph,
    matrix: DiagnosisMatrix,
    constraints: Constraints = UNCONSTRAINED,
    method: Method = scores.DEFAULT,
) -> Float:
    """What every single-edge edit would change the score by, all at once.

    Legal: the result is acyclic and within `constraints`, the new edge does not run against time (see
    `Direction`), and neither of its ends is a disease that nobody or everybody has.

    Returns:
        Nats, -inf where illegal, shape (3, n_nodes, n_nodes): add, remove, reverse the edge from the row's
        column of `matrix` to the column's.

    Raises:
        InputError: unknown method, or a node that is not a column of `matrix`.
    """
    return Neighbourhood(graph, matrix, constraints, method).gains()


def edit_gains(
    graph: CausalGraph,
    matrix: DiagnosisMatrix,
    constraints: Constraints = UNCONSTRAINED,
    method: Method = scores.DEFAULT,
) -> tuple[Edit, ...]:
    """The legal edits with their gains (see `edit_deltas`), best first; ties by operation, cause, effect."""
    around = Neighbourhood(graph, matrix, constraints, method)
    gains = around.gains()
    edits = (around.edit(gains, int(place)) for place in np.flatnonzero(gains > -np.inf))
    return tuple(sorted(edits, key=lambda edit: (-edit.gain, edit[:3])))


def apply(graph: CausalGraph, edit: Edit) -> CausalGraph:
    """The graph after one edit."""
    edge = (edit.cause, edit.effect)
    if edit.operation == "add":
        return graph.edit(add=[edge])
    if edit.operation == "remove":
        return graph.edit(remove=[edge])
    return graph.edit(add=[edge[::-1]], remove=[edge])


def held_out_gains(
    graph: CausalGraph, matrix: DiagnosisMatrix, edits: Sequence[Edit], method: Method = scores.DEFAULT
) -> tuple[float, ...]:
    """What each edit changes the log-likelihood of patients held out by, nats (see `Score.held_out`)."""
    score = scores.named(method).held_out
    touched = [(edit.effect, edit.cause) if edit.operation == "reverse" else (edit.effect,) for edit in edits]
    edited = [apply(graph, edit) for edit in edits]
    before = [[scores.columns(matrix, n, graph.parents(n)) for n in nodes] for nodes in touched]
    after = [
        [scores.columns(matrix, n, new.parents(n)) for n in nodes]
        for nodes, new in zip(touched, edited, strict=True)
    ]
    families = [family for both in zip(after, before, strict=True) for some in both for family in some]
    found = iter(scores.local_scores(matrix, families, score).tolist())
    return tuple(sum(next(found) for _ in nodes) - sum(next(found) for _ in nodes) for nodes in touched)

"""What every single-edge edit of a graph would do to its score."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal import scores
from tools.causal.constraints import UNCONSTRAINED, Constraints
from tools.causal.dag import CausalGraph
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.orientation import permitted
from tools.causal.scores import Method, Wanted
from tools.causal.toggled import toggled_scores

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]
Operation = Literal["add", "remove", "reverse"]

OPERATIONS: tuple[Operation, ...] = ("add", "remove", "reverse")
_ALPHABETICAL = np.argsort(np.argsort(OPERATIONS))


class Edit(NamedTuple):
    """One change of one edge. `gain` is the change of the accepted score, nats."""

    operation: Operation
    cause: str
    effect: str
    gain: float


@dataclass(frozen=True, eq=False)
class _Ground:
    """What all graphs over some diseases have in common in a search.

    Attributes:
        inside: columns of the diseases, ascending.
        fixed: edges that must stay, shape (n_nodes, n_nodes).
        allowed: edges that may be added, likewise.
    """

    inside: Int64
    fixed: Bool
    allowed: Bool


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
        self.matrix, self.constraints, self.score = matrix, constraints, scores.named(method)
        self._nodes = graph.nodes
        key = "ground", graph.nodes, constraints.key
        self._ground = matrix.memory.recall(key, lambda: _ground(graph.nodes, matrix, constraints))
        self.edges = _pairs(graph.edges, matrix)
        self._changes = np.full(self.edges.shape, -np.inf)
        self._stale: set[int] = set(self._ground.inside.tolist())

    @property
    def graph(self) -> CausalGraph:
        """The graph as it stands."""
        names = self.matrix.nodes
        return CausalGraph(self._nodes, [(names[a], names[b]) for a, b in np.argwhere(self.edges).tolist()])

    def gains(self) -> Float:
        """Change of the score by each operation on each pair, nats, -inf where illegal; shape (3, n, n)."""
        self._freshen()
        rules, ground = self.constraints, self._ground
        most = -1 if rules.max_edges is None else rules.max_edges
        given = self.edges, ground.allowed, ground.fixed, self._changes, rules.max_parents, most
        if self.matrix.kernels == "numpy":
            return _gains(*given)
        from tools.causal import edit_kernels

        return edit_kernels.gains(*given)

    def best(
        self, recent: Sequence[tuple[int, int]], height: float, summit: float, tolerance: float
    ) -> tuple[int, int, int, float]:
        """The best edit, as operation, cause and effect, with its gain, nats; -inf where there is none.

        Args:
            recent: pairs of columns, barred either way round unless an edit of them tops the summit.
            height: of the graph, nats.
            summit: the highest so far, nats.
            tolerance: of edits whose gains differ by less, which rounding would choose between, the first.
        """
        gains = self.gains()
        if self.matrix.kernels == "numba":
            from tools.causal import edit_kernels

            pairs = np.array(recent, dtype=np.int64).reshape(-1, 2)
            return edit_kernels.best(gains, pairs, float(height), float(summit), tolerance)
        if recent:
            a, b = np.array(recent).T
            places = slice(None), np.append(a, b), np.append(b, a)
            barred = gains[places]
            gains[places] = np.where(height + barred > summit + tolerance, barred, -np.inf)
        place = np.argmax(gains >= gains.max() - tolerance)
        operation, cause, effect = (int(i) for i in np.unravel_index(place, gains.shape))
        return operation, cause, effect, float(gains[operation, cause, effect])

    def apply(self, operation: Operation, cause: int, effect: int) -> None:
        """Make one edit; columns."""
        self.edges[cause, effect] = operation == "add"
        self._stale.add(effect)
        if operation == "reverse":
            self.edges[effect, cause] = True
            self._stale.add(cause)

    def _freshen(self) -> None:
        stale = sorted(self._stale)
        keys = [(self._ground, self.score.key, effect, self.edges[:, effect].tobytes()) for effect in stale]
        found = self.matrix.memory.recall_all(
            keys, lambda places: self._changed([stale[place] for place in places])
        )
        for effect, changes in zip(stale, found, strict=True):
            self._changes[:, effect] = changes
        self._stale.clear()

    def _changed(self, effects: Sequence[int]) -> list[Float]:
        """Change of the score by adding each cause of an effect, or by removing it where it is one."""
        wanted, toggled = [], []
        for effect in effects:
            had = self.edges[:, effect]
            parents = had.nonzero()[0].tolist()
            has_room = len(parents) < self.constraints.max_parents
            asked = had | self._ground.allowed[:, effect] if has_room else had.copy()
            asked[effect] = True
            wanted.append(Wanted(effect, tuple(parents)))
            toggled.append(asked.nonzero()[0])
        found = toggled_scores(self.matrix, wanted, toggled, self.score)
        changes = np.full((len(effects), len(self.edges)), -np.inf)
        for row, effect, columns, values in zip(changes, effects, toggled, found, strict=True):
            row[columns] = values - values[columns.searchsorted(effect)]
            row[effect] = -np.inf
        return list(changes)


def _ground(nodes: tuple[str, ...], matrix: DiagnosisMatrix, constraints: Constraints) -> _Ground:
    """Edges may be added that time, tiers and people permit, between diseases that vary."""
    fixed = _pairs(constraints.required, matrix)
    inside = np.array(sorted(map(matrix.column, nodes)), dtype=np.int64)
    free = np.zeros(len(matrix.nodes), dtype=np.bool_)
    free[inside] = [0 < len(matrix.first_diagnoses[place].patients) < matrix.n_patients for place in inside]
    permits = permitted(matrix, constraints) & ~_pairs(constraints.forbidden, matrix) & ~fixed.T
    return _Ground(inside, fixed, np.asarray(permits & free[:, None] & free))


def _pairs(edges: Iterable[tuple[str, str]], matrix: DiagnosisMatrix) -> Bool:
    marks = np.zeros((len(matrix.nodes),) * 2, dtype=np.bool_)
    for cause, effect in edges:
        marks[matrix.column(cause), matrix.column(effect)] = True
    return marks


def _gains(
    edges: Bool, allowed: Bool, fixed: Bool, changes: Float, max_parents: int, max_edges: int
) -> Float:
    """See `edit_kernels.gains`."""
    paths = _paths(edges)
    room = edges.sum(axis=0) < max_parents
    gains = np.full((len(OPERATIONS), *edges.shape), -np.inf)
    if max_edges < 0 or np.count_nonzero(edges) < max_edges:
        free = allowed & room & ~edges & ~paths.T
        np.copyto(gains[0], changes, where=free)
    loose = edges & ~fixed
    np.copyto(gains[1], changes, where=loose)
    has_detour = edges.astype(np.float32) @ paths.astype(np.float32) > 0
    turnable = loose & allowed.T & room[:, None] & ~has_detour
    np.add(changes, changes.T, out=gains[2], where=turnable)
    return gains


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
    limit: int | None = None,
) -> tuple[Edit, ...]:
    """The legal edits with their gains (see `edit_deltas`), best first; ties by operation, cause, effect.

    Args:
        graph: its nodes are columns of `matrix`.
        matrix: the data.
        constraints: what the graphs may hold.
        method: the score.
        limit: the best so many, None for all.
    """
    around = Neighbourhood(graph, matrix, constraints, method)
    gains = around.gains()
    places = np.flatnonzero(gains > -np.inf)
    operation, cause, effect = np.unravel_index(places, gains.shape)
    alphabetical = np.argsort(np.argsort(matrix.nodes))
    ranked = np.lexsort(
        (alphabetical[effect], alphabetical[cause], _ALPHABETICAL[operation], -gains.flat[places])
    )
    kept, nodes = ranked[:limit], matrix.nodes
    columns = (array[kept].tolist() for array in (operation, cause, effect, gains.flat[places]))
    return tuple(
        Edit(OPERATIONS[kind], nodes[a], nodes[b], gain) for kind, a, b, gain in zip(*columns, strict=True)
    )


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
    before = {node: frozenset(graph.parents(node)) for node in {node for nodes in touched for node in nodes}}
    place_of = {node: place for place, node in enumerate(before)}
    families = [scores.columns(matrix, node, parents) for node, parents in before.items()]
    for edit, nodes in zip(edits, touched, strict=True):
        after = _parents_after(edit, before)
        families += [scores.columns(matrix, node, after[node]) for node in nodes]
    found = scores.local_scores(matrix, families, score).tolist()
    after_edits = iter(found[len(before) :])
    return tuple(sum(next(after_edits) - found[place_of[node]] for node in nodes) for nodes in touched)


def _parents_after(edit: Edit, before: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The causes of the diseases that an edit touches."""
    if edit.operation == "add":
        return {edit.effect: before[edit.effect] | {edit.cause}}
    after = {edit.effect: before[edit.effect] - {edit.cause}}
    return after if edit.operation == "remove" else after | {edit.cause: before[edit.cause] | {edit.effect}}

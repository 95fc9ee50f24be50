"""Which edits of a graph are legal, compiled; `tools.causal.edits` says what an edit gains."""

import numpy as np
import numpy.typing as npt

from tools.numerics.jit import compiled

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


@compiled
def _paths(edges: Bool) -> Words:
    """Which nodes a path of one edge or more leads to from each, as bits (Warshall's closure)."""
    n = len(edges)
    paths = np.zeros((n, (n + 63) // 64), dtype=np.uint64)
    for start in range(n):
        for end in range(n):
            if edges[start, end]:
                paths[start, end >> 6] |= np.uint64(1) << np.uint64(end & 63)
    for middle in range(n):
        for start in range(n):
            if _joins(paths[start], middle):
                for word in range(paths.shape[1]):
                    paths[start, word] |= paths[middle, word]
    return paths


@compiled
def _joins(ends: Words, node: int) -> bool:
    """Whether a node is among some, given as bits."""
    return bool(ends[node >> 6] >> np.uint64(node & 63) & np.uint64(1))


@compiled
def gains(edges: Bool, allowed: Bool, fixed: Bool, changes: Float, max_parents: int, max_edges: int) -> Float:
    """What adding, removing or turning each edge would change the score by, -inf where that is illegal.

    Args:
        edges: of the graph, shape (n, n), row = cause, column = effect.
        allowed: edges that may be added.
        fixed: edges that must stay.
        changes: change of the effect's score by adding the edge, or by removing it where it is there.
        max_parents: most causes of one effect.
        max_edges: most edges, -1 for no limit.

    Returns:
        Nats, shape (3, n, n).
    """
    n, n_parents = len(edges), edges.sum(axis=0)
    paths = _paths(edges)
    has_room = n_parents < max_parents
    may_grow = max_edges < 0 or n_parents.sum() < max_edges
    found = np.full((3, n, n), -np.inf)
    for cause in range(n):
        for effect in range(n):
            if not edges[cause, effect]:
                free = may_grow and allowed[cause, effect] and has_room[effect]
                if free and not _joins(paths[effect], cause):
                    found[0, cause, effect] = changes[cause, effect]
            elif not fixed[cause, effect]:
                found[1, cause, effect] = changes[cause, effect]
                turnable = allowed[effect, cause] and has_room[cause]
                detour = False
                if turnable:
                    for middle in range(n):
                        detour = detour or (edges[cause, middle] and _joins(paths[middle], effect))
                if turnable and not detour:
                    found[2, cause, effect] = changes[cause, effect] + changes[effect, cause]
    return found


@compiled
def best(
    gains: Float, recent: Int64, height: float, summit: float, tolerance: float
) -> tuple[int, int, int, float]:
    """See `tools.causal.edits.Neighbourhood.best`.

    Args:
        gains: see `gains`, shape (3, n, n).
        recent: pairs of nodes, shape (n_recent, 2).
        height: of the graph.
        summit: the highest so far.
        tolerance: within which gains are equally good.
    """
    n, most = gains.shape[1], -np.inf
    barred = np.zeros((n, n), dtype=np.bool_)
    for place in range(len(recent)):
        one, other = recent[place]
        barred[one, other] = barred[other, one] = True
    for operation in range(len(gains)):
        for cause in range(n):
            for effect in range(n):
                gain = gains[operation, cause, effect]
                is_open = not barred[cause, effect] or height + gain > summit + tolerance
                if is_open and gain > most:
                    most = gain
    for operation in range(len(gains)):
        for cause in range(n):
            for effect in range(n):
                gain = gains[operation, cause, effect]
                is_open = not barred[cause, effect] or height + gain > summit + tolerance
                if is_open and gain > -np.inf and gain >= most - tolerance:
                    return operation, cause, effect, gain
    return 0, 0, 0, -np.inf

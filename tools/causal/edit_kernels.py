"""Which edits of a graph are legal, compiled; `tools.causal.edits` says what an edit gains."""

import numpy as np
import numpy.typing as npt

from tools.numerics.jit import compiled

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]


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
    n = len(edges)
    paths, n_parents = edges.copy(), edges.sum(axis=0)
    for middle in range(n):
        for start in range(n):
            if paths[start, middle]:
                paths[start] |= paths[middle]
    has_room = n_parents < max_parents
    may_grow = max_edges < 0 or n_parents.sum() < max_edges
    found = np.full((3, n, n), -np.inf)
    for cause in range(n):
        for effect in range(n):
            if not edges[cause, effect]:
                free = may_grow and allowed[cause, effect] and has_room[effect]
                if free and not paths[effect, cause]:
                    found[0, cause, effect] = changes[cause, effect]
            elif not fixed[cause, effect]:
                found[1, cause, effect] = changes[cause, effect]
                turnable = allowed[effect, cause] and has_room[cause]
                if turnable and not (edges[cause] & paths[:, effect]).any():
                    found[2, cause, effect] = changes[cause, effect] + changes[effect, cause]
    return found

"""Which edits of a graph are legal, compiled; `tools.causal.edits` says what an edit gains."""

import numpy as np
import numpy.typing as npt

from tools.numerics.jit import compiled

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]


@compiled
def gains(  # noqa: PLR0912 - one pass over the pairs
    edges: Bool, allowed: Bool, fixed: Bool, changes: Float, max_parents: int, max_edges: int
) -> Float:
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
                for end in range(n):
                    paths[start, end] |= paths[middle, end]
    may_grow = max_edges < 0 or n_parents.sum() < max_edges
    found = np.full((3, n, n), -np.inf)
    for cause in range(n):
        for effect in range(n):
            if edges[cause, effect]:
                if fixed[cause, effect]:
                    continue
                found[1, cause, effect] = changes[cause, effect]
                if not allowed[effect, cause] or n_parents[cause] >= max_parents:
                    continue
                has_detour = False
                for middle in range(n):
                    has_detour |= edges[cause, middle] and paths[middle, effect]
                if not has_detour:
                    found[2, cause, effect] = changes[cause, effect] + changes[effect, cause]
            elif may_grow and allowed[cause, effect] and n_parents[effect] < max_parents:  # noqa: SIM102
                if not paths[effect, cause]:
                    found[0, cause, effect] = changes[cause, effect]
    return found

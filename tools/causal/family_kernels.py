"""Where noisy-OR fits begin, compiled; `tools.causal.noisy_or` says what is fitted."""

import numpy as np
import numpy.typing as npt

from tools.numerics.jit import compiled

Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@compiled
def start(
    counts: Int64 | Float, n_strata: int, least: float, lowest: float, highest: float
) -> tuple[Float, Float]:
    """Where families begin, and their counts as they are fitted to; see `noisy_or`.

    A parameter whose likelihood falls, or rises, wherever the others are starts at that side of the box.

    Args:
        counts: tables of families of one shape, shape (n, n_strata * 2**n_parents, 2).
        n_strata: number of leaks.
        least: at which a parent begins.
        lowest: side of the box.
        highest: side of the box.

    Returns:
        Shapes (n, n_strata + n_parents) and that of `counts`.
    """
    n, n_patterns = len(counts), counts.shape[1] // n_strata
    n_parents = 0
    while 1 << n_parents < n_patterns:
        n_parents += 1
    m = n_strata + n_parents
    begin, observed = np.empty((n, m)), np.empty(counts.shape)
    without, events = np.empty(m), np.empty(m)
    expected, unharmed = np.empty(n_parents), np.empty(n_parents)
    for family in range(n):
        without[:], events[:], expected[:], unharmed[:] = 0.0, 0.0, 0.0, 0.0
        for stratum in range(n_strata):
            first = stratum * n_patterns
            for pattern in range(n_patterns):
                observed[family, first + pattern, 0] = healthy = float(counts[family, first + pattern, 0])
                observed[family, first + pattern, 1] = ill = float(counts[family, first + pattern, 1])
                without[stratum] += healthy
                events[stratum] += ill
                for parent in range(n_parents):
                    if pattern >> parent & 1:
                        without[n_strata + parent] += healthy
                        events[n_strata + parent] += ill
            rate = (events[stratum] + 0.5) / (without[stratum] + events[stratum] + 1.0)
            healthy, ill = observed[family, first, 0], observed[family, first, 1]
            spared = (healthy + 1.0 - rate) / (healthy + ill + 1.0)
            begin[family, stratum] = -np.log(spared)
            for parent in range(n_parents):
                alone = observed[family, first + (1 << parent)]
                expected[parent] += (alone[0] + alone[1]) * spared
                unharmed[parent] += alone[0]
        for parent in range(n_parents):
            theta = np.log((expected[parent] + 0.5) / (unharmed[parent] + 0.5))
            begin[family, n_strata + parent] = min(max(theta, least), highest)
        for place in range(m):
            if events[place] == 0.0 and without[place] > 0.0:
                begin[family, place] = lowest
            elif without[place] == 0.0 and events[place] > 0.0:
                begin[family, place] = highest
    return begin, observed


@compiled
def additions(
    counts: Int64, owner: Int64, best: Float, n_strata: int, floor: float, least: float, highest: float
) -> tuple[Int64, Float, Float]:
    """Families that are the better for their last parent, and where these begin.

    The best fit without the parent is a fit with its theta at 0. The likelihood is concave, so where it does
    not rise in theta there, that fit is the maximum of both. Where it rises, theta begins where as many stay
    without the effect as did, the other parameters as they are.

    Args:
        counts: tables of families of one shape, shape (n, 2 * n_strata * 2**n_parents, 2).
        owner: the row of `best` each belongs to, shape (n,), rising.
        best: maxima of the families without the last parent, shape (n_owners, n_strata + n_parents).
        n_strata: number of leaks.
        floor: least eta.
        least: at which the parent begins.
        highest: at most.

    Returns:
        Which families, shape (n_better,); where they begin, shape (n_better, n_strata + n_parents + 1); and
        their counts as they are fitted to.
    """
    n, m, half = len(counts), best.shape[1], counts.shape[1] // (2 * n_strata)
    better, theta, n_better = np.empty(n, dtype=np.int64), np.empty(n), 0
    lost, before = np.empty(n_strata * half), -1
    for family in range(n):
        if owner[family] != before:
            before = owner[family]
            for cell in range(len(lost)):
                eta = best[before, cell // half]
                for parent in range(m - n_strata):
                    if cell >> parent & 1:
                        eta += best[before, n_strata + parent]
                lost[cell] = -np.expm1(-max(eta, floor))
        slope = expected = unharmed = 0.0
        for cell in range(len(lost)):
            there = counts[family, 2 * half * (cell // half) + half + cell % half]
            healthy, ill, spared = float(there[0]), float(there[1]), 1.0 - lost[cell]
            slope += ill * spared / lost[cell] - healthy
            expected += (healthy + ill) * spared
            unharmed += healthy
        if slope > 0.0:
            better[n_better] = family
            raised = np.log((expected + 0.5) / (unharmed + 0.5))
            theta[n_better] = highest if unharmed == 0.0 else min(max(raised, least), highest)
            n_better += 1
    begin, observed = np.empty((n_better, m + 1)), np.empty((n_better, counts.shape[1], 2))
    for place in range(n_better):
        begin[place, :m] = best[owner[better[place]]]
        begin[place, m] = theta[place]
        observed[place] = counts[better[place]]
    return better[:n_better], begin, observed

"""Tables of a family's neighbours, and where their noisy-OR fits begin, compiled; values as those of numpy.

`tools.causal.tables` says what a table is, `tools.causal.noisy_or` what is fitted to it.
"""

import numpy as np
import numpy.typing as npt

from tools.numerics.jit import compiled

Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@compiled
def neighbours(counted: Int64, present: Int64, kept: Int64, n_parents: int) -> tuple[Int64, Int64, Int64]:
    """The table of a family, those without each parent, and those with each candidate as the last parent.

    Args:
        counted: rows by cell, the effect the lowest digit, then parents, then groups; shape (n_cells,).
        present: rows in which each candidate is there, likewise, shape (n_candidates, n_cells).
        kept: the groups that there are among those that the digits have room for, shape (n_groups,).
        n_parents: of the family.

    Returns:
        As `tools.causal.tables.Neighbours`.
    """
    n_groups, half = len(kept), 1 << n_parents
    own = np.empty((n_groups * half, 2), dtype=np.int64)
    fewer = np.zeros((n_parents, n_groups * half // 2, 2), dtype=np.int64)
    more = np.empty((len(present), 2 * n_groups * half, 2), dtype=np.int64)
    for place in range(n_groups):
        first = kept[place] * 2 * half
        for pattern in range(half):
            row = place * half + pattern
            for side in range(2):
                own[row, side] = counted[first + 2 * pattern + side]
            for parent in range(n_parents):
                low = pattern & ((1 << parent) - 1)
                merged = place * half // 2 + (pattern >> parent + 1 << parent | low)
                fewer[parent, merged, 0] += own[row, 0]
                fewer[parent, merged, 1] += own[row, 1]
    for candidate in range(len(present)):
        for place in range(n_groups):
            first = kept[place] * 2 * half
            for pattern in range(half):
                without = 2 * place * half + pattern
                for side in range(2):
                    there = present[candidate, first + 2 * pattern + side]
                    more[candidate, without, side] = counted[first + 2 * pattern + side] - there
                    more[candidate, without + half, side] = there
    return own, fewer, more


@compiled
def terms(counts: Int64, n_strata: int) -> tuple[Float, Float, Float, Float, Float, Float]:
    """What `noisy_or` begins a fit from, but for the logarithms and the sums over strata.

    Args:
        counts: tables of families of one shape, shape (n, n_strata * 2**n_parents, 2).
        n_strata: number of leaks.

    Returns:
        The counts as they are fitted to; the share spared by each leak, shape (n, n_strata); of those who
        have one parent alone, how many would be spared by each leak, shape (n_parents, n, n_strata), and how
        many were, shape (n_parents, n); counts without and with the effect by parameter, shape (n, m) each.
    """
    n, n_patterns = len(counts), counts.shape[1] // n_strata
    n_parents = 0
    while 1 << n_parents < n_patterns:
        n_parents += 1
    observed = np.empty(counts.shape)
    spared = np.empty((n, n_strata))
    weighted = np.empty((n_parents, n, n_strata))
    unharmed = np.zeros((n_parents, n))
    without, events = np.zeros((n, n_strata + n_parents)), np.zeros((n, n_strata + n_parents))
    for family in range(n):
        for stratum in range(n_strata):
            first = stratum * n_patterns
            for pattern in range(n_patterns):
                observed[family, first + pattern, 0] = healthy = float(counts[family, first + pattern, 0])
                observed[family, first + pattern, 1] = ill = float(counts[family, first + pattern, 1])
                without[family, stratum] += healthy
                events[family, stratum] += ill
                for parent in range(n_parents):
                    if pattern >> parent & 1:
                        without[family, n_strata + parent] += healthy
                        events[family, n_strata + parent] += ill
            ill_in_all, healthy_in_all = events[family, stratum], without[family, stratum]
            rate = (ill_in_all + 0.5) / (healthy_in_all + ill_in_all + 1.0)
            healthy, ill = observed[family, first, 0], observed[family, first, 1]
            spared[family, stratum] = (healthy + 1.0 - rate) / (healthy + ill + 1.0)
            for parent in range(n_parents):
                healthy = observed[family, first + (1 << parent), 0]
                ill = observed[family, first + (1 << parent), 1]
                weighted[parent, family, stratum] = (healthy + ill) * spared[family, stratum]
                unharmed[parent, family] += healthy
    return observed, spared, weighted, unharmed, without, events


@compiled
def begin(
    leak: Float, theta: Float, without: Float, events: Float, least: float, lowest: float, highest: float
) -> Float:
    """The start, shape (n, m), from the logarithms of what a leak spares and of what a parent adds to it.

    A parameter whose likelihood falls, or rises, wherever the others are starts at that side of the box.
    """
    n, n_strata = leak.shape
    start = np.empty(without.shape)
    for family in range(n):
        for place in range(without.shape[1]):
            if place < n_strata:
                value = -leak[family, place]
            else:
                value = min(max(theta[place - n_strata, family], least), highest)
            if events[family, place] == 0.0 and without[family, place] > 0.0:
                value = lowest
            elif without[family, place] == 0.0 and events[family, place] > 0.0:
                value = highest
            start[family, place] = value
    return start

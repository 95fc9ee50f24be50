"""Count tables for the tests of families, random and at the edges of what can be fitted."""

import numpy as np
from hypothesis import strategies as st

shapes = st.tuples(st.integers(0, 10_000), st.integers(1, 4), st.integers(0, 3))
KERNELS = ("numba", "numpy")


def tables(seed, n_strata, n_parents, n_families=4, size=60):
    """Random counts; some cells empty, some all one outcome."""
    rng = np.random.default_rng(seed)
    shape = (n_families, n_strata * 2**n_parents, 2)
    return (rng.integers(0, size, shape) * (rng.random(shape) < 0.8)).astype(float)


def odd_tables(seed, n_strata, n_parents):
    """One family of each kind that breaks a careless fit.

    Few patients; a million a cell; rare events; pseudo-counts; most cells empty; an empty stratum; a parent
    that nobody has, that everybody has, that always brings the effect, that never does; two parents that
    always come together; one outcome a cell; no events; only events; nothing at all.
    """
    rng = np.random.default_rng(seed)
    shape = (n_strata, 2**n_parents, 2)
    patterns = np.arange(2**n_parents)
    has = patterns & 1 == 1
    together = has == (patterns >> 1 & 1 == 1)
    usual = rng.integers(0, 60, shape).astype(float)
    changes = [
        rng.integers(0, 3, shape),
        rng.integers(1, 10**6, shape),
        rng.integers(1, 5000, shape) * [1000, 1],
        usual + 5 / n_strata * np.array([0.93, 0.07]),
        usual * (rng.random(shape) < 0.2),
        usual * (np.arange(n_strata) > 0)[:, None, None],
        usual * ~has[:, None],
        usual * (has | (n_parents == 0))[:, None],
        usual * (~has[:, None] | np.array([False, True])),
        usual * (~has[:, None] | np.array([True, False])),
        usual * together[:, None],
        usual * np.eye(2)[rng.integers(0, 2, shape[:2])],
        usual * [1, 0],
        usual * [0, 1],
        usual * 0,
    ]
    return np.array(changes, dtype=float).reshape(len(changes), -1, 2)


def same_maximum(first, second):
    """Whether two log-likelihoods are those of one maximum."""
    return np.all(np.abs(first - second) <= 1e-6 + 1e-8 * np.abs(second))


def relabelled(counts, n_strata, n_parents, rng):
    """The same tables with strata and parents in another order, and these orders."""
    strata, parents = rng.permutation(n_strata), rng.permutation(n_parents)
    patterns = np.arange(2**n_parents)
    moved = sum(((patterns >> new & 1) << old for new, old in enumerate(parents)), np.zeros_like(patterns))
    by_stratum = counts.reshape(len(counts), n_strata, -1, 2)
    return by_stratum[:, strata][:, :, moved].reshape(counts.shape), strata, parents

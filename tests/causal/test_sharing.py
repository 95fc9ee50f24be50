"""Cases of one data set share counts and scores; what they find is what they would find alone."""

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS, dataset, numbered
from tools.causal import strengths
from tools.causal.constraints import Constraints
from tools.causal.dag import CausalGraph
from tools.causal.edits import edit_gains
from tools.causal.fitting import fit
from tools.causal.orientation import time_evidence
from tools.causal.scores import SCORES
from tools.causal.search import hill_climb
from tools.numerics.memory import Memory

SIZES = (3, 4, 6)


def drawn(seed, slots=None):
    """A data set over all keys; with slots, every visit has so many codes."""
    rng = np.random.default_rng(seed)
    if slots:
        visits = [
            [set(rng.choice(len(KEYS), slots, replace=False).tolist()) for _ in range(3)] for _ in range(200)
        ]
        return numbered(visits, len(KEYS))
    health = rng.gamma(2.0, 0.5, 200)
    share = np.minimum(0.25 * health, 0.9)[:, None, None]
    has = rng.random((200, 3, len(KEYS))) < share
    patients = [[{k for k, one in zip(KEYS, row, strict=True) if one} for row in p] for p in has]
    return dataset(patients), KEYS


def cases(keys, seed):
    """Node sets that overlap, each in an order of its own."""
    rng = np.random.default_rng(seed)
    return [tuple(rng.permutation(some).tolist()) for n in SIZES for some in list(combinations(keys, n))[:4]]


def found(matrix, nodes, score):
    rules = Constraints(tiers={node: int(place > 1) for place, node in enumerate(nodes)})
    graph = hill_climb(matrix, CausalGraph(nodes), rules, score)
    evidence = time_evidence(matrix)
    return graph.edges, fit(graph, matrix, score), edit_gains(graph, matrix, rules, score), repr(evidence)


@pytest.mark.parametrize("slots", [None, 2])
@pytest.mark.parametrize("score", SCORES)
def test_cases_that_share_find_to_the_bit_what_each_finds_alone(score, slots):
    data, keys = drawn(SCORES.index(score), slots)
    assert data.slots == slots
    memory = Memory(1 << 24)
    for nodes in cases(keys, 5):
        alone = data.matrix(nodes)
        shared = data.matrix(nodes).shared_in(memory, map(data.vocabulary.column, nodes))
        assert found(shared, nodes, score) == found(alone, nodes, score)
    assert len(memory) > 0


def test_a_memory_too_small_for_anything_changes_nothing():
    data, keys = drawn(1)
    for nodes in cases(keys, 6):
        shared = data.matrix(nodes).shared_in(Memory(0), map(data.vocabulary.column, nodes))
        assert found(shared, nodes, "noisy_or_bic") == found(data.matrix(nodes), nodes, "noisy_or_bic")


def test_strengths_are_fitted_once_for_all_cases_that_leave_the_same_out_of_the_burden(monkeypatch):
    data, keys = drawn(3)
    memory, n_fitted, fitted = Memory(1 << 24), [], strengths.strength_intervals

    def counted(fitted_families, *given, **options):
        n_fitted.append(len(fitted_families.theta))
        return fitted(fitted_families, *given, **options)

    monkeypatch.setattr(strengths, "strength_intervals", counted)
    a, b, c, d = keys[:4]
    small, large, deep = ([(a, c), (b, c)], [(b, c), (a, c), (d, a)], [(a, c), (b, c), (c, d)])
    for nodes, edges, n_new in (((a, b, c), small, 1), ((d, c, b, a), large, 1), ((a, b, c, d), deep, 2)):
        shared = data.matrix(nodes).shared_in(memory, map(data.vocabulary.column, nodes))
        evidence = time_evidence(shared).lagged_gain
        assert np.all(evidence < 2.0), "time would leave more out of the burden"
        n_fitted.clear()
        together = fit(CausalGraph(nodes, edges), shared)
        assert sum(n_fitted) == n_new
        assert together == fit(CausalGraph(nodes, edges), data.matrix(nodes))


def test_threads_that_share_find_what_one_finds():
    data, keys = drawn(2)
    memory, jobs = Memory(1 << 24), cases(keys, 7) * 3

    def share(nodes):
        matrix = data.matrix(nodes).shared_in(memory, map(data.vocabulary.column, nodes))
        return found(matrix, nodes, "noisy_or_bic")

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(share, jobs))
    assert together == [found(data.matrix(nodes), nodes, "noisy_or_bic") for nodes in jobs]


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from([None, 3, 7]))
def test_compiled_and_plain_kernels_offer_the_same_edits(seed, max_parents, max_edges):
    rng = np.random.default_rng(seed)
    order = rng.permutation(KEYS).tolist()
    pairs = list(combinations(order, 2))
    edges = [pairs[place] for place in rng.permutation(len(pairs))[: rng.integers(0, 8)]]
    required = (edges[0],) if edges and seed % 2 else ()
    rules = Constraints(required=required, max_parents=max_parents, max_edges=max_edges)
    data, _ = drawn(seed % 5)
    offered = [
        edit_gains(CausalGraph(KEYS, edges), data.matrix(KEYS, kernels), rules, "bic")
        for kernels in ("numba", "numpy")
    ]
    assert offered[0] == offered[1]

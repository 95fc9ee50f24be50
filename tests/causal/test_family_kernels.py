import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS, numbered, random_matrix
from tests.causal.family_tables import shapes, tables
from tests.causal.test_scores import random_graph
from tools.causal import edit_kernels, edits, family_kernels, noisy_or
from tools.causal import tables as count_tables
from tools.causal.constraints import UNCONSTRAINED
from tools.causal.edits import Neighbourhood
from tools.causal.strata import Groups
from tools.causal.tables import Family

seeds = st.integers(0, 10_000)


@settings(max_examples=60)
@given(shapes, st.integers(1, 20), st.integers(0, 6))
def test_a_compiled_start_is_that_of_numpy(shape, n_strata, n_parents):
    counts = tables(shape[0], n_strata, n_parents).astype(np.int64)
    counts[:, :, 1] *= np.random.default_rng(shape[0]).integers(0, 2, counts.shape[:2])
    sides = noisy_or.LEAST_START, noisy_or.NOISY_OR.lowest, noisy_or.NOISY_OR.highest
    start, observed = family_kernels.start(counts, n_strata, *sides)
    np.testing.assert_allclose(start, noisy_or._start(counts.astype(float), n_strata), rtol=1e-12, atol=1e-14)
    assert (observed == counts).all()


def test_whole_counts_are_fitted_as_the_same_numbers_are():
    counts = np.rint(tables(3, 5, 3)).astype(np.int64)
    whole, given_as_floats = (noisy_or.fit(some, 5) for some in (counts, counts.astype(np.float64)))
    for one, other in zip(whole, given_as_floats, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@settings(max_examples=40)
@given(seeds, st.integers(0, 4), st.lists(st.integers(1, 9), max_size=2))
def test_compiled_tables_of_neighbours_are_those_of_numpy(seed, n_parents, sizes):
    random, data = np.random.default_rng(seed), random_matrix(seed).packed
    order = random.permutation(len(KEYS)).tolist()
    partitions = [random.integers(0, size, data.n_rows).astype(np.int8) for size in sizes]
    groups = tuple(Groups.of(one, size) for one, size in zip(partitions, sizes, strict=True))
    family = Family(order[0], tuple(sorted(order[1 : 1 + n_parents])), groups)
    added = tuple(order[1 + n_parents :])
    compiled, plain = (
        count_tables.neighbours(data._replace(kernels=kernels), family, added)
        for kernels in ("numba", "numpy")
    )
    for one, other in zip(compiled, plain, strict=True):
        assert one.shape == other.shape and (one == other).all()


@pytest.mark.parametrize("n_added", [0, 1, 63, 64, 65, 70])
@pytest.mark.parametrize("n_parents", [0, 2])
def test_tables_are_those_of_numpy_past_a_word_of_candidates_and_without_one(n_parents, n_added):
    random = np.random.default_rng(n_added)
    drawn = random.random((200, 2, 73)) < 0.2
    matrix, keys = numbered([[set(np.flatnonzero(v).tolist()) for v in p] for p in drawn], 73)
    data = matrix.matrix(keys).packed
    order = random.permutation(73).tolist()
    family = Family(order[0], tuple(sorted(order[1 : 1 + n_parents])))
    added = tuple(order[1 + n_parents : 1 + n_parents + n_added])
    compiled, plain = (
        count_tables.neighbours(data._replace(kernels=kernels), family, added)
        for kernels in ("numba", "numpy")
    )
    assert len(plain.more) == n_added and plain.own.sum() == data.n_rows
    for one, other in zip(compiled, plain, strict=True):
        assert one.shape == other.shape and (one == other).all()


@pytest.mark.parametrize("n", [1, 63, 64, 65, 130])
@pytest.mark.parametrize(("max_parents", "max_edges"), [(3, -1), (200, -1), (200, 5)])
def test_legal_edits_are_those_of_numpy_past_a_word_of_nodes(n, max_parents, max_edges):
    random = np.random.default_rng(n)
    order = random.permutation(n)
    edges = (np.triu(random.random((n, n)) < 3 / n, 1))[np.ix_(order, order)]
    allowed = (random.random((n, n)) < 0.7) & ~np.eye(n, dtype=bool)
    fixed = edges & (random.random((n, n)) < 0.2)
    given = edges, allowed, fixed, random.normal(size=(n, n)), max_parents, max_edges
    compiled, plain = edit_kernels.gains(*given), edits._gains(*given)
    assert compiled.tobytes() == plain.tobytes()
    if n > 64 and max_edges < 0:
        assert (np.isfinite(plain).sum(axis=(1, 2)) > 0).all()


class _Given(Neighbourhood):
    """A neighbourhood whose gains are given."""

    def __init__(self, gains, kernels):
        matrix = random_matrix(0, kernels=kernels)
        super().__init__(random_graph(0), matrix, UNCONSTRAINED, "bic")
        self.given = gains

    def gains(self):
        return self.given.copy()


@settings(max_examples=100)
@given(seeds, st.sampled_from([0.1, 0.9, 1.0]), st.integers(0, 6), st.integers(0, 12))
def test_compiled_and_numpy_choose_the_same_edit(seed, legal, digits, n_recent):
    random = np.random.default_rng(seed)
    gains = np.round(random.normal(size=(3, 7, 7)), digits)
    gains[random.random(gains.shape) > legal] = -np.inf
    recent = [tuple(pair) for pair in random.integers(0, 7, (n_recent, 2)).tolist()]
    height, summit = random.normal(size=2)
    chosen, expected = (
        _Given(gains, kernels).best(recent, height, summit, 1e-6) for kernels in ("numba", "numpy")
    )
    assert chosen[3] == expected[3]
    assert chosen == expected or chosen[3] == -np.inf


@pytest.mark.parametrize("kernels", ["numba", "numpy"])
def test_a_barred_pair_is_edited_only_where_that_tops_the_summit(kernels):
    gains = np.full((3, 3, 3), -np.inf)
    gains[0, 0, 1], gains[0, 1, 2] = 2.0, 1.0
    around = _Given(gains, kernels)
    assert around.best([(1, 0)], 0.0, 1.9, 1e-6) == (0, 0, 1, 2.0)
    assert around.best([(1, 0)], 0.0, 2.1, 1e-6) == (0, 1, 2, 1.0)
    assert around.best([(1, 0), (1, 2)], 0.0, 2.1, 1e-6)[3] == -np.inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tools.numerics.proportion import effective_trials, wilson

clusters = st.lists(st.integers(1, 9).flatmap(lambda t: st.tuples(st.integers(0, t), st.just(t))), min_size=1)


@given(st.integers(0, 50), st.integers(1, 50))
def test_wilson_equals_scipy(hits, extra):
    trials = hits + extra
    expected = binomtest(hits, trials).proportion_ci(method="wilson")
    assert wilson(hits / trials, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(clusters)
def test_trials_are_worth_between_one_a_cluster_of_like_size_and_one_each(rows):
    hits, trials = np.array(rows).T
    worth = effective_trials(hits, trials)
    assert trials.sum() ** 2 / np.sum(trials**2) - 1e-9 <= worth <= trials.sum() + 1e-9


@given(st.integers(2, 40), st.integers(1, 39))
def test_single_trials_are_worth_what_they_count(size, ones):
    hits = np.arange(size) < min(ones, size - 1)
    assert effective_trials(hits, np.ones(size)) == pytest.approx(size, rel=1 / size + 1e-9)


@given(st.integers(2, 20), st.integers(2, 9), st.integers(1, 19))
def test_trials_that_repeat_each_other_are_worth_one_a_cluster(size, copies, ones):
    hits = copies * (np.arange(size) < min(ones, size - 1))
    assert effective_trials(hits, np.full(size, copies)) == pytest.approx(size)


def test_the_variance_is_that_of_a_bootstrap_over_clusters():
    rng = np.random.default_rng(0)
    trials = rng.integers(1, 9, 300)
    hits = rng.binomial(trials, rng.beta(0.7, 0.7, 300))
    drawn = rng.integers(300, size=(4_000, 300))
    spread = np.var(hits[drawn].sum(axis=1) / trials[drawn].sum(axis=1))
    share = hits.sum() / trials.sum()
    assert share * (1 - share) / effective_trials(hits, trials) == pytest.approx(spread, rel=0.1)


def test_no_clusters_are_worth_nothing():
    assert effective_trials([], []) == 0.0

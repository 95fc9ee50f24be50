import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from tests.causal.family_tables import KERNELS, odd_tables, relabelled, same_maximum, shapes, tables
from tools.causal import logistic
from tools.causal.logistic import CEILING, LOGISTIC
from tools.numerics import grouped


def parameters(fitted):
    return np.hstack([fitted.intercept, fitted.weights])


@given(shapes)
def test_derivatives_equal_finite_differences(shape):
    seed, n_strata, n_parents = shape
    counts, cells = tables(*shape), grouped.design(n_strata, n_parents)
    point = np.random.default_rng(seed).normal(size=(len(counts), cells.shape[1]))
    gradient, curvature = grouped.derivatives(point, counts, cells, LOGISTIC)
    for i, unit in enumerate(1e-5 * np.eye(cells.shape[1])):
        ahead, behind = (grouped.log_likelihood(point + s * unit, counts, cells, LOGISTIC) for s in (1, -1))
        np.testing.assert_allclose(gradient[:, i], (ahead - behind) / 2e-5, rtol=1e-5, atol=1e-3)
        rise, fall = (grouped.derivatives(point + s * unit, counts, cells, LOGISTIC)[0] for s in (1, -1))
        np.testing.assert_allclose(-curvature[:, i], (rise - fall) / 2e-5, rtol=1e-5, atol=1e-3)


@given(shapes)
def test_the_log_likelihood_is_that_of_bernoulli_draws(shape):
    seed, n_strata, n_parents = shape
    counts, cells = tables(*shape), grouped.design(n_strata, n_parents)
    point = np.random.default_rng(seed).normal(size=(len(counts), cells.shape[1]))
    chance = special.expit(point @ cells.T)
    expected = special.xlogy(counts, np.stack([1 - chance, chance], axis=-1)).sum(axis=(1, 2))
    np.testing.assert_allclose(grouped.log_likelihood(point, counts, cells, LOGISTIC), expected, rtol=1e-12)


@pytest.mark.parametrize("kernels", KERNELS)
@settings(max_examples=100)
@given(shapes)
def test_the_fit_satisfies_the_kkt_conditions(kernels, shape):
    _, n_strata, n_parents = shape
    counts = np.concatenate([tables(*shape), odd_tables(*shape)])
    best = parameters(logistic.fit(counts, n_strata, kernels=kernels))
    gradient, _ = grouped.derivatives(best, counts, grouped.design(n_strata, n_parents), LOGISTIC)
    slack = 1e-5 * (1 + counts.sum(axis=(1, 2)))[:, None]
    assert np.all(np.abs(best) <= CEILING)
    assert np.all((gradient <= slack) | (best == CEILING))
    assert np.all((gradient >= -slack) | (best == -CEILING))


@settings(max_examples=100)
@given(shapes)
def test_compiled_and_numpy_find_one_maximum(shape):
    _, n_strata, n_parents = shape
    counts = np.concatenate([tables(*shape), odd_tables(*shape)])
    ours, theirs = (logistic.fit(counts, n_strata, kernels=kernels) for kernels in KERNELS)
    assert same_maximum(ours.log_likelihood, theirs.log_likelihood)
    cells = grouped.design(n_strata, n_parents)
    chances = [special.expit(parameters(fitted) @ cells.T) for fitted in (ours, theirs)]
    known = counts.sum(axis=-1) > 0
    np.testing.assert_allclose(chances[0][known], chances[1][known], atol=1e-4)


def test_compiled_and_numpy_find_one_maximum_with_as_many_parents_as_there_may_be():
    counts = tables(0, 3, 10, n_families=2, size=4)
    ours, theirs = (logistic.fit(counts, 3, kernels=kernels) for kernels in KERNELS)
    assert same_maximum(ours.log_likelihood, theirs.log_likelihood)
    np.testing.assert_allclose(parameters(ours), parameters(theirs), atol=1e-5)


@pytest.mark.parametrize("kernels", KERNELS)
@settings(max_examples=20)
@given(shapes)
def test_a_general_optimiser_finds_the_same_maximum(kernels, shape):
    _, n_strata, n_parents = shape
    counts, cells = 1 + tables(*shape, n_families=1), grouped.design(n_strata, n_parents)
    outcomes = np.repeat(cells, 2, axis=0) * np.tile([1, -1], len(cells))[:, None]

    def loss(point):
        return counts[0, :, ::-1].ravel() @ np.logaddexp(0, -outcomes @ point)

    found = optimize.minimize(loss, np.zeros(cells.shape[1]), method="BFGS", options={"gtol": 1e-6})
    fitted = logistic.fit(counts, n_strata, kernels=kernels)
    assert fitted.log_likelihood[0] == pytest.approx(-found.fun, rel=1e-9)
    np.testing.assert_allclose(parameters(fitted)[0], found.x, atol=1e-4)


@pytest.mark.parametrize("kernels", KERNELS)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500), st.integers(1, 500))
def test_one_parent_in_one_stratum_has_the_log_odds_ratio_as_its_weight(kernels, n00, n01, n10, n11):
    fitted = logistic.fit([[[n00, n01], [n10, n11]]], 1, kernels=kernels)
    assert fitted.intercept[0, 0] == pytest.approx(np.log(n01 / n00), abs=1e-6)
    assert fitted.weights[0, 0] == pytest.approx(np.log(n11 * n00 / (n10 * n01)), abs=1e-6)


@given(shapes)
def test_the_order_of_strata_and_parents_does_not_matter(shape):
    seed, n_strata, n_parents = shape
    counts = 1 + tables(*shape)
    moved, strata, parents = relabelled(counts, n_strata, n_parents, np.random.default_rng(seed))
    before, after = logistic.fit(counts, n_strata), logistic.fit(moved, n_strata)
    np.testing.assert_allclose(after.intercept, before.intercept[:, strata], atol=1e-6)
    np.testing.assert_allclose(after.weights, before.weights[:, parents], atol=1e-6)


@given(shapes)
def test_exchanging_the_outcomes_changes_every_sign(shape):
    counts = 1 + tables(*shape)
    ours, theirs = (logistic.fit(some, shape[1]) for some in (counts, counts[..., ::-1]))
    np.testing.assert_allclose(ours.log_likelihood, theirs.log_likelihood, rtol=1e-10)
    np.testing.assert_allclose(parameters(ours), -parameters(theirs), atol=1e-6)


@pytest.mark.parametrize("kernels", KERNELS)
def test_separated_cases_have_a_finite_fit_about_as_good_as_the_limit(kernels):
    never_then_always = [[[20, 0], [0, 30]], [[0, 0], [7, 9]]]
    fitted = logistic.fit(np.reshape(never_then_always, (1, 4, 2)), 2, kernels=kernels)
    limit = 7 * np.log(7 / 16) + 9 * np.log(9 / 16)
    assert fitted.log_likelihood[0] == pytest.approx(limit, abs=50 * np.exp(-15))
    assert np.isfinite(parameters(fitted)).all()

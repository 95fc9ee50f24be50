import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.causal import noisy_or


def tables(seed, n_strata, n_parents, n_families=4, size=60):
    """Random counts; some cells empty, some all one outcome."""
    rng = np.random.default_rng(seed)
    shape = (n_families, n_strata * 2**n_parents, 2)
    return (rng.integers(0, size, shape) * (rng.random(shape) < 0.8)).astype(float)


shapes = st.tuples(st.integers(0, 10_000), st.integers(1, 4), st.integers(0, 3))


@settings(max_examples=150)
@given(shapes)
def test_the_fit_satisfies_the_kkt_conditions(shape):
    seed, n_strata, n_parents = shape
    counts = tables(seed, n_strata, n_parents)
    fitted = noisy_or.fit(counts, n_strata)
    best = np.hstack([fitted.leak, fitted.theta])
    gradient, _ = noisy_or.derivatives(best, counts, noisy_or.design(n_strata, n_parents))
    size = counts.sum(axis=(1, 2))[:, None]
    assert np.all(best >= 0)
    inside = (best > 0) & (best < noisy_or.CEILING)
    assert np.all(
        np.abs(gradient * np.minimum(best, 1.0))[inside] <= (1e-4 * size * np.ones_like(best))[inside]
    )
    assert np.all(gradient[best == 0] <= 1e-6)


@given(shapes)
def test_no_nearby_point_is_better(shape):
    seed, n_strata, n_parents = shape
    counts = tables(seed, n_strata, n_parents)
    cells = noisy_or.design(n_strata, n_parents)
    fitted = noisy_or.fit(counts, n_strata)
    best = np.hstack([fitted.leak, fitted.theta])
    rng = np.random.default_rng(seed)
    for scale in (1e-4, 1e-2, 1.0):
        other = np.clip(best + scale * rng.normal(size=best.shape), 0, noisy_or.CEILING)
        slack = 1e-6 * (1 + np.abs(fitted.log_likelihood))
        assert np.all(noisy_or.log_likelihood(other, counts, cells) <= fitted.log_likelihood + slack)


@given(shapes)
def test_derivatives_equal_finite_differences(shape):
    seed, n_strata, n_parents = shape
    counts, cells = tables(seed, n_strata, n_parents), noisy_or.design(n_strata, n_parents)
    point = np.random.default_rng(seed).uniform(0.1, 1.0, (len(counts), cells.shape[1]))
    gradient, curvature = noisy_or.derivatives(point, counts, cells)
    for i, unit in enumerate(1e-5 * np.eye(cells.shape[1])):
        ahead, behind = (noisy_or.log_likelihood(point + s * unit, counts, cells) for s in (1, -1))
        np.testing.assert_allclose(gradient[:, i], (ahead - behind) / 2e-5, rtol=1e-4, atol=1e-2)
        rise = noisy_or.derivatives(point + unit, counts, cells)[0]
        fall = noisy_or.derivatives(point - unit, counts, cells)[0]
        np.testing.assert_allclose(-curvature[:, i], (rise - fall) / 2e-5, rtol=1e-4, atol=1e-2)


@given(shapes)
def test_a_batch_equals_its_families_one_by_one(shape):
    seed, n_strata, n_parents = shape
    counts = tables(seed, n_strata, n_parents)
    together = noisy_or.fit(counts, n_strata).log_likelihood
    alone = [noisy_or.fit(table[None], n_strata).log_likelihood[0] for table in counts]
    np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-9)


@given(shapes, st.floats(0.0, 2.0))
def test_with_a_parameter_fixed_the_others_are_at_their_best(shape, theta):
    seed, n_strata, n_parents = shape
    counts, cells = tables(seed, n_strata, n_parents), noisy_or.design(n_strata, n_parents)
    start = np.full((len(counts), cells.shape[1]), 0.1)
    start[:, -1] = theta
    fixed = np.zeros(start.shape, bool)
    fixed[:, -1] = True
    best, value = noisy_or.maximise(start, counts, cells, fixed)
    assert np.all(best[:, -1] == theta)
    assert np.all(value <= noisy_or.maximise(start, counts, cells)[1] + 1e-6 * (1 + np.abs(value)))
    rng = np.random.default_rng(seed)
    for scale in (1e-3, 0.1):
        other = np.clip(best + scale * ~fixed * rng.normal(size=best.shape), 0, noisy_or.CEILING)
        slack = 1e-6 * (1 + np.abs(value))
        assert np.all(noisy_or.log_likelihood(other, counts, cells) <= value + slack)


def drawn(rng, leak, theta, per_cell):
    cells = noisy_or.design(len(leak), len(theta))
    chance = -np.expm1(-cells @ np.concatenate([leak, theta]))
    events = rng.binomial(per_cell, chance)
    return np.stack([per_cell - events, events], axis=1)


def test_known_strengths_are_recovered():
    leak, theta = np.array([0.02, 0.2]), np.array([0.5, 0.1, 0.0])
    counts = drawn(np.random.default_rng(0), leak, theta, 200_000)
    fitted = noisy_or.fit(counts[None], 2)
    np.testing.assert_allclose(fitted.leak[0], leak, atol=0.005)
    np.testing.assert_allclose(fitted.theta[0], theta, atol=0.005)


@pytest.mark.parametrize("outcome", [0, 1])
def test_one_outcome_only_stays_finite(outcome):
    counts = np.zeros((1, 4, 2))
    counts[..., outcome] = 50
    fitted = noisy_or.fit(counts, 2)
    assert np.isfinite(fitted.log_likelihood).all()
    assert fitted.log_likelihood[0] == pytest.approx(0.0, abs=1e-6)

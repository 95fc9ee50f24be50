import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from tests.causal.family_tables import KERNELS, odd_tables, relabelled, same_maximum, shapes, tables
from tools.causal import noisy_or
from tools.numerics import grouped


def parameters(fitted):
    return np.hstack([fitted.leak, fitted.theta])


@pytest.mark.parametrize("kernels", KERNELS)
@settings(max_examples=100)
@given(shapes)
def test_the_fit_satisfies_the_kkt_conditions(kernels, shape):
    _, n_strata, n_parents = shape
    counts = np.concatenate([tables(*shape), odd_tables(*shape)])
    best = parameters(noisy_or.fit(counts, n_strata, kernels=kernels))
    gradient, _ = noisy_or.derivatives(best, counts, grouped.design(n_strata, n_parents))
    size = counts.sum(axis=(1, 2))[:, None]
    assert np.all((best >= 0) & (best <= noisy_or.CEILING))
    still = np.abs(gradient * np.minimum(best, 1.0)) <= 1e-5 * size
    assert np.all(still | (best == 0) | (best == noisy_or.CEILING))
    assert np.all((gradient <= 1e-5 * (1 + size))[best == 0])
    assert np.all((gradient >= -1e-5 * (1 + size))[best == noisy_or.CEILING])


@settings(max_examples=100)
@given(shapes)
def test_compiled_and_numpy_find_one_maximum(shape):
    _, n_strata, n_parents = shape
    counts = np.concatenate([tables(*shape), odd_tables(*shape)])
    ours, theirs = (noisy_or.fit(counts, n_strata, kernels=kernels) for kernels in KERNELS)
    assert same_maximum(ours.log_likelihood, theirs.log_likelihood)
    cells = grouped.design(n_strata, n_parents)
    spared = [np.exp(-parameters(fitted) @ cells.T) for fitted in (ours, theirs)]
    known = counts[..., 1] > 0
    np.testing.assert_allclose(spared[0][known], spared[1][known], atol=1e-4)


@settings(max_examples=150)
@given(shapes)
def test_a_fit_begun_from_that_without_the_last_parent_finds_the_same_maximum(shape):
    seed, n_strata, n_parents = shape
    counts = np.concatenate(
        [tables(seed, n_strata, n_parents + 1), odd_tables(seed, n_strata, n_parents + 1)]
    )
    counts = np.concatenate([counts, counts[:, :, ::-1]]).round().astype(np.int64)
    halves = counts.reshape(len(counts), n_strata, 2, 2**n_parents, 2)
    without = noisy_or.fit(halves.sum(axis=2).reshape(len(counts), -1, 2), n_strata)
    found = noisy_or.log_likelihoods_with(counts, np.arange(len(counts)), without)
    alone = noisy_or.fit(counts, n_strata)
    assert same_maximum(found, alone.log_likelihood)
    stays = np.abs(found - without.log_likelihood) < 1e-12
    assert stays.any() and not stays.all()
    assert np.all(
        alone.log_likelihood[stays] <= without.log_likelihood[stays] + 1e-6 + 1e-8 * np.abs(found[stays])
    )


def test_families_with_one_fit_in_common_each_find_their_own_maximum():
    counts = tables(5, 3, 2, n_families=6).astype(np.int64)
    halves = counts.reshape(6, 3, 2, 2, 2)
    counts = (halves - halves % 2).reshape(6, -1, 2)
    own = np.stack([counts[0], counts[3]]).reshape(2, 3, 2, 2, 2).sum(axis=2).reshape(2, -1, 2)
    some = counts[[0, 0, 3]].copy()
    some[1] = some[1].reshape(3, 2, 2, 2)[:, ::-1].reshape(-1, 2)
    found = noisy_or.log_likelihoods_with(some, np.array([0, 0, 1]), noisy_or.fit(own, 3))
    assert same_maximum(found, noisy_or.fit(some, 3).log_likelihood)


def test_compiled_and_numpy_find_one_maximum_with_as_many_parents_as_there_may_be():
    counts = tables(0, 3, 10, n_families=2, size=4)
    ours, theirs = (noisy_or.fit(counts, 3, kernels=kernels) for kernels in KERNELS)
    assert same_maximum(ours.log_likelihood, theirs.log_likelihood)
    np.testing.assert_allclose(parameters(ours), parameters(theirs), atol=1e-5)


@pytest.mark.parametrize("kernels", KERNELS)
@settings(max_examples=20)
@given(shapes)
def test_a_general_optimiser_finds_nothing_better(kernels, shape):
    _, n_strata, n_parents = shape
    counts, cells = tables(*shape, n_families=1), grouped.design(n_strata, n_parents)

    def loss(point):
        gradient, _ = noisy_or.derivatives(point[None], counts, cells)
        return -noisy_or.log_likelihood(point[None], counts, cells)[0], -gradient[0]

    box = [(1e-9, noisy_or.CEILING)] * cells.shape[1]
    found = optimize.minimize(loss, np.full(cells.shape[1], 0.3), jac=True, bounds=box, method="L-BFGS-B")
    value = noisy_or.fit(counts, n_strata, kernels=kernels).log_likelihood[0]
    assert -found.fun <= value + 1e-6 * (1 + abs(value))
    assert -found.fun == pytest.approx(value, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("kernels", KERNELS)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500), st.integers(1, 500))
def test_one_parent_in_one_stratum_has_its_closed_form(kernels, n00, n01, n10, n11):
    fitted = noisy_or.fit([[[n00, n01], [n10, n11]]], 1, kernels=kernels)
    spared, exposed = n00 / (n00 + n01), n10 / (n10 + n11)
    if exposed < spared:
        assert fitted.leak[0, 0] == pytest.approx(-np.log(spared), rel=1e-5)
        assert fitted.theta[0, 0] == pytest.approx(np.log(spared / exposed), rel=1e-4, abs=1e-6)
    else:
        assert fitted.theta[0, 0] == pytest.approx(0.0, abs=1e-6)


@given(shapes)
def test_the_order_of_strata_and_parents_does_not_matter(shape):
    seed, n_strata, n_parents = shape
    counts = 1 + tables(*shape)
    moved, strata, parents = relabelled(counts, n_strata, n_parents, np.random.default_rng(seed))
    before, after = noisy_or.fit(counts, n_strata), noisy_or.fit(moved, n_strata)
    np.testing.assert_allclose(after.leak, before.leak[:, strata], atol=1e-6)
    np.testing.assert_allclose(after.theta, before.theta[:, parents], atol=1e-6)


@given(shapes)
def test_no_nearby_point_is_better(shape):
    seed, n_strata, n_parents = shape
    counts = tables(seed, n_strata, n_parents)
    cells = grouped.design(n_strata, n_parents)
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
    counts, cells = tables(seed, n_strata, n_parents), grouped.design(n_strata, n_parents)
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


@pytest.mark.parametrize("kernels", KERNELS)
@given(shapes, st.floats(0.0, 2.0))
def test_with_a_parameter_fixed_the_others_are_at_their_best(kernels, shape, theta):
    seed, n_strata, n_parents = shape
    counts, cells = tables(seed, n_strata, n_parents), grouped.design(n_strata, n_parents)
    start = np.full((len(counts), cells.shape[1]), 0.1)
    start[:, -1] = theta
    fixed = np.zeros(start.shape, bool)
    fixed[:, -1] = True
    best, value = noisy_or.maximise(start, counts, n_strata, fixed, kernels=kernels)
    assert np.all(best[:, -1] == theta)
    assert np.all(value <= noisy_or.maximise(start, counts, n_strata)[1] + 1e-6 * (1 + np.abs(value)))
    rng = np.random.default_rng(seed)
    for scale in (1e-3, 0.1):
        other = np.clip(best + scale * ~fixed * rng.normal(size=best.shape), 0, noisy_or.CEILING)
        slack = 1e-6 * (1 + np.abs(value))
        assert np.all(noisy_or.log_likelihood(other, counts, cells) <= value + slack)


def drawn(rng, leak, theta, per_cell):
    cells = grouped.design(len(leak), len(theta))
    chance = -np.expm1(-cells @ np.concatenate([leak, theta]))
    events = rng.binomial(per_cell, chance)
    return np.stack([per_cell - events, events], axis=1)


def test_known_strengths_are_recovered():
    leak, theta = np.array([0.02, 0.2]), np.array([0.5, 0.1, 0.0])
    counts = drawn(np.random.default_rng(0), leak, theta, 200_000)
    fitted = noisy_or.fit(counts[None], 2)
    np.testing.assert_allclose(fitted.leak[0], leak, atol=0.005)
    np.testing.assert_allclose(fitted.theta[0], theta, atol=0.005)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("outcome", [0, 1])
def test_one_outcome_only_stays_finite(outcome, kernels):
    counts = np.zeros((1, 4, 2))
    counts[..., outcome] = 50
    fitted = noisy_or.fit(counts, 2, kernels=kernels)
    assert np.isfinite(fitted.log_likelihood).all()
    assert fitted.log_likelihood[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("kernels", KERNELS)
def test_no_families_are_fitted_to_nothing(kernels):
    fitted = noisy_or.fit(np.zeros((0, 8, 2)), 2, kernels=kernels)
    assert (fitted.leak.shape, fitted.theta.shape, fitted.log_likelihood.shape) == ((0, 2), (0, 2), (0,))


def test_tables_that_cannot_be_written_to_are_fitted_and_left_alone():
    counts = tables(0, 2, 1)
    kept = counts.copy()
    counts.flags.writeable = False
    frozen, strided = noisy_or.fit(counts, 2), noisy_or.fit(np.asfortranarray(counts), 2)
    np.testing.assert_array_equal(frozen.theta, strided.theta)
    np.testing.assert_array_equal(counts, kept)

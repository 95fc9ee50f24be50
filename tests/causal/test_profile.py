import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.family_tables import shapes, tables
from tests.causal.test_noisy_or import drawn
from tools.causal import noisy_or
from tools.causal.profile import CHI2_95, strength_intervals
from tools.numerics import grouped


def interval(table):
    """Lambda's interval for one parent and stratum: rows unexposed, exposed; columns without, with effect."""
    counts = np.array([table], dtype=float)
    ends = strength_intervals(noisy_or.fit(counts, 1), counts)
    return [float(noisy_or.strength(end)[0, 0]) for end in ends]


def deviance(counts, fitted, n_strata, place, theta):
    """Twice what the log-likelihood loses with one parent's theta held, by a fit from a start of its own."""
    cells = grouped.design(n_strata, fitted.theta.shape[1])
    start = np.full((1, cells.shape[1]), 0.2)
    start[0, n_strata + place] = theta
    fixed = np.zeros(start.shape, bool)
    fixed[0, n_strata + place] = True
    _, value = noisy_or.maximise(start, counts, n_strata, fixed, max_steps=500)
    return float(2 * (fitted.log_likelihood - value)[0])


@settings(max_examples=60)
@given(st.tuples(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 3)))
def test_an_end_is_where_the_deviance_is_chi2_or_a_bound_that_is_not_ruled_out(shape):
    seed, n_strata, n_parents = shape
    counts = tables(seed, n_strata, n_parents, n_families=1)
    fitted = noisy_or.fit(counts, n_strata)
    lower, upper = strength_intervals(fitted, counts)
    assert np.all((lower >= 0) & (lower <= fitted.theta) & (fitted.theta <= upper))
    for place in range(n_parents):
        for end, bound in ((lower[0, place], 0.0), (upper[0, place], noisy_or.CEILING)):
            at_end = deviance(counts, fitted, n_strata, place, end)
            if end == bound:
                assert at_end <= CHI2_95 + 0.02
            else:
                assert at_end == pytest.approx(CHI2_95, abs=0.02)


@given(shapes)
def test_a_batch_equals_to_the_bit_its_families_one_by_one(shape):
    seed, n_strata, n_parents = shape
    counts = tables(seed, n_strata, n_parents).astype(np.int64)
    together = strength_intervals(noisy_or.fit(counts, n_strata, kernels="numba"), counts, "numba")
    for row, table in enumerate(counts):
        fitted = noisy_or.fit(table[None], n_strata, kernels="numba")
        for ours, theirs in zip(together, strength_intervals(fitted, table[None], "numba"), strict=True):
            np.testing.assert_array_equal(ours[row], theirs[0])


@settings(max_examples=40)
@given(shapes)
def test_compiled_and_numpy_find_the_same_ends(shape):
    seed, n_strata, n_parents = shape
    counts = tables(seed, n_strata, n_parents)
    fitted = noisy_or.fit(counts, n_strata)
    ours, theirs = (strength_intervals(fitted, counts, kernels) for kernels in ("numba", "numpy"))
    for mine, yours in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(noisy_or.strength(mine), noisy_or.strength(yours), atol=1e-6)


def test_a_cause_that_has_never_failed_has_an_upper_end_of_one_and_a_lower_end_near_it():
    low, high = interval([[1425, 75], [0, 500]])
    assert low == pytest.approx(1 - (1 - np.exp(-CHI2_95 / 1000)) / 0.95, abs=1e-4)
    assert high == pytest.approx(1.0, abs=1e-12)


def test_a_cause_that_is_never_followed_has_a_lower_end_of_zero_and_an_upper_end_near_it():
    low, high = interval([[1000, 10], [100, 0]])
    assert low == 0.0
    assert high == pytest.approx(1 - np.exp(-CHI2_95 / 200), abs=1e-4)


def test_without_a_single_exposed_patient_anything_is_possible():
    assert interval([[100, 10], [0, 0]]) == pytest.approx([0.0, 1.0], abs=1e-12)


@pytest.mark.parametrize(
    ("leak", "theta", "unexposed", "exposed"),
    [
        (0.05, 0.0, 150, 150),
        (0.05, 0.05, 150, 150),
        (0.05, 0.6, 150, 150),
        (0.01, 0.02, 1000, 100),
        (0.005, 0.05, 2000, 60),
        (0.05, 4.0, 500, 100),
    ],
)
def test_intervals_cover_the_truth_as_often_as_they_say(leak, theta, unexposed, exposed):
    rng = np.random.default_rng(1)
    size = np.array([unexposed, exposed] * 2)
    counts = np.stack([drawn(rng, np.array([leak, 3 * leak]), np.array([theta]), size) for _ in range(600)])
    lower, upper = (end[:, 0] for end in strength_intervals(noisy_or.fit(counts, 2), counts))
    assert 0.92 <= np.mean((lower <= theta) & (theta <= upper)) <= 0.995
    assert np.mean(upper < theta) <= 0.06
    assert np.mean(lower > theta) <= 0.06


def test_a_family_without_parents_has_no_interval():
    counts = tables(0, 2, 0)
    assert [end.shape for end in strength_intervals(noisy_or.fit(counts, 2), counts)] == [(4, 0)] * 2

"""Draws from a specification are those of its equations: slow textbook courses, and laws of their moments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal, special

from tests.nof1.samples import COFFEE, HEADACHE, SLEEP, STRESS, series
from tests.nof1.specs import EDGES, WHY, edge, normal, sleep_model, sleep_spec
from tools.nof1.components import (
    AutoRegression,
    Bernoulli,
    CovariateEffect,
    ExposureEffect,
    Gaussian,
    HeavyTailed,
    Level,
    Ordinal,
    Poisson,
    Season,
    Trend,
)
from tools.nof1.priors import Beta, LogNormal
from tools.nof1.simulation import coefficients, recursion, simulate, stationary
from tools.nof1.variables import Variable
from tools.safety.errors import InputError

TINY = 1e-9
EXACT_LEVEL = Level(initial=normal(6.5, TINY))
QUIET = Gaussian(sd=LogNormal(median=TINY, log_sd=0.01, **WHY))
COUNT = Variable(name="sleep", unit="n", role="outcome", kind="count")
GRADE = Variable(name="sleep", unit="4-8", role="outcome", kind="ordinal", lowest=4, highest=8)


def exactly(value):
    """A prior of a positive parameter that hardly leaves a value."""
    return LogNormal(median=value, log_sd=0.01, **WHY)


def share(value):
    return Beta(a=1000, b=1000, low=value - 0.001, high=value + 0.001, **WHY)


def of(n_draws=200, person=None, seed=3, outcome=SLEEP, edges=EDGES, **model):
    spec = sleep_spec(
        variables=(outcome, COFFEE, STRESS), outcomes=(sleep_model(**model),), edges=edges, latents=()
    )
    return simulate(spec, 0, person or series(60, 1, outcome), n_draws, seed)


NOTHING = {
    "level": EXACT_LEVEL,
    "effects": (ExposureEffect(exposure="coffee", delay=0, size=normal(0, TINY)),),
    "covariates": (CovariateEffect(covariate="stress", lag=0, size=normal(0, TINY)),),
    "law": QUIET,
}


@given(st.lists(st.floats(-0.99, 0.99), min_size=1, max_size=3))
def test_any_partial_autocorrelations_make_a_stationary_process_that_has_them(partial):
    (phi,) = coefficients(np.array([partial]))
    order = len(partial)
    companion = np.vstack([phi, np.eye(order)[:-1]])
    assert np.abs(np.linalg.eigvals(companion)).max() < 1
    assert phi[-1] == pytest.approx(partial[-1])
    if order == 2:
        assert phi[0] == pytest.approx(partial[0] * (1 - partial[1]))
    if order == 3:
        a, b, c = partial
        assert phi[:2] == pytest.approx([a - a * b - b * c, b - a * c + a * b * c])


@given(st.integers(0, 50), st.integers(1, 3))
def test_the_recursion_is_scipy_s_filter(seed, order):
    rng = np.random.default_rng(seed)
    phi = coefficients(rng.uniform(-0.9, 0.9, (4, order)))
    new = rng.normal(size=(4, 30))
    expected = [signal.lfilter([1], [1, *-one], row) for one, row in zip(phi, new, strict=True)]
    np.testing.assert_allclose(recursion(phi, new), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("delay", [0, 1, 5])
@pytest.mark.parametrize("kept", [None, 0.6])
def test_an_effect_is_what_the_equations_say_step_by_step(delay, kept):
    person = series(60, 1)
    effect = ExposureEffect(
        exposure="coffee", delay=delay, size=normal(-0.4, TINY), carry_over=share(kept) if kept else None
    )
    covariate = CovariateEffect(covariate="stress", lag=2, size=normal(0.2, TINY))
    edges = (edge("coffee", "sleep", delay), edge("stress", "sleep", 2))
    found = of(5, person, edges=edges, **NOTHING | {"effects": (effect,), "covariates": (covariate,)})
    coffee, stress = person.column("coffee"), person.column("stress")
    expected, carried = [], 0.0
    for t in range(60):
        u = coffee[t - delay] - np.nanmean(coffee) if t >= delay else 0.0
        z = stress[t - 2] - np.nanmean(stress) if t >= 2 else 0.0
        carried = (kept or 0.0) * carried + (0.0 if np.isnan(u) else u)
        expected.append(6.5 - 0.4 * carried + 0.2 * (0.0 if np.isnan(z) else z))
    np.testing.assert_allclose(found.values, [expected] * 5, rtol=2e-3)
    (total,) = [part.total for part in found.parts if part.total is not None]
    np.testing.assert_allclose(total, -0.4 / (1 - (kept or 0.0)), rtol=2e-3)


def test_a_straight_trend_is_straight():
    found = of(3, **NOTHING | {"trend": Trend(initial=normal(0.1, TINY))})
    np.testing.assert_allclose(found.values, [6.5 + 0.1 * np.arange(60)] * 3, rtol=1e-5)


def test_a_bending_trend_s_slope_wanders():
    found = of(4_000, **NOTHING | {"trend": Trend(initial=normal(0, TINY), sd=exactly(0.1))})
    slopes = np.diff(found.values, axis=1)
    assert slopes[:, 0] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(slopes.var(axis=0)[[1, 9, 58]], 0.01 * np.array([1, 9, 58]), rtol=0.1)


def test_a_level_wanders_by_the_variance_of_its_steps():
    found = of(4_000, **NOTHING | {"level": Level(initial=normal(6.5, TINY), sd=exactly(0.3))})
    assert found.values[:, 0] == pytest.approx(6.5, abs=1e-6)
    np.testing.assert_allclose(found.values.var(axis=0)[[1, 9, 59]], 0.09 * np.array([1, 9, 59]), rtol=0.1)
    np.testing.assert_allclose(found.values.mean(axis=0)[-1], 6.5, atol=0.2)


@pytest.mark.parametrize("r", [-0.8, 0.5, 0.9])
def test_an_autoregression_is_stationary_from_the_first_step(r):
    found = of(4_000, **NOTHING | {"autoregression": AutoRegression(partial=(share(r),), sd=exactly(1.0))})
    variance = 1 / (1 - r**2)
    np.testing.assert_allclose(found.values.var(axis=0)[[0, 30, 59]], variance, rtol=0.1)
    lagged = np.mean([np.corrcoef(found.values[:, t], found.values[:, t + 1])[0, 1] for t in (0, 30, 58)])
    assert lagged == pytest.approx(r, abs=0.05)


@pytest.mark.parametrize("partial", [[0.98], [-0.98], [0.9, 0.97], [-0.6, -0.98], [0.5, -0.7, 0.98]])
def test_near_a_unit_root_the_first_steps_covary_as_the_last_and_as_the_equations_say(partial):
    order, n_draws = len(partial), 40_000
    phi = coefficients(np.array([partial]))[0]
    # Yule and Walker's equations, g_j = sum_k phi_k g_|j-k| + [j = 0], solved for g.
    equations = np.eye(order + 1)
    for j in range(order + 1):
        for k in range(1, order + 1):
            equations[j, abs(j - k)] -= phi[k - 1]
    expected = np.linalg.solve(equations, np.eye(order + 1)[0])
    new = np.random.default_rng(5).normal(size=(n_draws, 12))
    x = stationary(np.tile(partial, (n_draws, 1)), new)
    for t in (0, 11 - order):
        found = [np.mean(x[:, t] * x[:, t + j]) for j in range(order + 1)]
        np.testing.assert_allclose(found, expected, atol=0.04 * expected[0])


@pytest.mark.parametrize("changes", [False, True])
def test_days_of_the_week_add_up_to_nothing_and_come_again(changes):
    season = Season(effect=normal(2, 1), sd=exactly(0.3) if changes else None)
    found = of(20, **NOTHING | {"season": season})
    weeks = (found.values[:, :56] - 6.5).reshape(20, 8, 7)
    np.testing.assert_allclose(weeks.sum(axis=2), 0, atol=1e-5)
    again = np.allclose(weeks[:, 0], weeks[:, 1], atol=1e-5)
    assert again == (not changes)
    assert weeks.std(axis=2).min() > 0.1


def test_days_of_the_week_begin_as_their_effects_say_and_change_by_the_week():
    found = of(2_000, **NOTHING | {"season": Season(effect=normal(0, TINY), sd=exactly(1.0))})
    weeks = (found.values[:, :56] - 6.5).reshape(2_000, 8, 7)
    assert weeks[:, 0] == pytest.approx(0, abs=1e-6)
    # Seven walks less their mean: six sevenths of their variance remain.
    np.testing.assert_allclose(weeks[:, [1, 7]].var(axis=(0, 2)), np.array([1, 7]) * 6 / 7, rtol=0.1)


def test_the_noise_is_as_wide_as_its_law_says():
    gauss = of(500, **NOTHING | {"law": Gaussian(sd=exactly(2.0))}).values
    heavy = of(500, **NOTHING | {"law": HeavyTailed(scale=exactly(2.0), df_above_2=exactly(3.0))}).values
    assert gauss.std() == pytest.approx(2.0, rel=0.02)
    assert heavy.std() == pytest.approx(2.0 * np.sqrt(5 / 3), rel=0.1)
    assert np.abs(heavy - 6.5).max() > 2 * np.abs(gauss - 6.5).max()


@pytest.mark.parametrize("eta", [-2.0, 0.0, 1.5])
def test_discrete_laws_have_the_means_of_their_link(eta):
    level = NOTHING | {"level": Level(initial=normal(eta, TINY))}
    person = series(60, 1, HEADACHE)
    binary = sleep_spec(
        variables=(HEADACHE, COFFEE, STRESS),
        outcomes=(sleep_model(**level | {"outcome": "headache", "law": Bernoulli()}),),
        edges=(edge("coffee", "headache"), edge("stress", "headache")),
        latents=(),
    )
    assert simulate(binary, 0, person, 400, 0).values.mean() == pytest.approx(special.expit(eta), abs=0.01)
    counts = of(400, outcome=COUNT, **level | {"law": Poisson()}).values
    assert counts.mean() == pytest.approx(np.exp(eta), rel=0.05)
    assert counts.var() == pytest.approx(np.exp(eta), rel=0.05)
    grades = of(400, outcome=GRADE, **level | {"law": Ordinal(gap=exactly(1.0))}).values
    above = [np.mean(grades > k) for k in range(4, 8)]
    np.testing.assert_allclose(above, special.expit(eta - np.array([-1.0, 0.0, 1.0, 2.0])), atol=0.015)


def test_the_seed_alone_decides():
    assert np.array_equal(of(seed=1).values, of(seed=1).values)
    assert not np.array_equal(of(seed=1).values, of(seed=2).values)


def test_outcomes_are_drawn_independently_of_each_other():
    mood = SLEEP.model_copy(update={"name": "mood"})
    person = series(60, 1, SLEEP, mood)
    spec = sleep_spec(
        variables=person.variables,
        outcomes=(sleep_model(), sleep_model(outcome="mood")),
        edges=(*EDGES, edge("coffee", "mood"), edge("stress", "mood")),
    )
    levels = [simulate(spec, i, person, 2_000, 1).parts[0].size for i in (0, 1)]
    assert abs(np.corrcoef(levels)[0, 1]) < 0.1


@pytest.mark.parametrize(("n_draws", "seed", "field"), [(0, 0, "n_draws"), (5, -1, "seed")])
def test_no_draws_and_no_seed_are_refused(n_draws, seed, field):
    with pytest.raises(InputError) as refused:
        of(n_draws, seed=seed)
    assert refused.value.field == field


def test_another_series_than_the_specification_s_is_refused():
    with pytest.raises(InputError, match="specify anew"):
        of(person=series(60, 1, HEADACHE))

"""Priors that cannot be meant are told apart from those that can, by name and direction, for any series."""

import json
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.nof1.samples import COFFEE, HEADACHE, SLEEP, STRESS, drawn, series
from tests.nof1.specs import EDGES, WHY, edge, half, normal, sleep_model, sleep_spec, specs
from tools.nof1.components import (
    AutoRegression,
    Bernoulli,
    CovariateEffect,
    ExposureEffect,
    Gaussian,
    Level,
    Ordinal,
    OutcomeModel,
    Poisson,
    Season,
    Trend,
)
from tools.nof1.prior_predictive import LEAST_TAIL, prior_predictive
from tools.nof1.priors import Beta, Gamma, LogNormal
from tools.nof1.series import Series
from tools.nof1.variables import Variable
from tools.safety.errors import InputError

FITS = Variable(name="fits", unit="n", role="outcome", kind="count")
PAIN = Variable(name="pain", unit="0-10", role="outcome", kind="ordinal", lowest=0, highest=10)
PERSON = series()
FLAT = Beta(a=2, b=2, low=-0.99, high=0.99, **WHY)


def on(outcome, **model):
    """Objections to a model of an outcome, by place."""
    person = series(120, 0, outcome)
    spec = sleep_spec(
        variables=person.variables,
        outcomes=(sleep_model(outcome=outcome.name, **model),),
        edges=(edge("coffee", outcome.name), edge("stress", outcome.name)),
        latents=(),
    )
    return {check.place: check for check in prior_predictive(spec, person, 0).implausible}


def coffee(size, **more):
    return (ExposureEffect(exposure="coffee", delay=0, size=size, **more),)


def test_a_weakly_informative_model_is_plausible_and_every_check_is_told():
    found = prior_predictive(sleep_spec(), PERSON, 0)
    assert found.implausible == ()
    assert {check.place for check in found.checks} == {
        "outcomes.0.level.initial",
        "outcomes.0.level.sd",
        "outcomes.0.effects.0.size",
        "outcomes.0.covariates.0.size",
        "outcomes.0.law.sd",
    }
    assert found.n_draws == 400
    assert all(check.objection == "" for check in found.checks)


WIDE = {
    "level.initial": {"level": Level(initial=normal(6.5, 1_000))},
    "level.sd": {"level": Level(initial=normal(6.5, 2), sd=half(1_000))},
    "trend.initial": {"trend": Trend(initial=normal(0, 1_000))},
    "trend.sd": {"trend": Trend(initial=normal(0, 0.01), sd=half(1_000))},
    "autoregression.sd": {"autoregression": AutoRegression(partial=(FLAT,), sd=half(1_000))},
    "season.effect": {"season": Season(effect=normal(0, 1_000))},
    "season.sd": {"season": Season(effect=normal(0, 1), sd=half(1_000))},
    "effects.0.size": {"effects": coffee(normal(0, 1_000))},
    "covariates.0.size": {"covariates": (CovariateEffect(covariate="stress", lag=0, size=normal(0, 1_000)),)},
    "law.sd": {"law": Gaussian(sd=half(1_000))},
}


@pytest.mark.parametrize("place", WIDE)
def test_c10_a_thousand_sds_is_too_wide_wherever_it_stands(place):
    objections = on(SLEEP, **WIDE[place])
    assert list(objections) == [f"outcomes.0.{place}"]
    (check,) = objections.values()
    assert check.way == "too wide"
    assert "too wide" in check.objection and "make it narrower" in check.objection


NARROW = {
    "effects.0.size": {"effects": coffee(normal(0, 1e-4))},
    "law.sd": {"level": Level(initial=normal(6.4, 0.5)), "law": Gaussian(sd=half(1e-3))},
}


@pytest.mark.parametrize("place", NARROW)
def test_a_prior_that_rules_out_what_was_seen_is_too_narrow(place):
    quiet = {
        "effects": coffee(normal(0, 0.03)),
        "covariates": (CovariateEffect(covariate="stress", lag=0, size=normal(0, 1e-3)),),
    }
    objections = on(SLEEP, **(NARROW[place] | ({} if place.startswith("effects") else quiet)))
    assert {name: check.way for name, check in objections.items()} == {f"outcomes.0.{place}": "too narrow"}


@pytest.mark.parametrize(
    ("mean", "way"),
    [(20.0, "too high"), (12.0, "too high"), (2.0, "too low"), (-5.0, "too low"), (600.0, "too high")],
)
def test_a_level_where_nobody_saw_the_outcome_is_too_high_or_too_low(mean, way):
    objections = on(SLEEP, level=Level(initial=normal(mean, 0.5)))
    assert {name: check.way for name, check in objections.items()} == {"outcomes.0.level.initial": way}


@pytest.mark.parametrize(
    ("outcome", "law", "good", "bad"),
    [
        (HEADACHE, Bernoulli(), normal(0, 1.5), {"too wide": normal(0, 100), "too high": normal(30, 1)}),
        (FITS, Poisson(), normal(1.9, 0.7), {"too wide": normal(2, 30), "too low": normal(-9, 0.5)}),
        (
            PAIN,
            Ordinal(gap=half(0.5)),
            normal(2, 1.5),
            {"too wide": normal(2, 60), "too low": normal(-9, 0.5)},
        ),
    ],
)
def test_every_law_tells_plausible_from_implausible(outcome, law, good, bad):
    mild = {
        "effects": coffee(normal(0, 0.2)),
        "covariates": (CovariateEffect(covariate="stress", lag=0, size=normal(0, 0.1)),),
        "law": law,
    }
    assert on(outcome, level=Level(initial=good), **mild) == {}
    for way, prior in bad.items():
        objections = on(outcome, level=Level(initial=prior), **mild)
        assert {one: check.way for one, check in objections.items()} == {"outcomes.0.level.initial": way}


def test_a_carry_over_near_one_makes_a_moderate_effect_too_wide():
    kept = Beta(a=500, b=1, low=0, high=0.99, **WHY)
    assert on(SLEEP, effects=coffee(normal(0, 0.3))) == {}
    objections = on(SLEEP, effects=coffee(normal(0, 0.3), carry_over=kept))
    assert {name: check.way for name, check in objections.items()} == {
        "outcomes.0.effects.0.size": "too wide"
    }


def overall(outcome, values, level, law):
    """The one objection to a model with nothing in it but a level."""
    person = Series((outcome, COFFEE), np.column_stack([values, np.arange(len(values)) % 4]))
    spread = person.summaries[0].spread
    model = OutcomeModel(
        outcome=outcome.name,
        level=Level(initial=normal(person.summaries[0].centre, level * spread)),
        effects=coffee(normal(0, 0.1 * spread)),
        law=law,
    )
    edges = (edge("coffee", outcome.name),)
    spec = sleep_spec(variables=person.variables, outcomes=(model,), edges=edges, latents=())
    return {check.measures: check.place for check in prior_predictive(spec, person, 0).implausible}


@pytest.mark.parametrize("level", [3.0, 13.0])
def test_a_level_that_is_mostly_impossible_is_too_wide_where_its_spread_alone_does_not_tell(level):
    share = Variable(name="share", unit="part", role="outcome", kind="continuous", lowest=0, highest=1)
    found = overall(share, np.arange(60) % 2, level, Gaussian(sd=half(0.5)))
    told = {"the share of simulated values that are impossible": "outcomes.0.level.initial"}
    assert found == ({} if level == 3 else told)


@pytest.mark.parametrize("level", [1.0, 8.0])
def test_a_level_that_leads_far_off_is_too_wide_where_its_spread_alone_does_not_tell(level):
    values = np.random.default_rng(0).poisson(6, 60)
    found = overall(FITS, values, level, Poisson())
    told = {"the share of simulated values more than 10 observed ranges off": "outcomes.0.level.initial"}
    assert found == ({} if level == 1 else told)


def test_several_outcomes_are_checked_each_by_itself():
    person = series(120, 0, SLEEP, HEADACHE)
    models = (
        sleep_model(),
        sleep_model(outcome="headache", law=Bernoulli(), level=Level(initial=normal(0, 500))),
    )
    edges = (*EDGES, edge("coffee", "headache"), edge("stress", "headache"))
    spec = sleep_spec(variables=person.variables, outcomes=models, edges=edges, latents=())
    found = prior_predictive(spec, person, 0).implausible
    assert [check.place for check in found] == ["outcomes.1.level.initial"]


@pytest.mark.parametrize("place", WIDE)
def test_the_only_numbers_of_an_objection_are_what_was_measured_and_its_bound(place):
    (check,) = on(SLEEP, **WIDE[place]).values()
    numbers = re.findall(r"\d[\d.]*(?:e[+-]\d+)?", check.objection)
    assert numbers == [f"{check.value:.2g}", f"{check.most:g}"]


@pytest.mark.parametrize("unit", [0.001, 1.0, 1000.0])
@pytest.mark.parametrize(("sd", "narrow"), [(1.0, False), (0.02, False), (0.003, True)])
def test_an_effect_is_measured_by_a_typical_change_of_its_exposure_in_any_unit(unit, sd, narrow):
    walked = Variable(name="walked", unit="km", role="exposure", kind="continuous")
    values = PERSON.values[:, :2] * [1.0, unit]
    person = Series((SLEEP, walked), values)
    sleep, change = person.summaries
    size = normal(0, sd * sleep.spread / change.sd)
    effect = ExposureEffect(exposure="walked", delay=0, size=size)
    spec = sleep_spec(
        variables=person.variables,
        outcomes=(sleep_model(effects=(effect,), covariates=()),),
        edges=(edge("walked", "sleep"),),
        latents=(),
    )
    found = prior_predictive(spec, person, 0)
    told = {
        one.measures.split(",")[-1].strip(): one for one in found.checks if "whole effect" in one.measures
    }
    # Of the absolute value of a standard normal variable: its median and its 0.95 quantile.
    assert told["typically"].value == pytest.approx(0.674 * sd, rel=0.15)
    assert told["in one draw of 20"].value == pytest.approx(1.96 * sd, rel=0.15)
    assert (told["in one draw of 20"].way == "too narrow") == narrow


@pytest.mark.parametrize(
    ("outcome", "law"), [(FITS, Poisson()), (HEADACHE, Bernoulli()), (PAIN, Ordinal(gap=half(0.5)))]
)
def test_a_series_may_vary_too_much_only_where_nothing_bounds_it(outcome, law):
    person = series(120, 0, outcome)
    spec = sleep_spec(
        variables=person.variables,
        outcomes=(sleep_model(outcome=outcome.name, law=law),),
        edges=(edge("coffee", outcome.name), edge("stress", outcome.name)),
        latents=(),
    )
    told = [check.measures for check in prior_predictive(spec, person, 0).checks]
    assert ("the sd of a simulated series, in observed sds, typically" in told) == (outcome == FITS)


def test_the_seed_alone_decides():
    assert prior_predictive(sleep_spec(), PERSON, 1) == prior_predictive(sleep_spec(), PERSON, 1)
    assert prior_predictive(sleep_spec(), PERSON, 1) != prior_predictive(sleep_spec(), PERSON, 2)


def test_a_prior_out_of_all_proportion_is_refused_before_anything_is_drawn(monkeypatch):
    monkeypatch.setattr("tools.nof1.prior_predictive.simulate", None)
    wide = sleep_spec(outcomes=(sleep_model(effects=coffee(normal(0, 1e9))),))
    with pytest.raises(InputError, match=r"effects\.0\.size\.sd"):
        prior_predictive(wide, PERSON, 0)


ALL = series(40, 2, SLEEP, HEADACHE, FITS, PAIN)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(specs(ALL.summaries, ALL.n_steps), st.integers(0, 9))
def test_r7_whatever_is_admitted_is_checked_with_finite_numbers(spec, seed):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = prior_predictive(spec, ALL, seed)
    assert all(np.isfinite(check.value) for check in found.checks)
    assert "NaN" not in json.dumps(found.model_dump(), allow_nan=False)
    assert {check.place for check in found.implausible} <= {one.place for one in spec.parameters}


@pytest.mark.parametrize("n_steps", [10, 20_000])
def test_the_shortest_and_the_longest_series_are_checked(n_steps):
    rng = np.random.default_rng(0)
    columns = [drawn(SLEEP, rng.normal(7, 1, n_steps), rng), rng.poisson(2, n_steps), np.arange(n_steps) % 11]
    person = Series((SLEEP, COFFEE, STRESS), np.column_stack(columns))
    model = sleep_model(level=Level(initial=normal(7, 2), sd=LogNormal(median=0.01, log_sd=0.5, **WHY)))
    found = prior_predictive(sleep_spec(outcomes=(model,)), person, 0)
    assert found.implausible == ()
    assert found.n_draws == (400 if n_steps == 10 else 200)
    assert found.n_draws * LEAST_TAIL >= 1


def test_a_gap_that_keeps_levels_apart_is_too_wide():
    mild = {"level": Level(initial=normal(2, 1.5)), "effects": coffee(normal(0, 0.2))}
    objections = on(PAIN, law=Ordinal(gap=Gamma(shape=2, scale=50, **WHY)), **mild)
    assert objections["outcomes.0.law.gap"].way == "too wide"

"""A specification keeps its rules by construction, says which is broken, and is known by a fingerprint."""

import pytest
from pydantic import ValidationError

from tests.nof1.samples import COFFEE, HEADACHE, SLEEP, STRESS, series
from tests.nof1.specs import CARRIED, EDGES, WHY, edge, half, normal, sleep_model, sleep_spec
from tools.nof1.components import (
    AutoRegression,
    Bernoulli,
    CovariateEffect,
    ExposureEffect,
    HeavyTailed,
    LaggedEdge,
    Latent,
    Level,
    Ordinal,
    OutcomeModel,
    Poisson,
    Season,
    Trend,
)
from tools.nof1.priors import Beta
from tools.nof1.spec import ModelSpec, require_proportion
from tools.nof1.variables import Variable
from tools.safety.errors import InputError

MOOD = Variable(name="mood", unit="points", role="outcome", kind="continuous")
PAIN = Variable(name="pain", unit="0-4", role="outcome", kind="ordinal", lowest=0, highest=4)
TWICE = (edge("coffee", "sleep"), *EDGES)
ON_PAIN = (edge("coffee", "pain"), edge("stress", "pain"))
LATENT = Latent(name="illness", affects=("sleep", "coffee"))


def of(outcome, **more):
    return sleep_model(outcome=outcome.name, **more)


def whole() -> ModelSpec:
    """Two outcomes with every component that there is."""
    partial = tuple(Beta(a=2, b=2, low=-0.9, high=0.9, because=f"of lag {k}") for k in (1, 2))
    full = sleep_model(
        trend=Trend(initial=normal(0, 0.01), sd=half(0.001)),
        autoregression=AutoRegression(partial=partial, sd=half(0.5)),
        season=Season(effect=normal(0, 0.5), sd=half(0.1)),
        law=HeavyTailed(scale=half(1), df_above_2=half(10)),
    )
    return sleep_spec(
        variables=(SLEEP, PAIN, COFFEE, STRESS),
        outcomes=(full, of(PAIN, law=Ordinal(gap=half(1)))),
        edges=(*EDGES, *ON_PAIN, edge("sleep", "sleep", 1), edge("sleep", "coffee", 1)),
    )


BROKEN = {
    "an unknown outcome": ({"outcomes": (of(MOOD),)}, "outcomes.0.outcome"),
    "an exposure as outcome": ({"outcomes": (of(COFFEE),)}, "outcomes.0.outcome"),
    "an outcome twice": ({"outcomes": (sleep_model(), sleep_model())}, "outcomes.1.outcome"),
    "an outcome without a model": ({"variables": (SLEEP, MOOD, COFFEE, STRESS)}, "outcomes"),
    "a law of another kind": ({"outcomes": (sleep_model(law=Poisson()),)}, "outcomes.0.law"),
    "days of the week by the hour": (
        {"step_days": 1 / 24, "outcomes": (sleep_model(season=Season(effect=normal(0, 1))),)},
        "outcomes.0.season",
    ),
    "an effect of no exposure": (
        {
            "outcomes": (
                sleep_model(effects=(ExposureEffect(exposure="stress", delay=0, size=normal(0, 1)),)),
            )
        },
        "outcomes.0.effects.0.exposure",
    ),
    "an exposure with two effects": (
        {"outcomes": (sleep_model(effects=sleep_model().effects * 2),)},
        "outcomes.0.effects.1.exposure",
    ),
    "a covariate that is none": (
        {
            "outcomes": (
                sleep_model(covariates=(CovariateEffect(covariate="tea", lag=0, size=normal(0, 1)),)),
            )
        },
        "outcomes.0.covariates.0.covariate",
    ),
    "a covariate twice": (
        {"outcomes": (sleep_model(covariates=sleep_model().covariates * 2),)},
        "outcomes.0.covariates.1.covariate",
    ),
    "an edge from nowhere": ({"edges": (*EDGES, edge("tea", "coffee"))}, "edges.3.cause"),
    "an edge to nowhere": ({"edges": (*EDGES, edge("coffee", "tea"))}, "edges.3.effect"),
    "an edge from a latent": ({"edges": (*EDGES, edge("illness", "sleep"))}, "edges.3.cause"),
    "a self-loop within the step": ({"edges": (*EDGES, edge("coffee", "coffee"))}, "edges.3"),
    "an edge twice": ({"edges": TWICE}, "edges.1"),
    "a cycle within the step": ({"edges": (*EDGES, edge("sleep", "stress"))}, "graph"),
    "an effect without its edge": ({"edges": EDGES[1:]}, "outcomes.0.effects.0"),
    "an effect at another lag than its edge": (
        {"edges": (edge("coffee", "sleep", 1), *EDGES[1:])},
        "outcomes.0.effects.0",
    ),
    "a covariate without its edge": ({"edges": (EDGES[0], EDGES[2])}, "outcomes.0.covariates.0"),
    "an edge without its effect": ({"edges": (*EDGES, edge("coffee", "sleep", 3))}, "edges.3"),
    "a latent with a variable's name": (
        {"latents": (Latent(name="stress", affects=("sleep", "coffee")),)},
        "latents.0.name",
    ),
    "a latent twice": ({"latents": (LATENT, LATENT)}, "latents.1.name"),
    "a latent on one variable": (
        {"latents": (Latent(name="illness", affects=("sleep", "sleep")),)},
        "latents.0.affects",
    ),
    "a latent on nothing known": (
        {"latents": (Latent(name="illness", affects=("sleep", "tea")),)},
        "latents.0.affects",
    ),
    "a variable twice": ({"variables": (SLEEP, COFFEE, COFFEE, STRESS)}, "variables"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_named_by_its_place(name):
    fields, place = BROKEN[name]
    with pytest.raises(InputError) as refused:
        sleep_spec(**fields)
    assert refused.value.field == place
    assert "tea" not in str(refused.value)


def test_a_cycle_is_named_and_with_a_lag_it_is_feedback():
    with pytest.raises(InputError, match="cycle"):
        sleep_spec(edges=(*EDGES, edge("sleep", "coffee")))
    spec = sleep_spec(edges=(*EDGES, edge("sleep", "coffee", 1), edge("sleep", "sleep", 1)))
    assert spec.contemporaneous.ancestors("sleep") == {"coffee", "stress"}


@pytest.mark.parametrize(("kind", "law"), [(HEADACHE, Bernoulli()), (PAIN, Ordinal(gap=half(1)))])
def test_each_kind_of_outcome_has_its_law(kind, law):
    edges = [edge(cause, kind.name) for cause in ("coffee", "stress")]
    spec = sleep_spec(
        variables=(kind, COFFEE, STRESS), outcomes=(of(kind, law=law),), edges=edges, latents=()
    )
    assert spec.outcomes[0].law == law


def test_every_parameter_has_one_prior_and_a_place_of_its_own_that_leads_to_it():
    spec = whole()
    dumped = spec.model_dump()
    for found in spec.parameters:
        at = dumped
        for step in found.place.split("."):
            at = at[int(step)] if step.isdigit() else at[step]
        assert at == found.prior.model_dump()
    assert len({found.place for found in spec.parameters}) == len(spec.parameters)
    assert str(dumped).count("'family'") == len(spec.parameters)
    assert {found.place: found.n for found in spec.parameters if found.n > 1} == {
        "outcomes.0.season.effect": 7,
        "outcomes.1.law.gap": 3,
    }


def test_a_component_without_its_prior_or_with_one_too_many_cannot_be():
    model = sleep_model().model_dump()
    for part, prior in (("level", "initial"), ("law", "sd")):
        for broken in ({}, {prior: None}, {prior: model[part][prior], "tau": model[part][prior]}):
            tag = {"law": "gaussian"} if part == "law" else {}
            with pytest.raises(ValidationError):
                OutcomeModel.model_validate(model | {part: tag | broken})


@pytest.mark.parametrize("step", [0.0, -1.0, 1e-320, 367.0, float("nan")])
def test_a_step_is_as_long_as_one_of_a_series(step):
    with pytest.raises(ValidationError, match="step_days"):
        sleep_spec(step_days=step, outcomes=(sleep_model(season=Season(effect=normal(0, 1))),))


@pytest.mark.parametrize("bad", [-1, 31, 1.0, "1", True, None])
def test_a_lag_is_a_small_whole_number(bad):
    with pytest.raises(ValidationError):
        LaggedEdge(cause="coffee", effect="sleep", lag=bad)
    with pytest.raises(ValidationError):
        ExposureEffect(exposure="coffee", delay=bad, size=normal(0, 1))


def test_no_carry_over_reaches_one_or_is_negative():
    for low, high in ((0.0, 1.0), (-0.5, 0.5)):
        with pytest.raises(ValidationError):
            ExposureEffect.model_validate(
                {
                    "exposure": "coffee",
                    "delay": 0,
                    "size": normal(0, 1).model_dump(),
                    "carry_over": {"family": "beta", "a": 1.0, "b": 1.0, "low": low, "high": high} | WHY,
                }
            )


def test_a_specification_comes_back_from_json():
    spec = whole()
    again = ModelSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert again.fingerprint == spec.fingerprint


def test_the_order_and_the_reasons_do_not_change_the_fingerprint():
    spec, plain = whole(), sleep_spec()
    turned = spec.model_copy(update={"outcomes": spec.outcomes[::-1], "edges": spec.edges[::-1]})
    assert ModelSpec.model_validate(turned.model_dump()).fingerprint == spec.fingerprint
    reasoned = sleep_model(
        level=Level(initial=normal(6.5, 2).model_copy(update={"because": "so"}), sd=half(0.1))
    )
    assert sleep_spec(outcomes=(reasoned,)).fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    "more",
    [
        {"outcomes": (sleep_model(level=Level(initial=normal(6.5, 2.001), sd=half(0.1))),)},
        {"outcomes": (sleep_model(level=Level(initial=normal(6.5, 2))),)},
        {"edges": (*EDGES, edge("sleep", "coffee", 1))},
        {"latents": ()},
        {"step_days": 2.0},
    ],
)
def test_whatever_the_model_is_changes_the_fingerprint(more):
    assert sleep_spec(**more).fingerprint != sleep_spec().fingerprint


def test_partial_autocorrelations_are_not_exchangeable():
    one, other = CARRIED, CARRIED.model_copy(update={"a": 9.0})
    prints = {
        sleep_spec(
            outcomes=(sleep_model(autoregression=AutoRegression(partial=partial, sd=half(1))),)
        ).fingerprint
        for partial in ((one, other), (other, one))
    }
    assert len(prints) == 2


def test_a_description_names_every_component_prior_and_edge():
    spec = whole()
    told = spec.describe()
    for found in spec.parameters:
        assert f"{found.place} ~ {found.prior.told}: {found.prior.because}" in told
    for words in (
        "sleep (h): a level that wanders, a trend that bends, autoregression of order 2, days of the week",
        "an effect of coffee within the step, carried over",
        "observed by the law student_t.",
        "pain (0-4): a level that wanders, an effect of coffee",
        "sleep acts on coffee 1 step later.",
        "illness (not recorded) acts on sleep, coffee.",
    ):
        assert words in told


def test_what_a_prior_is_measured_by_goes_with_the_outcome_the_cause_and_the_length():
    person = series(100)
    seen = {one.name: one for one in person.summaries}
    sleep, coffee = seen["sleep"], seen["coffee"]
    spec = sleep_spec(
        outcomes=(
            sleep_model(
                trend=Trend(initial=normal(0, 0.01)),
                autoregression=AutoRegression(partial=(CARRIED,), sd=half(1)),
                law=HeavyTailed(scale=half(1), df_above_2=half(10)),
            ),
        )
    )
    found = {one.place.removeprefix("outcomes.0."): one.reference(seen, 100) for one in spec.parameters}
    assert found == {
        "level.initial": (sleep.sd, sleep.mean),
        "level.sd": (sleep.sd, 0.0),
        "trend.initial": (sleep.sd / 100, 0.0),
        "autoregression.partial.0": None,
        "autoregression.sd": (sleep.sd, 0.0),
        "effects.0.size": (sleep.sd / coffee.sd, 0.0),
        "effects.0.carry_over": None,
        "covariates.0.size": (sleep.sd / seen["stress"].sd, 0.0),
        "law.scale": (sleep.sd, 0.0),
        "law.df_above_2": (10.0, 0.0),
    }


def test_the_proportion_is_that_of_the_series_of_the_model():
    person = series()
    require_proportion(sleep_spec(), person.summaries, person.n_steps)
    wide = sleep_spec(
        outcomes=(sleep_model(effects=(ExposureEffect(exposure="coffee", delay=0, size=normal(0, 1e7)),)),)
    )
    with pytest.raises(InputError, match="more than 1,000,000 times") as refused:
        require_proportion(wide, person.summaries, person.n_steps)
    assert refused.value.field == "outcomes.0.effects.0.size.sd"
    with pytest.raises(InputError, match="not those of the series"):
        require_proportion(sleep_spec(), series(120, 0, MOOD).summaries, 120)

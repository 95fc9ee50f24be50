"""By rule, any series gets a model that is admitted and plausible; components follow the autocorrelations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.modelling import model_case, specify
from agents.settings import Settings
from agents.weak_priors import propose_model
from tests.nof1.samples import COFFEE, HEADACHE, SLEEP, STRESS, series
from tools.nof1.series import Series
from tools.nof1.variables import Variable
from tools.safety.errors import InputError

WALK = Variable(name="walk", unit="yes", role="exposure", kind="binary")
RUN = Variable(name="run", unit="min", role="exposure", kind="continuous", lowest=0)
MOOD = Variable(name="mood", unit="points", role="outcome", kind="continuous")
FITS = Variable(name="fits", unit="n", role="outcome", kind="count")
PAIN = Variable(name="pain", unit="0-10", role="outcome", kind="ordinal", lowest=0, highest=10)
GRADE = Variable(name="grade", unit="1-3", role="outcome", kind="ordinal", lowest=1, highest=3)


def case_of(outcome, values, step_days=1.0):
    exposure = np.arange(len(values)) % 2
    return model_case(Series((outcome, WALK), np.column_stack([values, exposure]), step_days), "?")


def autoregressive(phi, n_steps=200):
    rng = np.random.default_rng(0)
    values = np.zeros(n_steps)
    for t in range(1, n_steps):
        values[t] = phi * values[t - 1] + rng.normal()
    return values


def weekly(n_steps=200):
    rng = np.random.default_rng(0)
    return 5.0 + 2.0 * (np.arange(n_steps) % 7 == 5) + rng.normal(0, 0.5, n_steps)


@pytest.mark.parametrize(
    ("values", "step", "autoregression", "season"),
    [
        (autoregressive(0.0), 1.0, False, False),
        (autoregressive(0.7), 1.0, True, False),
        (autoregressive(-0.7), 1.0, True, False),
        (autoregressive(0.99), 1.0, True, False),
        (weekly(), 1.0, False, True),
        (weekly(), 3.5, False, False),
    ],
)
def test_components_follow_the_autocorrelations(values, step, autoregression, season):
    (model,) = propose_model(case_of(MOOD, values, step)).outcomes
    assert (model.autoregression is not None, model.season is not None) == (autoregression, season)


def test_the_priors_go_with_the_spread_and_the_unit():
    values = autoregressive(0.5)
    (model,) = propose_model(case_of(MOOD, values)).outcomes
    (scaled,) = propose_model(case_of(MOOD, 1000 * values)).outcomes
    (shifted,) = propose_model(case_of(MOOD, values + 500)).outcomes
    assert scaled.law.sd.scale == pytest.approx(1000 * model.law.sd.scale)
    assert scaled.effects[0].size.sd == pytest.approx(1000 * model.effects[0].size.sd)
    assert shifted.level.initial.mean == pytest.approx(model.level.initial.mean + 500)
    assert shifted.law.sd.scale == pytest.approx(model.law.sd.scale)


def test_every_exposure_and_covariate_has_its_effect_and_covariates_may_confound():
    answer = propose_model(model_case(series(120, 0, SLEEP, HEADACHE), "?"))
    drawn = {(edge.cause, edge.effect, edge.lag) for edge in answer.edges}
    assert drawn == {
        ("coffee", "sleep", 0),
        ("stress", "sleep", 0),
        ("coffee", "headache", 0),
        ("stress", "headache", 0),
        ("stress", "coffee", 0),
    }
    assert "takes for granted" in answer.explanation


def crowd(**numbers):
    """A person with so many variables of each role."""
    variables = [
        Variable(name=f"{role} {k}", unit="points", role=role, kind="continuous")
        for role, number in numbers.items()
        for k in range(number)
    ]
    values = np.random.default_rng(0).normal(size=(60, len(variables)))
    return Series(tuple(variables), values)


@pytest.mark.parametrize(
    ("numbers", "n_edges", "left_out"),
    [
        ({"outcome": 5, "exposure": 10, "covariate": 20}, 5 * 30 + 10 * 20, ()),
        ({"outcome": 1, "exposure": 12, "covariate": 22}, 30 + 10 * 20, ("2 exposures", "2 covariates")),
    ],
)
def test_as_many_variables_as_a_model_holds_are_modelled_and_the_rest_is_told(numbers, n_edges, left_out):
    specified = specify(crowd(**numbers), "?", Settings()).value
    assert len(specified.spec.edges) == n_edges
    assert ("Left out" in specified.explanation) == bool(left_out)
    assert all(words in specified.explanation for words in left_out)


def test_more_outcomes_than_a_model_holds_are_refused_before_anybody_is_asked():
    with pytest.raises(InputError, match="more than 5 outcomes") as refused:
        specify(crowd(outcome=6, exposure=1), "?", Settings(model="openai:nobody-is-asked"))
    assert refused.value.field == "variables"


def column(variable, shape, n_steps, rng):
    """Values of a variable in one of several shapes, some of them ugly."""
    low, high = variable.possible
    top = min(high, 30.0)
    bottom = max(low, -30.0)
    steps = np.arange(n_steps)
    match shape:
        case "even":
            values = rng.uniform(bottom, top, n_steps)
        case "one outlier":
            values = np.where(steps == n_steps // 2, top, bottom)
        case "one dip":
            values = np.where(steps == n_steps // 2, bottom, top)
        case "two values":
            values = np.where(rng.random(n_steps) < 0.5, bottom, top)
        case "a ramp":
            values = bottom + (top - bottom) * steps / n_steps
        case "a week":
            values = np.where(steps % 7 == 0, top, bottom)
        case "hardly":
            values = (bottom + top) / 2 + np.where(steps % 5 == 0, 1.0, 0.0)
    values = np.clip(values if variable.kind == "continuous" else np.round(values), low, high)
    if len(set(values)) == 1:
        values[0] = top if values[0] != top else bottom
    return values


SHAPES = ["even", "one outlier", "one dip", "two values", "a ramp", "a week", "hardly"]
shapes = st.sampled_from(SHAPES)


@settings(max_examples=60)
@given(
    st.sampled_from([SLEEP, MOOD, HEADACHE, FITS, PAIN, GRADE]),
    st.tuples(shapes, shapes, shapes),
    st.sampled_from([COFFEE, WALK, RUN]),
    st.integers(10, 300),
    st.integers(0, 20),
)
def test_any_series_gets_a_model_that_is_admitted_at_once(outcome, kinds, exposure, n_steps, seed):
    rng = np.random.default_rng(seed)
    variables = (outcome, exposure, STRESS)
    columns = [column(one, shape, n_steps, rng) for one, shape in zip(variables, kinds, strict=True)]
    person = Series(variables, np.column_stack(columns))
    reply = specify(person, "Does it matter?", Settings(seed=seed))
    assert reply.calls == 1
    assert reply.value.implied.implausible == ()


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e7])
def test_any_unit_will_do(scale):
    values = np.column_stack([scale * weekly(), np.arange(200) % 2])
    assert specify(Series((MOOD, WALK), values), "?", Settings()).value.spec.outcomes[0].season


def test_counts_that_vary_less_than_their_law_are_still_admitted():
    values = np.column_stack([1_000 + np.arange(60) % 3, np.arange(60) % 2])
    assert specify(Series((FITS, WALK), values), "?", Settings()).value.implied.implausible == ()


def test_a_question_that_may_identify_a_person_is_held():
    with pytest.raises(InputError, match="may identify a person"):
        specify(series(), "Does coffee harm me? Write to ann@example.org", Settings())
    with pytest.raises(InputError, match="2,000 characters"):
        specify(series(), "x" * 2_001, Settings())
    asked = "Does coffee harm me? Write to ann@example.org"
    assert specify(series(), asked, Settings(), checked=True).value.spec


UNITS = [
    "h",
    "mmHg",
    "0-10",
    "1-5",
    "mmol/l",
    "10^9/l",
    "kg/m2",
    "cups",
    "steps",
    "°C",
    "%",
    "mg/24 h",
    "ml/min/1.73 m2",
]


@pytest.mark.parametrize("unit", UNITS)
def test_an_ordinary_unit_is_not_held_and_an_address_is(unit):
    values = np.column_stack([weekly(), np.arange(200) % 2])
    plain = MOOD.model_copy(update={"unit": unit})
    assert specify(Series((plain, WALK), values), "?", Settings()).value.spec.variables[0].unit == unit
    named = MOOD.model_copy(update={"unit": f"{unit} ann@example.org"})
    with pytest.raises(InputError, match=r"variables\.0: may identify a person"):
        specify(Series((named, WALK), values), "?", Settings())


def test_the_case_holds_summaries_and_nothing_of_the_series():
    person = series()
    told = model_case(person, "?").model_dump()
    assert "values" not in str(told)
    assert len(str(told)) == pytest.approx(len(str(model_case(series(5_000), "?").model_dump())), rel=0.05)

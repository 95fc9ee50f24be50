"""Priors are what scipy.stats says, within bounds of the type, and in proportion to their parameter."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import integrate, stats

from tools.nof1.priors import (
    FARTHEST,
    LEAST,
    AnywherePrior,
    Beta,
    Gamma,
    HalfNormal,
    LogNormal,
    Normal,
    PositivePrior,
    Prior,
    Reference,
    SharePrior,
    StudentT,
    require_in_proportion,
)
from tools.safety.errors import InputError

WHY = {"because": "a test"}
PRIOR = TypeAdapter(Prior)
FAMILIES = {
    "normal": (Normal(mean=7, sd=2, **WHY), stats.norm(7, 2)),
    "student_t": (StudentT(df=4, mean=-1, scale=0.5, **WHY), stats.t(4, -1, 0.5)),
    "half_normal": (HalfNormal(scale=3, **WHY), stats.halfnorm(0, 3)),
    "gamma": (Gamma(shape=2, scale=0.7, **WHY), stats.gamma(2, 0, 0.7)),
    "log_normal": (LogNormal(median=5, log_sd=0.6, **WHY), stats.lognorm(0.6, 0, 5)),
    "beta": (Beta(a=2, b=3, low=-0.9, high=0.8, **WHY), stats.beta(2, 3, -0.9, 1.7)),
}
# Written out from the textbook, so that a parameter that is taken for another is found out.
DENSITIES = {
    "normal": lambda x: math.exp(-(((x - 7) / 2) ** 2) / 2) / (2 * math.sqrt(2 * math.pi)),
    "student_t": lambda x: (
        math.gamma(2.5)
        / (math.sqrt(4 * math.pi) * math.gamma(2) * 0.5)
        * (1 + ((x + 1) / 0.5) ** 2 / 4) ** -2.5
    ),
    "half_normal": lambda x: math.sqrt(2 / math.pi) / 3 * math.exp(-(x**2) / 18),
    "gamma": lambda x: x * math.exp(-x / 0.7) / 0.7**2,
    "log_normal": lambda x: (
        math.exp(-((math.log(x / 5) / 0.6) ** 2) / 2) / (x * 0.6 * math.sqrt(2 * math.pi))
    ),
    "beta": lambda x: 12 * ((x + 0.9) / 1.7) * (1 - (x + 0.9) / 1.7) ** 2 / 1.7,
}
family = pytest.mark.parametrize("name", FAMILIES)


@family
def test_the_density_is_the_textbook_s_and_scipy_s(name):
    prior, oracle = FAMILIES[name]
    at = oracle.ppf([0.01, 0.2, 0.5, 0.8, 0.99])
    np.testing.assert_allclose(np.exp(prior.logpdf(at)), [DENSITIES[name](x) for x in at], rtol=1e-12)
    np.testing.assert_allclose(prior.logpdf(at), oracle.logpdf(at), rtol=1e-12)


@family
def test_the_density_integrates_to_one_over_its_support(name):
    prior, oracle = FAMILIES[name]
    low, high = oracle.support()
    assert integrate.quad(lambda x: math.exp(prior.logpdf(x)), low, high)[0] == pytest.approx(1, abs=1e-6)
    outside = [x for x in (low - 1, high + 1) if math.isfinite(x)]
    assert all(prior.logpdf(x) == -math.inf for x in outside)


@family
def test_draws_are_distributed_so_and_come_again_with_the_seed(name):
    prior, oracle = FAMILIES[name]
    drawn = prior.sample(np.random.default_rng(1), (100, 40))
    assert drawn.shape == (100, 40)
    assert stats.kstest(drawn.ravel(), oracle.cdf).pvalue > 0.001
    assert np.array_equal(drawn, prior.sample(np.random.default_rng(1), (100, 40)))
    assert not np.array_equal(drawn, prior.sample(np.random.default_rng(2), (100, 40)))


@family
def test_a_prior_comes_back_from_json_and_tells_its_numbers(name):
    prior, _ = FAMILIES[name]
    assert PRIOR.validate_json(prior.model_dump_json()) == prior
    numbers = prior.model_dump(exclude={"family", "because"})
    assert all(f"{field} {value:g}" in prior.told for field, value in numbers.items())


BAD = [0, -1, math.nan, math.inf, -math.inf, 1e308, 1e-320, "1", True, None, [1], 2e24]
SIZES = [(name, size) for name, (prior, _) in FAMILIES.items() for size in prior.sizes]


@pytest.mark.parametrize("bad", BAD, ids=repr)
@pytest.mark.parametrize(("name", "size"), SIZES)
def test_c10_a_size_that_is_no_size_is_refused(name, size, bad):
    with pytest.raises(ValidationError) as refused:
        PRIOR.validate_python(FAMILIES[name][0].model_dump() | {size: bad})
    assert refused.value.errors()[0]["loc"] == (name, size)


@pytest.mark.parametrize("bad", [value for value in BAD if value not in (0, -1)], ids=repr)
@pytest.mark.parametrize("name", FAMILIES)
def test_c10_no_number_of_a_prior_may_be_none(name, bad):
    whole = FAMILIES[name][0].model_dump()
    for field in set(whole) - {"family", "because"}:
        if bad == 1e-320 and field in ("mean", "low", "high"):
            continue
        with pytest.raises(ValidationError) as refused:
            PRIOR.validate_python(whole | {field: bad})
        assert refused.value.errors()[0]["loc"][1] == field


@family
def test_c10_a_number_that_is_missing_or_too_many_is_refused(name):
    whole = FAMILIES[name][0].model_dump()
    for field in set(whole) - {"family"}:
        with pytest.raises(ValidationError, match=field):
            PRIOR.validate_python({key: value for key, value in whole.items() if key != field})
    with pytest.raises(ValidationError):
        PRIOR.validate_python(whole | {"rate": 1.0})
    with pytest.raises(ValidationError):
        PRIOR.validate_python(whole | {"because": "  "})


@pytest.mark.parametrize("family", ["cauchy", "", "Normal", None, 3])
def test_the_set_of_families_is_closed(family):
    with pytest.raises(ValidationError):
        PRIOR.validate_python({"family": family, "mean": 0.0, "sd": 1.0, "because": "x"})


@pytest.mark.parametrize(
    ("kind", "families"),
    [
        (AnywherePrior, {"normal", "student_t"}),
        (PositivePrior, {"half_normal", "gamma", "log_normal"}),
    ],
)
def test_a_parameter_takes_only_families_of_its_support(kind, families):
    for name, (prior, _) in FAMILIES.items():
        if name in families:
            assert TypeAdapter(kind).validate_python(prior.model_dump()) == prior
        else:
            with pytest.raises(ValidationError):
                TypeAdapter(kind).validate_python(prior.model_dump())


@pytest.mark.parametrize(
    ("name", "field", "out"),
    [
        ("student_t", "df", (1.9, 1_001.0)),
        ("gamma", "shape", (0.4, 1_001.0)),
        ("beta", "a", (0.4, 1_001.0)),
        ("beta", "b", (0.4, 1_001.0)),
        ("log_normal", "log_sd", (0.009, 3.1)),
    ],
)
def test_a_shape_beyond_its_bounds_is_refused(name, field, out):
    for value in out:
        with pytest.raises(ValidationError, match=field):
            PRIOR.validate_python(FAMILIES[name][0].model_dump() | {field: value})


@pytest.mark.parametrize(
    ("low", "high"), [(-0.1, 0.9), (0.0, 1.0), (0.5, 0.5), (0.6, 0.5), (0.0, 0.0005), (0.0, math.nan)]
)
def test_a_share_that_leaves_its_bounds_is_refused(low, high):
    with pytest.raises(ValidationError):
        TypeAdapter(SharePrior).validate_python(
            {"family": "beta", "a": 1.0, "b": 1.0, "low": low, "high": high} | WHY
        )


within = st.floats(-6, 6).map(lambda power: 10.0**power)


@given(within, st.sampled_from([1e-9, 1.0, 1e9]))
def test_a_prior_in_proportion_passes(times, size):
    reference = Reference(size, centre=3 * size)
    for prior in (Normal(mean=3 * size, sd=times * size, **WHY), HalfNormal(scale=times * size, **WHY)):
        require_in_proportion("here", prior, reference)


@pytest.mark.parametrize("name", ["normal", "student_t", "half_normal", "gamma", "log_normal"])
@pytest.mark.parametrize(("times", "told"), [(2e6, "more than 1,000,000"), (4e-7, "a millionth")])
def test_a_prior_out_of_proportion_is_refused_by_place_without_a_number_of_the_person_s(name, times, told):
    prior, _ = FAMILIES[name]
    observed = 123.456
    (size,) = prior.sizes
    wrong = prior.model_copy(update={size: times * observed})
    with pytest.raises(InputError, match=told) as refused:
        require_in_proportion("outcomes.0.law.sd", wrong, Reference(observed))
    assert refused.value.field == f"outcomes.0.law.sd.{size}"
    assert "123" not in str(refused.value)


def test_how_far_off_a_prior_lies_is_counted_from_where_the_parameter_is_known_to_lie():
    known = Reference(1.0, centre=1e7)
    require_in_proportion("here", Normal(mean=1e7 + 1, sd=1, **WHY), known)
    with pytest.raises(InputError, match="times the observed spread away"):
        require_in_proportion("here", Normal(mean=0, sd=1, **WHY), known)


def test_a_prior_that_lies_far_off_is_refused():
    with pytest.raises(InputError, match="times the observed spread away") as refused:
        require_in_proportion("here", Normal(mean=-1.1e6, sd=1, **WHY), Reference(1.0))
    assert refused.value.field == "here.mean"


extremes = st.sampled_from([LEAST, 1e-6, 1.0, 1e6, FARTHEST])
places = st.sampled_from([-FARTHEST, -1.0, 0.0, FARTHEST])
shapes = st.sampled_from([0.5, 1.0, 2.0, 1000.0])
shares = st.sampled_from([(-0.99, 0.99), (0.0, 0.99), (0.0, 0.001), (-0.99, -0.9)])


@given(
    st.one_of(
        st.builds(Normal, mean=places, sd=extremes, because=st.just("x")),
        st.builds(
            StudentT, df=st.sampled_from([2.0, 1000.0]), mean=places, scale=extremes, because=st.just("x")
        ),
        st.builds(HalfNormal, scale=extremes, because=st.just("x")),
        st.builds(Gamma, shape=shapes, scale=extremes, because=st.just("x")),
        st.builds(LogNormal, median=extremes, log_sd=st.sampled_from([0.01, 3.0]), because=st.just("x")),
        st.builds(
            lambda bounds, a, b: Beta(a=a, b=b, low=bounds[0], high=bounds[1], because="x"),
            shares,
            shapes,
            shapes,
        ),
    ),
    st.integers(0, 99),
)
def test_r7_whatever_is_admitted_draws_finite_numbers_of_its_support(prior, seed):
    drawn = prior.sample(np.random.default_rng(seed), 50)
    assert np.isfinite(drawn).all()
    if isinstance(prior, Beta):
        assert ((prior.low <= drawn) & (drawn <= prior.high)).all()
    elif not isinstance(prior, Normal | StudentT):
        assert (drawn >= 0).all()

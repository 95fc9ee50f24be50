"""Specifications for tests: a small one by hand, and random ones of every component."""

from typing import Any

from hypothesis import strategies as st

from tests.nof1.samples import COFFEE, SLEEP, STRESS
from tools.nof1.components import (
    AutoRegression,
    Bernoulli,
    CovariateEffect,
    ExposureEffect,
    Gaussian,
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
from tools.nof1.priors import Beta, Gamma, HalfNormal, LogNormal, Normal, StudentT
from tools.nof1.spec import ModelSpec
from tools.nof1.variables import Summary

WHY = {"because": "a test"}
CARRIED = Beta(a=2, b=4, low=0, high=0.9, **WHY)


def normal(mean: float, sd: float) -> Normal:
    return Normal(mean=mean, sd=sd, **WHY)


def half(scale: float) -> HalfNormal:
    return HalfNormal(scale=scale, **WHY)


def sleep_model(**more: Any) -> OutcomeModel:
    """Sleep on coffee and stress, within the step."""
    fields = {
        "outcome": "sleep",
        "level": Level(initial=normal(6.5, 2), sd=half(0.1)),
        "effects": (ExposureEffect(exposure="coffee", delay=0, size=normal(0, 0.5), carry_over=CARRIED),),
        "covariates": (CovariateEffect(covariate="stress", lag=0, size=normal(0, 0.2)),),
        "law": Gaussian(sd=Gamma(shape=2, scale=0.5, **WHY)),
    }
    return OutcomeModel(**fields | more)


def edge(cause: str, effect: str, lag: int = 0) -> LaggedEdge:
    return LaggedEdge(cause=cause, effect=effect, lag=lag)


EDGES = (edge("coffee", "sleep"), edge("stress", "sleep"), edge("stress", "coffee"))


def sleep_spec(**more: Any) -> ModelSpec:
    fields = {
        "variables": (SLEEP, COFFEE, STRESS),
        "step_days": 1.0,
        "outcomes": (sleep_model(),),
        "edges": EDGES,
        "latents": (Latent(name="illness", affects=("sleep", "coffee")),),
    }
    return ModelSpec(**fields | more)


@st.composite
def specs(draw: st.DrawFn, summaries: tuple[Summary, ...], n_steps: int) -> ModelSpec:
    """Any specification of variables with every prior anywhere within its proportion."""
    by_name = {one.name: one for one in summaries}
    outcomes = [one for one in summaries if one.role == "outcome"]
    exposures = [one.name for one in summaries if one.role == "exposure"]
    covariates = [one.name for one in summaries if one.role == "covariate"]
    factor = st.sampled_from([-6.0, -3.0, 0.0, 3.0, 6.0]) | st.floats(-6, 6)

    def times(reference: float) -> float:
        return min(max(reference * 10 ** draw(factor), reference * 1.001e-6), reference * 0.999e6)

    def anywhere(reference: float, centre: float = 0.0) -> Normal | StudentT:
        mean = centre + draw(st.floats(-0.99e6, 0.99e6)) * reference
        if draw(st.booleans()):
            return normal(mean, times(reference))
        return StudentT(df=draw(st.floats(2, 1000)), mean=mean, scale=times(reference), **WHY)

    def positive(reference: float) -> HalfNormal | Gamma | LogNormal:
        match draw(st.integers(0, 2)):
            case 0:
                return half(times(reference))
            case 1:
                return Gamma(shape=draw(st.floats(0.5, 1000)), scale=times(reference), **WHY)
        return LogNormal(median=times(reference), log_sd=draw(st.floats(0.01, 3)), **WHY)

    def share(low: float) -> Beta:
        start = draw(st.floats(low, 0.98))
        a, b = draw(st.floats(0.5, 1000)), draw(st.floats(0.5, 1000))
        return Beta(a=a, b=b, low=start, high=draw(st.floats(start + 0.005, 0.99)), **WHY)

    def law(kind: str, spread: float) -> Any:
        match kind:
            case "continuous" if draw(st.booleans()):
                return HeavyTailed(scale=positive(spread), df_above_2=positive(10.0))
            case "continuous":
                return Gaussian(sd=positive(spread))
            case "binary":
                return Bernoulli()
            case "count":
                return Poisson()
        return Ordinal(gap=positive(1.0))

    def model(outcome: Summary) -> OutcomeModel:
        spread, some = outcome.spread, st.booleans()

        def maybe(reference: float) -> Any:
            return positive(reference) if draw(some) else None

        partial = tuple(share(-0.99) for _ in range(draw(st.integers(1, 3))))
        return OutcomeModel(
            outcome=outcome.name,
            level=Level(initial=anywhere(spread, outcome.centre), sd=maybe(spread)),
            trend=Trend(initial=anywhere(spread / n_steps), sd=maybe(spread / n_steps))
            if draw(some)
            else None,
            autoregression=AutoRegression(partial=partial, sd=positive(spread)) if draw(some) else None,
            season=Season(effect=anywhere(spread), sd=maybe(spread)) if draw(some) else None,
            effects=tuple(
                ExposureEffect(
                    exposure=name,
                    delay=draw(st.integers(0, 30)),
                    size=anywhere(spread / by_name[name].change),
                    carry_over=share(0) if draw(some) else None,
                )
                for name in exposures
            ),
            covariates=tuple(
                CovariateEffect(
                    covariate=name, lag=draw(st.integers(0, 30)), size=anywhere(spread / by_name[name].change)
                )
                for name in covariates
            ),
            law=law(outcome.kind, spread),
        )

    models = tuple(model(outcome) for outcome in outcomes)
    edges = [edge(one.exposure, m.outcome, one.delay) for m in models for one in m.effects]
    edges += [edge(one.covariate, m.outcome, one.lag) for m in models for one in m.covariates]
    variables = tuple(one.variable for one in summaries)
    return ModelSpec(variables=variables, step_days=1.0, outcomes=models, edges=tuple(edges))

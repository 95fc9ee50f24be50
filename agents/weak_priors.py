"""How the statistical reasoner specifies one person's model: by autocorrelations, with weak priors."""

import math
from typing import get_args

from agents.answers import ProposedModel
from agents.cases import ModelCase
from tools.nof1.components import (
    MOST_COVARIATES,
    MOST_EFFECTS,
    AutoRegression,
    Bernoulli,
    CovariateEffect,
    ExposureEffect,
    Gaussian,
    LaggedEdge,
    Law,
    Level,
    Ordinal,
    OutcomeModel,
    Poisson,
    Season,
)
from tools.nof1.parameters import DAYS
from tools.nof1.priors import AnywherePrior, Beta, Gamma, HalfNormal, Normal
from tools.nof1.variables import Role, Summary

_LEAST_CORRELATION = 0.2
_BEYOND_NEIGHBOURS = 0.1
_LEVEL = 1.5
_LINKED = 0.5
_SPAN = 4.0


def propose_model(case: ModelCase) -> ProposedModel:
    """A level that may wander, with what the autocorrelations call for and every exposure and covariate.

    Everything acts within its step; an exposure may carry over. A covariate may act on exposures too. Priors
    are weakly informative: centred where the outcome is, as wide as it was seen to vary. Exposures and
    covariates beyond what a model holds are left out, and the explanation says so.
    """
    outcomes, all_exposures, all_covariates = (
        [one for one in case.variables if one.role == role] for role in get_args(Role)
    )
    exposures, covariates = all_exposures[:MOST_EFFECTS], all_covariates[:MOST_COVARIATES]
    models = [_Rules(case, outcome).model(exposures, covariates) for outcome in outcomes]
    pairs = [(cause, effect) for effect in outcomes for cause in (*exposures, *covariates)]
    pairs += [(cause, effect) for effect in exposures for cause in covariates]
    return ProposedModel(
        outcomes=models,
        edges=[LaggedEdge(cause=cause.name, effect=effect.name, lag=0) for cause, effect in pairs],
        latents=[],
        explanation=(
            "By rule: components by the autocorrelations, priors as wide as what was seen, effects within "
            "the step. It takes for granted that nothing unrecorded acts on exposure and outcome alike."
            + _left_out(len(all_exposures) - len(exposures), len(all_covariates) - len(covariates))
        ),
    )


def _left_out(n_exposures: int, n_covariates: int) -> str:
    if not n_exposures and not n_covariates:
        return ""
    return (
        f" Left out, as a model holds {MOST_EFFECTS} and {MOST_COVARIATES} of them: the last {n_exposures} "
        f"exposures and {n_covariates} covariates."
    )


class _Rules:
    """The rules for one outcome."""

    def __init__(self, case: ModelCase, outcome: Summary) -> None:
        self.case, self.outcome = case, outcome
        self.spread = outcome.spread
        self.by_chance = max(_LEAST_CORRELATION, 2 / math.sqrt(outcome.n_observed))

    def model(self, exposures: list[Summary], covariates: list[Summary]) -> OutcomeModel:
        return OutcomeModel(
            outcome=self.outcome.name,
            level=self.level(),
            autoregression=self.autoregression(),
            season=self.season(),
            effects=tuple(self.effect(exposure) for exposure in exposures),
            covariates=tuple(
                CovariateEffect(covariate=one.name, lag=0, size=self.size(one)) for one in covariates
            ),
            law=self.law(),
        )

    def level(self) -> Level:
        drift = self.spread / math.sqrt(self.case.n_steps)
        return Level(
            initial=Normal(
                mean=self.outcome.centre,
                sd=_LEVEL * self.spread,
                because="where the outcome was seen, half as wide again as it varies",
            ),
            sd=HalfNormal(scale=drift, because="over the whole series it may wander as far as it varies"),
        )

    def autoregression(self) -> AutoRegression | None:
        """Where a step is like the one before, or unlike it, by more than chance."""
        seen = self.outcome.autocorrelation_1
        if seen is None or abs(seen) < self.by_chance:
            return None
        partial = Beta(a=2, b=2, low=-0.99, high=0.99, because="either sign, and seldom near its bounds")
        return AutoRegression(
            partial=(partial,),
            sd=HalfNormal(
                scale=_LINKED * self.spread, because="new at each step, less than it varies in all"
            ),
        )

    def season(self) -> Season | None:
        """Where a day is like the one a week before, by more than chance and than its neighbours explain."""
        seen, near = self.outcome.autocorrelation_week, self.outcome.autocorrelation_1
        if self.case.step_days != 1 or seen is None or seen < self.by_chance:
            return None
        if seen < abs(near or 0.0) ** DAYS + _BEYOND_NEIGHBOURS:
            return None
        effect = Normal(mean=0, sd=_LINKED * self.spread, because="days of the week differ less than days do")
        return Season(effect=effect)

    def effect(self, exposure: Summary) -> ExposureEffect:
        carried = Beta(a=2, b=4, low=0, high=0.99, because="mostly gone after a few steps")
        return ExposureEffect(exposure=exposure.name, delay=0, size=self.size(exposure), carry_over=carried)

    def size(self, source: Summary) -> AnywherePrior:
        sd = _LINKED * self.spread / source.change
        because = "harm and benefit alike; a typical change of it does less than the outcome varies"
        return Normal(mean=0, sd=sd, because=because)

    def law(self) -> Law:
        match self.outcome.kind:
            case "continuous":
                because = "noise of about the spread that was seen, and never none"
                return Gaussian(sd=Gamma(shape=2, scale=self.spread / 2, because=because))
            case "binary":
                return Bernoulli()
            case "count":
                return Poisson()
            case "ordinal":
                gap = _SPAN / (self.outcome.n_levels - 1)
                because = "all levels lie within reach of the noise"
                return Ordinal(gap=Gamma(shape=2, scale=gap / 2, because=because))

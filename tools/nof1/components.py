"""The parts that a model of one outcome is put together from, each with a prior for every parameter it has.

On the scale of the link, for the steps t = 0, 1, ... of a series:

    eta_t = level_t + trend_t + ar_t + season_t + sum_x beta_x c_{x,t} + sum_z gamma_z (z_{t-lag} - mean z)
    c_{x,t} = lambda_x c_{x,t-1} + (x_{t-delay} - mean x)

What is called initial is that of step 0. Before it, exposures and covariates were at their mean.
The link is the identity for continuous outcomes, log-odds for binary and ordinal ones, the logarithm for
counts.
Exposures and covariates enter as deviations from the person's mean, so the level is that of an average step.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tools.nof1.priors import AnywherePrior, PositivePrior, SharePrior, SignedSharePrior, ask_for_all
from tools.nof1.variables import Kind, Name

MOST_LAG = 30
MOST_ORDER = 3
MOST_OUTCOMES = 5
MOST_EFFECTS = 10
MOST_COVARIATES = 20
MOST_EDGES = 400
MOST_LATENTS = 10
Lag = Annotated[int, Field(strict=True, ge=0, le=MOST_LAG)]
Why = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, json_schema_extra=ask_for_all
    )


class Level(_Part):
    """Where the outcome is: level_t = level_{t-1} + sd * e_t; without an sd it stays.

    Attributes:
        initial: level_0, of an average step.
        sd: of the steps that it wanders by.
    """

    initial: AnywherePrior
    sd: PositivePrior | None = None


class Trend(_Part):
    """A straight course: trend_t = trend_{t-1} + slope_{t-1}; slope_t = slope_{t-1} + sd * e_t.

    Attributes:
        initial: slope_0, a step; trend_0 is 0.
        sd: of the steps by which the slope changes.
    """

    initial: AnywherePrior
    sd: PositivePrior | None = None


class AutoRegression(_Part):
    """What a step keeps of the steps before, beside the level: ar_t = sum_k phi_k ar_{t-k} + sd * e_t.

    It is stationary from the first step on.

    Attributes:
        partial: of each partial autocorrelation, as many as the order; whatever they are, the phi that follow
            from them are stationary.
        sd: of what is new at each step.
    """

    partial: Annotated[tuple[SignedSharePrior, ...], Field(min_length=1, max_length=MOST_ORDER)]
    sd: PositivePrior


class Season(_Part):
    """Days of the week that differ; weeks are counted from the first step.

    Attributes:
        effect: of each of the seven in the first week, before their mean is taken off.
        sd: of the steps by which each changes from week to week; without one they stay.
    """

    effect: AnywherePrior
    sd: PositivePrior | None = None


class ExposureEffect(_Part):
    """What an exposure does: at once or after a delay, for one step or carried over.

    Attributes:
        exposure: its name.
        delay: steps until it begins.
        size: beta, what one unit does to the first step that it acts on.
        carry_over: lambda, the share that lasts from step to step; None where nothing does.
    """

    exposure: Name
    delay: Lag
    size: AnywherePrior
    carry_over: SharePrior | None = None


class CovariateEffect(_Part):
    """What a covariate does.

    Attributes:
        covariate: its name.
        lag: steps from it to the outcome.
        size: gamma, what one unit does.
    """

    covariate: Name
    lag: Lag
    size: AnywherePrior


class Gaussian(_Part):
    """Continuous: y_t = eta_t + sd * e_t."""

    law: Literal["gaussian"] = "gaussian"
    sd: PositivePrior


class HeavyTailed(_Part):
    """Continuous with outliers: y_t = eta_t + scale * e_t, with e_t of a Student-t distribution.

    Attributes:
        scale: of the noise.
        df_above_2: its degrees of freedom less 2, so that it has a variance.
    """

    law: Literal["student_t"] = "student_t"
    scale: PositivePrior
    df_above_2: PositivePrior


class Bernoulli(_Part):
    """Binary: log-odds of 1 are eta_t."""

    law: Literal["bernoulli"] = "bernoulli"


class Poisson(_Part):
    """Counts: the logarithm of the mean is eta_t."""

    law: Literal["poisson"] = "poisson"


class Ordinal(_Part):
    """Levels in order: log-odds of more than level k are eta_t - cut_k, with cut_k = 0 for the middle k.

    Attributes:
        gap: of each cut_{k+1} - cut_k. Of two cuts in the middle, the lower is 0.
    """

    law: Literal["ordinal"] = "ordinal"
    gap: PositivePrior


Law = Annotated[Gaussian | HeavyTailed | Bernoulli | Poisson | Ordinal, Field(discriminator="law")]
LAWS: dict[Kind, tuple[str, ...]] = {
    "continuous": ("gaussian", "student_t"),
    "binary": ("bernoulli",),
    "count": ("poisson",),
    "ordinal": ("ordinal",),
}


class OutcomeModel(_Part):
    """The model of one outcome.

    Attributes:
        outcome: its name.
        level: where it is.
        trend: None where there is none, and so below.
        autoregression: likewise.
        season: likewise.
        effects: of exposures, each at most once.
        covariates: what else moves it.
        law: how what is observed comes from it.
    """

    outcome: Name
    level: Level
    trend: Trend | None = None
    autoregression: AutoRegression | None = None
    season: Season | None = None
    effects: Annotated[tuple[ExposureEffect, ...], Field(min_length=1, max_length=MOST_EFFECTS)]
    covariates: Annotated[tuple[CovariateEffect, ...], Field(max_length=MOST_COVARIATES)] = ()
    law: Law


class LaggedEdge(_Part):
    """A causal claim: a variable acts on another, `lag` steps later."""

    cause: Name
    effect: Name
    lag: Lag
    because: Why = ""


class Latent(_Part):
    """Something that is not recorded and acts on several variables at once: a confounder of them.

    Attributes:
        name: none of a variable.
        affects: variables, two at least.
        because: why it is thought of.
    """

    name: Name
    affects: Annotated[tuple[Name, ...], Field(min_length=2, max_length=20)]
    because: Why = ""

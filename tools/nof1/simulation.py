"""One person's outcomes drawn from a specification: parameters from their priors, then courses, then values.

All draws of an outcome are made at once; see `tools.nof1.components` for the equations.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import special

from tools.nof1.components import AutoRegression, HeavyTailed, Law, OutcomeModel, Season
from tools.nof1.parameters import DAYS
from tools.nof1.priors import Float, Prior
from tools.nof1.series import Series
from tools.nof1.spec import ModelSpec
from tools.nof1.variables import Variable
from tools.safety.errors import InputError

_LOG_RATE = (-700.0, 40.0)


class Part(NamedTuple):
    """What one prior adds.

    Attributes:
        place: of the prior, such as `outcomes.0.level.sd`.
        size: how much that is in each draw, on the scale of the link, shape (n_draws,): for the level and
            what belongs to the law the parameter itself, else its sd over time.
        total: of an exposure, what one unit of it does in all, summed over the steps after; else None.
    """

    place: str
    size: Float
    total: Float | None = None


class Simulated(NamedTuple):
    """Draws of one outcome.

    Attributes:
        values: in its unit, shape (n_draws, n_steps), nowhere missing.
        parts: what each prior adds.
    """

    values: Float
    parts: tuple[Part, ...]


def simulate(spec: ModelSpec, i: int, series: Series, n_draws: int, seed: int) -> Simulated:
    """Draws of the outcome of `spec.outcomes[i]`, at the exposures and covariates that were observed.

    A step at which one was not observed counts as average; so does the time before the first step.

    Args:
        spec: the model.
        i: which outcome.
        series: of the variables of the specification.
        n_draws: at least 1.
        seed: the same gives the same draws.

    Raises:
        InputError: the series has other variables or steps than the specification, there is nothing to
            draw, or the seed is negative.
    """
    if n_draws < 1:
        raise InputError("n_draws", "must be at least 1")
    if seed < 0:
        raise InputError("seed", "must be 0 or more")
    if series.variables != spec.variables or series.step_days != spec.step_days:
        raise InputError("series", "has other variables or steps than the specification; specify anew")
    model = spec.outcomes[i]
    outcome = next(variable for variable in spec.variables if variable.name == model.outcome)
    drawing = _Drawing(f"outcomes.{i}", series, n_draws, np.random.default_rng([seed, i]))
    eta = np.zeros((n_draws, series.n_steps))
    parts = []
    for course, part in drawing.courses(model):
        eta += course
        parts.append(part)
    values, noise = drawing.observed(model.law, outcome, eta)
    return Simulated(values, (*parts, *noise))


# On the scale of the link, shape (n_draws, n_steps), or (n_draws, 1) where it stays; and what it comes from.
_Course = tuple[Float, Part]


class _Drawing:
    """One outcome's draws in the making."""

    def __init__(self, place: str, series: Series, n_draws: int, rng: np.random.Generator) -> None:
        self.place, self.series, self.n_draws, self.rng = place, series, n_draws, rng

    def draws(self, prior: Prior) -> Float:
        return prior.sample(self.rng, self.n_draws)[:, None]

    def steps(self) -> Float:
        return self.rng.standard_normal((self.n_draws, self.series.n_steps))

    def walks(self, sd: Prior, *shape: int) -> Float:
        """Random walks from 0 along the first axis of `shape`, shape (n_draws, *shape)."""
        steps = self.rng.standard_normal((self.n_draws, *shape))
        steps[:, 0] = 0
        return np.cumsum(sd.sample(self.rng, (self.n_draws, *(1 for _ in shape))) * steps, axis=1)

    def part(self, place: str, course: Float, total: Float | None = None) -> _Course:
        return course, Part(f"{self.place}.{place}", course.std(axis=1), total)

    def courses(self, model: OutcomeModel) -> Iterator[_Course]:
        initial = self.draws(model.level.initial)
        yield initial, Part(f"{self.place}.level.initial", initial[:, 0])
        if model.level.sd:
            yield self.part("level.sd", self.walks(model.level.sd, self.series.n_steps))
        if model.trend:
            straight = self.draws(model.trend.initial) * np.arange(self.series.n_steps)
            yield self.part("trend.initial", straight)
            if model.trend.sd:
                slope = self.walks(model.trend.sd, self.series.n_steps)
                yield self.part("trend.sd", np.cumsum(slope, axis=1) - slope)
        if model.autoregression:
            yield self.part("autoregression.sd", self.autoregression(model.autoregression))
        if model.season:
            yield from self.season(model.season)
        yield from self.effects(model)

    def autoregression(self, part: AutoRegression) -> Float:
        partial = np.hstack([self.draws(prior) for prior in part.partial])
        return stationary(partial, self.draws(part.sd) * self.steps())

    def season(self, part: Season) -> Iterator[_Course]:
        n_weeks = -(-self.series.n_steps // DAYS)
        effect = part.effect.sample(self.rng, (self.n_draws, 1, DAYS))
        yield self.part("season.effect", self._by_day(np.repeat(effect, n_weeks, axis=1)))
        if part.sd:
            yield self.part("season.sd", self._by_day(self.walks(part.sd, n_weeks, DAYS)))

    def _by_day(self, effects: Float) -> Float:
        centred = effects - effects.mean(axis=2, keepdims=True)
        return np.asarray(centred.reshape(self.n_draws, -1)[:, : self.series.n_steps])

    def effects(self, model: OutcomeModel) -> Iterator[_Course]:
        for j, effect in enumerate(model.effects):
            size = self.draws(effect.size)
            acting = np.broadcast_to(
                self.deviations(effect.exposure, effect.delay), (self.n_draws, self.series.n_steps)
            )
            total = size[:, 0]
            if effect.carry_over:
                kept = self.draws(effect.carry_over)
                acting, total = recursion(kept, acting), total / (1 - kept[:, 0])
            yield self.part(f"effects.{j}.size", size * acting, total)
        for j, other in enumerate(model.covariates):
            size = self.draws(other.size)
            yield self.part(f"covariates.{j}.size", size * self.deviations(other.covariate, other.lag))

    def deviations(self, name: str, lag: int) -> Float:
        """Deviations of a variable from its mean, `lag` steps late, 0 where not known; shape (n_steps,)."""
        values = self.series.column(name)
        known = np.nan_to_num(values - np.nanmean(values), nan=0.0)
        return np.concatenate([np.zeros(lag), known])[: len(known)]

    def observed(self, law: Law, outcome: Variable, eta: Float) -> tuple[Float, list[Part]]:
        """Values by a law around eta, and what the law's own priors add."""
        match law.law:
            case "gaussian":
                sd = self.draws(law.sd)
                return eta + sd * self.steps(), [self._of_law("sd", sd)]
            case "student_t":
                return self._heavy_tailed(law, eta)
            case "bernoulli":
                return (self.rng.random(eta.shape) < special.expit(eta)).astype(np.float64), []
            case "poisson":
                return self.rng.poisson(np.exp(np.clip(eta, *_LOG_RATE))).astype(np.float64), []
            case "ordinal":
                gaps = law.gap.sample(self.rng, (self.n_draws, outcome.n_levels - 2))
                return self._ordinal(outcome, gaps, eta), [self._of_law("gap", gaps)]

    def _ordinal(self, outcome: Variable, gaps: Float, eta: Float) -> Float:
        latent = eta + self.rng.logistic(size=eta.shape)
        cuts = np.hstack([np.zeros((self.n_draws, 1)), np.cumsum(gaps, axis=1)])
        cuts -= cuts[:, [outcome.n_cuts_below]]
        values = np.full(eta.shape, outcome.possible[0])
        for cut in cuts.T:
            values += latent > cut[:, None]
        return values

    def _heavy_tailed(self, law: HeavyTailed, eta: Float) -> tuple[Float, list[Part]]:
        scale, df = self.draws(law.scale), 2 + self.draws(law.df_above_2)
        return eta + scale * self.rng.standard_t(df, eta.shape), [self._of_law("scale", scale)]

    def _of_law(self, name: str, drawn: Float) -> Part:
        return Part(f"{self.place}.law.{name}", drawn.mean(axis=1))


def coefficients(partial: Float) -> Float:
    """Coefficients phi of stationary autoregressions from their partial autocorrelations (Durbin-Levinson).

    phi_kk = r_k, phi_kj = phi_{k-1,j} - r_k phi_{k-1,k-j} (Barndorff-Nielsen and Schou, 1973).

    Args:
        partial: r, shape (n_draws, order), each within (-1, 1).

    Returns:
        phi of the whole order, shape (n_draws, order).
    """
    phi = np.empty((len(partial), 0))
    for k in range(partial.shape[1]):
        last = partial[:, k : k + 1]
        phi = np.hstack([phi - last * phi[:, ::-1], last])
    return phi


def stationary(partial: Float, new: Float) -> Float:
    """Autoregressions that are stationary from the first step on, not only in the long run.

    Step t < order stands on the t steps before it alone, by the coefficients of that order, with what is new
    there of variance sd^2 / prod_{k>t} (1 - r_k^2); from then on the whole recursion holds.

    Args:
        partial: r, shape (n_draws, order), each within (-1, 1).
        new: sd * e_t, shape (n_draws, n_steps).

    Returns:
        x, shape (n_draws, n_steps).
    """
    start = np.empty((len(new), 0))
    for t in range(min(partial.shape[1], new.shape[1])):
        arriving = new[:, t] / np.sqrt(np.prod(1 - partial[:, t:] ** 2, axis=1))
        expected = np.sum(coefficients(partial[:, :t]) * start[:, ::-1], axis=1)
        start = np.column_stack([start, expected + arriving])
    return np.hstack([start, recursion(coefficients(partial), new[:, start.shape[1] :], start)])


def recursion(phi: Float, new: Float, before: Float | None = None) -> Float:
    """x_t = sum_k phi_k x_{t-k} + new_t.

    Args:
        phi: shape (n_draws, order).
        new: shape (n_draws, n_steps).
        before: the steps before, shape (n_draws, order); None where they are 0.

    Returns:
        x, shape (n_draws, n_steps).
    """
    n_draws, order = phi.shape
    x = np.zeros((new.shape[1] + order, n_draws))
    if before is not None:
        x[:order] = before.T
    for t, arriving in enumerate(new.T):
        x[t + order] = arriving
        for k in range(order):
            x[t + order] += phi[:, k] * x[t + order - 1 - k]
    return np.asarray(x[order:].T)

"""Whether priors can be meant: what outcomes they lead to, before any fit, beside what was observed.

Spreads are those of `Summary.spread`: the observed sd, of a count that of its logarithm, or 1 in log-odds.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from tools.nof1.priors import Float
from tools.nof1.series import Series
from tools.nof1.simulation import Part, Simulated, simulate
from tools.nof1.spec import ModelSpec, require_proportion
from tools.nof1.variables import Summary

Way = Literal["too wide", "too narrow", "too high", "too low"]

_REMEDIES: dict[Way, str] = {
    "too wide": "make it narrower",
    "too narrow": "make it wider",
    "too high": "lower it, or make it wider",
    "too low": "raise it, or make it wider",
}
MOST_SPREADS = 10.0
LEAST_EFFECT = 0.01
LEAST_VARIATION = 0.2
MOST_IMPOSSIBLE = 0.9
RANGES = 10.0
MOST_FAR = 0.05
LEAST_TAIL = 0.005
# The fewest that can tell a share of `LEAST_TAIL` from none.
_DRAWS = (200, 400)
_VALUES = 800_000
_MISPLACED = 3.0


class Check(BaseModel):
    """One thing that priors imply, with what of it is plausible.

    Attributes:
        place: the prior that it goes back to, or most of it; such as `outcomes.0.level.sd`.
        measures: what was measured, in words.
        value: of it.
        least: that is plausible; None where there is no such bound.
        most: likewise.
        way: which way the prior is implausible, None where it is not.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    place: str
    measures: str
    value: float
    least: float | None = None
    most: float | None = None
    way: Way | None = None

    @property
    def objection(self) -> str:
        """What is wrong with the prior, and the next step, without its place; empty where nothing is."""
        if self.way is None:
            return ""
        bound = f"at most {self.most:g}" if self.least is None else f"at least {self.least:g}"
        found = f"{self.measures} is {self.value:.2g}, and {bound} is plausible"
        return f"the prior is {self.way}: {found}; {_REMEDIES[self.way]}"


class PriorPredictive(BaseModel):
    """What the priors of a specification imply.

    Attributes:
        n_draws: series drawn of each outcome.
        seed: of the draws.
        checks: of every outcome, whether they passed or not.
    """

    model_config = ConfigDict(frozen=True)

    n_draws: int
    seed: int
    checks: tuple[Check, ...]

    @property
    def implausible(self) -> tuple[Check, ...]:
        """The checks that did not pass, the first of each prior."""
        failed = [check for check in self.checks if check.way]
        first = {check.place: check for check in reversed(failed)}
        return tuple(first[place] for place in dict.fromkeys(check.place for check in failed))


def prior_predictive(spec: ModelSpec, series: Series, seed: int) -> PriorPredictive:
    """Draws 200 to 400 series of each outcome from the priors, fewer the longer they are, and checks them.

    Checked are, for each part of the model, how far what it adds typically goes; what an exposure does in
    all; how many of the values are impossible, or farther than ten observed ranges from what was seen; how
    much a series varies; and whether enough have means on either side of the observed one. Shares and degrees
    of freedom are checked by what they do to these.

    Args:
        spec: the model.
        series: of its variables.
        seed: the same gives the same checks.

    Raises:
        InputError: a prior is out of all proportion, or the series is another's.
    """
    require_proportion(spec, series.summaries, series.n_steps)
    few, many = _DRAWS
    n_draws = min(many, max(few, _VALUES // series.n_steps))
    summaries = {summary.name: summary for summary in series.summaries}
    checks: list[Check] = []
    for i, model in enumerate(spec.outcomes):
        simulated = simulate(spec, i, series, n_draws, seed)
        seen = summaries[model.outcome]
        changes = [summaries[effect.exposure].change for effect in model.effects]
        checks += _Checking(f"outcomes.{i}", simulated, seen, changes).all()
    return PriorPredictive(n_draws=n_draws, seed=seed, checks=tuple(checks))


class _Checking:
    """The draws of one outcome beside its summary."""

    def __init__(self, place: str, simulated: Simulated, seen: Summary, changes: list[float]) -> None:
        self.level = f"{place}.level.initial"
        self.values, self.parts = simulated
        self.seen, self.changes = seen, changes
        self.widest = max(self.parts, key=self._reached).place
        # Of laws without noise of their own, a rate that lies far off is what leaves no variation.
        noise = [part.place for part in self.parts if part.place.endswith((".law.sd", ".law.scale"))]
        self.noise = noise[0] if noise else self.level
        # A count varies by its law alone, even where it was seen to vary less.
        of_law = np.sqrt(seen.mean) if seen.kind == "count" else 0.0
        self.sd = max(seen.sd, float(of_law))

    def all(self) -> Iterator[Check]:
        yield from map(self._reach, self.parts)
        effects = [part for part in self.parts if part.total is not None]
        for part, change in zip(effects, self.changes, strict=True):
            yield from self._effect(part, change)
        yield self._centre()
        yield from self._variation()
        yield from self._places()

    def _reached(self, part: Part) -> float:
        centre = self.seen.centre if part.place == self.level else 0.0
        return float(np.median(np.abs(part.size - centre))) / self.seen.spread

    def _reach(self, part: Part) -> Check:
        told = "what it adds, typically, in observed spreads"
        if part.place == self.level:
            told = "the typical distance from the observed level, in observed spreads"
        way = self._way(part.size) if part.place == self.level else "too wide"
        return _at_most(part.place, told, self._reached(part), MOST_SPREADS, way)

    def _way(self, levels: Float) -> Way:
        """Whether levels that lie far from the observed one do so on one side of it."""
        middle = float(np.median(levels))
        off = middle - self.seen.centre
        if abs(off) <= _MISPLACED * float(np.median(np.abs(levels - middle))):
            return "too wide"
        return "too high" if off > 0 else "too low"

    def _effect(self, part: Part, change: float) -> Iterator[Check]:
        totals = np.abs(part.total if part.total is not None else part.size) * change / self.seen.spread
        told = "the whole effect of a typical change of the exposure, in observed spreads,"
        yield _at_most(part.place, f"{told} typically", float(np.median(totals)), MOST_SPREADS, "too wide")
        largest = float(np.quantile(totals, 0.95))
        yield _at_least(part.place, f"{told} in one draw of 20", largest, LEAST_EFFECT, "too narrow")

    def _centre(self) -> Check:
        means = self.values.mean(axis=1)
        below, above = float(np.mean(means <= self.seen.mean)), float(np.mean(means >= self.seen.mean))
        way: Way = "too high" if below < above else "too low"
        told = "the share of simulated series whose mean is that low or that high"
        return _at_least(self.level, told, min(below, above), LEAST_TAIL, way)

    def _variation(self) -> Iterator[Check]:
        varied = self.values.std(axis=1) / self.sd
        told = "the sd of a simulated series, in observed sds,"
        most = float(np.quantile(varied, 0.95))
        yield _at_least(self.noise, f"{told} in one draw of 20", most, LEAST_VARIATION, "too narrow")
        if self.seen.kind in ("continuous", "count"):
            yield self._overall(f"{told} typically", float(np.median(varied)), MOST_SPREADS)

    def _places(self) -> Iterator[Check]:
        low, high = self.seen.possible
        impossible = float(np.mean((self.values < low) | (self.values > high)))
        yield self._overall("the share of simulated values that are impossible", impossible, MOST_IMPOSSIBLE)
        beyond = RANGES * max(self.seen.greatest_seen - self.seen.least_seen, self.sd)
        least, greatest = self.seen.least_seen - beyond, self.seen.greatest_seen + beyond
        far = float(np.mean((self.values < least) | (self.values > greatest)))
        told = f"the share of simulated values more than {RANGES:g} observed ranges off"
        yield self._overall(told, far, MOST_FAR)

    def _overall(self, told: str, value: float, most: float) -> Check:
        return _at_most(self.widest, told, value, most, "too wide")


def _at_most(place: str, told: str, value: float, most: float, way: Way) -> Check:
    failed = way if value > most else None
    return Check(place=place, measures=told, value=value, most=most, way=failed)


def _at_least(place: str, told: str, value: float, least: float, way: Way) -> Check:
    failed = way if value < least else None
    return Check(place=place, measures=told, value=value, least=least, way=failed)

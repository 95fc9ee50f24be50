"""How well a recipe finds again what the declared mechanism hides."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from tools.evaluation.intervals import Interval, Resampling, Sample, distributions, estimate, percentiles
from tools.evaluation.statistic import Statistic
from tools.safety.errors import InputError
from tools.treatment.imputing import impute
from tools.treatment.mechanism import Mechanism, self_masked
from tools.treatment.operators import MAX_LAG, Mice, Recipe, Rule
from tools.treatment.panel import Bool, Float, Panel

MIN_OBSERVED = 50
_RESAMPLES = 500
_NEXT_TO_NEVER = 0.05


class Fitness(NamedTuple):
    """Errors of a recipe at held-out cells, each with its 95 % interval over patients.

    Attributes:
        nrmse: root mean square error over the standard deviation of the observed cells, by variable.
        mice: the same of chained equations under the same masks.
        over_mice: ratio of the two, by variable; below 1 is better than MICE.
        mean_nrmse: mean over the variables.
        mean_over_mice: mean nRMSE over that of MICE.
    """

    nrmse: dict[str, Interval]
    mice: dict[str, Interval]
    over_mice: dict[str, Interval]
    mean_nrmse: Interval
    mean_over_mice: Interval


class Trial(NamedTuple):
    """A panel from which cells were held out.

    Attributes:
        masked: where they are NaN.
        held_out: which they are, shape (n_patients, n_steps, n_variables).
    """

    masked: Panel
    held_out: Bool


class Trials:
    """Hides observed cells by the declared mechanisms, and judges recipes by what they make of them.

    If missing depends on the value by log-odds s x / sd, hiding observed cells by the same log-odds makes the
    hidden differ from the rest as the missing differ from the observed. Hiding at random would always
    favour plain MICE. What else is hidden at a held-out cell follows the panel: another variable that is
    seen r times as often where this one is missing as where it is observed stays visible with probability
    r; and so at an earlier step where r is next to 0. So a copy of a variable, in whatever unit or told one
    step early, is no help where it would be none in truth.

    A recipe sees the masked panel alone; the truth stays here. All variables are hidden in one trial, so
    errors lean high. Only what is hidden by the mechanism is judged.

    Args:
        panel: as it is known.
        mechanisms: one for each incomplete variable.
        share: of the observed cells of each variable that a trial hides.
        draws: trials.
        seed: of the masks, of what operators draw, and of the resamples.

    Attributes:
        trials: the panels that recipes are given.

    Raises:
        InputError: an incomplete variable without mechanism, a mechanism of another variable or given
            twice, a variable with less than 50 observed cells, a share outside (0, 0.5], no draw, or a
            panel that the masks leave without content.
    """

    def __init__(
        self, panel: Panel, mechanisms: Sequence[Mechanism], share: float = 0.2, draws: int = 3, seed: int = 0
    ) -> None:
        self.strengths = _declared(panel, mechanisms)
        if not 0 < share <= 0.5 or draws < 1:
            raise InputError("share, draws", "hide more than 0 and at most 0.5, in one draw or more")
        self.panel, self.share, self.seed = panel, share, seed
        rngs = np.random.default_rng(seed).spawn(draws)
        self.trials = tuple(self._hidden(rng) for rng in rngs)
        self._resampling = Resampling(np.arange(panel.n_patients), _RESAMPLES, seed)
        self._mice = self._samples(_plain_mice(panel.incomplete))

    def judge(self, recipe: Recipe) -> Fitness:
        """Imputes every trial by the recipe and compares with the truth, and with MICE.

        Raises:
            InputError: the recipe cannot be carried out on this panel.
            EngineError: an estimate is not finite.
        """
        found = self._samples(recipe)
        labelled = {("recipe", name): [sample] for name, sample in found.items()}
        labelled |= {("mice", name): [sample] for name, sample in self._mice.items()}
        spread = distributions(labelled, self._resampling)
        value = {key: estimate(samples) for key, samples in labelled.items()}
        ours, mices = (
            {name: np.append(spread[of, name], value[of, name]) for name in found}
            for of in ("recipe", "mice")
        )
        mean, mean_mice = (np.mean(list(each.values()), axis=0) for each in (ours, mices))
        return Fitness(
            nrmse={name: _interval(ours[name]) for name in found},
            mice={name: _interval(mices[name]) for name in found},
            over_mice={name: _interval(_ratio(ours[name], mices[name])) for name in found},
            mean_nrmse=_interval(mean),
            mean_over_mice=_interval(_ratio(mean, mean_mice)),
        )

    def _hidden(self, rng: np.random.Generator) -> Trial:
        """One trial: what the mechanisms hide, and what goes with it."""
        panel = self.panel
        held_out = np.zeros(panel.values.shape, dtype=bool)
        for name, strength in self.strengths.items():
            column, place = panel.column(name), panel.place(name)
            if panel.variables[place].kind == "static":
                column = column[:, :1]
            known = ~np.isnan(column)
            chosen = np.zeros_like(known)
            chosen[known] = self_masked(column[known] / panel.spread(name), strength, self.share, rng)
            held_out[:, :, place] = chosen
        beside = _hidden_beside(panel, held_out, rng)
        return Trial(panel.filled(np.where(held_out | beside, np.nan, panel.values)), held_out)

    def _samples(self, recipe: Recipe) -> dict[str, Sample]:
        """Squared errors and counts by patient, summed over the trials, for each variable."""
        sums = {name: np.zeros((self.panel.n_patients, 2)) for name in self.strengths}
        for number, trial in enumerate(self.trials):
            completed = impute(trial.masked, recipe, self.seed + number)
            for name in sums:
                held = trial.held_out[:, :, self.panel.place(name)]
                off = np.where(held, completed.column(name) - self.panel.column(name), 0.0)
                sums[name] += np.stack([(off**2).sum(axis=1), held.sum(axis=1)], axis=1)
        rows = np.arange(self.panel.n_patients)
        return {name: Sample(rows, _nrmse(parts, self.panel.spread(name))) for name, parts in sums.items()}


def _declared(panel: Panel, mechanisms: Sequence[Mechanism]) -> dict[str, float]:
    strengths = {mechanism.variable: mechanism.strength for mechanism in mechanisms}
    if len(strengths) < len(mechanisms) or set(strengths) != set(panel.incomplete):
        rule = "declare one for each variable with missing cells and for no other; strength 0 is at random"
        raise InputError("mechanisms", rule)
    for name in strengths:
        if (~np.isnan(panel.column(name))).sum() < MIN_OBSERVED:
            raise InputError(
                name, f"has less than {MIN_OBSERVED} observed cells, too few to hide any of them"
            )
    return strengths


def _hidden_beside(panel: Panel, held_out: Bool, rng: np.random.Generator) -> Bool:
    """Cells of other variables that are hidden because one at the same or a later step is held out."""
    known = ~panel.missing
    hidden = np.zeros_like(known)
    incomplete = np.flatnonzero(~known.all(axis=(0, 1)))
    statics = {place for place, variable in enumerate(panel.variables) if variable.kind == "static"}
    for place in np.flatnonzero(held_out.any(axis=(0, 1))):
        for other in incomplete[incomplete != place]:
            if {place, other} <= statics:
                stays = _stays(known[:, :1, place], known[:, :1, other])
                gone = held_out[:, 0, place] & (rng.random(panel.n_patients) >= stays)
                hidden[:, :, other] |= gone[:, None]
            elif other not in statics:
                hidden[:, :, other] |= _hidden_before(
                    known[:, :, place], known[:, :, other], held_out[:, :, place], rng
                )
    return hidden


def _hidden_before(target: Bool, other: Bool, held_out: Bool, rng: np.random.Generator) -> Bool:
    """At the same step as often as in the panel; at an earlier one where it is next to never seen."""
    n_steps = target.shape[1]
    hidden = np.zeros_like(held_out)
    for lag in range(min(MAX_LAG, n_steps - 1) + 1):
        stays = _stays(target[:, lag:], other[:, : n_steps - lag])
        if lag == 0 or stays < _NEXT_TO_NEVER:
            gone = held_out[:, lag:] & (rng.random(held_out[:, lag:].shape) >= stays)
            hidden[:, : n_steps - lag] |= gone
    return hidden


def _stays(target: Bool, other: Bool) -> float:
    """How often the other is seen where the target is missing over where it is not; 1 where unknown."""
    if target.all() or not target.any() or not other[target].any():
        return 1.0
    return float(other[~target].mean() / other[target].mean())


def _interval(values: Float) -> Interval:
    """Of an estimate, which stands last, with its resamples before it."""
    return Interval(float(values[-1]), *percentiles(values[:-1]))


def _ratio(above: Float, below: Float) -> Float:
    """NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _nrmse(parts: Float, spread: float) -> Statistic:
    def of_sums(sums: Float) -> Float:
        return np.asarray(np.sqrt(_ratio(sums[:, 0], sums[:, 1])) / spread)

    return Statistic(sparse.csr_array(parts), of_sums)


def _plain_mice(names: Sequence[str]) -> Recipe:
    return Recipe(rules=(Rule(variables=tuple(names), operator=Mice()),))

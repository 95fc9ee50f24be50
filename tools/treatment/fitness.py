"""How well a recipe finds again what the declared mechanism hides."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.stats import rankdata, spearmanr

from tools.evaluation.intervals import Interval, Resampling, Sample, distributions, estimate, percentiles
from tools.evaluation.statistic import Statistic
from tools.safety.errors import InputError
from tools.treatment.imputing import impute
from tools.treatment.mechanism import Mechanism, self_masked
from tools.treatment.operators import MAX_LAG, Mice, Recipe, Rule
from tools.treatment.panel import Bool, Float, Kind, Panel

MIN_OBSERVED = 50
MAX_DRAWS = 20
_RESAMPLES = 500
_NEXT_TO_NEVER = 0.05
_SAME = 0.995
_ALIKE = 0.9
_LEAST_TO_COMPARE = 20


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


class _Beside(NamedTuple):
    """What is hidden with the held-out cells of a variable.

    Attributes:
        place: of the variable.
        at: its steps.
        other: place of what is hidden with it.
        to: the steps of that, one for each of `at`; for a static all.
        stays: probability with which it stays visible all the same.
    """

    place: int
    at: slice
    other: int
    to: slice
    stays: float


class Trials:
    """Hides observed cells by the declared mechanisms, and judges recipes by what they make of them.

    If missing depends on the value by log-odds s x / sd, hiding observed cells by the same log-odds makes the
    hidden differ from the rest as the missing differ from the observed. Hiding at random would always
    favour plain MICE. What else is hidden at a held-out cell follows the panel: another variable that is
    seen r times as often where this one is missing as where it is observed stays visible with probability
    r; and so at an earlier step, or as a static, where r is next to 0. A column whose ranks agree with those
    of this one, by more than .995, is hidden with it however often it is seen: it was filled after
    the fact. So a copy of a variable, in whatever unit, told one step early or carried forward, is no help
    where it would be none in truth. Coarser copies and sums of several columns are not recognised.

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
            twice, a variable with less than 50 observed cells (of a static, patients), a share outside
            (0, 0.5] or so small that no cell is hidden, other than 1 to 20 draws, a column without
            missing cells that copies one with some, or a panel that the masks leave without content.
    """

    def __init__(
        self, panel: Panel, mechanisms: Sequence[Mechanism], share: float = 0.2, draws: int = 3, seed: int = 0
    ) -> None:
        self.strengths = _declared(panel, mechanisms)
        if not 0 < share <= 0.5 or not 1 <= draws <= MAX_DRAWS:
            raise InputError("share, draws", f"hide more than 0 and at most 0.5, in 1 to {MAX_DRAWS} draws")
        self.panel, self.share, self.seed = panel, share, seed
        beside = tuple(_all_beside(panel))
        self.trials = tuple(self._hidden(rng, beside) for rng in np.random.default_rng(seed).spawn(draws))
        for name in self.strengths:
            if not any(trial.held_out[:, :, panel.place(name)].any() for trial in self.trials):
                raise InputError(name, "none of its cells was hidden; raise the share or the draws")
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

    def _hidden(self, rng: np.random.Generator, beside: Sequence[_Beside]) -> Trial:
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
        hidden = held_out.copy()
        for place, at, other, to, stays in beside:
            held = held_out[:, at, place]
            hidden[:, to, other] |= held & (rng.random(held.shape) >= stays)
        return Trial(panel.filled(np.where(hidden, np.nan, panel.values)), held_out)

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
    """Strengths in the order of the panel."""
    strengths = {mechanism.variable: mechanism.strength for mechanism in mechanisms}
    if len(strengths) < len(mechanisms) or set(strengths) != set(panel.incomplete):
        rule = "declare one for each variable with missing cells and for no other; strength 0 is at random"
        raise InputError("mechanisms", rule)
    for name in strengths:
        is_static = panel.variables[panel.place(name)].kind == "static"
        if (~np.isnan(panel.column(name)[:, : 1 if is_static else None])).sum() < MIN_OBSERVED:
            rule = f"has less than {MIN_OBSERVED} observed cells, too few to hide any of them"
            raise InputError(name, rule)
    return {name: strengths[name] for name in panel.incomplete}


def _all_beside(panel: Panel) -> Iterator[_Beside]:
    """What goes with the held-out cells of every incomplete variable.

    Raises:
        InputError: a column without missing cells copies one with some.
    """
    kinds = [variable.kind for variable in panel.variables]
    ranks = [_ranked(panel.column(name)) for name in panel.names]
    others = [place for place, kind in enumerate(kinds) if kind != "treatment"]
    for place in map(panel.place, panel.incomplete):
        for other in others:
            is_repeated = kinds[place] == kinds[other] == "static"
            for at, to in _steps(kinds[place], kinds[other], panel.n_steps) if other != place else ():
                target, seen = ranks[place][:, at], ranks[other][:, to]
                stays = _stays(target, seen[:, : target.shape[1]])
                is_same_step = at.start == to.start and (kinds[other] != "static" or is_repeated)
                if not stays and panel.names[other] not in panel.incomplete:
                    rule = (
                        f"tells what {panel.names[place]} is, and is always seen; leave it out, or fill that"
                    )
                    raise InputError(panel.names[other], rule)
                if stays < (1 if is_same_step else _NEXT_TO_NEVER):
                    yield _Beside(place, at, other, to, stays)


def _steps(target: Kind, other: Kind, n_steps: int) -> Iterator[tuple[slice, slice]]:
    """Steps of a variable, and those at which another may tell of it: each lag, or each step of a static."""
    if other != "static":
        for lag in range(min(MAX_LAG, n_steps - 1) + 1):
            yield slice(lag, n_steps), slice(0, n_steps - lag)
    else:
        for step in range(1 if target == "static" else n_steps):
            yield slice(step, step + 1), slice(0, n_steps)


def _ranked(column: Float) -> Float:
    """Ranks of what is known, NaN where it is missing."""
    ranks, known = np.full_like(column, np.nan), ~np.isnan(column)
    ranks[known] = rankdata(column[known])
    return ranks


def _stays(target: Float, other: Float) -> float:
    """How often the other is seen where the target is missing over where it is not; 1 where unknown.

    0 where the ranks of one are those of the other.
    """
    known, seen = ~np.isnan(target), ~np.isnan(other)
    if _agree(target[known & seen], other[known & seen]):
        return 0.0
    if known.all() or not known.any() or not seen[known].any():
        return 1.0
    return float(seen[~known].mean() / seen[known].mean())


def _agree(ones: Float, others: Float) -> bool:
    """Whether columns, given as ranks among more cells than these, stand in the same or the reverse order."""
    if len(ones) < _LEAST_TO_COMPARE or not np.ptp(ones) or not np.ptp(others):
        return False
    # Ranking costs most, and what nearly agrees among these does so roughly among all.
    is_alike = abs(np.corrcoef(ones, others)[0, 1]) > _ALIKE
    return bool(is_alike and abs(float(spearmanr(ones, others)[0])) > _SAME)


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

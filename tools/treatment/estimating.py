"""What an operator estimates of a variable's cells, from a panel in which the missing ones are NaN."""

from typing import NamedTuple

import numpy as np

from tools.treatment import chained
from tools.treatment.operators import Carry, Clip, Mice, Mix, Neighbours, Operator, Ridge, Shift, Split, Tilt
from tools.treatment.panel import Bool, Float, Panel
from tools.treatment.past import columns, is_above, lagged, last_seen

_LEAST_GROUP = 20
_MOST_DONORS = 5_000
_AT_ONCE = 512
_TIE = 1e-9


class Estimate(NamedTuple):
    """What is thought of a variable at every cell, from what else is known.

    Attributes:
        mean: in its unit, shape (n_patients, n_steps).
        spread: standard deviation of what is left uncertain, of the same shape.
    """

    mean: Float
    spread: Float


class Estimator:
    """Evaluates operators on one panel; chained equations that several variables ask for are solved once.

    Args:
        panel: with its missing cells as NaN, which is all that an operator sees.
        seed: of the samples where there are too many cells to learn from.
    """

    def __init__(self, panel: Panel, seed: int) -> None:
        self.panel, self.seed = panel, seed
        self._chains: dict[tuple[Mice, bytes], chained.Chained] = {}

    def estimate(self, operator: Operator, name: str) -> Estimate:
        """An operator's estimate of a variable.

        Raises:
            InputError: scikit-learn is needed and not installed.
        """
        everywhere = np.ones(self.panel.values.shape[:2], dtype=bool)
        return self._within(operator, name, everywhere)

    def _within(self, operator: Operator, name: str, group: Bool) -> Estimate:  # noqa: PLR0911
        """The same, learned from the cells of a group of patients' steps."""
        match operator:
            case Carry():
                return self._carried(operator, name, group)
            case Ridge():
                return self._regressed(operator, name, group)
            case Neighbours():
                return self._nearest(operator, name, group)
            case Mice():
                return self._chained(operator, name, group)
            case Tilt():
                of = self._within(operator.of, name, group)
                step = operator.gamma / self.panel.spread(name)
                return Estimate(of.mean + step * of.spread**2, of.spread)
            case Shift():
                of = self._within(operator.of, name, group)
                return Estimate(of.mean + operator.delta * self.panel.spread(name), of.spread)
            case Clip():
                of = self._within(operator.of, name, group)
                return Estimate(np.clip(of.mean, operator.low, operator.high), of.spread)
            case Split():
                return self._split(operator, name, group)
            case Mix():
                return self._mixed(operator, name, group)

    def _learned(self, name: str, group: Bool) -> Bool:
        """The observed cells of a group, or of all where the group has few; of a static one a patient."""
        known = ~np.isnan(self.panel.column(name))
        if self.panel.variables[self.panel.place(name)].kind == "static":
            known[:, 1:] = False
        return known & group if (known & group).sum() >= _LEAST_GROUP else known

    def _carried(self, operator: Carry, name: str, group: Bool) -> Estimate:
        column = self.panel.column(name)
        learned = self._learned(name, group)
        mean = column[learned].mean()
        seen = last_seen(lagged(column, 1))
        kept = 1.0 if operator.half_life is None else 0.5 ** ((seen.gaps + 1.0) / operator.half_life)
        carried = np.where(np.isnan(seen.values), mean, mean + kept * (seen.values - mean))
        return _estimate(carried, column[learned] - carried[learned])

    def _regressed(self, operator: Ridge, name: str, group: Bool) -> Estimate:
        """What is left uncertain is the error at each cell of the regression without it (Allen 1974)."""
        column, learned = self.panel.column(name), self._learned(name, group)
        table = columns(self.panel, operator.covariates)
        level = column[learned].mean()
        rows = table[learned.ravel()]
        centre = rows.mean(axis=0)
        rows = rows - centre
        solved = np.linalg.solve(rows.T @ rows + operator.penalty * np.eye(table.shape[1]), rows.T)
        slopes = solved @ (column[learned] - level)
        leverage = 1 / len(rows) + (rows * solved.T).sum(axis=1)
        off = (column[learned] - level - rows @ slopes) / (1 - leverage)
        return _estimate((level + (table - centre) @ slopes).reshape(column.shape), off)

    def _nearest(self, operator: Neighbours, name: str, group: Bool) -> Estimate:
        """All donors that are as near as the last one asked for, but later steps of the patient itself."""
        column, learned, n_steps = self.panel.column(name), self._learned(name, group), self.panel.n_steps
        table = columns(self.panel, operator.covariates)
        donors = np.flatnonzero(learned)
        if len(donors) > _MOST_DONORS:
            rng = np.random.default_rng(self.seed)
            donors = np.sort(rng.choice(donors, _MOST_DONORS, replace=False))
        level, k = column[learned].mean(), min(operator.neighbours, len(donors)) - 1
        given = column.ravel()[donors] - level
        mean, variance = np.full(column.size, level), np.full(column.size, column[learned].var())
        wanted = np.flatnonzero(np.isnan(column))
        for start in range(0, len(wanted), _AT_ONCE):
            cells = wanted[start : start + _AT_ONCE]
            apart = _squared_distances(table[cells], table[donors])
            later = (donors // n_steps == cells[:, None] // n_steps) & (donors > cells[:, None])
            apart[later] = np.inf
            furthest = np.partition(apart, k, axis=1)[:, k, None]
            near = ((apart <= furthest + _TIE) & ~later).astype(np.float64)
            count = near.sum(axis=1)
            moved = near @ given / np.maximum(count, 1)
            squares = np.maximum(near @ given**2 - count * moved**2, 0.0)
            mean[cells] += moved
            variance[cells] = np.where(count > 1, squares / np.maximum(count - 1, 1), variance[cells])
        return Estimate(mean.reshape(column.shape), np.sqrt(variance).reshape(column.shape))

    def _chained(self, operator: Mice, name: str, group: Bool) -> Estimate:
        place = self.panel.place(name)
        known = ~np.isnan(self.panel.column(name))
        rows = group if (known & group).sum() >= _LEAST_GROUP else np.ones_like(group)
        key = (operator, rows.tobytes())
        if key not in self._chains:
            self._chains[key] = chained.chain(self.panel, operator, rows, self.seed)
        found = self._chains[key]
        return Estimate(found.means[:, :, place], np.full(rows.shape, found.spreads[place]))

    def _split(self, operator: Split, name: str, group: Bool) -> Estimate:
        above = is_above(self.panel, operator.by, operator.above)
        then = self._within(operator.then, name, group & above)
        otherwise = self._within(operator.otherwise, name, group & ~above)
        return Estimate(
            np.where(above, then.mean, otherwise.mean), np.where(above, then.spread, otherwise.spread)
        )

    def _mixed(self, operator: Mix, name: str, group: Bool) -> Estimate:
        """Mean and standard deviation of a mixture of distributions."""
        parts = [self._within(part.of, name, group) for part in operator.parts]
        weights = np.array([part.weight for part in operator.parts])
        weights = weights / weights.sum()
        mean = np.tensordot(weights, [part.mean for part in parts], axes=1)
        variance = np.tensordot(weights, [part.spread**2 + (part.mean - mean) ** 2 for part in parts], axes=1)
        return Estimate(mean, np.sqrt(variance))


def _estimate(mean: Float, off: Float) -> Estimate:
    """With the root mean square of some errors as its spread everywhere."""
    return Estimate(mean, np.full(mean.shape, np.sqrt(np.mean(off**2))))


def _squared_distances(ones: Float, others: Float) -> Float:
    """Between rows, shape (n_ones, n_others)."""
    return np.asarray((ones**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * ones @ others.T)

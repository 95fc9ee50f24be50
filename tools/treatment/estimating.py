"""What an operator estimates of a variable's cells, from a panel in which the missing ones are NaN."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from tools.treatment import chained
from tools.treatment.operators import Carry, Clip, Mice, Mix, Neighbours, Operator, Ridge, Shift, Split, Tilt
from tools.treatment.panel import Bool, Float, Panel
from tools.treatment.past import columns, is_above, lagged, last_seen

_LEAST_GROUP = 20
_MOST_DONORS = 20_000
_AT_ONCE = 4_096


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
        """The observed cells of a group, or of all where the group has few."""
        known = ~np.isnan(self.panel.column(name))
        return known & group if (known & group).sum() >= _LEAST_GROUP else known

    def _carried(self, operator: Carry, name: str, group: Bool) -> Estimate:
        column = self.panel.column(name)
        learned = self._learned(name, group)
        mean = column[learned].mean()
        seen = last_seen(lagged(column, 1))
        kept = 1.0 if operator.half_life is None else 0.5 ** ((seen.gaps + 1.0) / operator.half_life)
        carried = np.where(np.isnan(seen.values), mean, mean + kept * (seen.values - mean))
        return Estimate(carried, _constant_spread(column, carried, learned))

    def _regressed(self, operator: Ridge, name: str, group: Bool) -> Estimate:
        column, learned = self.panel.column(name), self._learned(name, group)
        table = columns(self.panel, operator.covariates)
        level = column[learned].mean()
        rows = table[learned.ravel()]
        centre = rows.mean(axis=0)
        gram = (rows - centre).T @ (rows - centre) + operator.penalty * np.eye(table.shape[1])
        slopes = np.linalg.solve(gram, (rows - centre).T @ (column[learned] - level))
        said = (level + (table - centre) @ slopes).reshape(column.shape)
        return Estimate(said, _constant_spread(column, said, learned))

    def _nearest(self, operator: Neighbours, name: str, group: Bool) -> Estimate:
        column, learned = self.panel.column(name), self._learned(name, group)
        table = columns(self.panel, operator.covariates)
        donors = np.flatnonzero(learned)
        if len(donors) > _MOST_DONORS:
            rng = np.random.default_rng(self.seed)
            donors = np.sort(rng.choice(donors, _MOST_DONORS, replace=False))
        mean = np.full(column.size, column[learned].mean())
        spread = np.full(column.size, column[learned].std())
        wanted = np.flatnonzero(np.isnan(column))
        if table.shape[1]:
            tree = cKDTree(table[donors])
            for start in range(0, len(wanted), _AT_ONCE):
                cells = wanted[start : start + _AT_ONCE]
                found = self._from_nearest(operator.neighbours, column, donors, tree, table, cells)
                mean[cells], spread[cells] = found
        return Estimate(mean.reshape(column.shape), spread.reshape(column.shape))

    def _from_nearest(
        self,
        wanted: int,
        column: Float,
        donors: npt.NDArray[np.intp],
        tree: "cKDTree",
        table: Float,
        cells: npt.NDArray[np.intp],
    ) -> tuple[Float, Float]:
        """Mean and spread of the nearest donors, where later steps of the patient itself are none."""
        n_steps = self.panel.n_steps
        k = min(wanted + n_steps - 1, len(donors))
        _, places = tree.query(table[cells], k=np.arange(1, k + 1))
        donor = donors[places]
        later = (donor // n_steps == cells[:, None] // n_steps) & (donor > cells[:, None])
        taken = ~later & (np.cumsum(~later, axis=1) <= wanted)
        count = taken.sum(axis=1)
        values = np.where(taken, column.ravel()[donor], 0.0)
        n = np.maximum(count, 1)
        mean = np.where(count, values.sum(axis=1) / n, column[~np.isnan(column)].mean())
        variance = np.where(taken, (values - mean[:, None]) ** 2, 0.0).sum(axis=1) / n
        return mean, np.sqrt(variance)

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


def _constant_spread(column: Float, said: Float, learned: Bool) -> Float:
    off = np.sqrt(np.mean((column[learned] - said[learned]) ** 2))
    return np.full(column.shape, off)

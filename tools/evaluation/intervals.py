"""95 % intervals of a metric by resampling patients, with test sets of several seeds that overlap."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from tools.evaluation.rankings import Int64
from tools.evaluation.statistic import Float, Statistic, ratio
from tools.safety.errors import InputError

K = TypeVar("K", bound=Hashable)

_ENTRIES_AT_ONCE = 2**20  # weights of a block of resamples, 8 MB
_LEVELS = (0.025, 0.975)


class Sample(NamedTuple):
    """A metric over one test set.

    Attributes:
        rows: the patients' rows of the cohort, each once, shape (n,).
        statistic: of n patients, in that order.
    """

    rows: Int64
    statistic: Statistic


class Interval(NamedTuple):
    """An estimate with its 95 % interval; NaN where there is none."""

    estimate: float
    low: float
    high: float


class Resampling:
    """Resamples of a cohort's patients with replacement, the same ones each time they are asked for.

    A metric of several seeds is one number, the mean over the seeds' test sets, and a patient may stand in
    many of these. So it is patients that are drawn, once for all seeds: whoever is drawn twice counts twice
    in every test set that has them. Methods compared under one `Resampling` meet the same resamples.

    Args:
        rows: of the cohort, all patients that stand in any test set.
        resamples: how many.
        seed: of the draws.

    Raises:
        InputError: no patient or no resample.
    """

    def __init__(self, rows: npt.ArrayLike, resamples: int = 1000, seed: int = 0) -> None:
        self.rows = np.unique(np.asarray(rows, dtype=np.int64))
        self.resamples = resamples
        self.seed = seed
        if not len(self.rows) or resamples < 1:
            raise InputError("resamples", "at least one, of at least one patient")

    def blocks(self) -> Iterator[Float]:
        """How often each patient is drawn: arrays of shape (b, n_rows), b bounded, `resamples` in all."""
        rng, n = np.random.default_rng(self.seed), len(self.rows)
        size = max(1, _ENTRIES_AT_ONCE // n)
        for done in range(0, self.resamples, size):
            b = min(size, self.resamples - done)
            drawn = rng.integers(n, size=(b, n)) + n * np.arange(b)[:, None]
            yield np.bincount(drawn.ravel(), minlength=b * n).reshape(b, n).astype(np.float64)

    def places(self, rows: Int64) -> Int64:
        """Columns of the blocks that belong to some rows of the cohort, shape (len(rows),).

        Raises:
            InputError: one of them is not resampled.
        """
        places = np.searchsorted(self.rows, rows)
        if (places == len(self.rows)).any() or (self.rows[places] != rows).any():
            raise InputError(
                "rows", "a patient of a test set is not resampled; give the rows of all test sets"
            )
        return places.astype(np.int64)


def estimate(samples: Sequence[Sample]) -> float:
    """A metric's mean over test sets, of those where it has a value; NaN where it has none."""
    return float(_mean_over_sets(np.array([[sample.statistic.value()] for sample in samples]))[0])


def distributions(metrics: Mapping[K, Sequence[Sample]], resampling: Resampling) -> dict[K, Float]:
    """Values of several metrics, each a mean over test sets, under the resamples.

    Args:
        metrics: for each its test sets.
        resampling: of all their patients.

    Returns:
        For each metric shape (resamples,), NaN where a resample leaves it without a value.

    Raises:
        InputError: a patient is not resampled.
    """
    # Metrics of one test set share its rows, so their weights are picked once.
    places = {id(s.rows): resampling.places(s.rows) for samples in metrics.values() for s in samples}
    parts: dict[K, list[Float]] = {name: [] for name in metrics}
    for weights in resampling.blocks():
        of_rows = {key: weights[:, place] for key, place in places.items()}
        for name, samples in metrics.items():
            values = [sample.statistic.values(of_rows[id(sample.rows)]) for sample in samples]
            parts[name].append(_mean_over_sets(np.array(values)))
    return {name: np.concatenate(values) for name, values in parts.items()}


def percentiles(values: Float) -> tuple[float, float]:
    """2.5th and 97.5th percentile of the values that are numbers; NaN where none is."""
    numbers = values[~np.isnan(values)]
    if not len(numbers):
        return np.nan, np.nan
    low, high = np.quantile(numbers, _LEVELS)
    return float(low), float(high)


def intervals(metrics: Mapping[K, Sequence[Sample]], resampling: Resampling) -> dict[K, Interval]:
    """Percentile bootstrap over patients (Efron 1979) of metrics that are means over test sets.

    Args:
        metrics: see `distributions`.
        resampling: see `distributions`.
    """
    spread = distributions(metrics, resampling)
    return {name: Interval(estimate(metrics[name]), *percentiles(spread[name])) for name in metrics}


def paired_difference(first: Sequence[Sample], second: Sequence[Sample], resampling: Resampling) -> Interval:
    """How much better the first method is than the second, in one metric, on the same resamples."""
    spread = distributions({"first": first, "second": second}, resampling)
    difference = estimate(first) - estimate(second)
    return Interval(difference, *percentiles(spread["first"] - spread["second"]))


def _mean_over_sets(values: Float) -> Float:
    """Mean over axis 0 of what is a number."""
    numbers = ~np.isnan(values)
    return ratio(np.where(numbers, values, 0.0).sum(axis=0), numbers.sum(axis=0))

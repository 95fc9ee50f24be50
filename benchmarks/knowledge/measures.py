"""How good a ranking is, and how sure of it one can be."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

N_BOOTSTRAP = 2_000


class Interval(NamedTuple):
    """A mean over queries with its 95 % percentile bootstrap interval over topics."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], k: int = 5) -> float:
    """Normalised discounted cumulative gain at k: gain 2^grade - 1, discount 1 / log2(1 + rank).

    Jarvelin and Kekalainen 2002, with the gain of Burges et al. 2005.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    found = np.array([2.0 ** grades.get(key, 0) - 1 for key in ranking[:k]])
    best = np.array([2.0**grade - 1 for grade in sorted(grades.values(), reverse=True)[:k]])
    return float(found @ discounts[: len(found)] / (best @ discounts[: len(best)]))


def recall(ranking: Sequence[str], grades: Mapping[str, int], k: int = 5) -> float:
    """Share of the relevant passages among the first k, of the most that k places can hold."""
    return sum(key in grades for key in ranking[:k]) / min(k, len(grades))


def interval(values: npt.NDArray[np.float64], topics: Sequence[str], seed: int = 0) -> Interval:
    """The mean of a value over queries; topics are drawn again with replacement.

    Args:
        values: one a query; of two rankings, their differences.
        topics: one a query.
        seed: of the draws: equal seeds draw equal topics.
    """
    members = np.unique(np.asarray(topics), return_inverse=True)[1]
    sums, sizes = np.bincount(members, values), np.bincount(members)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(N_BOOTSTRAP, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))

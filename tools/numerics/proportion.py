"""Intervals of a proportion, and how many independent observations a clustered or modelled one is worth."""

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

Z_95 = 1.959963984540054


def wilson(share: float, trials: float) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927).

    Args:
        share: the estimate, 0 to 1.
        trials: number of independent observations it is worth, > 0; need not be whole.
    """
    spread = Z_95**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    reach = Z_95 * np.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    # At 0 and 1 an end is the share itself, but for rounding.
    return min(max(float(middle - reach), 0.0), share), max(min(float(middle + reach), 1.0), share)


def effective_trials(hits: npt.ArrayLike, trials: npt.ArrayLike) -> float:
    """How many independent trials a ratio of sums over clusters is worth (Kish 1965, "Survey Sampling").

    n = p (1 - p) / var(p), var(p) = m / (m - 1) sum_i (h_i - p t_i)^2 / T^2, T = sum_i t_i. It is kept
    between T^2 / sum_i t_i^2, all trials of a cluster alike, and T, all independent. The lower bound is also
    the answer where every trial had the same outcome or there is one cluster: such data do not tell.

    Args:
        hits: of each cluster, shape (m,).
        trials: of each cluster, > 0, shape (m,).

    Returns:
        0 without clusters.
    """
    h, t = np.asarray(hits, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if not len(t):
        return 0.0
    total, least = t.sum(), t.sum() ** 2 / np.sum(t**2)
    share = h.sum() / total
    scatter = np.sum((h - share * t) ** 2)
    if len(t) == 1 or not 0.0 < share < 1.0 or scatter == 0.0:
        return float(least)
    variance = len(t) / (len(t) - 1) * scatter / total**2
    return float(np.clip(share * (1.0 - share) / variance, least, total))

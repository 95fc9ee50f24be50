"""Whether probabilities mean what they say, over all (patient, code) pairs of the candidate lists.

Most candidates have a probability of a few percent. Of bins of equal width the lowest then holds nearly all
pairs, and errors within it cancel; bins of equal mass look closely there and hardly at high probabilities.
So both are offered; `expected_calibration_error` by default has 20 bins of equal width, as is usual.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from tools.evaluation.metrics import Codes, checked
from tools.evaluation.rankings import Bool, Float, Int64, Rankings
from tools.evaluation.statistic import Statistic, mean, ratio
from tools.numerics.proportion import effective_trials, wilson
from tools.safety.errors import InputError

ECE_BINS = 20
_SMALLEST = np.finfo(np.float64).eps


class Pairs(NamedTuple):
    """Predictions one by one, each column of shape (m,).

    Attributes:
        patient: row of the rankings.
        probability: predicted.
        happened: whether the patient had the code.
    """

    patient: Int64
    probability: Float
    happened: Bool


class ReliabilityBin(NamedTuple):
    """What happened to the pairs whose probability lay in a bin.

    Attributes:
        above: lower end, part of the bin.
        to: upper end, part of the bin only where it is the last.
        predicted: mean probability.
        observed: share that happened.
        low: of the 95 % interval (Wilson) of `observed`. Pairs of one patient count for what they are worth
            together (Kish), as does a patient who stands in several test sets.
        high: likewise.
        n_pairs: in the bin.
    """

    above: float
    to: float
    predicted: float
    observed: float
    low: float
    high: float
    n_pairs: int


def pairs(rankings: Rankings, target: Codes) -> Pairs:
    """All ranked codes with their probabilities and outcomes.

    Raises:
        InputError: the rankings have no probabilities, or do not fit the target.
    """
    if rankings.probabilities is None:
        raise InputError("rankings", "have no probabilities; calibration is of those")
    true = checked(rankings, target)
    has, had = true.nonzero()
    patient, place = np.nonzero(rankings.ranked)
    n_codes = np.int64(true.shape[1])
    happened = np.isin(patient * n_codes + rankings.codes[patient, place], has * n_codes + had)
    return Pairs(patient.astype(np.int64), rankings.probabilities[patient, place], happened)


def equal_width(n_bins: int) -> Float:
    """Edges of bins of equal width over [0, 1], shape (n_bins + 1,)."""
    return np.linspace(0.0, 1.0, n_bins + 1)


def equal_mass(probabilities: Float, n_bins: int) -> Float:
    """Edges, 0 to 1, of bins with about equally many probabilities each; fewer bins where many are equal."""
    if not len(probabilities):
        return equal_width(1)
    inner = np.quantile(probabilities, np.arange(1, n_bins) / n_bins)
    return np.unique(np.concatenate([[0.0], inner, [1.0]]))


def brier(rankings: Rankings, target: Codes) -> Statistic:
    """Mean of (p - y)^2 over all pairs (Brier 1950)."""
    p = pairs(rankings, target)
    return _mean_over_pairs(p, len(rankings), (p.probability - p.happened) ** 2)


def log_loss(rankings: Rankings, target: Codes) -> Statistic:
    """Mean of -log P(y) over all pairs, nats; probabilities are kept off 0 and 1 by 2.2e-16."""
    p = pairs(rankings, target)
    q = np.clip(p.probability, _SMALLEST, 1 - _SMALLEST)
    return _mean_over_pairs(p, len(rankings), -np.where(p.happened, np.log(q), np.log1p(-q)))


def expected_calibration_error(rankings: Rankings, target: Codes, edges: Float | None = None) -> Statistic:
    """sum_b n_b / n |mean probability - share that happened| over bins b of pairs (Naeini 2015).

    Noise adds to each gap, so resamples err upwards: close to 0 an interval of theirs is too high.

    Args:
        rankings: with probabilities.
        target: the true codes, shape (n, n_codes).
        edges: of the bins, ascending from 0 to 1; 20 of equal width when None. With `equal_mass` edges of the
            whole the resamples keep those.
    """
    p = pairs(rankings, target)
    edges = equal_width(ECE_BINS) if edges is None else edges
    n_bins = len(edges) - 1
    bins = bins_of(p.probability, edges)
    amounts = np.concatenate([p.probability, p.happened, np.ones(len(bins))])
    columns = np.concatenate([bins, n_bins + bins, 2 * n_bins + bins])
    parts = sparse.coo_array((amounts, (np.tile(p.patient, 3), columns)), (len(rankings), 3 * n_bins))
    return Statistic(sparse.csr_array(parts), _error_of_sums)


def bins_of(probabilities: Float, edges: Float) -> Int64:
    """The bin of each probability: its lower edge belongs to it, and 1 to the last."""
    return np.minimum(np.searchsorted(edges, probabilities, side="right") - 1, len(edges) - 2).astype(
        np.int64
    )


def reliability_curve(observed: Pairs, edges: Float) -> list[ReliabilityBin]:
    """Observed share against mean probability in bins; those without a pair are left out.

    Args:
        observed: of one test set, or of several joined; `patient` then numbers them across the sets.
        edges: of the bins, ascending from 0 to 1.
    """
    bins = bins_of(observed.probability, edges)
    return [_bin(observed, bins == b, edges[b], edges[b + 1]) for b in np.unique(bins)]


def _bin(observed: Pairs, inside: Bool, above: float, to: float) -> ReliabilityBin:
    _, at = np.unique(observed.patient[inside], return_inverse=True)
    trials, hits = np.bincount(at), np.bincount(at, weights=observed.happened[inside])
    share = float(hits.sum() / trials.sum())
    low, high = wilson(share, effective_trials(hits, trials))
    predicted = float(observed.probability[inside].mean())
    return ReliabilityBin(float(above), float(to), predicted, share, low, high, int(trials.sum()))


def _mean_over_pairs(p: Pairs, n: int, losses: Float) -> Statistic:
    counts = np.bincount(p.patient, minlength=n)
    return mean(np.bincount(p.patient, weights=losses, minlength=n), counts)


def _error_of_sums(sums: Float) -> Float:
    predicted, happened, counts = np.split(sums, 3, axis=1)
    return ratio(np.abs(predicted - happened).sum(axis=1), counts.sum(axis=1))

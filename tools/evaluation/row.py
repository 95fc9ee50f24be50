"""One method's row of the results, and how much better one method is than another."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np

from tools.evaluation.abstention import abstention_curve
from tools.evaluation.calibration import (
    ECE_BINS,
    Pairs,
    ReliabilityBin,
    brier,
    equal_mass,
    equal_width,
    expected_calibration_error,
    log_loss,
    pairs,
    reliability_curve,
)
from tools.evaluation.examples import Examples
from tools.evaluation.intervals import Interval, Resampling, Sample, intervals, paired_difference
from tools.evaluation.metrics import new_codes, recall, w_f1, w_f1_list
from tools.evaluation.rankings import Rankings
from tools.evaluation.statistic import Statistic
from tools.safety.errors import InputError

DEPTHS = (10, 20)
RELIABILITY_BINS = 10
NOT_IN_PERCENT = frozenset({"brier", "log_loss"})


class Answered(TypedDict):
    """A point of the abstention curve: shares in %, means over test sets."""

    coverage: float
    answered: float
    w_f1: float | None
    recall_at_10: float | None


class Row(TypedDict):
    """One method's results: means over the test sets of all seeds.

    All metrics and their intervals are in %, but for `brier` (0 to 1) and `log_loss` (nats). None stands
    where there is no value: without probabilities, or where nobody has such codes.

    Attributes:
        method: its name.
        w_f1: see `tools.evaluation.metrics.w_f1`; the number of true codes is told.
        w_f1_list: of the method's own list.
        recall_at_10: see `tools.evaluation.metrics.recall`.
        recall_at_20: likewise.
        repeats_at_10: recall of the true codes that the history has.
        repeats_at_20: likewise.
        new_at_10: recall of the true codes that it has not.
        new_at_20: likewise.
        ece: expected calibration error, 20 bins of equal width.
        ece_equal_mass: likewise, 20 bins of equally many pairs.
        brier: mean squared error of the probabilities of the ranked codes.
        log_loss: mean negative log-likelihood of the same.
        ci: 95 % interval [low, high] of each metric that has a value.
        n_patients: distinct patients in the test sets.
        n_predictions: patients of all test sets.
        refused: of those, how many got no ranked code; misses in the metrics above.
        abstention: what is gained by answering only where the method is sure.
    """

    method: str
    w_f1: float | None
    w_f1_list: float | None
    recall_at_10: float | None
    recall_at_20: float | None
    repeats_at_10: float | None
    repeats_at_20: float | None
    new_at_10: float | None
    new_at_20: float | None
    ece: float | None
    ece_equal_mass: float | None
    brier: float | None
    log_loss: float | None
    ci: dict[str, list[float]]
    n_patients: int
    n_predictions: int
    refused: int
    abstention: list[Answered] | None


class Reliability(NamedTuple):
    """Reliability over all test sets, in bins of equal width 0.1 and in bins of equally many pairs."""

    equal_width: list[ReliabilityBin]
    equal_mass: list[ReliabilityBin]

    def as_json(self, method: str) -> dict[str, Any]:
        """A method's bins with their names; predicted and observed are shares, not %."""
        kinds = self._asdict().items()
        return {"method": method, **{kind: [each._asdict() for each in bins] for kind, bins in kinds}}


def statistics(rankings: Rankings, truth: Examples) -> dict[str, Statistic]:
    """All metrics of one test set by name, as shares; those of probabilities only where there are some.

    Raises:
        InputError: the two do not fit together, or fewer than 20 codes were kept of each patient.
    """
    found = {"w_f1": w_f1(rankings, truth.target), "w_f1_list": w_f1_list(rankings, truth.target)}
    kinds = {
        "recall": truth.target,
        "repeats": truth.repeats,
        "new": new_codes(truth.target, truth.repeats),
    }
    for kind, wanted in kinds.items():
        found |= {f"{kind}_at_{k}": recall(rankings, wanted, k) for k in DEPTHS}
    if rankings.probabilities is None:
        return found
    mass = equal_mass(rankings.probabilities[rankings.ranked], ECE_BINS)
    return found | {
        "ece": expected_calibration_error(rankings, truth.target),
        "ece_equal_mass": expected_calibration_error(rankings, truth.target, mass),
        "brier": brier(rankings, truth.target),
        "log_loss": log_loss(rankings, truth.target),
    }


def samples(rankings: Sequence[Rankings], examples: Sequence[Examples]) -> dict[str, list[Sample]]:
    """All metrics by name, each over the test sets of all seeds.

    Raises:
        InputError: no test set, not one ranking each, some with and some without probabilities, or what
            `statistics` refuses.
    """
    if not rankings or len(rankings) != len(examples):
        raise InputError("rankings", "give one for each test set, and one test set at least")
    if len({each.probabilities is None for each in rankings}) > 1:
        raise InputError("rankings", "some have probabilities and some have not; give all or none")
    sets = [(truth.rows, statistics(each, truth)) for each, truth in zip(rankings, examples, strict=True)]
    return {name: [Sample(rows, found[name]) for rows, found in sets] for name in sets[0][1]}


def evaluate(
    method: str, rankings: Sequence[Rankings], examples: Sequence[Examples], resampling: Resampling
) -> Row:
    """A method's row.

    Args:
        method: its name.
        rankings: of each seed's test set.
        examples: the test sets, in the same order.
        resampling: of all their patients; give every method the same.

    Raises:
        InputError: see `samples`; or a patient is not resampled.
    """
    found = known(intervals(samples(rankings, examples), resampling))
    values = {name: found[name].estimate if name in found else None for name in Row.__annotations__}
    return Row(
        method=method,
        w_f1=values["w_f1"],
        w_f1_list=values["w_f1_list"],
        recall_at_10=values["recall_at_10"],
        recall_at_20=values["recall_at_20"],
        repeats_at_10=values["repeats_at_10"],
        repeats_at_20=values["repeats_at_20"],
        new_at_10=values["new_at_10"],
        new_at_20=values["new_at_20"],
        ece=values["ece"],
        ece_equal_mass=values["ece_equal_mass"],
        brier=values["brier"],
        log_loss=values["log_loss"],
        ci={name: [interval.low, interval.high] for name, interval in found.items()},
        n_patients=len(np.unique(np.concatenate([truth.rows for truth in examples]))),
        n_predictions=sum(map(len, rankings)),
        refused=sum(int(each.refused.sum()) for each in rankings),
        abstention=_abstention(rankings, examples),
    )


def compare(
    first: Sequence[Rankings],
    second: Sequence[Rankings],
    examples: Sequence[Examples],
    resampling: Resampling,
) -> dict[str, Interval]:
    """First method less second in each metric that both have, with paired intervals, in the units of `Row`.

    Args:
        first: of each seed's test set.
        second: likewise.
        examples: the test sets, in the same order.
        resampling: of all their patients.

    Raises:
        InputError: see `samples`; or a patient is not resampled.
    """
    one, other = samples(first, examples), samples(second, examples)
    return {
        name: in_percent(name, paired_difference(one[name], other[name], resampling))
        for name in one
        if name in other
    }


def reliability(rankings: Sequence[Rankings], examples: Sequence[Examples]) -> Reliability:
    """Reliability curves over the pairs of all test sets; a patient in several sets is one patient.

    Raises:
        InputError: rankings without probabilities, or that do not fit their test set.
    """
    sets = [(truth.rows, pairs(each, truth.target)) for each, truth in zip(rankings, examples, strict=True)]
    joined = Pairs(
        np.concatenate([rows[one.patient] for rows, one in sets]),
        np.concatenate([one.probability for _, one in sets]),
        np.concatenate([one.happened for _, one in sets]),
    )
    mass = equal_mass(joined.probability, RELIABILITY_BINS)
    return Reliability(
        reliability_curve(joined, equal_width(RELIABILITY_BINS)), reliability_curve(joined, mass)
    )


def known(found: Mapping[str, Interval]) -> dict[str, Interval]:
    """The metrics that have a value, in the units of `Row`."""
    return {name: in_percent(name, one) for name, one in found.items() if not math.isnan(one.estimate)}


def in_percent(metric: str, interval: Interval) -> Interval:
    """A metric's interval in the unit of `Row`."""
    return interval if metric in NOT_IN_PERCENT else Interval(*(100 * number for number in interval))


def _abstention(rankings: Sequence[Rankings], examples: Sequence[Examples]) -> list[Answered] | None:
    if rankings[0].probabilities is None:
        return None
    curves = [abstention_curve(each, truth.target) for each, truth in zip(rankings, examples, strict=True)]
    return [
        Answered(
            coverage=100 * points[0].coverage,
            answered=100 * float(np.mean([point.answered for point in points])),
            w_f1=_mean_percent([point.w_f1 for point in points]),
            recall_at_10=_mean_percent([point.recall_at_10 for point in points]),
        )
        for points in zip(*curves, strict=True)
    ]


def _mean_percent(shares: Sequence[float]) -> float | None:
    numbers = [share for share in shares if not math.isnan(share)]
    return 100 * sum(numbers) / len(numbers) if numbers else None

"""What is gained by answering only where the method is sure."""

from typing import NamedTuple

import numpy as np

from tools.evaluation.metrics import Codes, recall, w_f1
from tools.evaluation.rankings import Float, Rankings
from tools.evaluation.statistic import ratio
from tools.safety.errors import InputError

COVERAGES = tuple(tenths / 10 for tenths in range(1, 11))


class AnsweredShare(NamedTuple):
    """Metrics of the patients that a method is surest of.

    Attributes:
        coverage: share of all patients asked to be answered.
        answered: share that is: less where the method refused too many.
        n_patients: how many that is.
        w_f1: over them, between 0 and 1; NaN over nobody.
        recall_at_10: likewise.
    """

    coverage: float
    answered: float
    n_patients: int
    w_f1: float
    recall_at_10: float


def confidence(rankings: Rankings) -> Float:
    """Mean probability of each patient's own list, which is the share of it that is expected to come true.

    Returns:
        Shape (n,); 0 for an empty list.

    Raises:
        InputError: the rankings have no probabilities.
    """
    if rankings.probabilities is None:
        raise InputError("rankings", "have no probabilities, so no confidence")
    listed = np.arange(rankings.codes.shape[1]) < rankings.proposed[:, None]
    total = np.where(listed, rankings.probabilities, 0.0).sum(axis=1)
    return ratio(total, rankings.proposed, where_empty=0.0)


def abstention_curve(rankings: Rankings, target: Codes) -> list[AnsweredShare]:
    """Metrics of the surest 10 %, 20 % ... 100 % of the patients; equal confidence in the order given.

    Refusals are never answered. In the plain metrics they are misses.

    Raises:
        InputError: the rankings have no probabilities, or do not fit the target.
    """
    sure = np.argsort(-confidence(rankings), kind="stable")
    sure = sure[~rankings.refused[sure]]
    f1, found, n = w_f1(rankings, target), recall(rankings, target, 10), len(rankings)
    curve = []
    for coverage in COVERAGES:
        asked = sure[: round(coverage * n)]
        share = len(asked) / n if n else 0.0
        curve.append(
            AnsweredShare(coverage, share, len(asked), f1.of(asked).value(), found.of(asked).value())
        )
    return curve

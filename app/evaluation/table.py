"""The results: one row a method, and how much better the default is than each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.evaluation.asked import BASELINES, DEFAULT
from app.evaluation.folds import Fold
from tools.evaluation.examples import Examples, examples
from tools.evaluation.intervals import Interval, Resampling
from tools.evaluation.ledger import Outcome
from tools.evaluation.rankings import PADDING, Rankings
from tools.evaluation.row import DEPTHS, Row, compare, evaluate
from tools.records.cohort import Cohort

HEADLINES = ("w_f1", "w_f1_list", "recall_at_10", "recall_at_20")
_KEPT = max(DEPTHS)
Answers = Mapping[str, Sequence[Rankings]]


def of_outcomes(fold: Fold, outcomes: Mapping[int, Outcome]) -> Rankings:
    """Outcomes of a fold's test patients as rankings in the cohort's columns."""
    columns = fold.columns()
    chosen = [outcomes[row] for row in fold.test.tolist()]
    k = max([_KEPT, *(len(outcome.codes) for outcome in chosen)])
    codes = np.full((len(chosen), k), PADDING, dtype=np.int32)
    probabilities = np.full((len(chosen), k), np.nan)
    for place, outcome in enumerate(chosen):
        n = len(outcome.codes)
        codes[place, :n] = [columns[key] for key in outcome.codes]
        probabilities[place, :n] = outcome.probabilities
    return Rankings(codes, probabilities, np.array([outcome.length for outcome in chosen], dtype=np.int64))


def of_baselines(fold: Fold, methods: Sequence[str]) -> dict[str, Rankings]:
    """Baselines learned from a fold's training patients; each proposes as many codes as a visit has."""
    from tools.evaluation.baselines import BASELINES as FITTED
    from tools.evaluation.baselines import rank

    training = fold.learned()
    return {
        method: rank(FITTED[method](training), fold.examples, _KEPT, training.codes_per_visit)
        for method in methods
    }


def by_seed(folds: Sequence[Fold], parts: Sequence[Rankings]) -> list[Rankings]:
    """Rankings of folds joined to one a seed, in the order of the folds."""
    seeds = sorted({fold.seed for fold in folds})
    return [_joined([part for fold, part in zip(folds, parts, strict=True) if fold.seed == s]) for s in seeds]


def test_sets(cohort: Cohort, folds: Sequence[Fold]) -> list[Examples]:
    """What is predicted, one set a seed, in the order of `by_seed`."""
    seeds = sorted({fold.seed for fold in folds})
    rows = [np.concatenate([fold.test for fold in folds if fold.seed == seed]) for seed in seeds]
    return [examples(cohort, each) for each in rows]


def _joined(parts: Sequence[Rankings]) -> Rankings:
    k = max(part.codes.shape[1] for part in parts)
    widths = [((0, 0), (0, k - part.codes.shape[1])) for part in parts]
    codes = [np.pad(p.codes, w, constant_values=PADDING) for p, w in zip(parts, widths, strict=True)]
    known = [
        np.pad(p.probabilities, w, constant_values=np.nan)
        for p, w in zip(parts, widths, strict=True)
        if p.probabilities is not None
    ]
    probabilities = np.concatenate(known) if len(known) == len(parts) else None
    return Rankings(np.concatenate(codes), probabilities, np.concatenate([part.length for part in parts]))


def build(answers: Answers, truth: Sequence[Examples]) -> dict[str, Any]:
    """Rows and differences, JSON-native, in % where not said otherwise.

    Args:
        answers: of each method, one ranking a seed.
        truth: test sets, one a seed.
    """
    resampling = Resampling(np.concatenate([each.rows for each in truth]))
    rows = [evaluate(method, rankings, truth, resampling) for method, rankings in answers.items()]
    return {"rows": rows, "differences": _differences(answers, rows, truth, resampling)}


def _differences(
    answers: Answers, rows: Sequence[Row], truth: Sequence[Examples], resampling: Resampling
) -> list[dict[str, Any]]:
    """The default less the best baseline of each headline, and less every other method of the graph."""
    if DEFAULT not in answers:
        return []
    against: dict[str, tuple[str, ...]] = {
        method: HEADLINES for method in answers if method not in {*BASELINES, DEFAULT}
    }
    best = {metric: name for metric in HEADLINES if (name := _best_baseline(rows, metric))}
    for name in dict.fromkeys(best.values()):
        against[name] = tuple(metric for metric in HEADLINES if best.get(metric) == name)
    found = []
    for other, metrics in against.items():
        compared = compare(answers[DEFAULT], answers[other], truth, resampling)
        found += [_difference(other, metric, compared[metric]) for metric in metrics]
    return found


def _best_baseline(rows: Sequence[Row], metric: str) -> str | None:
    values = {row["method"]: row[metric] for row in rows if row["method"] in BASELINES}  # type: ignore[literal-required]
    known = {method: value for method, value in values.items() if value is not None}
    return max(known, key=lambda method: known[method], default=None)


def _difference(against: str, metric: str, interval: Interval) -> dict[str, Any]:
    return {
        "method": DEFAULT,
        "against": against,
        "is_best_baseline": against in BASELINES,
        "metric": metric,
        "difference": interval.estimate,
        "ci": [interval.low, interval.high],
    }

"""The results: one row a method, how much better the default is than each other, and for whom and on what."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from app.evaluation.asked import ABLATIONS, BASELINES, DEFAULT
from app.evaluation.folds import Fold
from tools.evaluation.examples import Examples, examples
from tools.evaluation.frequency import Banded, joined, recall_by_frequency
from tools.evaluation.graphs import GAIN, Graphs, gain_difference, graph_line
from tools.evaluation.intervals import Interval, Resampling
from tools.evaluation.ledger import Outcome
from tools.evaluation.rankings import PADDING, Rankings
from tools.evaluation.row import DEPTHS, Row, compare, evaluate, reliability
from tools.evaluation.subgroups import groupings, subgroup_table
from tools.records.cohort import Cohort
from tools.records.person import Person

HEADLINES = ("w_f1", "w_f1_list", "recall_at_10", "recall_at_20")
_KEPT = max(DEPTHS)
Answers = Mapping[str, Sequence[Rankings]]
GraphsOf = Mapping[str, Sequence[Graphs]]
_Part = TypeVar("_Part")


class Truth(NamedTuple):
    """What methods are measured by; of each list one test set a seed, in the order of `by_seed`.

    Attributes:
        examples: what is predicted.
        banded: the same by how many training patients have each code.
        groups: of the cohort's patients, see `tools.evaluation.subgroups.groupings`.
    """

    examples: list[Examples]
    banded: list[Banded]
    groups: dict[str, list[str]]


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


def graphs_of(fold: Fold, outcomes: Mapping[int, Outcome]) -> Graphs:
    """The accepted graphs of a fold's test patients."""
    chosen = [outcomes[row] for row in fold.test.tolist()]
    numbers = [[outcome.edges, outcome.held_out_gain] for outcome in chosen]
    edges, gains = np.array(numbers, dtype=np.float64).reshape(-1, 2).T
    return Graphs(fold.test, edges, gains)


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
    return [_joined(some) for some in _grouped(folds, parts)]


def graphs_by_seed(folds: Sequence[Fold], parts: Sequence[Graphs]) -> list[Graphs]:
    """Likewise of graphs."""
    groups = _grouped(folds, parts)
    return [Graphs(*(np.concatenate(values) for values in zip(*some, strict=True))) for some in groups]


def true_answers(cohort: Cohort, folds: Sequence[Fold], people: Mapping[str, Person]) -> Truth:
    """The truth of all folds.

    Args:
        cohort: all patients.
        folds: the splits.
        people: by patient id, as far as they are known.
    """
    of_seed = _grouped(folds, folds)
    return Truth(
        [examples(cohort, np.concatenate([fold.test for fold in some])) for some in of_seed],
        [joined([fold.banded() for fold in some]) for some in of_seed],
        groupings(cohort, people),
    )


def _grouped(folds: Sequence[Fold], parts: Sequence[_Part]) -> list[list[_Part]]:
    """What there is of each fold, in their order, those of one seed together."""
    pairs = list(zip(folds, parts, strict=True))
    return [[part for fold, part in pairs if fold.seed == s] for s in sorted({f.seed for f in folds})]


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


def build(answers: Answers, graphs: GraphsOf, truth: Truth) -> dict[str, Any]:
    """All results, JSON-native; metrics in % where not said otherwise.

    Args:
        answers: of each method, one ranking a seed.
        graphs: likewise, of the methods that make some.
        truth: of the same seeds.
    """
    sets = truth.examples
    resampling = Resampling(np.concatenate([each.rows for each in sets]))
    rows = [evaluate(method, rankings, sets, resampling) for method, rankings in answers.items()]
    sure = {method: each for method, each in answers.items() if each[0].probabilities is not None}
    return {
        "rows": rows,
        "graphs": [graph_line(method, each, resampling) for method, each in graphs.items()],
        "differences": [
            *_differences(answers, rows, sets, resampling),
            *_differences_of_graphs(graphs, resampling),
        ],
        "subgroups": [
            line
            for method, rankings in answers.items()
            for line in subgroup_table(method, rankings, sets, truth.groups, resampling)
        ],
        "reliability": [reliability(each, sets).as_json(method) for method, each in sure.items()],
        "recall_by_frequency": [
            line
            for method, rankings in answers.items()
            for line in recall_by_frequency(method, rankings, truth.banded, resampling)
        ],
    }


def _differences(
    answers: Answers, rows: Sequence[Row], truth: Sequence[Examples], resampling: Resampling
) -> list[dict[str, Any]]:
    """What leads less the best baseline of each headline, and less every other method of the graph."""
    leading = leader(answers)
    if leading is None:
        return []
    against: dict[str, tuple[str, ...]] = {
        method: HEADLINES for method in answers if method not in {*BASELINES, leading}
    }
    best = {metric: name for metric in HEADLINES if (name := _best_baseline(rows, metric))}
    for name in dict.fromkeys(best.values()):
        against[name] = tuple(metric for metric in HEADLINES if best.get(metric) == name)
    found = []
    for other, metrics in against.items():
        compared = compare(answers[leading], answers[other], truth, resampling)
        found += [_difference(leading, other, metric, compared[metric]) for metric in metrics]
    return found


def _differences_of_graphs(graphs: GraphsOf, resampling: Resampling) -> list[dict[str, Any]]:
    """The default's gain, nats a patient, less that of every other method with graphs."""
    if DEFAULT not in graphs:
        return []
    others = {method: each for method, each in graphs.items() if method != DEFAULT}
    return [
        _difference(DEFAULT, method, GAIN, gain_difference(graphs[DEFAULT], each, resampling))
        for method, each in others.items()
    ]


def _best_baseline(rows: Sequence[Row], metric: str) -> str | None:
    values = {row["method"]: row[metric] for row in rows if row["method"] in BASELINES}  # type: ignore[literal-required]
    known = {method: value for method, value in values.items() if value is not None}
    return max(known, key=lambda method: known[method], default=None)


def leader(methods: Iterable[str]) -> str | None:
    """Which method the others are compared with: the default; where it is left out, its first ablation."""
    asked = set(methods)
    return next((method for method in (DEFAULT, *ABLATIONS) if method in asked), None)


def _difference(method: str, against: str, metric: str, interval: Interval) -> dict[str, Any]:
    return {
        "method": method,
        "against": against,
        "is_best_baseline": against in BASELINES,
        "metric": metric,
        "difference": interval.estimate,
        "ci": [interval.low, interval.high],
    }

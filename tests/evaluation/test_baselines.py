"""Each baseline beside its definition, written with sets and loops over the training patients."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.small_cohorts import CODES, cohort_of, multi_visit
from tools.evaluation import baselines
from tools.evaluation.baselines import BASELINES, fit, rank
from tools.evaluation.examples import examples
from tools.evaluation.metrics import recall, w_f1
from tools.evaluation.splits import split
from tools.evaluation.training import Training
from tools.records.read import read_cohort
from tools.records.rollup import to_categories, training_cohort
from tools.safety.errors import InputError

two_groups = st.tuples(multi_visit, multi_visit)


class Slow:
    """What the definitions say, of training patients given as lists of visits."""

    def __init__(self, patients):
        self.visits = [visit for patient in patients for visit in patient]
        self.pairs = [pair for patient in patients for pair in pairwise(patient)]
        self.codes = sorted(set().union(*self.visits))

    def share(self, b):
        return sum(b in visit for visit in self.visits) / len(self.visits)

    def transition(self, a, b, next_only=False):
        held = [(now, after) for now, after in self.pairs if a in now]
        follows = [b in (after if next_only else now | after) for now, after in held]
        return sum(follows) / len(held) if held else 0.0

    def complement(self, history, b, next_only=False):
        """log of prod_a (1 - A_T[a,b]), a certainty being 1e-12 short of one."""
        codes = set().union(*history) & set(self.codes)
        return sum(math.log1p(-min(self.transition(a, b, next_only), 1 - 1e-12)) for a in codes)

    def frequency(self, history, b):
        return (self.share(b),)

    def history_frequency(self, history, b):
        held = [t for t, visit in enumerate(history) if b in visit]
        return (len(held), max(held, default=-1), self.share(b))

    def transition_sum(self, history, b):
        codes = set().union(*history) & set(self.codes)
        return (sum(self.transition(a, b) for a in codes), self.share(b))

    def transition_noisy_or(self, history, b):
        return (-self.complement(history, b), self.share(b))

    def history_transition(self, history, b):
        return (
            b in set().union(*history),
            -math.expm1(self.complement(history, b, next_only=True)),
            self.share(b),
        )


def scores_of(name, train, test):
    cohort = cohort_of([*train, *test])
    rows = range(len(train), len(train) + len(test))
    scorer = fit(name, training_cohort(cohort, range(len(train))), cohort.vocabulary)
    return scorer(examples(cohort, rows)), cohort


def clearly_above(one, other):
    """Whether a key is larger at its first part that differs by more than rounding; None where none does."""
    for x, y in zip(one, other, strict=True):
        if abs(x - y) > 1e-7 * max(1, abs(x)):
            return x > y
    return None


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "linear"])
@given(two_groups)
def test_a_baseline_orders_codes_as_its_definition_does(name, groups):
    train, test = groups
    slow = Slow(train)
    scores, cohort = scores_of(name, train, test)
    for row, patient in zip(scores, test, strict=True):
        keys = {b: getattr(slow, name)(patient[:-1], b) for b in slow.codes}
        for b in slow.codes:
            for c in slow.codes:
                if clearly_above(keys[b], keys[c]):
                    assert row[cohort.vocabulary.column(b)] > row[cohort.vocabulary.column(c)]


@pytest.mark.parametrize("name", BASELINES)
@given(two_groups)
def test_codes_that_no_training_patient_has_are_not_ranked(name, groups):
    train, test = groups
    scores, cohort = scores_of(name, train, test)
    known = set(Slow(train).codes)
    for column, key in enumerate(cohort.vocabulary.keys):
        assert np.isfinite(scores[:, column]).all() if key in known else np.isneginf(scores[:, column]).all()


@pytest.mark.parametrize("name", BASELINES)
@given(two_groups)
def test_what_is_predicted_has_no_say_in_the_prediction(name, groups):
    train, test = groups
    scores, _ = scores_of(name, train, test)
    blind, _ = scores_of(name, train, [[*patient[:-1], frozenset(CODES)] for patient in test])
    np.testing.assert_array_equal(scores, blind)


@pytest.mark.parametrize("name", BASELINES)
def test_ranking_in_blocks_is_ranking_at_once(name, monkeypatch):
    rng = np.random.default_rng(0)
    patients = [
        [set(rng.choice(CODES, rng.integers(1, 5), replace=False)) for _ in range(rng.integers(2, 5))]
        for _ in range(60)
    ]
    cohort = cohort_of(patients)
    scorer = fit(name, training_cohort(cohort, range(40)), cohort.vocabulary)
    test = examples(cohort, range(40, 60))
    whole = rank(scorer, test, 5, 3)
    monkeypatch.setattr(baselines, "_ENTRIES_AT_ONCE", 3 * len(CODES))
    parts = rank(scorer, test, 5, 3)
    np.testing.assert_array_equal(whole.codes, parts.codes)
    assert whole.length.tolist() == parts.length.tolist() == [3] * 20


def test_nobody_to_rank_is_no_ranking():
    cohort = cohort_of([[{"4019"}, {"486"}]] * 3)
    scorer = fit("frequency", training_cohort(cohort, [0, 1]), cohort.vocabulary)
    assert rank(scorer, examples(cohort, []), 5, 1).codes.shape == (0, 5)


def test_the_list_is_as_long_as_a_training_visit():
    cohort = cohort_of([[{"4019", "486"}, {"4019", "486", "4280"}], [set(), set()]])
    assert Training(cohort, cohort.vocabulary).codes_per_visit == 1
    full = training_cohort(cohort, [0])
    assert Training(full, cohort.vocabulary).codes_per_visit == 2
    empty = training_cohort(cohort, [1])
    assert Training(empty, cohort.vocabulary).codes_per_visit == 1


def test_an_unknown_baseline_is_refused():
    cohort = cohort_of([[{"4019"}, {"486"}]])
    with pytest.raises(InputError, match="history_transition"):
        fit("oracle", cohort, cohort.vocabulary)


MEASURED = {  # method, section 5: w_f1 / recall@10 / recall@20 in %, full codes and 3-digit
    "frequency": ((4.6, 36.0, 50.8), (8.8, 42.8, 57.7)),
    "history_frequency": ((26.9, 47.7, 59.9), (29.9, 53.4, 65.5)),
    "transition_noisy_or": ((25.5, 50.5, 63.4), (28.4, 55.8, 67.9)),
    "history_transition": ((26.3, 50.4, 63.0), (29.2, 55.7, 67.7)),
    "linear": ((23.9, 51.0, 62.9), (26.7, 56.4, 67.6)),
}


@pytest.fixture(scope="module")
def diabetes130(real_data):
    return read_cohort(real_data / "diabetes130")


@pytest.mark.parametrize("vocabulary", ["full", "category"])
def test_the_baselines_land_within_a_point_of_what_was_measured(diabetes130, vocabulary):
    cohort = diabetes130 if vocabulary == "full" else to_categories(diabetes130)
    found = {name: [] for name in MEASURED}
    for seed in range(5):
        parts = split(cohort, "80-20", seed)
        train, test = training_cohort(cohort, parts.train), examples(cohort, parts.test)
        for name, rows in found.items():
            ranking = rank(fit(name, train, cohort.vocabulary), test, 20, 3)
            metrics = (w_f1(ranking, test.target), *(recall(ranking, test.target, k) for k in (10, 20)))
            rows.append([100 * metric.value() for metric in metrics])
    for name, rows in found.items():
        wanted = MEASURED[name][vocabulary == "category"]
        np.testing.assert_allclose(np.mean(rows, axis=0), wanted, atol=1.0, err_msg=name)

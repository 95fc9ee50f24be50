"""The order of a list: by tens of probability, within ten by what naming is worth to weighted F1."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.causal.cohorts import dataset
from tools.dataset.clinical import ClinicalDataset
from tools.prediction import hazards, places
from tools.prediction.places import BLOCK, Places
from tools.prediction.steps import transitions
from tools.records.simulate import simulate

N = 37
shares = st.lists(st.floats(0, 1), min_size=N, max_size=N).map(np.array)


@given(shares, shares, shares, st.sets(st.integers(0, N - 1), min_size=1).map(sorted))
def test_tens_are_by_probability_and_within_ten_by_worth(weights, thresholds, chances, columns):
    columns = np.array(columns)
    chosen = chances[columns]
    order = Places(weights, thresholds / 2).order(columns, chosen)
    assert sorted(order) == list(range(len(columns)))
    worth = weights[columns] * (chosen - thresholds[columns] / 2)
    tens = [order[begin : begin + BLOCK] for begin in range(0, len(order), BLOCK)]
    for ten, later in pairwise(tens):
        assert chosen[ten].min() >= chosen[later].max()
    for ten in tens:
        assert (np.diff(worth[ten]) <= 0).all()


@pytest.fixture(scope="module")
def learned():
    data = ClinicalDataset.build(simulate(400, seed=2).cohort)
    fitted, steps = hazards.fit(transitions(data), data.n_codes), transitions(data).steps
    return fitted, steps, places.learn(fitted, steps, 4)


def named_first(worth, chances, n_named):
    values = worth.weights * (chances - worth.thresholds)
    chosen = np.zeros(chances.shape, dtype=bool)
    np.put_along_axis(chosen, np.argsort(-values, axis=1, kind="stable")[:, :n_named], True, axis=1)
    return chosen


def test_weights_and_thresholds_are_those_of_what_they_lead_to(learned):
    """What is named by the end is, all in all, what the steps on the way named; of few codes it flips."""
    fitted, steps, worth = learned
    chances = -np.expm1(-fitted.totals(steps))
    chosen = named_first(worth, chances, 4)
    comes, named, right = chances.sum(axis=0), chosen.sum(axis=0), (chances * chosen).sum(axis=0)
    weighed = comes / comes.sum()
    assert weighed @ abs(worth.weights - 2 * comes / (named + comes)) < 0.03
    assert weighed @ abs(worth.thresholds - right / (named + comes)) < 0.02


def test_the_order_by_worth_has_the_larger_expected_weighted_f1(learned):
    fitted, steps, worth = learned
    chances = -np.expm1(-fitted.totals(steps))
    comes = chances.sum(axis=0)

    def expected(chosen):
        f1 = 2 * (chances * chosen).sum(axis=0) / (chosen.sum(axis=0) + comes)
        return (comes * f1).sum() / comes.sum()

    by_chance = Places(np.ones_like(comes), np.zeros_like(comes))
    assert expected(named_first(worth, chances, 4)) > expected(named_first(by_chance, chances, 4)) + 0.005


def test_a_sample_of_many_steps_is_spread_over_all(monkeypatch, learned):
    fitted, steps, whole = learned
    monkeypatch.setattr(places, "MOST_STEPS", 500)
    some = places.learn(fitted, steps, 4)
    assert not np.array_equal(some.weights, whole.weights)
    np.testing.assert_allclose(some.thresholds, whole.thresholds, atol=0.15)


def test_more_are_named_than_there_are_codes():
    data = dataset([[{"4019"}, {"4280"}], [{"4280"}, {"4019"}]])
    worth = places.learn(hazards.fit(transitions(data), data.n_codes), transitions(data).steps, 12)
    assert np.isfinite([*worth.weights, *worth.thresholds]).all()

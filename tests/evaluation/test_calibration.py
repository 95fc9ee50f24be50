"""Calibration against slow readings of the definitions, and its recovery where probabilities are right."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from tests.evaluation.answers import cohorts, rankings, simulated, target
from tools.evaluation.abstention import abstention_curve, confidence
from tools.evaluation.calibration import (
    Pairs,
    brier,
    equal_mass,
    equal_width,
    expected_calibration_error,
    log_loss,
    pairs,
    reliability_curve,
)
from tools.evaluation.metrics import recall, w_f1
from tools.safety.errors import InputError

METRICS = (brier, log_loss, expected_calibration_error)


def listed_pairs(people):
    return [(p, code in true) for true, _, ranked, _ in people for code, p in ranked]


def slow_bins(told, edges):
    """Pairs by the last bin whose lower edge they reach, but for the end of the range."""
    bins = {}
    for p, happened in told:
        place = max(b for b in range(len(edges) - 1) if edges[b] <= p)
        bins.setdefault(place, []).append((p, happened))
    return bins


def slow_ece(told, edges):
    if not told:
        return np.nan
    gaps = [
        len(inside) * abs(sum(p for p, _ in inside) / len(inside) - sum(y for _, y in inside) / len(inside))
        for inside in slow_bins(told, edges).values()
    ]
    return sum(gaps) / len(told)


def same(value, expected):
    return value == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


@given(cohorts)
def test_brier_and_log_loss_equal_scikit_learn(people):
    found, told = rankings(people), listed_pairs(people)
    if not told:
        assert math.isnan(brier(found, target(people)).value())
        assert math.isnan(log_loss(found, target(people)).value())
        return
    p, y = (np.array(column) for column in zip(*told, strict=True))
    assert same(brier(found, target(people)).value(), brier_score_loss(y.astype(int), p))
    # scikit-learn takes the logarithm of 1 - p where we take log1p(-p), which differs close to the ends.
    assert log_loss(found, target(people)).value() == pytest.approx(
        sklearn_log_loss(y.astype(int), p, labels=[0, 1]), rel=1e-6
    )


@given(cohorts, st.sampled_from([1, 10, 20]))
def test_calibration_error_is_its_definition_in_bins_of_either_kind(people, n_bins):
    found, told = rankings(people), listed_pairs(people)
    for edges in (equal_width(n_bins), equal_mass(np.array([p for p, _ in told]), n_bins)):
        value = expected_calibration_error(found, target(people), edges).value()
        assert same(value, slow_ece(told, edges.tolist()))


@given(cohorts)
def test_a_reliability_bin_tells_what_lies_in_it(people):
    told, edges = listed_pairs(people), equal_width(10)
    curve = reliability_curve(pairs(rankings(people), target(people)), edges)
    expected = slow_bins(told, edges.tolist())
    assert [b.n_pairs for b in curve] == [len(expected[place]) for place in sorted(expected)]
    for found, place in zip(curve, sorted(expected), strict=True):
        inside = expected[place]
        assert (found.above, found.to) == (edges[place], edges[place + 1])
        assert same(found.predicted, sum(p for p, _ in inside) / len(inside))
        assert same(found.observed, sum(y for _, y in inside) / len(inside))
        assert found.low <= found.observed <= found.high


@given(cohorts, st.data())
def test_weights_count_patients_as_often(people, data):
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(people), max_size=len(people)))
    listed = [person for person, n in zip(people, times, strict=True) for _ in range(n)]
    for metric in METRICS:
        weighted = metric(rankings(people), target(people)).values([times])
        expected = metric(rankings(listed), target(listed)).value() if listed else np.nan
        assert same(float(weighted[0]), expected)


def test_right_probabilities_are_found_calibrated_and_wrong_ones_are_not():
    found, truth = simulated(np.random.default_rng(1), 4_000)
    mass = equal_mass(found.probabilities.ravel(), 20)
    assert expected_calibration_error(found, truth.target).value() < 0.01
    assert expected_calibration_error(found, truth.target, mass).value() < 0.01
    curve = reliability_curve(pairs(found, truth.target), mass)
    assert sum(b.low <= b.predicted <= b.high for b in curve) >= 0.8 * len(curve)
    pale = type(found)(found.codes, found.probabilities / 2, found.length)
    off = expected_calibration_error(pale, truth.target).value()
    assert off == pytest.approx(pale.probabilities.mean(), abs=0.01)
    assert brier(pale, truth.target).value() > brier(found, truth.target).value()
    assert log_loss(pale, truth.target).value() > log_loss(found, truth.target).value()


def test_a_patient_listed_again_makes_no_interval_narrower():
    rng, patient = np.random.default_rng(2), np.repeat(np.arange(100), 5)
    happened = rng.random(500) < rng.choice([0.05, 0.6], 100)[patient]
    once = Pairs(patient, rng.random(500), happened)
    thrice = Pairs(*(np.tile(column, 3) for column in once))
    for a, b in zip(
        reliability_curve(once, equal_width(1)), reliability_curve(thrice, equal_width(1)), strict=True
    ):
        assert b.n_pairs == 3 * a.n_pairs
        assert (b.low, b.high) == pytest.approx((a.low, a.high), abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=20, max_size=200, unique=True), st.integers(2, 10))
def test_bins_of_equal_mass_hold_equally_many(values, n_bins):
    counts = np.histogram(values, equal_mass(np.array(values), n_bins))[0]
    assert len(counts) == n_bins
    assert counts.max() - counts.min() <= 2


def test_confidence_is_the_mean_probability_of_the_own_list():
    true = frozenset({0})
    ranked = [(0, 0.8), (1, 0.4), (2, 0.1)]
    people = [(true, true, ranked, 2), (true, true, ranked, 9), (true, true, ranked, 0), (true, true, [], 3)]
    assert confidence(rankings(people)).tolist() == pytest.approx([0.6, 1.3 / 3, 0.0, 0.0])


def test_the_surest_are_answered_and_the_refused_never():
    found, truth = simulated(np.random.default_rng(3), 300, refused=0.25)
    curve, sure = abstention_curve(found, truth.target), confidence(found)
    answerable = np.flatnonzero(~found.refused)
    in_order = sorted(answerable, key=lambda row: (-sure[row], row))
    for tenths, point in enumerate(curve, start=1):
        rows = in_order[: 30 * tenths]
        some = type(found)(found.codes[rows], found.probabilities[rows], found.length[rows])
        assert point.n_patients == len(rows)
        assert point.answered == len(rows) / 300
        assert point.w_f1 == pytest.approx(w_f1(some, truth.target[rows]).value())
        assert point.recall_at_10 == pytest.approx(recall(some, truth.target[rows], 10).value())
    assert curve[-1].answered == len(answerable) / 300 < 1


def test_without_probabilities_there_is_no_calibration_and_no_confidence():
    people = [(frozenset({1}), frozenset(), [(1, 0.5)], 1)]
    bare = rankings(people, sure=False)
    for metric in (*METRICS, abstention_curve):
        with pytest.raises(InputError, match="no probabilities"):
            metric(bare, target(people))

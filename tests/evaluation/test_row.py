import json

import numpy as np
import pytest
from hypothesis import given

from tests.evaluation.answers import cohorts, examples, rankings, simulated
from tools.evaluation.calibration import ECE_BINS, equal_mass, expected_calibration_error, log_loss
from tools.evaluation.examples import Examples
from tools.evaluation.intervals import Resampling
from tools.evaluation.metrics import new_codes, recall, w_f1, w_f1_list
from tools.evaluation.rankings import Rankings, rank_scores
from tools.evaluation.row import Row, compare, evaluate, reliability
from tools.evaluation.subgroups import FEWEST, SHOWN, groupings, subgroup_table, visit_band
from tools.records.cohort import Cohort
from tools.records.person import Person
from tools.records.simulate import simulate
from tools.safety.errors import InputError


def part(found, truth, rows):
    probabilities = None if found.probabilities is None else found.probabilities[rows]
    return (
        Rankings(found.codes[rows], probabilities, found.length[rows]),
        Examples(
            truth.rows[rows], tuple(truth.history[r] for r in rows), truth.target[rows], truth.repeats[rows]
        ),
    )


@pytest.fixture(scope="module")
def two_sets():
    """Test sets of 150 patients each, 100 of them in both."""
    found, truth = simulated(np.random.default_rng(0), 200, refused=0.05)
    sets = [part(found, truth, np.arange(150)), part(found, truth, np.arange(50, 200))]
    return [r for r, _ in sets], [t for _, t in sets]


def test_a_row_is_the_mean_over_test_sets_in_percent(two_sets):
    ranked, truths = two_sets
    row = evaluate("m", ranked, truths, Resampling(np.arange(200), 50))
    sets = list(zip(ranked, truths, strict=True))
    expected = {
        "w_f1": [100 * w_f1(r, t.target).value() for r, t in sets],
        "w_f1_list": [100 * w_f1_list(r, t.target).value() for r, t in sets],
        "recall_at_10": [100 * recall(r, t.target, 10).value() for r, t in sets],
        "repeats_at_20": [100 * recall(r, t.repeats, 20).value() for r, t in sets],
        "new_at_10": [100 * recall(r, new_codes(t.target, t.repeats), 10).value() for r, t in sets],
        "ece": [100 * expected_calibration_error(r, t.target).value() for r, t in sets],
        "ece_equal_mass": [
            100
            * expected_calibration_error(
                r, t.target, equal_mass(r.probabilities[r.codes >= 0], ECE_BINS)
            ).value()
            for r, t in sets
        ],
        "log_loss": [log_loss(r, t.target).value() for r, t in sets],
    }
    for name, values in expected.items():
        assert row[name] == pytest.approx(np.mean(values)), name
    for name in ("w_f1", "w_f1_list", "recall_at_10", "recall_at_20", "brier", "log_loss"):
        low, high = row["ci"][name]
        assert low < row[name] < high
    assert (row["n_patients"], row["n_predictions"]) == (200, 300)
    assert row["refused"] == sum(int((r.codes < 0).all(axis=1).sum()) for r in ranked) > 0
    assert [point["coverage"] for point in row["abstention"]] == pytest.approx(range(10, 101, 10))
    assert set(row) == set(Row.__annotations__)


@given(cohorts)
def test_a_row_is_json_whatever_the_patients_are(people):
    ranked, truth = rankings(people, k=7), examples(people)
    row = evaluate("m", [ranked], [truth], Resampling(truth.rows, 5))
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert (row["w_f1"] is None) == (not truth.target.nnz)
    assert set(row["ci"]) == {name for name in row if isinstance(row[name], float)}


def test_without_probabilities_a_row_has_no_calibration(two_sets):
    ranked, truths = two_sets
    bare = [Rankings(r.codes, None, r.length) for r in ranked]
    row = evaluate("m", bare, truths, Resampling(np.arange(200), 5))
    assert {row[name] for name in ("ece", "ece_equal_mass", "brier", "log_loss", "abstention")} == {None}
    with pytest.raises(InputError, match="all or none"):
        evaluate("m", [bare[0], ranked[1]], truths, Resampling(np.arange(200), 5))
    with pytest.raises(InputError, match="one for each test set"):
        evaluate("m", bare[:1], truths, Resampling(np.arange(200), 5))
    with pytest.raises(InputError, match="not resampled"):
        evaluate("m", bare, truths, Resampling(np.arange(150), 5))


def test_a_method_that_knows_beats_one_that_guesses_and_not_itself(two_sets):
    ranked, truths = two_sets
    rng, resampling = np.random.default_rng(1), Resampling(np.arange(200), 200)
    guesses = [rank_scores(rng.random((150, 40)), 20, 3) for _ in truths]
    found = compare(ranked, guesses, truths, resampling)
    assert set(found) == {f"{kind}_at_{k}" for kind in ("recall", "repeats", "new") for k in (10, 20)} | {
        "w_f1",
        "w_f1_list",
    }
    assert found["recall_at_10"].low > 0
    rows = [evaluate("m", each, truths, resampling) for each in (ranked, guesses)]
    assert found["w_f1"].estimate == pytest.approx(rows[0]["w_f1"] - rows[1]["w_f1"])
    assert set(compare(ranked, ranked, truths, resampling).values()) == {(0, 0, 0)}


def test_reliability_counts_all_pairs_in_both_kinds_of_bins(two_sets):
    ranked, truths = two_sets
    pairs = sum(int((r.codes >= 0).sum()) for r in ranked)
    for curve in reliability(ranked, truths):
        assert sum(b.n_pairs for b in curve) == pairs
        assert all(b.above <= b.predicted <= b.to for b in curve)


def test_a_subgroup_is_the_row_of_its_patients_and_small_ones_are_counted_only(two_sets):
    ranked, truths = two_sets
    labels = ["F"] * 60 + ["M"] * 125 + ["unknown"] * 15
    resampling = Resampling(np.arange(200), 50)
    table = subgroup_table("m", ranked, truths, {"sex": labels}, resampling)
    assert [(g["method"], g["by"], g["group"], g["n_patients"]) for g in table] == [
        ("m", "sex", "F", 60),
        ("m", "sex", "M", 125),
        ("m", "sex", "unknown", 15),
    ]
    assert {table[2][name] for name in SHOWN} == {None} and not table[2]["ci"] and FEWEST == 20
    for group, (first, end) in zip(table[:2], ((0, 60), (60, 185)), strict=True):
        some = []
        for r, t in zip(ranked, truths, strict=True):
            rows = np.flatnonzero((t.rows >= first) & (t.rows < end))
            some.append(part(r, t, rows))
        row = evaluate("m", [r for r, _ in some], [t for _, t in some], resampling)
        assert set(group["ci"]) == set(SHOWN)
        for name, interval in group["ci"].items():
            assert [group[name], *interval] == pytest.approx([row[name], *row["ci"][name]])
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    with pytest.raises(InputError, match="subgroups"):
        subgroup_table("m", ranked, truths, {"sex": labels[:100]}, resampling)


def test_the_groups_of_a_cohort_are_those_of_its_people():
    cohort: Cohort = simulate(n_patients=30, seed=0).cohort
    people = {cohort.patient_ids[0]: Person("F", "70-79"), cohort.patient_ids[2]: Person(None, "100+")}
    found = groupings(cohort, people)
    assert found["sex"][:3] == ["F", "unknown", "unknown"]
    assert found["age"][:3] == ["70-79", "unknown", "100+"]
    assert found["visits"] == [visit_band(len(patient.visits)) for patient in cohort]
    assert set(groupings(cohort, {})) == {"visits"}


def test_visits_are_banded():
    bands = [visit_band(n) for n in range(8)]
    assert bands == ["1", "1", "2", "3", "4-5", "4-5", "6+", "6+"]


def test_labels_stand_in_the_order_of_their_numbers():
    found, truth = simulated(np.random.default_rng(2), 8)
    labels = ["unknown", "90+", "0-9", "10-19", "100+", "20-29", "6+", "0-9"]
    table = subgroup_table("m", [found], [truth], {"age": labels}, Resampling(truth.rows, 5))
    assert [g["group"] for g in table] == ["0-9", "6+", "10-19", "20-29", "90+", "100+", "unknown"]

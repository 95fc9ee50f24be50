"""Recall by how many training patients have a code, against a slow reading, with splits that differ."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.answers import CODES, cohorts, matrix, rankings, target
from tools.evaluation.frequency import N_BANDS, by_band, joined, recall_by_frequency
from tools.evaluation.intervals import Resampling
from tools.evaluation.metrics import UNSEEN, prevalence_bands
from tools.safety.errors import InputError

counts = st.lists(st.integers(0, 9), min_size=CODES, max_size=CODES)


def labelled(band):
    return "unseen" if band == UNSEEN else str(band + 1)


@given(cohorts, cohorts, counts, counts)
def test_recall_is_of_the_true_codes_in_the_band_of_their_own_split(first, second, in_first, in_second):
    n, people = len(first), first + second
    of_counts = [in_first] * n + [in_second] * len(second)
    parts = [
        by_band(np.arange(n), target(first), np.array(in_first)),
        by_band(np.arange(n, len(people)), target(second), np.array(in_second)),
    ]
    truth = joined(parts)
    table = recall_by_frequency("m", [rankings(people, k=7)], [truth], Resampling(truth.rows, 20))
    bands = [dict(enumerate(prevalence_bands(each, N_BANDS).tolist())) for each in of_counts]
    held = sorted({band for each in bands for band in each.values()})
    assert [line["band"] for line in table] == [labelled(band) for band in held]
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    for band, line in zip(held, table, strict=True):
        wanted = [{c for c in p[0] if each[c] == band} for p, each in zip(people, bands, strict=True)]
        assert line["n_true"] == sum(map(len, wanted))
        shares = [
            sum(c in codes for c, _ in ranked[:10]) / len(codes)
            for (_, _, ranked, _), codes in zip(people, wanted, strict=True)
            if codes
        ]
        if not shares:
            assert line["recall_at_10"] is None and not line["ci"]
        else:
            assert line["recall_at_10"] == pytest.approx(100 * sum(shares) / len(shares))
            low, high = line["ci"]["recall_at_10"]
            assert 0 <= low <= high <= 100
        numbers = [
            n for each, b in zip(of_counts, bands, strict=True) for c, n in enumerate(each) if b[c] == band
        ]
        assert line["training_patients"] == [min(numbers), max(numbers)]


def test_seeds_are_averaged_and_patients_resampled():
    people = [(frozenset({c}), frozenset(), [(0, 0.5)], 1) for c in (0, 0, 1, 1)]
    sets = [[0, 1, 2], [1, 2, 3]]
    found = [rankings([people[row] for row in rows], k=7) for rows in sets]
    truth = [
        by_band(np.array(rows), target([people[row] for row in rows]), np.array([9, 9, 9, 9, 9, 9, 0]))
        for rows in sets
    ]
    (line,) = recall_by_frequency("m", found, truth, Resampling(np.arange(4), 200))[1:]
    assert line["recall_at_10"] == pytest.approx(100 * (2 / 3 + 1 / 3) / 2)
    assert line["ci"]["recall_at_10"][0] < line["recall_at_10"] < line["ci"]["recall_at_10"][1]


def test_a_true_code_counts_at_the_depths_that_reach_its_place():
    n_codes, places = 30, (0, 9, 10, 19, 20, 29)
    truth = by_band(np.arange(6), matrix([{c} for c in places], n_codes), np.full(n_codes, 4))
    people = [(frozenset({c}), frozenset(), [(n, 0.5) for n in range(n_codes)], 1) for c in places]
    (line,) = recall_by_frequency("m", [rankings(people, k=n_codes)], [truth], Resampling(truth.rows, 20))
    assert line["n_true"] == 6
    assert line["recall_at_10"] == pytest.approx(100 * 2 / 6)
    assert line["recall_at_20"] == pytest.approx(100 * 4 / 6)
    assert set(line["ci"]) == {"recall_at_10", "recall_at_20"}
    assert line["ci"]["recall_at_10"] != line["ci"]["recall_at_20"]


def test_what_does_not_fit_together_is_refused():
    one = by_band(np.arange(1), matrix([{1}]), np.ones(CODES, dtype=np.int64))
    people = [(frozenset({1}), frozenset(), [(1, 0.5)], 1)]
    with pytest.raises(InputError, match="one for each test set"):
        recall_by_frequency("m", [rankings(people, k=7)] * 2, [one], Resampling(one.rows, 5))
    with pytest.raises(InputError, match="counts of 3 codes"):
        by_band(np.arange(1), matrix([{1}]), np.ones(3, dtype=np.int64))

"""Each metric against a slow reading of its definition, and weighted F1 against scikit-learn too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from tests.evaluation.answers import CODES, cohorts, matrix, rankings, repeated, simulated, target
from tools.evaluation.metrics import (
    UNSEEN,
    banded,
    new_codes,
    prevalence_bands,
    recall,
    w_f1,
    w_f1_list,
)
from tools.safety.errors import InputError


def slow_w_f1(people, length_of):
    predicted = [{c for c, _ in ranked[: length_of(person)]} for person in people for ranked in [person[2]]]
    true = [person[0] for person in people]
    total = sum(len(codes) for codes in true)
    if not total:
        return np.nan
    weighted = 0.0
    for code in range(CODES):
        hits = sum(code in p and code in t for p, t in zip(predicted, true, strict=True))
        says, has = sum(code in p for p in predicted), sum(code in t for t in true)
        precision, found = hits / says if says else 0.0, hits / has if has else 0.0
        weighted += has * (2 * precision * found / (precision + found) if hits else 0.0)
    return weighted / total


def slow_recall(people, wanted, k):
    shares = [
        sum(c in codes for c, _ in ranked[:k]) / len(codes)
        for (_, _, ranked, _), codes in zip(people, wanted, strict=True)
        if codes
    ]
    return sum(shares) / len(shares) if shares else np.nan


def same(value, expected):
    return value == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(cohorts)
def test_weighted_f1_is_its_definition(people):
    found = rankings(people)
    assert same(w_f1(found, target(people)).value(), slow_w_f1(people, lambda person: len(person[0])))
    assert same(w_f1_list(found, target(people)).value(), slow_w_f1(people, lambda person: person[3]))


@pytest.mark.parametrize("seed", range(5))
def test_weighted_f1_equals_scikit_learn(seed):
    found, truth = simulated(np.random.default_rng(seed), 200, refused=0.1)
    true = truth.target.toarray()
    lengths = true.sum(axis=1)
    said = matrix([row[:n][row[:n] >= 0] for row, n in zip(found.codes, lengths, strict=True)], true.shape[1])
    expected = f1_score(true, said.toarray(), average="weighted", zero_division=0)
    assert w_f1(found, truth.target).value() == pytest.approx(expected, abs=1e-12)


@given(cohorts, st.integers(1, 5))
def test_recall_of_all_of_repeats_and_of_new_codes_is_its_definition(people, k):
    found, new = rankings(people), [true - repeats for true, repeats, *_ in people]
    assert same(recall(found, target(people), k).value(), slow_recall(people, [p[0] for p in people], k))
    assert same(recall(found, repeated(people), k).value(), slow_recall(people, [p[1] for p in people], k))
    only_new = new_codes(target(people), repeated(people))
    assert only_new.nnz == sum(map(len, new))
    assert same(recall(found, only_new, k).value(), slow_recall(people, new, k))


@given(cohorts, st.lists(st.sampled_from([-1, 0, 1]), min_size=CODES, max_size=CODES))
def test_recall_by_band_is_recall_of_the_codes_in_it(people, bands):
    found = banded(target(people), np.array(bands), (-1, 0, 1, 2))
    assert list(found) == [-1, 0, 1, 2] and not found[2].nnz
    for band, codes in found.items():
        wanted = [{c for c in person[0] if bands[c] == band} for person in people]
        assert same(recall(rankings(people), codes, 3).value(), slow_recall(people, wanted, 3))


@given(cohorts, st.data())
def test_weights_count_patients_as_often_and_order_does_not_matter(people, data):
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(people), max_size=len(people)))
    listed = [person for person, n in zip(people, times, strict=True) for _ in range(n)]
    listed = data.draw(st.permutations(listed))
    for metric in (w_f1, w_f1_list, lambda r, t: recall(r, t, 3)):
        weighted = metric(rankings(people), target(people)).values([times])
        expected = metric(rankings(listed), target(listed)).value() if listed else np.nan
        assert same(float(weighted[0]), expected)


@given(cohorts, st.data())
def test_part_of_the_patients_is_those_patients(people, data):
    inside = np.array(data.draw(st.lists(st.booleans(), min_size=len(people), max_size=len(people))))
    some = [person for person, is_in in zip(people, inside, strict=True) if is_in]
    for metric in (w_f1, lambda r, t: recall(r, t, 3)):
        expected = metric(rankings(some), target(some)).value() if some else np.nan
        assert same(metric(rankings(people), target(people)).of(inside).value(), expected)


def test_a_refused_patient_is_a_miss():
    people = [(frozenset({1}), frozenset(), [(1, 0.5)], 1), (frozenset({1}), frozenset(), [], 0)]
    assert recall(rankings(people), target(people), 5).value() == 0.5
    assert w_f1(rankings(people), target(people)).value() == pytest.approx(2 / 3)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.integers(2, 6))
def test_bands_rise_with_prevalence_and_hold_no_more_than_their_share(counts, n_bands):
    bands = prevalence_bands(counts, n_bands)
    seen = [(count, band) for count, band in zip(counts, bands.tolist(), strict=True) if count]
    assert all(band == UNSEEN for count, band in zip(counts, bands, strict=True) if not count)
    assert all(0 <= band < n_bands for _, band in seen)
    assert all(b <= d and (a < c or b == d) for a, b in seen for c, d in seen if a <= c)
    if len(dict(seen)) == len(seen):
        sizes = np.bincount([band for _, band in seen], minlength=n_bands)
        assert sizes.sum() == len(seen) and sizes.max() <= -(-len(seen) // n_bands) + 1


def test_what_does_not_fit_together_is_refused():
    people = [(frozenset({1}), frozenset(), [(6, 0.5)], 1)]
    with pytest.raises(InputError, match="target"):
        w_f1(rankings(people), target(people * 2))
    with pytest.raises(InputError, match="no column"):
        w_f1(rankings(people), matrix([{1}], n_codes=6))
    with pytest.raises(InputError, match="recall@6"):
        recall(rankings(people, k=5), target(people), 6)
    with pytest.raises(InputError, match="recall@0"):
        recall(rankings(people), target(people), 0)
    with pytest.raises(InputError, match="weights"):
        w_f1(rankings(people), target(people)).values([[1.0, 1.0]])

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS, dataset, histories
from tools.prediction.candidates import select_candidates
from tools.safety.errors import InputError

some_history = st.sets(st.sampled_from(KEYS), min_size=1, max_size=3)


@settings(max_examples=200)
@given(histories, some_history, st.sampled_from([0.01, 0.2, 0.6]), st.booleans())
def test_equation_4_equals_a_slow_loop(patients, history, epsilon, next_only):
    data = dataset(patients)
    matrix = data.transition(next_only).toarray()
    column = data.vocabulary.column
    rest = [b for b in KEYS if b not in history]
    chance = {b: [matrix[column(a), column(b)] for a in history] for b in rest}
    score = {b: 1 - math.prod(1 - p for p in chance[b]) for b in rest}
    expected = {
        "any": {b for b in rest if max(chance[b]) > epsilon},
        "all": {b for b in rest if min(chance[b]) > epsilon},
        "noisy_or": {b for b in rest if score[b] > epsilon},
        "top_k": {b for b in rest if score[b] > 1e-13},
    }
    for mode, keys in expected.items():
        found = select_candidates(data, history, mode, epsilon, next_only=next_only, shrink=0.0)
        assert {candidate.key for candidate in found} == keys
        for candidate in found:
            assert candidate.score == pytest.approx(score[candidate.key], abs=1e-9)


@given(histories, some_history, st.integers(1, 4))
def test_candidates_are_ranked_capped_and_new(patients, history, cap):
    data = dataset(patients)
    for mode in ("any", "all", "noisy_or", "top_k"):
        found = select_candidates(data, history, mode, cap=cap)
        assert len(found) <= cap
        assert not history & {candidate.key for candidate in found}
        assert list(found) == sorted(found, key=lambda c: (-c.score, c.key))
        assert all(candidate.strongest in history for candidate in found)


@given(histories, some_history)
def test_all_is_within_any_and_any_within_noisy_or(patients, history):
    data = dataset(patients)
    strict, loose, either = (
        {c.key for c in select_candidates(data, history, mode, shrink=0.0)}
        for mode in ("all", "any", "noisy_or")
    )
    assert strict <= loose <= either


@pytest.mark.parametrize(
    "arguments",
    [
        {"history": ()},
        {"history": ("99999",)},
        {"history": ("4019",), "mode": "some"},
        {"history": ("4019",), "epsilon": 1.5},
        {"history": ("4019",), "cap": 0},
    ],
)
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(InputError):
        select_candidates(dataset([[{"4019"}, {"4280"}]]), **arguments)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.evaluation import rankings as module
from tools.evaluation.rankings import Rankings, rank_scores
from tools.safety.errors import InputError

scores = st.integers(1, 9).flatmap(
    lambda n_codes: st.lists(
        st.lists(
            st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 1.0]) | st.floats(-1, 1),
            min_size=n_codes,
            max_size=n_codes,
        ),
        min_size=1,
        max_size=6,
    )
)


@given(scores, st.integers(1, 12))
def test_the_best_by_score_then_by_column(rows, k):
    found = rank_scores(np.array(rows), k, 2)
    for row, codes in zip(rows, found.codes.tolist(), strict=True):
        in_order = sorted(range(len(row)), key=lambda c: (-row[c], c))[:k]
        kept = [c for c in in_order if row[c] > -np.inf]
        assert codes == kept + [-1] * (min(k, len(row)) - len(kept))


def test_blocks_of_patients_give_what_the_whole_gives(monkeypatch):
    rng = np.random.default_rng(0)
    values, lengths = rng.integers(0, 4, (50, 30)) / 4, rng.integers(0, 9, 50)
    whole = rank_scores(values, 10, lengths, are_probabilities=True)
    monkeypatch.setattr(module, "_ENTRIES_AT_ONCE", 7 * 30)
    parts = rank_scores(values, 10, lengths, are_probabilities=True)
    np.testing.assert_array_equal(parts.codes, whole.codes)
    np.testing.assert_array_equal(parts.probabilities, whole.probabilities)
    np.testing.assert_array_equal(whole.probabilities, np.take_along_axis(values, whole.codes, axis=1))
    np.testing.assert_array_equal(whole.length, lengths)


def test_who_has_no_code_is_refused_and_a_list_ends_where_the_codes_do():
    found = rank_scores(np.array([[0.1, 0.9, -np.inf], [-np.inf] * 3]), 3, [9, 9], are_probabilities=True)
    assert found.refused.tolist() == [False, True]
    assert found.proposed.tolist() == [2, 0]
    np.testing.assert_array_equal(found.probabilities, [[0.9, 0.1, np.nan], [np.nan] * 3])


GOOD = {
    "codes": np.array([[2, 0, -1]], dtype=np.int32),
    "probabilities": np.array([[0.5, 0.2, np.nan]]),
    "length": np.array([1]),
}


@pytest.mark.parametrize(
    "broken",
    [
        {"codes": np.array([2, 0, -1], dtype=np.int32)},
        {"codes": np.array([[2, 2, -1]], dtype=np.int32)},
        {"codes": np.array([[2, -1, 0]], dtype=np.int32)},
        {"codes": np.array([[2, 0, -2]], dtype=np.int32)},
        {"length": np.array([1, 1])},
        {"length": np.array([-1])},
        {"probabilities": np.array([[0.5, 0.2]])},
        {"probabilities": np.array([[0.5, np.nan, np.nan]])},
        {"probabilities": np.array([[0.5, 0.2, 0.1]])},
        {"probabilities": np.array([[1.5, 0.2, np.nan]])},
    ],
)
def test_what_is_no_ranking_is_refused(broken):
    Rankings(**GOOD)
    with pytest.raises(InputError):
        Rankings(**GOOD | broken)


@pytest.mark.parametrize(("values", "k"), [([[np.nan, 0.0]], 1), ([0.0, 1.0], 1), ([[0.0, 1.0]], 0)])
def test_scores_that_cannot_be_ranked_are_refused(values, k):
    with pytest.raises(InputError):
        rank_scores(np.array(values), k, 1)

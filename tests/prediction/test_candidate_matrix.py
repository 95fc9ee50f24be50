import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS, dataset, histories, numbered
from tools.prediction import candidate_matrix as batches
from tools.prediction.candidate_matrix import candidate_matrix, score_matrix
from tools.prediction.candidates import select_candidates
from tools.safety.errors import InputError

MODES = ("any", "all", "noisy_or", "top_k")
asked = st.lists(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4), min_size=1, max_size=5)
rule = st.fixed_dictionaries(
    {
        "epsilon": st.sampled_from([0.0, 0.01, 0.2, 0.5]),
        "next_only": st.booleans(),
        "shrink": st.sampled_from([0.0, 3.0]),
    }
)


def assert_equal_one_by_one(data, many, rule):
    names = np.array(data.vocabulary.keys)
    scores = score_matrix(data, many, rule["next_only"], rule["shrink"])
    for mode in MODES:
        passes = candidate_matrix(data, many, mode, **rule)
        assert passes.shape == scores.shape == (len(many), len(names))
        for history, row, score in zip(many, passes, scores, strict=True):
            one = select_candidates(data, history, mode, cap=len(names), **rule)
            assert set(names[row]) == {candidate.key for candidate in one}
            for candidate in one:
                assert score[data.vocabulary.column(candidate.key)] == pytest.approx(
                    candidate.score, rel=1e-12
                )


@settings(max_examples=100)
@given(histories, asked, rule)
def test_many_histories_equal_one_after_the_other(patients, many, rule):
    assert_equal_one_by_one(dataset(patients), many, rule)


@pytest.mark.parametrize("shrink", [0.0, 5.0])
def test_blocks_do_not_show(shrink, monkeypatch):
    rng = np.random.default_rng(0)
    patients = [[set(rng.choice(130, 6).tolist()) for _ in range(3)] for _ in range(60)]
    data, keys = numbered(patients, 130)
    many = [[keys[number] for number in rng.choice(130, 5)] for _ in range(20)]
    for name, size in (("_ROWS", 7), ("_COLUMNS", 50), ("_FOLDED", 3), ("_SCORED", 3)):
        monkeypatch.setattr(batches, name, size)
    assert_equal_one_by_one(data, many, {"epsilon": 0.05, "next_only": True, "shrink": shrink})


def test_what_a_code_makes_likely_is_worked_out_once_for_each_rule():
    data = dataset([[{"4019"}, {"4280"}]])
    loose = candidate_matrix(data, [["4019"]], "any", epsilon=0.5, shrink=0.0)
    assert len(data.memory) == 1
    assert candidate_matrix(data, [["4019"]], "all", epsilon=0.5, shrink=0.0).tolist() == loose.tolist()
    assert len(data.memory) == 1
    strict = candidate_matrix(data, [["4019"]], "any", epsilon=1.0, shrink=0.0)
    assert loose.sum() == 1
    assert strict.sum() == 0


def test_no_history_gives_an_empty_matrix():
    for mode in MODES:
        assert candidate_matrix(dataset([[{"4019"}]]), [], mode).shape == (0, len(KEYS))


@pytest.mark.parametrize(
    ("many", "arguments", "rule"),
    [
        ([["4019"], []], {}, "number 2 holds no code"),
        ([["99999"]], {}, "not in the data set's vocabulary"),
        ([["4019"]], {"mode": "some"}, "one of any, all"),
        ([["4019"]], {"epsilon": 1.5}, "a probability"),
        ([["4019"]], {"shrink": -1.0}, "a finite number"),
    ],
)
def test_bad_arguments_are_refused(many, arguments, rule):
    with pytest.raises(InputError, match=rule):
        candidate_matrix(dataset([[{"4019"}, {"4280"}]]), many, **arguments)

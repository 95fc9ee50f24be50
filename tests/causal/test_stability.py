import numpy as np
import pytest

from tests.causal.cohorts import KEYS, numbered, random_matrix
from tools.causal.constraints import Constraints
from tools.causal.search import hill_climb
from tools.causal.stability import edge_confidence
from tools.safety.errors import InputError


def related(seed, n_patients, strength=0.5):
    """0 causes 1 with some strength; 2 and 3 stand alone."""
    rng = np.random.default_rng(seed)
    had = rng.random((n_patients, 4)) < 0.2
    had[:, 1] |= had[:, 0] & (rng.random(n_patients) < strength)
    data, keys = numbered([[set(np.flatnonzero(row).tolist())] for row in had], 4)
    return data.matrix(keys)


def test_confidence_is_the_share_of_resamples_whose_climb_has_the_edge():
    matrix, rng = random_matrix(3), np.random.default_rng(5)
    held = np.zeros((len(KEYS),) * 2)
    for _ in range(6):
        rows = np.sort(rng.permutation(matrix.n_patients)[: matrix.n_patients // 2])
        for cause, effect in hill_climb(matrix.take(rows), method="aic").edges:
            held[matrix.column(cause), matrix.column(effect)] += 1 / 6
    found = edge_confidence(matrix, method="aic", n_resamples=6, seed=5)
    np.testing.assert_allclose(found, held)
    assert 0 < found.sum() < 6 * len(KEYS) ** 2


def test_a_strong_edge_is_held_by_all_and_no_edge_by_none_of_much_data():
    confidence = edge_confidence(related(0, 2_000), n_resamples=10)
    pairs = confidence + confidence.T
    assert pairs[0, 1] == pytest.approx(1.0)
    assert pairs[2:, :].max() <= 0.2


def test_of_independent_diseases_no_pair_is_held_by_half_of_the_resamples():
    rng = np.random.default_rng(0)
    had = rng.random((1_500, 30)) < rng.uniform(0.03, 0.3, 30)
    data, keys = numbered([[set(np.flatnonzero(row).tolist())] for row in had], 30)
    confidence = edge_confidence(data.matrix(keys), n_resamples=20)
    assert (confidence + confidence.T).max() < 0.5


def test_confidence_falls_with_the_number_of_patients():
    few, many = (edge_confidence(related(1, n, 0.15), n_resamples=20) for n in (60, 3_000))
    assert (few + few.T)[0, 1] < 0.9 < (many + many.T)[0, 1]


def test_another_seed_draws_other_patients_and_the_same_seed_the_same():
    matrix = related(2, 100, 0.2)
    first, again, other = (edge_confidence(matrix, n_resamples=15, seed=seed) for seed in (1, 1, 2))
    assert first is again
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(first, edge_confidence(related(2, 100, 0.2), n_resamples=15, seed=1))


def test_every_resample_keeps_to_the_constraints():
    rules = Constraints(required=(("102", "103"),), forbidden=(("100", "101"), ("101", "100")))
    confidence = edge_confidence(related(0, 300), rules, n_resamples=5)
    assert confidence[2, 3] == 1.0
    assert confidence[0, 1] == confidence[1, 0] == 0.0


def test_one_patient_drawn_twice_is_never_held_out_from_itself():
    matrix = random_matrix(1, 200)
    rows = np.sort(np.random.default_rng(0).integers(200, size=200))
    fold, drawn = matrix.folds.numbers(200), matrix.take(rows).folds.numbers(200)
    np.testing.assert_array_equal(drawn, fold[rows])
    np.testing.assert_array_equal(
        matrix.take(rows).take(np.arange(0, 200, 2)).folds.numbers(100), fold[rows[::2]]
    )


def test_no_resamples_are_refused():
    with pytest.raises(InputError, match="resamples"):
        edge_confidence(random_matrix(0), n_resamples=0)

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import binomtest

from tests.causal.cohorts import KEYS, dataset, first_visits, histories
from tools.causal.orientation import IDENTIFIED_NATS, later_than, onset_gains, time_evidence, verdict


@given(histories)
def test_order_counts_and_p_values_equal_slow_loops(patients):
    matrix = dataset(patients).matrix(KEYS)
    evidence = time_evidence(matrix)
    first = first_visits(matrix)
    for a in range(len(KEYS)):
        for b in range(len(KEYS)):
            both = (first[:, a] >= 0) & (first[:, b] >= 0)
            before, after = (
                np.sum(both & (first[:, a] < first[:, b])),
                np.sum(both & (first[:, a] > first[:, b])),
            )
            found = evidence.direction(a, b)
            assert (found.cause_first, found.effect_first) == (before, after)
            if before + after:
                expected = binomtest(int(before), int(before + after)).pvalue
                assert found.p_value == pytest.approx(expected, abs=1e-12)


@settings(max_examples=50)
@given(histories)
def test_what_time_says_for_one_direction_it_says_against_the_other(patients):
    matrix = dataset(patients).matrix(KEYS)
    gain = time_evidence(matrix).lagged_gain
    np.testing.assert_allclose(gain, -gain.T)
    assert np.all(onset_gains(matrix) >= 0)


def chain(n_patients, seed, risk):
    """Diabetes (25000) raises the risk of renal failure (5856) at the next visit; 496 stands alone."""
    rng = np.random.default_rng(seed)
    patients = []
    for _ in range(n_patients):
        had, visits = set(), []
        for _ in range(4):
            chance = {"25000": 0.15, "5856": 0.04 + risk * ("25000" in had), "496": 0.15}
            new = {key for key, p in chance.items() if rng.random() < p}
            visits.append(new)
            had |= new
        patients.append(visits)
    return dataset(patients).matrix(("25000", "5856", "496"))


def test_a_cause_that_acts_later_is_found_to_be_the_cause():
    evidence = time_evidence(chain(600, 0, 0.3))
    found = evidence.direction(0, 1)
    assert found.verdict == "backs"
    assert found.p_value < 0.01
    assert evidence.direction(1, 0).verdict == "against"
    assert evidence.direction(0, 2).verdict == "undecided"


def test_unrelated_diseases_are_rarely_ordered():
    gains = [time_evidence(chain(300, seed, 0.0)).lagged_gain for seed in range(40)]
    wrong = np.mean([np.abs(gain[np.triu_indices(3, 1)]) >= IDENTIFIED_NATS for gain in gains])
    assert wrong <= 0.1


def test_what_comes_later_is_what_time_backs():
    matrix = chain(600, 0, 0.3)
    assert [later_than(matrix, node) for node in matrix.nodes] == [("5856",), (), ()]


@pytest.mark.parametrize(
    ("nats", "expected"),
    [(2.0, "backs"), (1.99, "undecided"), (0.0, "undecided"), (-1.99, "undecided"), (-2.0, "against")],
)
def test_two_nats_make_a_verdict(nats, expected):
    assert verdict(nats) == expected

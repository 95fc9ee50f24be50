import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS, dataset, histories, numbered, random_matrix, transitions
from tools.causal.dag import CausalGraph
from tools.causal.fitting import fit
from tools.causal.orientation import later_than
from tools.causal.scores import burden
from tools.causal.search import hill_climb
from tools.causal.strata import MAX_STRATA, Strata


@settings(max_examples=50)
@given(histories, st.sets(st.sampled_from(KEYS), max_size=3))
def test_burden_counts_the_codes_that_are_not_left_out(patients, left_out):
    patients = [*patients * 5, *[[{"4019"}, {"4280", "496"}, {"25000"}, {"0389"}, {"0389"}, set(KEYS)]] * 60]
    matrix = dataset(patients).matrix(KEYS)
    assert matrix.burden_measure == "codes"
    counts = np.array([len(set().union(*patient) - left_out) for patient in patients])
    expected = Strata.over(counts, MAX_STRATA).of(counts)
    np.testing.assert_array_equal(matrix.burden_without(left_out).numbers(len(counts)), expected)


def with_children(seed, n_children, n_patients=2_000):
    """0 causes 1 (lambda 0.3, leak 0.05), which causes each of the next codes likewise; eight stand alone."""
    rng = np.random.default_rng(seed)
    cause = rng.random(n_patients) < 0.3
    effect = rng.random(n_patients) < np.where(cause, 1 - 0.95 * 0.7, 0.05)
    children = rng.random((n_patients, n_children)) < np.where(effect[:, None], 1 - 0.95 * 0.7, 0.05)
    others = rng.random((n_patients, 8)) < 0.15
    had = np.column_stack([cause, effect, children, others])
    return numbered([[set(np.flatnonzero(row).tolist())] for row in had], had.shape[1])


@pytest.mark.parametrize("n_children", [0, 3])
def test_intervals_cover_the_strength_whatever_the_effect_causes_in_turn(n_children):
    covered = []
    for seed in range(60):
        data, keys = with_children(seed, n_children)
        graph = CausalGraph(keys, [(keys[0], keys[1]), *((keys[1], keys[2 + i]) for i in range(n_children))])
        edge = fit(graph, data.matrix(keys)).edges[0]
        assert (edge.cause, edge.effect) == keys[:2]
        covered.append(edge.lower <= 0.3 <= edge.upper)
    assert np.mean(covered) >= 0.9


def test_a_cause_that_makes_up_the_whole_burden_is_measured_all_the_same():
    """Everyone has 2 or 3, and those with 0 always have 1: a stratum of burden with 0 in it would be 0."""
    rng = np.random.default_rng(0)
    exposed = rng.random(2_000) < 0.25
    effect = exposed | (rng.random(2_000) < 0.05)
    other = rng.random(2_000) < 0.5
    had = np.column_stack([exposed, effect, other, ~other])
    patients = [[set(np.flatnonzero(row).tolist())] for row in had]
    data, keys = numbered(patients, 4)
    (edge,) = fit(CausalGraph(keys, [keys[:2]]), data.matrix(keys)).edges
    assert edge.lower > 0.99
    assert edge.upper > 0.999


def cascade(seed, n_patients=500, n_visits=5):
    """Code 0 brings on 1, 2 and 3 at later visits; 4 to 9 stand alone."""
    rng = np.random.default_rng(seed)
    patients = []
    for _ in range(n_patients):
        had, visits = set(), []
        for _ in range(n_visits):
            chance = 0.05 + 0.4 * np.isin(np.arange(10), [1, 2, 3]) * (0 in had)
            visits.append(set(np.flatnonzero(rng.random(10) < chance).tolist()))
            had |= visits[-1]
        patients.append(visits)
    return numbered(patients, 10)


def test_what_time_puts_after_the_effect_is_not_part_of_its_burden():
    data, keys = cascade(0)
    matrix = data.matrix(keys)
    assert later_than(matrix, keys[0]) == keys[1:4]
    assert burden(matrix, keys[0]) is matrix.burden_without(keys[:4])
    assert burden(matrix, keys[0], left_out=keys[5:6]) is matrix.burden_without([*keys[:4], keys[5]])


def slotted(seed, strength, n_patients=3_000):
    """Three different codes a visit: 0, which brings on 1 with some strength, and what fills the slots."""
    rng = np.random.default_rng(seed)
    patients = []
    for _ in range(n_patients):
        visits = []
        for _ in range(min(rng.geometric(0.6), 8)):
            cause = rng.random() < 0.3
            effect = rng.random() < 1 - 0.95 * (1 - strength * cause)
            chosen = [0] * cause + [1] * effect
            fill = rng.choice(np.arange(2, 20), 3 - len(chosen), replace=False)
            visits.append({*chosen, *fill.tolist()})
        patients.append(visits)
    return numbered(patients, 20)


def test_where_slots_are_limited_a_cause_is_found_and_measured():
    data, keys = slotted(0, 0.5)
    matrix = data.matrix(keys)
    assert data.slots == 3
    found = fit(hill_climb(matrix), matrix)
    assert found.burden_measure == "visits"
    assert {frozenset(edge[:2]) for edge in found.edges} == {frozenset(keys[:2])}
    (edge,) = fit(CausalGraph(keys, [keys[:2]]), matrix).edges
    assert edge.lower > 0.4
    assert edge.upper < 0.6


def test_where_slots_are_limited_unrelated_diseases_stay_apart():
    for seed in range(3):
        data, keys = slotted(seed, 0.0)
        assert hill_climb(data.matrix(keys)).edges == ()


def test_by_visits_a_stratum_holds_patients_seen_equally_often_whatever_is_left_out():
    data, keys = slotted(0, 0.5)
    matrix = data.matrix(keys)
    visits = np.diff(matrix.visit_offsets)
    assert matrix.burden_without(keys[:1]) is matrix.burden_without(keys)
    stratum = matrix.burden_without(keys[:1]).numbers(len(visits))
    order = np.argsort(visits)
    assert np.all(np.diff(stratum[order]) >= 0)
    assert {int(stratum[visits == n][0]) for n in (1, 2, 3)} == {0, 1, 2}
    index = np.concatenate([np.arange(1, n) for n in visits])
    expected = np.sort(matrix.lagged.strata.of(index)).tolist()
    assert [stratum for stratum, *_ in transitions(matrix)] == expected


@pytest.mark.parametrize(
    ("lengths", "slots"),
    [((3, 3, 3, 1), 3), ((3, 3, 2, 1), None), ((3, 3, 2, 0, 0, 3), 3), ((1, 2, 3, 4), None), ((0, 0), None)],
)
def test_slots_show_where_most_visits_are_full(lengths, slots):
    data, _ = numbered([[set(range(length))] for length in lengths], 5)
    assert data.slots == slots
    assert data.matrix(data.vocabulary.keys).burden_measure == ("codes" if slots is None else "visits")


def test_the_fit_says_what_burden_is_counted_in():
    assert fit(CausalGraph(KEYS), random_matrix(0)).burden_measure == "codes"

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS, dataset, histories, numbered
from tools.causal.dag import CausalGraph
from tools.dataset.clinical import ClinicalDataset
from tools.prediction.forecast import next_visit_model
from tools.records.simulate import simulate
from tools.safety.errors import InputError


@pytest.fixture(scope="module")
def world():
    sim = simulate(2_500, seed=8)
    train = ClinicalDataset.build(sim.cohort.subset(np.arange(2_000)))
    return sim, train, train.matrix(sim.graph.nodes)


@settings(max_examples=40)
@given(histories, st.sets(st.sampled_from(KEYS), max_size=3))
def test_a_forecast_is_a_noisy_or_of_its_parts(patients, history):
    patients = [*patients, [{"4019"}, {"4280"}]]
    graph = CausalGraph(KEYS, [("4019", "4280"), ("4280", "5856"), ("25000", "5856")])
    ranking = next_visit_model(graph, dataset(patients), history).ranking()
    assert [f.key for f in ranking] == [f.key for f in sorted(ranking, key=lambda f: (-f.probability, f.key))]
    assert {f.key for f in ranking} == set(KEYS)
    for found in ranking:
        assert 0 <= found.lower <= found.probability <= found.upper <= 1
        assert found.probability == pytest.approx(1 - math.prod(1 - part.probability for part in found.parts))
        assert found.is_repeat == (found.key in history)
        causes = {part.key for part in found.parts if part.kind == "cause"}
        assert causes == (set() if found.is_repeat else history & set(graph.parents(found.key)))


def test_forecasts_are_calibrated_on_patients_not_seen(world):
    sim, train, matrix = world
    expected, seen = {True: 0.0, False: 0.0}, {True: 0, False: 0}
    for patient in list(sim.cohort)[2_000:2_080]:
        history = [key for visit in patient.visits[:-1] for key in visit.codes]
        target = set(patient.visits[-1].codes)
        for found in next_visit_model(sim.graph, train, history, matrix).ranking():
            expected[found.is_repeat] += found.probability
            seen[found.is_repeat] += found.key in target
    for kind in (True, False):
        assert expected[kind] == pytest.approx(seen[kind], rel=0.2)


def test_a_true_cause_in_the_history_raises_the_forecast(world):
    sim, train, matrix = world
    cause, effect = max(sim.strengths, key=sim.strengths.__getitem__)
    other = next(n for n in sim.graph.nodes if n not in sim.graph.ancestors(effect) | {effect})
    given_cause = next_visit_model(sim.graph, train, [cause], matrix).probability(effect)
    given_other = next_visit_model(sim.graph, train, [other], matrix).probability(effect)
    assert given_cause.lower > given_other.upper


def revisited(seed, n_patients=60):
    """Eight visits of patients who differ in how often 0 comes back to them, half the time on average."""
    rng = np.random.default_rng(seed)
    patients = []
    for again in rng.beta(0.5, 0.5, n_patients):
        later = [{0} if rng.random() < again else set() for _ in range(7)]
        patients.append([{0, 1}, *(visit | {int(rng.integers(1, 5))} for visit in later)])
    return numbered(patients, 5)


def test_a_recurrence_interval_covers_the_truth_where_patients_differ():
    covered = []
    for seed in range(150):
        data, keys = revisited(seed)
        found = next_visit_model(CausalGraph(keys), data, [keys[0]]).probability(keys[0])
        covered.append(found.lower <= 0.5 <= found.upper)
    assert 0.91 <= np.mean(covered) <= 0.99


def falling_ill(seed, n_patients):
    """Four visits: 0 and 2 at random, 1 brought on by 0 (lambda 0.2) from a base that differs by patient."""
    rng = np.random.default_rng(seed)
    had = np.zeros((n_patients, 5), bool)
    visits = []
    base = 0.06 * rng.gamma(4.0, 0.25, n_patients)
    for _ in range(4):
        chance = np.full((n_patients, 5), 0.12)
        chance[:, 1] = 1 - np.exp(-base - np.where(had[:, 0], 0.2, 0.0))
        new = rng.random((n_patients, 5)) < chance
        had |= new
        visits.append(new)
    return numbered([[set(np.flatnonzero(v[i]).tolist()) for v in visits] for i in range(n_patients)], 5)


def onset_forecast(seed, n_patients):
    data, keys = falling_ill(seed, n_patients)
    graph = CausalGraph(keys, [(keys[0], keys[1]), (keys[2], keys[1])])
    return next_visit_model(graph, data, [keys[0], keys[2]]).probability(keys[1])


def test_an_onset_interval_covers_the_truth_where_patients_differ():
    """One of the two causes is none: its estimate is at the bound 0 half the time."""
    truth = onset_forecast(999, 60_000)
    found = [onset_forecast(seed, 500) for seed in range(100)]
    assert 0.91 <= np.mean([f.lower <= truth.probability <= f.upper for f in found]) <= 1.0
    for place in (1, 2):
        part = truth.parts[place].probability
        assert np.mean([f.parts[place].lower <= part <= f.parts[place].upper for f in found]) >= 0.91


def test_without_an_acting_cause_the_forecast_is_its_base(world):
    sim, train, matrix = world
    for found in next_visit_model(sim.graph, train, [], matrix).ranking():
        assert found[1:4] == pytest.approx(found.parts[0][2:])


def test_history_outside_the_graph_counts_as_burden(world):
    sim, train, _ = world
    graph = CausalGraph(sim.graph.nodes[:5])
    histories = (), sim.graph.nodes[5:20], sim.graph.nodes[20:35]
    light, heavy, other = (next_visit_model(graph, train, had) for had in histories)
    assert heavy == other
    assert heavy.history == ()
    assert sum(f.probability for f in heavy.ranking()) > 1.5 * sum(f.probability for f in light.ranking())


def slotted():
    """Two codes a visit; 0 begins the more often, the more visits there have been."""
    rng = np.random.default_rng(0)
    patients = []
    for _ in range(600):
        first = [rng.random() < 0.08 * visit for visit in range(6)]
        patients.append([{0 if new else 1, int(rng.integers(2, 6))} for new in first])
    return numbered(patients, 6)


def test_where_slots_are_limited_burden_is_the_number_of_visits():
    data, keys = slotted()
    graph, had = CausalGraph(keys[:1]), keys[1:4]
    by_visits = [next_visit_model(graph, data, had, n_visits=n).probability(keys[0]) for n in (1, 2, 5)]
    assert by_visits[0].upper < by_visits[2].lower
    assert next_visit_model(graph, data, had).probability(keys[0]) == by_visits[1]
    assert next_visit_model(graph, data, []).probability(keys[0]) == by_visits[0]


def test_where_codes_count_the_number_of_visits_does_not(world):
    sim, train, _ = world
    graph, had = CausalGraph(sim.graph.nodes[:3]), sim.graph.nodes[3:6]
    assert next_visit_model(graph, train, had) == next_visit_model(graph, train, had, n_visits=9)


def test_more_causes_than_can_be_counted_are_refused():
    data, keys = numbered([[{0, 1}, {2}], [{3}, {4, 5}]], 13)
    graph = CausalGraph(keys, [(key, keys[0]) for key in keys[1:]])
    with pytest.raises(InputError, match="direct causes"):
        next_visit_model(graph, data, [keys[1]])


def test_bad_input_is_refused():
    graph = CausalGraph(KEYS)
    with pytest.raises(InputError, match="second visit"):
        next_visit_model(graph, dataset([[{"4019"}]]), ["4019"])
    data = dataset([[{"4019"}, {"4280"}]])
    with pytest.raises(InputError, match="vocabulary"):
        next_visit_model(graph, data, ["99999"])
    with pytest.raises(InputError, match="node"):
        next_visit_model(graph, data, ["4019"]).probability("99999")
    with pytest.raises(InputError, match="n_visits"):
        next_visit_model(graph, data, ["4019"], n_visits=0)

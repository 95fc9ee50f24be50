"""Forecasts of the next visit: shares that add up, causes that the graph names, intervals that cover."""

import numpy as np
import pytest
from hypothesis import given, settings

from tests.causal.cohorts import KEYS, dataset, histories, numbered
from tests.causal.cohorts import visits as some_visits
from tools.causal.dag import CausalGraph
from tools.dataset.clinical import ClinicalDataset
from tools.prediction.forecast import MOST_ASSOCIATIONS, NextVisitModel
from tools.records.simulate import simulate
from tools.safety.errors import InputError

GRAPH = CausalGraph(KEYS, [("4019", "4280"), ("4280", "5856"), ("25000", "5856")])
had_something = some_visits.filter(any)


def by_key(found):
    return {forecast.key: forecast for forecast in found}


@settings(max_examples=40, deadline=None)
@given(histories, had_something)
def test_a_probability_is_the_sum_of_its_parts(patients, visits):
    model = NextVisitModel.fit(dataset([*patients, [{"4019"}, {"4280"}]]))
    had = {key for visit in visits for key in visit}
    found = model.forecasts(GRAPH, visits)
    assert {forecast.key for forecast in found} == set(KEYS)
    for forecast in found:
        assert abs(sum(part.probability for part in forecast.parts) - forecast.probability) < 1e-9
        assert 0 <= forecast.lower <= forecast.probability <= forecast.upper <= 1
        assert all(0 <= part.lower <= part.probability <= part.upper <= 1 for part in forecast.parts)
        assert forecast.is_repeat == (forecast.key in had)
        kinds = [part.kind for part in forecast.parts]
        assert ("recurrence" in kinds) == forecast.is_repeat
        assert kinds.count("base") == 1
        assert kinds.count("association") <= MOST_ASSOCIATIONS
        parents = set(GRAPH.parents(forecast.key))
        sources = {kind: {p.key for p in forecast.parts if p.kind == kind} for kind in kinds}
        assert sources.get("cause", set()) <= parents & had
        assert sources.get("association", set()) <= had - parents - {forecast.key}


@settings(max_examples=40, deadline=None)
@given(histories, had_something)
def test_the_codes_expected_are_the_sum_of_the_chances_of_the_whole_vocabulary(patients, visits):
    model = NextVisitModel.fit(dataset([*patients, [{"4019"}, {"4280"}]]))
    every = model.forecasts(CausalGraph(model.vocabulary.keys), visits)
    assert model.expected_codes(visits) == pytest.approx(sum(f.probability for f in every))


@pytest.fixture(scope="module")
def world():
    sim = simulate(2_500, seed=8)
    train = ClinicalDataset.build(sim.cohort.subset(np.arange(2_000)))
    return sim, train, NextVisitModel.fit(train)


def test_the_graph_names_causes_and_changes_no_probability(world):
    sim, _, model = world
    visits = [list(sim.graph.nodes[:6]), list(sim.graph.nodes[4:9])]
    bare = model.forecasts(CausalGraph(sim.graph.nodes), visits)
    true = model.forecasts(sim.graph, visits)
    assert [forecast[:5] for forecast in bare] == [forecast[:5] for forecast in true]
    assert not any(part.kind == "cause" for forecast in bare for part in forecast.parts)
    causes = {
        (part.key, forecast.key) for forecast in true for part in forecast.parts if part.kind == "cause"
    }
    assert causes
    assert causes <= set(sim.graph.edges)


def test_what_the_graph_leaves_out_of_the_history_is_the_rest(world):
    sim, _, model = world
    cause, effect = max(sim.strengths, key=sim.strengths.__getitem__)
    whole = by_key(model.forecasts(CausalGraph([cause, effect]), [[cause]]))[effect]
    alone = by_key(model.forecasts(CausalGraph([effect]), [[cause]]))[effect]
    assert whole[:4] == alone[:4]
    assert [part.kind for part in alone.parts] == ["rest", "base"]
    assert [part.probability for part in alone.parts] == pytest.approx([p.probability for p in whole.parts])


def test_only_so_many_associations_are_named_the_largest(world):
    sim, _, model = world
    had, nodes = sim.graph.nodes[:20], sim.graph.nodes
    lengths = set()
    for forecast in model.forecasts(CausalGraph(nodes), [had]):
        values = [part.probability for part in forecast.parts if part.kind == "association"]
        lengths.add(len(values))
        assert values == sorted(values, reverse=True)
    assert max(lengths) == MOST_ASSOCIATIONS


def test_forecasts_are_listed_by_tens(world):
    sim, _, model = world
    found = [f.probability for f in model.forecasts(sim.graph, [sim.graph.nodes[:8]])]
    assert min(found[:10]) >= max(found[10:])
    assert found != sorted(found, reverse=True)


def revisited(seed, n_patients=60):
    """Eight visits of patients who differ in how often 0 comes back to them, half the time on average."""
    rng = np.random.default_rng(seed)
    patients = []
    for again in rng.beta(0.5, 0.5, n_patients):
        later = [{0} if rng.random() < again else set() for _ in range(7)]
        patients.append([{0, int(rng.integers(1, 5))}, *(v | {int(rng.integers(1, 5))} for v in later)])
    return numbered(patients, 5)


def test_a_recurrence_interval_covers_the_truth_where_patients_differ():
    """Less than 95 %: the visits of one patient are taken as independent, see `Terms`."""
    covered = []
    for seed in range(100):
        data, keys = revisited(seed)
        (found,) = NextVisitModel.fit(data).forecasts(CausalGraph(keys[:1]), [[keys[0]]])
        covered.append(found.lower <= 0.5 <= found.upper)
    assert np.mean(covered) >= 0.82


def falling_ill(seed, n_patients):
    """Four visits: 0 and 2 at random, 1 brought on by 0 (theta 0.2) from a base that differs by patient."""
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


def test_an_onset_interval_covers_the_truth():
    """What 0 adds, and 1 altogether; the cause acts at full strength at the visit after it."""
    truth, share = 1 - np.exp(-0.26), 0.2 / 0.26
    whole, part, widths = [], [], []
    for seed in range(60):
        data, keys = falling_ill(seed, 1_500)
        graph = CausalGraph(keys, [(keys[0], keys[1])])
        found = by_key(NextVisitModel.fit(data).forecasts(graph, [[keys[0]]]))[keys[1]]
        cause = found.parts[0]
        assert cause[:2] == ("cause", keys[0])
        whole.append(found.lower <= truth <= found.upper)
        part.append(cause.lower <= truth * share <= cause.upper)
        widths.append(found.upper - found.lower)
    assert np.mean(whole) >= 0.9
    assert np.mean(part) >= 0.9
    assert np.mean(widths) < 0.12


def after_a_rare_one(seed, n_rare):
    """Pairs of visits; after 0, which few have, 1 comes with 1 - exp(-0.75), else with 1 - exp(-0.05)."""
    rng = np.random.default_rng(seed)
    patients = []
    for row in range(1_000):
        rare = row < n_rare
        comes = rng.random() < 1 - np.exp(-0.05 - (0.7 if rare else 0.0))
        patients.append([{0 if rare else int(rng.integers(2, 5))}, {1} if comes else {5}])
    return numbered(patients, 6)


@pytest.mark.parametrize(("n_rare", "widest"), [(8, 0.8), (50, 0.5), (300, 0.2)])
def test_what_few_visits_tell_has_a_wide_interval_though_it_is_drawn_to_0(n_rare, widest):
    truth = 1 - np.exp(-0.75)
    covered, widths = [], []
    for seed in range(60):
        data, keys = after_a_rare_one(seed, n_rare)
        found = by_key(NextVisitModel.fit(data).forecasts(CausalGraph(keys), [[keys[0]]]))[keys[1]]
        covered.append(found.lower <= truth <= found.upper)
        widths.append(found.upper - found.lower)
    assert np.mean(covered) >= 0.82
    assert np.mean(widths) < widest


def test_what_has_no_effect_adds_next_to_nothing():
    data, keys = falling_ill(5, 3_000)
    found = by_key(NextVisitModel.fit(data).forecasts(CausalGraph(keys), [[keys[2]]]))[keys[1]]
    assert sum(part.probability for part in found.parts if part.kind != "base") < 0.01


def test_faults():
    model = NextVisitModel.fit(dataset([[{"4019"}, {"4280"}], [{"4019"}]]))
    graph = CausalGraph(["4019"])
    for visits in ([], [[]], [[], []]):
        with pytest.raises(InputError, match="visits"):
            model.forecasts(graph, visits)
    with pytest.raises(InputError, match="vocabulary"):
        model.forecasts(graph, [["99999"]])
    with pytest.raises(InputError, match="vocabulary"):
        model.forecasts(CausalGraph(["99999"]), [["4019"]])
    with pytest.raises(InputError, match="second visit"):
        NextVisitModel.fit(dataset([[{"4019"}]]))

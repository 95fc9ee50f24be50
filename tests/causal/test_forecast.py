import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from tests.causal.cohorts import KEYS, dataset, histories
from tools.causal.dag import CausalGraph
from tools.causal.dataset import ClinicalDataset
from tools.causal.forecast import next_visit_model, wilson
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
    for patient in list(sim.cohort)[2_000:2_120]:
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


@given(st.integers(0, 50), st.integers(1, 50))
def test_wilson_equals_scipy(hits, extra):
    trials = hits + extra
    expected = binomtest(hits, trials).proportion_ci(method="wilson")
    assert wilson(hits, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_bad_input_is_refused():
    graph = CausalGraph(KEYS)
    with pytest.raises(InputError, match="second visit"):
        next_visit_model(graph, dataset([[{"4019"}]]), ["4019"])
    data = dataset([[{"4019"}, {"4280"}]])
    with pytest.raises(InputError, match="vocabulary"):
        next_visit_model(graph, data, ["99999"])
    with pytest.raises(InputError, match="node"):
        next_visit_model(graph, data, ["4019"]).probability("99999")

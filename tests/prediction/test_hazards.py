"""The model of next visits: against its equations, and what it must find in simulated records."""

import numpy as np
import pytest
from hypothesis import given, settings

from tests.causal.cohorts import KEYS, dataset, histories, numbered
from tests.prediction.slow_hazards import Slow
from tools.dataset.clinical import ClinicalDataset
from tools.prediction import hazards
from tools.prediction.steps import step_after, transitions
from tools.records.simulate import simulate
from tools.safety.errors import InputError


def columns(data, patients):
    return [
        [sorted(data.vocabulary.column(key) for key in visit) for visit in patient] for patient in patients
    ]


@settings(max_examples=25, deadline=None)
@given(histories)
def test_the_fit_is_what_its_equations_say(patients):
    patients = [*patients, [{"4019"}, {"4280", "4019"}], [{"496", "4280"}, {"4019"}, {"4280"}]]
    data = dataset(patients)
    fitted, slow = hazards.fit(transitions(data), data.n_codes), Slow(columns(data, patients), data.n_codes)
    totals = fitted.totals(transitions(data).steps)
    expected = [[slow.total(held, group, b) for b in slow.codes] for held, _, group in slow.steps]
    np.testing.assert_allclose(totals, expected, rtol=1e-9)
    np.testing.assert_allclose(fitted.recurrence, slow.g, rtol=1e-9, atol=1e-15)


def test_the_fit_is_what_its_equations_say_where_there_are_burden_groups():
    cohort = simulate(150, seed=5).cohort
    data = ClinicalDataset.build(cohort)
    patients = columns(data, [[visit.codes for visit in patient.visits] for patient in cohort])
    fitted, slow = hazards.fit(transitions(data), data.n_codes), Slow(patients, data.n_codes)
    assert len(fitted.factors) > 3
    np.testing.assert_allclose(fitted.factors, slow.h, rtol=1e-9)
    some = transitions(data).steps.part(np.arange(0, 300, 7))
    rows = slow.steps[0:300:7]
    expected = [[slow.total(held, group, b) for b in slow.codes] for held, _, group in rows]
    np.testing.assert_allclose(fitted.totals(some), expected, rtol=1e-9)


@pytest.fixture(scope="module")
def world():
    sim = simulate(2_500, seed=8)
    train = ClinicalDataset.build(sim.cohort.subset(np.arange(2_000)))
    return sim, train, hazards.fit(transitions(train), train.n_codes)


def chances(data, fitted, visits):
    step = step_after([[data.vocabulary.column(key) for key in visit] for visit in visits])
    return -np.expm1(-fitted.totals(step)[0])


def test_as_many_are_expected_as_come_to_patients_not_seen(world):
    sim, train, fitted = world
    expected, seen = np.zeros(3), np.zeros(3)
    for patient in list(sim.cohort)[2_000:]:
        before = [visit.codes for visit in patient.visits[:-1]]
        found = chances(train, fitted, before)
        had = np.isin(train.vocabulary.keys, [key for visit in before for key in visit])
        target = np.isin(train.vocabulary.keys, patient.visits[-1].codes)
        burden = np.full(len(had), had.sum() > 5)
        for place, of in enumerate((had, ~had, burden)):
            expected[place] += found[of].sum()
            seen[place] += target[of].sum()
    np.testing.assert_allclose(expected, seen, rtol=0.08)


def test_a_true_cause_adds_more_than_what_is_none(world):
    sim, train, fitted = world
    cause, effect = max(sim.strengths, key=sim.strengths.__getitem__)
    column = train.vocabulary.column
    theta = fitted.follows.toarray()[:, column(effect)]
    others = [n for n in sim.graph.nodes if n not in sim.graph.ancestors(effect) | {effect}]
    assert theta[column(cause)] > 3 * max(theta[column(other)] for other in others)


def test_what_is_long_ago_adds_less(world):
    sim, train, fitted = world
    cause, effect = max(sim.strengths, key=sim.strengths.__getitem__)
    filler = next(n for n in sim.graph.nodes if n not in sim.graph.ancestors(effect) | {cause, effect})
    place = train.vocabulary.column(effect)
    recent = chances(train, fitted, [[filler], [cause]])[place]
    older = chances(train, fitted, [[cause], [filler]])[place]
    assert recent > 1.1 * older


def test_a_handful_of_visits_cannot_claim_certainty():
    rng = np.random.default_rng(3)
    patients = [[{0}, {1}]] * 3 + [[{2}, {int(rng.integers(2, 6))}] for _ in range(300)]
    data, keys = numbered(patients, 6)
    fitted = hazards.fit(transitions(data), data.n_codes)
    assert chances(data, fitted, [[keys[0]]])[1] < 0.2


def test_without_a_second_visit_there_is_nothing_to_learn_from():
    with pytest.raises(InputError, match="second visit"):
        hazards.fit(transitions(dataset([[{"4019"}]])), len(KEYS))


def test_visits_without_a_code_are_visits():
    data = dataset([[set(), {"4019"}], [{"4019"}, set(), {"4019", "496"}], [set(), set()]])
    fitted = hazards.fit(transitions(data), data.n_codes)
    assert np.isfinite(fitted.totals(transitions(data).steps)).all()
    assert set(KEYS) == set(data.vocabulary.keys)

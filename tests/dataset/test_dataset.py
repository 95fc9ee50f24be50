from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS, cohort, dataset, first_visits, histories, transitions
from tools.causal.dag import CausalGraph
from tools.causal.scores import log_likelihood
from tools.dataset.clinical import ClinicalDataset
from tools.safety.errors import InputError


def slow_counts(patients, next_only):
    """N[a,b] and the denominators, read off eq. 1 with loops."""
    counts, held = {}, {}
    for patient in patients:
        for visit, following in pairwise(patient):
            for a in visit:
                held[a] = held.get(a, 0) + 1
                for b in following if next_only else visit | following:
                    counts[a, b] = counts.get((a, b), 0) + 1
    return counts, held


@settings(max_examples=200)
@given(histories)
def test_equations_1_to_3_equal_slow_loops(patients):
    data = dataset(patients)
    keys = data.vocabulary.keys
    for next_only in (False, True):
        counts, held = slow_counts(patients, next_only)
        expected = [[counts.get((a, b), 0) for b in keys] for a in keys]
        np.testing.assert_array_equal(data.counts(next_only).toarray(), expected)
        np.testing.assert_array_equal(data.denominators, [held.get(a, 0) for a in keys])
        ratios = [[counts.get((a, b), 0) / max(held.get(a, 0), 1) for b in keys] for a in keys]
        np.testing.assert_allclose(data.transition(next_only).toarray(), ratios, rtol=1e-15)
    ever = [[any(key in visit for visit in patient) for key in keys] for patient in patients]
    np.testing.assert_array_equal(data.diagnoses.toarray(), ever)


@given(histories)
def test_a_code_always_follows_itself(patients):
    data = dataset(patients)
    for shrink in (0.0, 7.0):
        diagonal = data.transition(shrink=shrink).diagonal()
        np.testing.assert_array_equal(diagonal, data.denominators > 0)


@given(histories)
def test_first_visits_history_and_onset_equal_slow_loops(patients):
    matrix = dataset(patients).matrix(KEYS)
    first = [[next((t for t, v in enumerate(p) if key in v), -1) for key in KEYS] for p in patients]
    np.testing.assert_array_equal(first_visits(matrix), first)
    np.testing.assert_array_equal(matrix.values, np.array(first) >= 0)
    steps = [(p, t) for p in patients for t in range(len(p) - 1)]
    history = [[any(key in v for v in p[: t + 1]) for key in KEYS] for p, t in steps]
    new = [[key in p[t + 1] and not any(key in v for v in p[: t + 1]) for key in KEYS] for p, t in steps]
    burden = [len(set().union(*p[: t + 1])) for p, t in steps]
    laid_out = transitions(matrix)
    expected = sorted(zip(matrix.lagged.strata.of(burden).tolist(), history, new, strict=True))
    assert laid_out == [(stratum, h, n) for stratum, h, n in expected]
    np.testing.assert_array_equal(matrix.codes_per_patient, [len(set().union(*p)) for p in patients])


@given(histories, st.data())
def test_some_patients_drawn_are_the_data_set_of_these_patients(patients, data):
    rows = sorted(data.draw(st.lists(st.integers(0, len(patients) - 1), min_size=1, max_size=20)))
    drawn = dataset(patients).matrix(KEYS).take(np.array(rows))
    alone = dataset([patients[row] for row in rows]).matrix(KEYS)
    np.testing.assert_array_equal(drawn.values, alone.values)
    np.testing.assert_array_equal(first_visits(drawn), first_visits(alone))
    assert transitions(drawn) == transitions(alone)
    np.testing.assert_array_equal(drawn.codes_per_patient, alone.codes_per_patient)


@given(histories, st.sets(st.sampled_from(KEYS), min_size=1, max_size=5))
def test_eq_5_over_all_codes_is_that_over_the_nodes_and_a_constant(patients, nodes):
    data = dataset(patients)
    some, every = sorted(nodes), data.vocabulary.keys
    whole = log_likelihood(CausalGraph(every), data.matrix(every))
    part = data.matrix(some)
    assert log_likelihood(CausalGraph(some), part) + part.out_of_graph == pytest.approx(whole, abs=1e-9)


@given(histories)
def test_base_rates_equal_slow_loops(patients):
    data = dataset(patients)
    steps = [(p, t) for p in patients for t in range(len(p) - 1)]
    for key in KEYS:
        share = sum(key in p[t + 1] for p, t in steps) / max(len(steps), 1)
        assert data.base_rates[data.vocabulary.column(key)] == pytest.approx(share)


@given(histories, histories)
def test_counts_of_two_sites_add_up(here, there):
    both = dataset(here + there)
    parts = dataset(here), dataset(there)
    np.testing.assert_array_equal(both.denominators, sum(part.denominators for part in parts))
    np.testing.assert_array_equal(both.counts().toarray(), sum(part.counts().toarray() for part in parts))


@given(histories)
def test_shrunk_rows_agree_and_run_from_data_to_marginal(patients):
    data = dataset(patients)
    for next_only in (False, True):
        sparse, dense = (data.transition(next_only, 3.0), data.transition_rows(KEYS, next_only, 3.0))
        order = [data.vocabulary.column(key) for key in KEYS]
        seen = data.counts(next_only)[order].toarray() > 0
        np.testing.assert_allclose(sparse[order].toarray()[seen], dense[seen])
        assert np.all((dense >= 0) & (dense <= 1))
    far = data.transition_rows(KEYS, next_only=True, shrink=1e12)
    np.testing.assert_allclose(far, np.tile(data.base_rates, (len(KEYS), 1)), atol=1e-9)


def test_equal_data_have_equal_hashes_and_others_do_not():
    patients = [[{"4019"}, {"4280"}], [{"25000"}]]
    assert dataset(patients).hash == dataset(patients).hash
    assert dataset(patients).hash != dataset(patients[::-1]).hash


@pytest.mark.parametrize("shrink", [-1.0, float("nan"), float("inf")])
def test_a_bad_shrink_is_refused(shrink):
    with pytest.raises(InputError, match="shrink"):
        dataset([[{"4019"}, {"4280"}]]).transition(shrink=shrink)


@pytest.mark.parametrize("nodes", [(), ("4019", "4019"), ("99999",)])
def test_bad_nodes_are_refused(nodes):
    with pytest.raises(InputError):
        dataset([[{"4019"}]]).matrix(nodes)


def test_a_cohort_without_a_second_visit_has_no_transitions():
    data = ClinicalDataset.build(cohort([[{"4019"}], [set()]]))
    assert (data.n_patients, data.n_visits, data.n_transitions) == (2, 2, 0)
    assert data.transition().nnz == 0

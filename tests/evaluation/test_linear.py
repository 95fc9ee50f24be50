import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from tests.evaluation.small_cohorts import CODES, cohort_of, multi_visit
from tools.evaluation.baselines import fit
from tools.evaluation.examples import examples
from tools.evaluation.linear import PENALTIES, Steps, choose_penalty, fit_linear, fit_ridge, steps
from tools.evaluation.splits import set_apart
from tools.evaluation.training import Training
from tools.records.rollup import training_cohort
from tools.safety.errors import InputError


def some_steps(n, n_features, n_codes, seed):
    rng = np.random.default_rng(seed)
    x, y = (rng.random((n, width)) < 0.4 for width in (n_features, n_codes))
    return Steps(*(sparse.csr_array(part.astype(float)) for part in (x, y)))


def loss(ridge, learned, penalty):
    error = ridge.scores(learned.features) - learned.next.toarray()
    return (error**2).sum() + penalty * (ridge.coefficients**2).sum()


@pytest.mark.parametrize(("n", "n_features"), [(60, 8), (8, 8), (9, 40), (1, 3)])
@pytest.mark.parametrize("penalty", [0.5, 100.0])
def test_the_ridge_is_where_its_loss_has_no_slope(n, n_features, penalty):
    learned = some_steps(n, n_features, 4, seed=n)
    ridge = fit_ridge(learned, penalty)
    error = ridge.scores(learned.features) - learned.next.toarray()
    slope = learned.features.T @ error + penalty * ridge.coefficients
    np.testing.assert_allclose(slope, 0, atol=1e-9)
    np.testing.assert_allclose(error.sum(axis=0), 0, atol=1e-9)


def test_few_steps_and_many_solve_the_same_problem():
    many = some_steps(12, 12, 3, seed=5)
    wider = sparse.hstack([many.features, sparse.csr_array((12, 7))], format="csr")
    plain, padded = fit_ridge(many, 2.0), fit_ridge(Steps(sparse.csr_array(wider), many.next), 2.0)
    np.testing.assert_allclose(padded.coefficients[:12], plain.coefficients, atol=1e-12)
    np.testing.assert_allclose(padded.coefficients[12:], 0, atol=1e-12)
    np.testing.assert_allclose(padded.intercepts, plain.intercepts, atol=1e-12)


@given(multi_visit)
def test_every_visit_with_an_earlier_one_is_a_step(patients):
    cohort = cohort_of(patients)
    n_codes = len(CODES)
    found = steps(cohort)
    wanted = [(p[: t + 1], p[t + 1]) for p in patients for t in range(len(p) - 1)]
    assert found.features.shape == (len(wanted), 2 * n_codes)
    rows = zip(found.features.toarray(), found.next.toarray(), wanted, strict=True)
    for features, following, (before, after) in rows:
        held = set().union(*before)
        assert features[:n_codes].tolist() == [key in held for key in cohort.vocabulary.keys]
        assert features[n_codes:].tolist() == [key in before[-1] for key in cohort.vocabulary.keys]
        assert following.tolist() == [key in after for key in cohort.vocabulary.keys]


def drawn(n_patients, seed=0):
    rng = np.random.default_rng(seed)
    patients = []
    for _ in range(n_patients):
        kept = set(rng.choice(CODES, 2, replace=False))
        patients.append([kept | {rng.choice(CODES)} for _ in range(rng.integers(2, 5))])
    return patients


def test_the_penalty_is_that_of_the_least_error_on_patients_set_apart():
    patients = drawn(80)
    cohort = cohort_of(patients)
    fitted, apart = set_apart(len(patients))
    learned, held = (steps(cohort_of([patients[row] for row in rows])) for rows in (fitted, apart))
    errors = [
        np.mean((fit_ridge(learned, penalty).scores(held.features) - held.next.toarray()) ** 2)
        for penalty in PENALTIES
    ]
    assert choose_penalty(cohort) == PENALTIES[int(np.argmin(errors))]


def test_a_code_that_always_comes_back_is_told_from_one_that_never_does():
    chronic = [[{"4019", "486"}, {"4019", "4280"}, {"4019"}]] * 30
    without = [[{"486"}, {"4280"}, {"4280"}]] * 30
    cohort = cohort_of([*chronic, *without, *chronic[:1], *without[:1]])
    train = training_cohort(cohort, range(60))
    scores = fit("linear", train, cohort.vocabulary)(examples(cohort, [60, 61]))
    assert (
        scores[0, cohort.vocabulary.column("4019")] > 0.8 > 0.2 > scores[1, cohort.vocabulary.column("4019")]
    )


@given(st.permutations(range(12)))
def test_the_order_of_patients_within_the_records_does_not_change_the_fit(order):
    patients = drawn(12, seed=3)
    plain, shuffled = (fit_ridge(steps(cohort_of(p)), 10.0) for p in (patients, [patients[i] for i in order]))
    np.testing.assert_allclose(shuffled.coefficients, plain.coefficients, atol=1e-10)


def test_nothing_to_learn_from_is_said():
    single = cohort_of([[{"4019"}], [{"486"}]])
    with pytest.raises(InputError, match="two visits"):
        fit_linear(Training(single, single.vocabulary))
    with pytest.raises(InputError, match="above 0"):
        fit_ridge(some_steps(4, 2, 2, seed=0), 0.0)

"""Laws of imputation, for every operator: what was observed stays, nothing is infinite, no future is read."""

import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.treatment.panels import OPERATORS, PAST, VARIABLES, operators, panel, panels, recipe
from tools.safety.errors import EngineError, InputError
from tools.treatment import imputing
from tools.treatment.estimating import Estimate, Estimator
from tools.treatment.imputing import impute
from tools.treatment.operators import Covariate, Mice, Neighbours, Ridge
from tools.treatment.panel import Panel
from tools.treatment.past import columns, is_above

FEW = settings(max_examples=40)
PAST_ONLY = {name: operator for name, operator in OPERATORS.items() if name != "mice"}


@given(panels, operators, st.integers(0, 5))
@FEW
def test_observed_cells_stay_bit_for_bit_and_the_others_are_finite_and_in_range(given_panel, operator, seed):
    found = impute(given_panel, recipe(operator), seed)
    known = ~given_panel.missing
    assert found.values[known].tobytes() == given_panel.values[known].tobytes()
    assert np.isfinite(found.values).all()
    assert (np.abs(found.values) <= 50).all()
    assert found.variables == given_panel.variables


@given(panels, operators, st.integers(0, 5))
@FEW
def test_the_same_seed_gives_the_same_bytes(given_panel, operator, seed):
    once, again = (impute(given_panel, recipe(operator), seed).values for _ in range(2))
    assert once.tobytes() == again.tobytes()


@given(panels, operators, st.randoms(use_true_random=False))
@FEW
def test_the_order_of_patients_does_not_matter(given_panel, operator, random):
    order = list(range(given_panel.n_patients))
    random.shuffle(order)
    moved = impute(given_panel.of(order), recipe(operator)).values
    assert np.allclose(moved, impute(given_panel, recipe(operator)).values[order], atol=1e-6)


@pytest.mark.parametrize("scale", [1e-5, 1e7])
@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "clip"])
def test_another_unit_gives_the_same_in_that_unit(name, scale):
    made = panel(n_patients=40)
    ranges = {"low": -50 * scale, "high": 50 * scale}
    variables = [v if v.kind == "treatment" else v.model_copy(update=ranges) for v in VARIABLES]
    units = np.array([scale, scale, 1, scale])
    scaled = impute(Panel(made.values * units, tuple(variables)), recipe(OPERATORS[name])).values
    assert np.allclose(scaled / units, impute(made, recipe(OPERATORS[name])).values, rtol=1e-5, atol=1e-6)


@given(panels, st.sampled_from(list(PAST_ONLY.values())), st.integers(1, 5), st.integers(0, 100))
@FEW
def test_what_a_patient_s_later_steps_hold_does_not_change_what_is_estimated_before(
    given_panel, operator, step, number
):
    """Two later steps change places: means over all cells stay, so only the order could be seen."""
    assume(step + 1 < given_panel.n_steps)
    patient = number % given_panel.n_patients
    values = given_panel.values.copy()
    values[patient, [step, step + 1]] = values[patient, [step + 1, step]]
    moved = impute(given_panel.filled(values), recipe(lag_free(operator))).values
    before = impute(given_panel, recipe(lag_free(operator))).values
    assert np.allclose(moved[patient, :step], before[patient, :step], atol=1e-9)


def lag_free(operator):
    """The operator where each covariate is of the step: what it learns then does not depend on the order."""
    if isinstance(operator, dict):
        if "covariates" in operator:
            return operator | {
                "covariates": [{"variable": "glucose", "lag": 0}, {"variable": "age", "lag": 0}]
            }
        parts = operator | ({"by": {"variable": "glucose", "lag": 0}} if "by" in operator else {})
        return {key: lag_free(value) for key, value in parts.items()}
    return [lag_free(each) for each in operator] if isinstance(operator, list) else operator


@given(panels, st.integers(0, 4), st.integers(1, 6))
@FEW
def test_covariates_of_a_step_are_blind_to_the_steps_after_it(given_panel, lag, step):
    """Later steps change hands between patients, so that the columns are standardised alike."""
    assume(lag < given_panel.n_steps and step < given_panel.n_steps)
    values = given_panel.values.copy()
    values[:, step:, 1] = values[::-1, step:, 1]
    asked = [Covariate(variable="glucose", lag=lag)]
    shape = (given_panel.n_patients, given_panel.n_steps, -1)
    before = columns(given_panel, asked).reshape(shape)[:, :step]
    after = columns(given_panel.filled(values), asked).reshape(shape)[:, :step]
    assert np.allclose(before, after, atol=1e-9)


def test_carrying_forward_by_hand():
    values = panel(n_patients=4, n_steps=4, missing=0).values.copy()
    values[:, :, 3] = [[2, np.nan, np.nan, 5], [np.nan, 4, 4, np.nan], [1, 1, 1, 1], [6, 6, 6, 6]]
    made = Panel(values, VARIABLES)
    mean = made.mean("weight")
    kept = impute(made, recipe({"kind": "carry"})).column("weight")
    assert kept[0].tolist() == [2, 2, 2, 5]
    assert np.allclose(kept[1], [mean, 4, 4, 4])
    faded = impute(made, recipe({"kind": "carry", "half_life": 1})).column("weight")
    assert np.allclose(faded[0], [2, (2 + mean) / 2, (2 + 3 * mean) / 4, 5])


def test_ridge_is_that_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    made = panel(n_patients=60)
    covariates = [{"variable": "glucose"}, {"variable": "age"}]
    found = impute(made, recipe({"kind": "ridge", "covariates": covariates, "penalty": 7.0})).column("weight")
    table = columns(made, [Covariate.model_validate(covariate) for covariate in covariates])
    weight = made.column("weight").ravel()
    known = ~np.isnan(weight)
    theirs = linear_model.Ridge(alpha=7.0).fit(table[known], weight[known]).predict(table)
    assert np.allclose(found.ravel()[~known], theirs[~known], rtol=1e-8)


def test_tilt_and_shift_move_by_variance_and_by_sd():
    made = panel(n_patients=60)
    base = {"kind": "carry"}
    plain = impute(made, recipe(base)).column("weight")
    hidden, sd = np.isnan(made.column("weight")), made.spread("weight")
    shifted = impute(made, recipe({"kind": "shift", "delta": 0.5, "of": base})).column("weight")
    assert np.allclose((shifted - plain)[hidden], 0.5 * sd)
    steps = [
        (impute(made, recipe({"kind": "tilt", "gamma": gamma, "of": base})).column("weight") - plain)[hidden]
        for gamma in (-1, 1, 2)
    ]
    assert np.ptp(steps[1]) < 1e-9 < steps[1][0]
    assert np.allclose(-steps[0], steps[1])
    assert np.allclose(2 * steps[1], steps[2])


def test_a_split_learns_each_side_from_its_own_cells():
    made = panel(n_patients=80)
    covariates = [{"variable": "age"}]
    ridge = {"kind": "ridge", "covariates": covariates}
    split = {"kind": "split", "by": {"variable": "glucose"}, "above": 0.0, "then": ridge, "otherwise": ridge}
    apart, hidden = impute(made, recipe(split)).column("weight"), np.isnan(made.column("weight"))
    above = made.column("glucose") > 0
    for side in (above, ~above):
        values = made.values.copy()
        values[:, :, 3][~side] = np.nan
        alone = impute(made.filled(values), recipe(ridge)).column("weight")
        assert np.allclose(apart[side & hidden], alone[side & hidden])


def test_a_static_is_estimated_once_and_the_same_at_every_step():
    values = panel().values.copy()
    values[2:5, :, 0] = np.nan
    covariates = [{"variable": "glucose"}, {"variable": "treated"}]
    rules = {"rules": [recipe({"kind": "carry"}).model_dump()["rules"][0]]}
    rules["rules"].append({"variables": ["age"], "operator": {"kind": "ridge", "covariates": covariates}})
    found = impute(Panel(values, VARIABLES), type(recipe({"kind": "carry"})).model_validate(rules))
    assert np.isfinite(found.column("age")).all()
    assert np.ptp(found.column("age"), axis=1).max() == 0


@pytest.mark.parametrize(
    ("operator", "names", "said"),
    [
        ({"kind": "carry"}, ("glucose",), "has no rule"),
        ({"kind": "carry"}, ("weight", "height"), "not one of the variables"),
        ({"kind": "carry"}, ("weight", "treated"), "never imputed"),
        ({"kind": "ridge", "covariates": [{"variable": "height"}]}, ("weight",), "not one of the variables"),
        ({"kind": "ridge", "covariates": [{"variable": "age", "lag": 5}]}, ("weight",), "beyond the 5 steps"),
        (OPERATORS["split"] | {"above": 50.0}, ("weight",), "outside the plausible range"),
        ({"kind": "clip", "low": 50, "high": 60, "of": {"kind": "carry"}}, ("weight",), "leaves nothing"),
    ],
)
def test_a_recipe_that_does_not_fit_the_panel_is_refused_without_an_echo(operator, names, said):
    with pytest.raises(InputError, match=said) as refused:
        impute(panel(), recipe(operator, *names))
    assert "height" not in str(refused.value)


def test_an_estimate_that_is_not_finite_is_a_typed_error(monkeypatch):
    def infinite(_self, _operator, name):
        shape = panel().column(name).shape
        return Estimate(np.full(shape, np.inf), np.ones(shape))

    monkeypatch.setattr(imputing.Estimator, "estimate", infinite)
    with pytest.raises(EngineError, match="weight is not finite"):
        impute(panel(), recipe({"kind": "carry"}))


def test_without_scikit_learn_chained_equations_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.impute", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[treatment\]'"):
        impute(panel(), recipe({"kind": "mice"}))
    impute(panel(), recipe(OPERATORS["neighbours"]))


def explicit_leave_one_out(table, values, penalty):
    """Residuals of ridge regressions each fitted without the cell, one by one."""
    off = []
    for left in range(len(values)):
        kept = np.arange(len(values)) != left
        rows, level = table[kept], values[kept].mean()
        centred = rows - rows.mean(axis=0)
        gram = centred.T @ centred + penalty * np.eye(table.shape[1])
        slopes = np.linalg.solve(gram, centred.T @ (values[kept] - level))
        off.append(values[left] - level - (table[left] - rows.mean(axis=0)) @ slopes)
    return np.array(off)


def test_what_a_regression_leaves_uncertain_is_its_error_at_cells_it_has_not_learned_from():
    made = panel(n_patients=8)
    asked = tuple(Covariate.model_validate(each) for each in PAST)
    said = Estimator(made, 0).estimate(Ridge(covariates=asked, penalty=2.0), "weight")
    weight, table = made.column("weight").ravel(), columns(made, asked)
    known = ~np.isnan(weight)
    off = explicit_leave_one_out(table[known], weight[known], 2.0)
    assert np.allclose(said.spread, np.sqrt(np.mean(off**2)), rtol=1e-8)


def noisy_column(n_patients=400, noise=2.0):
    """The weight is independent of all else, with a known standard deviation."""
    made, rng = panel(n_patients=n_patients, missing=0), np.random.default_rng(1)
    values = made.values.copy()
    values[:, :, 3] = noise * rng.normal(size=values.shape[:2])
    values[:, :, 3][rng.random(values.shape[:2]) < 0.3] = np.nan
    return Panel(values, VARIABLES)


@pytest.mark.parametrize("neighbours", [2, 3, 20])
def test_the_variance_among_neighbours_is_that_of_the_noise_whatever_their_number(neighbours):
    asked = (Covariate(variable="glucose"), Covariate(variable="age"))
    made = noisy_column()
    said = Estimator(made, 0).estimate(Neighbours(covariates=asked, neighbours=neighbours), "weight")
    assert np.mean(said.spread[np.isnan(made.column("weight"))] ** 2) == pytest.approx(4.0, rel=0.15)


def test_neighbours_by_hand_share_a_tie_and_leave_out_the_patient_s_later_steps():
    values = panel(n_patients=3, n_steps=3, missing=0).values.copy()
    values[:, :, 1] = [[0, 0, 5], [1, 0.5, 9], [0.5, 7, 8]]
    values[:, :, 3] = [[np.nan, 40, 2], [3, 10, 4], [20, 5, 6]]
    operator = {"kind": "neighbours", "covariates": [{"variable": "glucose"}], "neighbours": 2}
    assert impute(Panel(values, VARIABLES), recipe(operator)).column("weight")[0, 0] == pytest.approx(15)
    found = impute(Panel(values, VARIABLES), recipe(operator | {"neighbours": 3})).column("weight")
    assert found[0, 0] == pytest.approx((3 + 10 + 20) / 3)
    values[0, 0, 1] = 0.75
    found = impute(Panel(values, VARIABLES), recipe(operator | {"neighbours": 3})).column("weight")
    assert found[0, 0] == pytest.approx((3 + 10 + 20) / 3)
    found = impute(Panel(values, VARIABLES), recipe(operator)).column("weight")
    assert found[0, 0] == pytest.approx((3 + 10 + 20) / 3)
    found = impute(Panel(values, VARIABLES), recipe(operator | {"neighbours": 100})).column("weight")
    assert found[0, 0] == pytest.approx((3 + 10 + 4 + 20 + 5 + 6) / 6)


def test_equal_cells_are_neighbours_in_any_order_of_the_patients():
    made = panel(n_patients=30)
    operator = {"kind": "neighbours", "covariates": [{"variable": "treated"}], "neighbours": 4}
    found = impute(made, recipe(operator)).values
    assert np.allclose(impute(made.of(range(29, -1, -1)), recipe(operator)).values[::-1], found)


def test_chained_equations_leave_uncertain_what_they_miss_at_one_hidden_cell():
    made = noisy_column()
    rng = np.random.default_rng(2)
    values = made.values.copy()
    values[:, :, 3] = values[:, :, 1] - 3 * values[:, :, 2] + 0.1 * rng.normal(size=values.shape[:2])
    values[:, :, 3][made.missing[:, :, 3]] = np.nan
    said = Estimator(Panel(values, VARIABLES), 0).estimate(Mice(), "weight")
    assert said.spread[0, 0] == pytest.approx(0.1, rel=0.15)


@pytest.mark.parametrize("name", ["carry", "ridge", "neighbours", "mice"])
def test_a_static_is_learned_once_a_patient_and_not_from_its_own_repetition(name):
    """Nothing else tells of the age: its own spread is left uncertain, whatever is asked of its past."""
    values, rng = panel(n_patients=300, n_steps=8, missing=0).values.copy(), np.random.default_rng(0)
    values[:, :, 0] = rng.normal(size=(300, 1))
    values[:, :, 1] = rng.normal(size=(300, 8))
    values[:, :, 3] = rng.normal(size=(300, 8))
    values[::3, :, 0] = np.nan
    asked = [{"variable": "age", "lag": 1}, {"variable": "weight"}]
    operator = OPERATORS[name] | ({"covariates": asked} if "covariates" in OPERATORS[name] else {})
    made = Panel(values, VARIABLES)
    said = Estimator(made, 0).estimate(recipe(operator, "age").rules[0].operator, "age")
    spread = np.sqrt(np.mean(said.spread[::3, 0] ** 2))
    assert spread == pytest.approx(made.spread("age"), rel=0.15)
    assert np.abs(said.mean[::3, 0] - made.mean("age")).mean() < 0.7 * made.spread("age")


@pytest.mark.parametrize("name", OPERATORS)
def test_a_patient_s_future_moves_nothing_before_it_but_by_its_share_in_what_is_learned(name):
    """One patient of 400 goes far up after step 2; whatever read that would move as far."""
    made = panel(n_patients=400, n_steps=7, missing=0.4)
    patient = int(np.flatnonzero(made.missing[:, :3, 3].all(axis=1))[0])
    values = made.values.copy()
    values[patient, 3:, 1] = 45.0
    values[patient, 3:, 2] = 1 - values[patient, 3:, 2]
    values[patient, 3:, 3] = np.where(made.missing[patient, 3:, 3], 45.0, np.nan)
    before = impute(made, recipe(OPERATORS[name])).column("weight")[patient, :3]
    after = impute(made.filled(values), recipe(OPERATORS[name])).column("weight")[patient, :3]
    assert np.abs(after - before).max() < 0.2 * made.spread("weight")


def test_columns_by_hand():
    """The value at the lag, or the last before it, or the mean; then whether that at the lag is missing."""
    values = panel(n_patients=2, n_steps=4, missing=0).values.copy()
    values[:, :, 3] = [[np.nan, 4, np.nan, 10], [1, np.nan, np.nan, 9]]
    found = columns(Panel(values, VARIABLES), [Covariate(variable="weight", lag=1)])
    value = np.array([6, 6, 4, 4, 6, 1, 1, 1], dtype=float)
    missing = np.array([1, 1, 0, 1, 1, 0, 1, 1], dtype=float)
    expected = [(column - column.mean()) / column.std() for column in (value, missing)]
    assert np.allclose(found, np.stack(expected, axis=1))


def test_a_threshold_itself_is_not_above():
    values = panel(n_patients=2, n_steps=2, missing=0).values.copy()
    values[:, :, 1] = [[1, 2], [3, np.nan]]
    assert is_above(Panel(values, VARIABLES), Covariate(variable="glucose"), 2.0).tolist() == [[0, 0], [1, 1]]


def test_a_mixture_has_the_mean_and_the_variance_of_its_parts_and_of_their_disagreement():
    made = panel(n_patients=40)
    estimator = Estimator(made, 0)
    carry = {"kind": "carry"}
    parts = [carry, {"kind": "shift", "delta": 2.0, "of": carry}]
    mixed = {
        "kind": "mix",
        "parts": [{"weight": w, "of": part} for w, part in zip((0.9, 0.3), parts, strict=True)],
    }
    one, other, both = (
        estimator.estimate(recipe(each).rules[0].operator, "weight") for each in (*parts, mixed)
    )
    assert np.allclose(both.mean, 0.75 * one.mean + 0.25 * other.mean)
    apart = 2.0 * made.spread("weight")
    assert np.allclose(both.spread**2, one.spread**2 + 0.75 * 0.25 * apart**2)


def test_chained_equations_are_solved_for_each_side_of_a_split_apart():
    made, rng = panel(n_patients=300, missing=0), np.random.default_rng(0)
    values = made.values.copy()
    slope = np.where(values[:, :, 1] > 0, 5.0, -5.0)
    values[:, :, 3] = slope * values[:, :, 2] + 0.1 * rng.normal(size=slope.shape)
    hidden = rng.random(slope.shape) < 0.3
    truth = values[:, :, 3][hidden]
    values[:, :, 3][hidden] = np.nan
    mice = {"kind": "mice", "lags": 0}
    split = {"kind": "split", "by": {"variable": "glucose"}, "above": 0.0, "then": mice, "otherwise": mice}
    found = impute(Panel(values, VARIABLES), recipe(split)).column("weight")[hidden]
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.2

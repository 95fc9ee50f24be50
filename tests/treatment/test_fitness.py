"""Fitness: held out by the declared mechanism, unseen by what is judged, in the order of the true errors."""

from itertools import permutations

import numpy as np
import pytest

from tests.treatment.panels import VARIABLES, each, known, panel, recipe, simulated
from tools.safety.errors import InputError
from tools.treatment.fitness import Trials
from tools.treatment.imputing import impute
from tools.treatment.mechanism import Mechanism
from tools.treatment.panel import Panel
from tools.treatment.simulate import MASKED

COHORT = simulated(0.5, 2.0, n_patients=400)
TRIALS = Trials(COHORT.panel, COHORT.mechanisms, draws=2)


def tilted(sign):
    return each(
        COHORT,
        lambda name, strength: {
            **{"kind": "tilt", "gamma": sign * strength},
            "of": {"kind": "ridge", "covariates": known(name)},
        },
    )


RECIPES = {
    "plain": tilted(0),
    "right": tilted(1),
    "wrong": tilted(-1),
    "carried": recipe({"kind": "carry"}, *MASKED),
    "mice": recipe({"kind": "mice"}, *MASKED),
}


def true_error(chosen):
    found = impute(COHORT.panel, chosen)
    hidden = COHORT.panel.missing
    off = [
        np.sqrt(np.mean((found.column(name) - COHORT.complete.column(name))[hidden[:, :, place]] ** 2))
        / COHORT.complete.spread(name)
        for place, name in enumerate(COHORT.panel.names)
        if name in MASKED
    ]
    return float(np.mean(off))


def test_fitness_ranks_recipes_as_their_true_error_does():
    judged = {name: TRIALS.judge(chosen) for name, chosen in RECIPES.items()}
    truth = {name: true_error(chosen) for name, chosen in RECIPES.items()}
    apart = [(a, b) for a, b in permutations(RECIPES, 2) if truth[a] < 0.9 * truth[b]]
    assert len(apart) >= 8
    assert all(judged[a].mean_nrmse.estimate < judged[b].mean_nrmse.estimate for a, b in apart)
    assert min(truth, key=lambda name: truth[name]) == "right"
    for fitness in judged.values():
        assert set(fitness.nrmse) == set(MASKED)
        for found in (*fitness.nrmse.values(), *fitness.over_mice.values(), fitness.mean_over_mice):
            assert found.low <= found.estimate <= found.high
    mices = judged["mice"].mean_over_mice
    assert mices == (1.0, 1.0, 1.0)
    assert judged["right"].mean_over_mice.high < 1 < judged["wrong"].mean_over_mice.low


def test_the_same_seed_gives_the_same_fitness():
    again = Trials(COHORT.panel, COHORT.mechanisms, draws=2)
    assert again.judge(RECIPES["right"]) == TRIALS.judge(RECIPES["right"])


def test_held_out_cells_are_observed_ones_that_no_operator_sees_and_differ_as_declared():
    for trial in TRIALS.trials:
        assert np.isnan(trial.masked.values[trial.held_out]).all()
        assert not np.isnan(COHORT.panel.values[trial.held_out]).any()
        for place, name in enumerate(COHORT.panel.names):
            held, column = trial.held_out[:, :, place], COHORT.panel.column(name)
            if name in MASKED:
                assert abs(held.sum() / (~np.isnan(column)).sum() - 0.2) < 0.04
                assert column[held].mean() > np.nanmean(column[~held]) + 0.3 * np.nanstd(column)
            else:
                assert not held.any()


@pytest.mark.parametrize(
    "mechanisms",
    [
        [],
        [Mechanism(variable="weight", strength=1), Mechanism(variable="weight", strength=2)],
        [Mechanism(variable="weight", strength=1), Mechanism(variable="glucose", strength=2)],
        [Mechanism(variable="height", strength=1)],
    ],
)
def test_each_incomplete_variable_and_no_other_has_one_declared_mechanism(mechanisms):
    with pytest.raises(InputError, match="declare one for each"):
        Trials(panel(n_patients=60), mechanisms)


@pytest.mark.parametrize(("share", "draws"), [(0, 1), (0.6, 1), (float("nan"), 1), (0.2, 0), (0.2, 21)])
def test_shares_and_draws_out_of_bounds_are_refused(share, draws):
    with pytest.raises(InputError, match="share, draws"):
        Trials(panel(n_patients=60), [Mechanism(variable="weight", strength=1)], share, draws)


def test_a_variable_with_few_observed_cells_is_not_judged():
    with pytest.raises(InputError, match="less than 50"):
        Trials(panel(n_patients=6), [Mechanism(variable="weight", strength=1)])


def test_the_cells_of_a_static_count_once_a_patient():
    values = panel(n_patients=40, missing=0).values.copy()
    values[::3, :, 0] = np.nan
    with pytest.raises(InputError, match="less than 50") as refused:
        Trials(Panel(values, VARIABLES), [Mechanism(variable=name, strength=1) for name in ("age", "weight")])
    assert refused.value.field == "age"


def test_a_share_so_small_that_nothing_is_hidden_is_refused():
    with pytest.raises(InputError, match="none of its cells was hidden; raise the share"):
        Trials(panel(n_patients=60), [Mechanism(variable="weight", strength=1)], share=1e-9)


def test_the_order_in_which_mechanisms_are_declared_does_not_matter():
    other = Trials(COHORT.panel, COHORT.mechanisms[::-1], draws=2)
    for one, same in zip(TRIALS.trials, other.trials, strict=True):
        assert np.array_equal(one.held_out, same.held_out)
        assert one.masked.values.tobytes() == same.masked.values.tobytes()


@pytest.mark.parametrize("strength", [6, -6, float("nan"), float("inf")])
def test_a_strength_is_bounded(strength):
    with pytest.raises(ValueError, match="strength"):
        Mechanism(variable="weight", strength=strength)

"""The made-up cohort: its shares, its mechanism, its seed."""

import numpy as np
import pytest

from tests.treatment.panels import simulated
from tools.safety.errors import InputError
from tools.treatment.simulate import MASKED, simulate_panel


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_cells_of_each_biomarker_are_hidden_in_the_share_asked_for_and_no_other_value_changes(share):
    cohort = simulated(share, n_patients=1000)
    hidden = cohort.panel.missing
    for place, name in enumerate(cohort.panel.names):
        expected = share if name in MASKED else 0.0
        assert abs(hidden[:, :, place].mean() - expected) < 0.03
    assert np.array_equal(cohort.panel.values[~hidden], cohort.complete.values[~hidden])


@pytest.mark.parametrize("strength", [-2.0, 0.0, 2.0])
def test_the_odds_of_being_hidden_rise_with_the_value_by_the_declared_strength(strength):
    """ln f(x | hidden) / f(x | seen) is linear in x with that slope, by Bayes: a logistic fit finds it."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    cohort = simulated(0.5, strength, n_patients=4000)
    for mechanism in cohort.mechanisms:
        scores = cohort.complete.column(mechanism.variable) / cohort.panel.spread(mechanism.variable)
        hidden = np.isnan(cohort.panel.column(mechanism.variable))
        fitted = linear_model.LogisticRegression(C=1e6).fit(scores.reshape(-1, 1), hidden.ravel())
        assert abs(fitted.coef_[0, 0] - mechanism.strength) < 0.12


def test_the_seed_decides_every_bit():
    assert simulated().panel.values.tobytes() == simulated().panel.values.tobytes()
    assert simulated().panel.values.tobytes() != simulated(seed=1).panel.values.tobytes()


@pytest.mark.parametrize(
    ("share", "strength"), [(-0.1, 1.0), (0.99, 1.0), (float("nan"), 1.0), (0.5, {"hba1c": 1.0})]
)
def test_what_cannot_be_drawn_is_refused(share, strength):
    with pytest.raises(InputError):
        simulate_panel(50, 4, share, strength)

"""Small panels for the tests of imputation."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tools.treatment.operators import Operator, Recipe
from tools.treatment.panel import Panel, Variable
from tools.treatment.simulate import MASKED, Simulated, simulate_panel

VARIABLES = (
    Variable(name="age", kind="static", unit="years", low=-50, high=50),
    Variable(name="glucose", kind="confounder", unit="%", low=-50, high=50),
    Variable(name="treated", kind="treatment", low=0, high=1),
    Variable(name="weight", kind="outcome", unit="kg", low=-50, high=50),
)
PAST = [{"variable": "weight", "lag": 1}, {"variable": "glucose", "lag": 0}, {"variable": "age", "lag": 0}]
OPERATORS: dict[str, dict[str, Any]] = {
    "carry": {"kind": "carry"},
    "decay": {"kind": "carry", "half_life": 2},
    "ridge": {"kind": "ridge", "covariates": PAST},
    "neighbours": {"kind": "neighbours", "covariates": PAST, "neighbours": 3},
    "mice": {"kind": "mice", "lags": 1, "rounds": 2},
    "tilt": {"kind": "tilt", "gamma": 1.5, "of": {"kind": "ridge", "covariates": PAST}},
    "shift": {"kind": "shift", "delta": -1, "of": {"kind": "carry"}},
    "clip": {"kind": "clip", "low": -1, "high": 1, "of": {"kind": "carry"}},
    "split": {
        **{"kind": "split", "by": {"variable": "glucose", "lag": 1}, "above": 0},
        **{"then": {"kind": "ridge", "covariates": PAST}, "otherwise": {"kind": "carry"}},
    },
    "mix": {
        "kind": "mix",
        "parts": [
            {"weight": 0.75, "of": {"kind": "carry"}},
            {"weight": 0.25, "of": {"kind": "neighbours", "covariates": PAST, "neighbours": 5}},
        ],
    },
}


def recipe(operator: dict[str, Any] | Operator, *names: str) -> Recipe:
    """One operator for some variables; for the weight where none is named."""
    return Recipe.model_validate({"rules": [{"variables": names or ("weight",), "operator": operator}]})


def panel(n_patients: int = 12, n_steps: int = 5, missing: float = 0.3, seed: int = 0) -> Panel:
    """Random walks, with cells of the weight missing at random."""
    rng = np.random.default_rng(seed)
    shape = (n_patients, n_steps)
    age = np.repeat(rng.normal(size=(n_patients, 1)), n_steps, axis=1)
    glucose = np.cumsum(rng.normal(size=shape), axis=1) + age
    treated = (rng.random(shape) < 0.5).astype(float)
    treated[0, :2] = 0, 1
    weight = np.cumsum(rng.normal(size=shape), axis=1) + glucose
    hidden = rng.random(shape) < missing
    hidden[0, 0], hidden[1, :2] = True, False
    weight[hidden] = np.nan
    return Panel(np.stack([age, glucose, treated, weight], axis=2), VARIABLES)


panels = st.builds(panel, st.integers(4, 20), st.integers(2, 7), st.floats(0, 0.9), st.integers(0, 2**32 - 1))
operators = st.sampled_from(list(OPERATORS.values()))


def simulated(share: float = 0.5, strength: float = 2.0, n_patients: int = 250, seed: int = 0) -> Simulated:
    return simulate_panel(n_patients, 5, share, strength, seed)


def each(cohort: Simulated, make: Any) -> Recipe:
    """A recipe of one rule for each masked variable; `make` gives its operator by name and strength."""
    strengths = {mechanism.variable: mechanism.strength for mechanism in cohort.mechanisms}
    rules = [{"variables": [name], "operator": make(name, strengths[name])} for name in MASKED]
    return Recipe.model_validate({"rules": rules})


def known(name: str) -> list[dict[str, Any]]:
    """All that may be read of a simulated variable: its past, and the others now."""
    others = [n for n in ("age", "hba1c", "egfr", "pressure", "treated", "weight") if n != name]
    return [{"variable": name, "lag": 1}, {"variable": name, "lag": 2}, *({"variable": n} for n in others)]

"""A made-up longitudinal cohort of which every value is known, with cells hidden by their own value."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from tools.safety.errors import InputError
from tools.treatment.mechanism import Mechanism, self_masked
from tools.treatment.panel import Float, Panel, Variable

VARIABLES = (
    Variable(name="age", kind="static", unit="years", low=0, high=120),
    Variable(name="hba1c", kind="confounder", unit="%", low=3, high=20),
    Variable(name="egfr", kind="confounder", unit="mL/min/1.73 m2", low=0, high=250),
    Variable(name="pressure", kind="confounder", unit="mmHg", low=40, high=280),
    Variable(name="treated", kind="treatment", low=0, high=1),
    Variable(name="weight", kind="outcome", unit="kg", low=20, high=300),
)
MASKED = ("hba1c", "egfr", "pressure", "weight")
_LEVELS = {"hba1c": (7.8, 1.3), "egfr": (75.0, 14.0), "pressure": (138.0, 17.0), "weight": (92.0, 17.0)}


class Simulated(NamedTuple):
    """A cohort with its truth.

    Attributes:
        complete: every value.
        panel: the same with cells hidden.
        mechanisms: how they were hidden, by the spread of what is still observed.
    """

    complete: Panel
    panel: Panel
    mechanisms: tuple[Mechanism, ...]


def simulate_panel(
    n_patients: int,
    n_steps: int,
    share_missing: float,
    strength: float | Mapping[str, float],
    seed: int = 0,
) -> Simulated:
    """Draws a cohort of type-2 diabetes and hides cells of its biomarkers and outcome by their own value.

    All variables but the treatment are linear and Gaussian in the step before, the patient's frailty, and
    each other at the same step: glucose and pressure feed on frailty, kidney function falls with both, the
    treatment is given to those of high glucose and weight, and lowers weight and glucose from the next step
    on.

    Args:
        n_patients: two or more.
        n_steps: two or more.
        share_missing: of the cells of each of `MASKED`, 0 (none is hidden) up to 0.95.
        strength: log-odds of being hidden for each standard deviation of the complete values, see
            `tools.treatment.mechanism`; one for all, or one for each of `MASKED`.
        seed: of every draw.

    Raises:
        InputError: a share outside its bounds, a variable without strength, or too few cells left to be a
            panel.
    """
    if not 0 <= share_missing <= 0.95:
        raise InputError("share_missing", "must lie between 0 and 0.95")
    strengths = dict(strength) if isinstance(strength, Mapping) else dict.fromkeys(MASKED, strength)
    if set(strengths) != set(MASKED):
        raise InputError("strength", f"give one for each of {', '.join(MASKED)}")
    rng = np.random.default_rng(seed)
    complete = Panel(_drawn(n_patients, n_steps, rng), VARIABLES)
    values = complete.values.copy()
    for name in MASKED if share_missing else ():
        column = complete.column(name)
        hidden = self_masked(column / column.std(), strengths[name], share_missing, rng)
        values[:, :, complete.place(name)][hidden] = np.nan
    panel = complete.filled(values)
    declared = tuple(
        Mechanism(variable=name, strength=strengths[name] * panel.spread(name) / complete.spread(name))
        for name in MASKED
    )
    return Simulated(complete, panel, declared)


def _drawn(n_patients: int, n_steps: int, rng: np.random.Generator) -> Float:
    """Values in their units, clipped to the plausible ranges."""
    age, frailty = rng.normal(size=(2, n_patients))
    scores = {name: rng.normal(size=n_patients) for name in MASKED}
    treated = np.zeros(n_patients)
    steps = []
    for _ in range(n_steps):
        noise = dict(zip(MASKED, 0.35 * rng.normal(size=(len(MASKED), n_patients)), strict=True))
        hba1c = 0.7 * scores["hba1c"] + 0.5 * frailty - 0.4 * treated + noise["hba1c"]
        pressure = 0.6 * scores["pressure"] + 0.3 * frailty + 0.3 * age + 0.2 * hba1c + noise["pressure"]
        egfr = 0.75 * scores["egfr"] - 0.25 * hba1c - 0.2 * pressure - 0.2 * age + noise["egfr"]
        weight = 0.8 * scores["weight"] + 0.25 * hba1c + 0.2 * frailty - 0.5 * treated + noise["weight"]
        scores = {"hba1c": hba1c, "egfr": egfr, "pressure": pressure, "weight": weight}
        given = (rng.random(n_patients) < expit(1.5 * hba1c + weight - 0.5)).astype(np.float64)
        steps.append((age, hba1c, egfr, pressure, given, weight))
        treated = given
    drawn = np.array(steps).transpose(2, 0, 1)
    for place, variable in enumerate(VARIABLES):
        if variable.name in _LEVELS:
            mean, spread = _LEVELS[variable.name]
            drawn[:, :, place] = mean + spread * drawn[:, :, place]
    drawn[:, :, 0] = 60 + 10 * drawn[:, :, 0]
    lows, highs = np.array([(variable.low, variable.high) for variable in VARIABLES]).T
    return np.clip(drawn, lows, highs)

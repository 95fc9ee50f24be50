"""Carries a recipe out on a panel: what was observed stays, what is missing is estimated."""

import numpy as np

from tools.safety.errors import EngineError
from tools.treatment.admission import admit
from tools.treatment.estimating import Estimator
from tools.treatment.operators import Recipe
from tools.treatment.panel import Panel


def impute(panel: Panel, recipe: Recipe, seed: int = 0) -> Panel:
    """The panel without missing cells.

    Every operator reads the panel as it is given, with its missing cells as NaN, and never what another
    operator has estimated. An estimate reads its own patient up to its step and no further; what is learned
    (coefficients, means, spreads, donors) is learned from observed cells of the whole cohort at all steps, in
    which a patient's later steps count as any other's. A static takes what is estimated for the first step.
    Estimates are kept within the plausible range; observed cells come back bit for bit.

    Args:
        panel: with its missing cells.
        recipe: with a rule for each incomplete variable.
        seed: same panel, recipe and seed, same bytes.

    Raises:
        InputError: the recipe cannot be carried out on this panel, or needs scikit-learn, which is not
            installed.
        EngineError: an estimate is not finite.
    """
    admit(recipe, panel.variables, panel.n_steps, panel.incomplete)
    estimator = Estimator(panel, seed)
    values = panel.values.copy()
    for rule in recipe.rules:
        for name in rule.variables:
            place = panel.place(name)
            missing = np.isnan(panel.column(name))
            if missing.any():
                variable = panel.variables[place]
                said = estimator.estimate(rule.operator, name).mean
                said = np.broadcast_to(said[:, :1], said.shape) if variable.kind == "static" else said
                if not np.isfinite(said[missing]).all():
                    rule_ = f"an estimate of {name} is not finite; propose another operator"
                    raise EngineError("imputation", rule_)
                values[:, :, place][missing] = np.clip(said[missing], variable.low, variable.high)
    return panel.filled(values)

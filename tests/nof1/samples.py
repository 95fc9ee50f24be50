"""Small series of one person, invented."""

import numpy as np

from tools.nof1.series import Series
from tools.nof1.variables import Variable

SLEEP = Variable(name="sleep", unit="h", role="outcome", kind="continuous", lowest=0, highest=24)
HEADACHE = Variable(name="headache", unit="yes", role="outcome", kind="binary")
COFFEE = Variable(name="coffee", unit="cups", role="exposure", kind="count")
STRESS = Variable(name="stress", unit="0-10", role="covariate", kind="ordinal", lowest=0, highest=10)


def series(n_steps: int = 120, seed: int = 0, *outcomes: Variable) -> Series:
    """Outcomes (sleep, unless others are given), coffee and stress, 10 % of every column not observed."""
    rng = np.random.default_rng(seed)
    outcomes = outcomes or (SLEEP,)
    coffee = rng.poisson(2, n_steps).astype(float)
    stress = rng.integers(0, 11, n_steps).astype(float)
    columns = [drawn(one, 7.0 - 0.3 * coffee + rng.normal(0, 1, n_steps), rng) for one in outcomes]
    values = np.column_stack([*columns, coffee, stress])
    values[rng.random(values.shape) < 0.1] = np.nan
    return Series((*outcomes, COFFEE, STRESS), values)


def drawn(variable: Variable, latent, rng: np.random.Generator):
    """Values that a variable can have, from a latent course."""
    low, high = variable.possible
    match variable.kind:
        case "continuous":
            return np.clip(latent, low, high)
        case "binary":
            return (latent > 6.5).astype(float)
        case "count":
            return rng.poisson(np.abs(latent)).astype(float)
        case "ordinal":
            return np.clip(np.round(latent), low, high)

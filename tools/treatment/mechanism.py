"""Missingness that depends on the value itself, as the user declares it."""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import brentq
from scipy.special import expit

from tools.treatment.panel import Bool, Float, Name

Strength = Annotated[float, Field(ge=-5, le=5, allow_inf_nan=False)]


class Mechanism(BaseModel):
    """How a variable goes missing by its own value: logit P(missing | x) = a + s x / sd.

    By Bayes' theorem the missing values are then distributed as the observed ones tilted by exp(s x / sd),
    given anything else. It cannot be learned from the records: whoever asks declares it, and sweeps over it.

    Attributes:
        variable: that is missing by it.
        strength: s, log-odds for each standard deviation of the observed cells; above 0, high values are the
            ones that are missing, at 0 missing has nothing to do with the value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variable: Name
    strength: Strength


def self_masked(scores: Float, strength: float, share: float, rng: np.random.Generator) -> Bool:
    """Which cells a mechanism hides.

    Args:
        scores: x / sd of some cells, of any shape, without NaN.
        strength: s.
        share: of the cells that are hidden, in expectation; above 0, below 1.
        rng: one number is drawn a cell.

    Returns:
        Of the shape of `scores`.
    """
    logits = strength * (scores - scores.mean())
    reach = np.abs(logits).max() + 50.0
    level = brentq(lambda a: float(expit(a + logits).mean()) - share, -reach, reach)
    return np.asarray(rng.random(scores.shape) < expit(level + logits))

"""What is known of a cell from its patient's past: values at a lag, last seen, as columns."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.treatment.operators import Covariate
from tools.treatment.panel import Bool, Float, Panel


class Seen(NamedTuple):
    """What was last seen of a variable, at each step.

    Attributes:
        values: shape (n_patients, n_steps), NaN where nothing has been seen.
        gaps: steps since then, of the same shape; 0 where it is of the step itself.
    """

    values: Float
    gaps: npt.NDArray[np.int64]


def lagged(column: Float, lag: int) -> Float:
    """The column some steps before, shape (n_patients, n_steps), NaN before the first step."""
    if lag == 0:
        return column
    moved = np.full_like(column, np.nan)
    moved[:, lag:] = column[:, :-lag]
    return moved


def last_seen(column: Float) -> Seen:
    """The last known value up to and with each step."""
    steps = np.arange(column.shape[1])
    places = np.maximum.accumulate(np.where(np.isnan(column), -1, steps), axis=1)
    values = np.take_along_axis(column, np.maximum(places, 0), axis=1)
    return Seen(np.where(places >= 0, values, np.nan), steps - places)


def columns(panel: Panel, covariates: Sequence[Covariate]) -> Float:
    """Covariates as standardised columns without NaN.

    Each is the value at its lag, else the one last seen before, else the mean; where some but not all of its
    cells are missing, a second column says which: what is missing not at random tells of itself.

    Returns:
        Shape (n_patients x n_steps, k); constant columns are left out.
    """
    given: list[Float] = []
    for covariate in covariates:
        at_lag = lagged(panel.column(covariate.variable), covariate.lag)
        seen = last_seen(at_lag).values
        mean = np.nanmean(panel.column(covariate.variable))
        given += [np.where(np.isnan(seen), mean, seen).ravel(), np.isnan(at_lag).ravel().astype(np.float64)]
    table = np.stack(given, axis=1)
    spread = table.std(axis=0)
    varied = spread > 1e-9 * (1 + np.abs(table).max(axis=0))
    return np.asarray((table[:, varied] - table[:, varied].mean(axis=0)) / spread[varied])


def is_above(panel: Panel, covariate: Covariate, threshold: float) -> Bool:
    """Where the last seen value at a lag lies above a threshold; False where it is unknown."""
    seen = last_seen(lagged(panel.column(covariate.variable), covariate.lag)).values
    return np.asarray(np.nan_to_num(seen, nan=-np.inf) > threshold)

"""Chained equations (MICE, van Buuren 2011) by scikit-learn's IterativeImputer, which reads no future."""

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.safety.errors import InputError
from tools.treatment.operators import Covariate, Mice
from tools.treatment.panel import Bool, Float, Panel
from tools.treatment.past import columns

_MOST_ROWS = 5_000
_MOST_NEAREST = 40
_NO_SKLEARN = "chained equations need scikit-learn; install it with `pip install -e '.[treatment]'`"


class Chained(NamedTuple):
    """What the chain estimates of every variable.

    Attributes:
        means: shape (n_patients, n_steps, n_variables); the observed value where there is one.
        spreads: of each incomplete variable the root mean square error at observed cells that are hidden
            from the solved chain, one variable a row; shape (n_variables,), the standard deviation where
            there is none to hide.
    """

    means: Float
    spreads: Float


def chain(panel: Panel, operator: Mice, rows: Bool, seed: int) -> Chained:
    """Imputes each step from all variables at the step, and from what was last seen some steps before.

    An equation for each incomplete variable, by Bayesian ridge regression on the others at the step, which
    the chain fills in turn, and on the covariates of the past (`tools.treatment.past.columns`), which it
    does not.

    Args:
        panel: with its missing cells.
        operator: its lags and rounds.
        rows: patients' steps that it learns from, shape (n_patients, n_steps); of more than 5,000 a sample.
        seed: of the samples, and of the chain.

    Raises:
        InputError: scikit-learn is not installed.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
        from sklearn.experimental import (  # type: ignore[import-untyped]
            enable_iterative_imputer,  # noqa: F401
        )
        from sklearn.impute import IterativeImputer  # type: ignore[import-untyped]
    except ImportError:
        raise InputError("scikit-learn", _NO_SKLEARN) from None
    rng = np.random.default_rng(seed)
    flat = panel.values.reshape(-1, len(panel.names))
    means, spreads = np.nanmean(flat, axis=0), np.nanstd(flat, axis=0)
    present = (flat - means) / spreads
    table = np.concatenate([present, _past(panel, operator.lags)], axis=1)
    imputer = IterativeImputer(
        max_iter=operator.rounds,
        n_nearest_features=_MOST_NEAREST if table.shape[1] > _MOST_NEAREST else None,
        keep_empty_features=True,
        skip_complete=True,
        random_state=seed,
    )
    learned = _learned(rows, present, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        imputer.fit(table[learned])
    n = len(panel.names)
    filled = imputer.transform(table)[:, :n]
    tried = _one_a_row(present[rows.ravel()], np.isnan(present[learned]).any(axis=0), rng)
    table, present = table[rows.ravel()], present[rows.ravel()]
    table[:, :n][tried] = np.nan
    off = np.where(tried, imputer.transform(table)[:, :n] - present, 0.0)
    n_tried = tried.sum(axis=0)
    error = np.where(n_tried, np.sqrt((off**2).sum(axis=0) / np.maximum(n_tried, 1)), 1.0)
    return Chained((filled * spreads + means).reshape(panel.values.shape), error * spreads)


def _one_a_row(present: Float, incomplete: Bool, rng: np.random.Generator) -> Bool:
    """An observed cell of each row, of a variable with an equation; none where the one drawn is missing."""
    tried = np.zeros(present.shape, dtype=bool)
    if incomplete.any():
        chosen = rng.choice(np.flatnonzero(incomplete), len(present))
        tried[np.arange(len(present)), chosen] = True
    return tried & ~np.isnan(present)


def _past(panel: Panel, lags: int) -> Float:
    """What was last seen at each lag, shape (n_patients x n_steps, k)."""
    moving = [variable.name for variable in panel.variables if variable.kind != "static"]
    asked = [Covariate(variable=name, lag=lag) for lag in range(1, lags + 1) for name in moving]
    reachable = [covariate for covariate in asked if covariate.lag < panel.n_steps]
    return columns(panel, reachable) if reachable else np.empty((panel.missing[:, :, 0].size, 0))


def _learned(rows: Bool, present: Float, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Rows to learn from; a variable incomplete among all is so among these, else it has no equation."""
    learned = np.flatnonzero(rows)
    if len(learned) <= _MOST_ROWS:
        return learned
    missing = np.isnan(present[learned])
    needed = learned[missing.argmax(axis=0)[missing.any(axis=0)]]
    return np.union1d(rng.choice(learned, _MOST_ROWS, replace=False), needed)

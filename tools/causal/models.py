"""How the probability of an effect may depend on its causes: the models that scores and strengths rest on."""

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tools.causal import logistic, noisy_or
from tools.causal.cell_scores import CELL_SCORES
from tools.numerics import grouped
from tools.numerics.jit import Kernels

Float = npt.NDArray[np.float64]
Counts = npt.NDArray[np.float64] | npt.NDArray[np.int64]
ModelName = Literal["table", "noisy_or", "logistic"]

PRIOR_PATIENTS = 1.0


class Model(NamedTuple):
    """A model of families with one shape, fitted by maximum likelihood.

    Attributes:
        n_parameters: (n_strata, n_parents) -> number of free parameters.
        log_likelihood: (tables, n_strata, kernels) -> nats, shape (n,); the tables are of the shape
            (n, n_strata * 2**n_parents, 2).
        probabilities: likewise -> P(effect | cell), shape (n, n_strata * 2**n_parents).
    """

    n_parameters: Callable[[int, int], int]
    log_likelihood: Callable[[Counts, int, Kernels], Float]
    probabilities: Callable[[Float, int, Kernels], Float]


def _table_likelihood(tables: Counts, _n_strata: int, _kernels: Kernels) -> Float:
    return np.asarray(CELL_SCORES["loglik"].value(tables, 1, 1.0).sum(axis=1))


def _table_shares(tables: Float, _n_strata: int, _kernels: Kernels) -> Float:
    return np.asarray(tables[..., 1] / tables.sum(axis=-1))


def _noisy_or_likelihood(tables: Counts, n_strata: int, kernels: Kernels) -> Float:
    return noisy_or.fit(tables, n_strata, kernels=kernels).log_likelihood


def _noisy_or_probabilities(tables: Float, n_strata: int, kernels: Kernels) -> Float:
    fitted = noisy_or.fit(tables, n_strata, kernels=kernels)
    cells = grouped.design(n_strata, fitted.theta.shape[1])
    return noisy_or.strength(np.maximum(np.hstack([fitted.leak, fitted.theta]) @ cells.T, noisy_or.FLOOR))


def _logistic_likelihood(tables: Counts, n_strata: int, kernels: Kernels) -> Float:
    return logistic.fit(tables, n_strata, kernels=kernels).log_likelihood


def _logistic_probabilities(tables: Float, n_strata: int, kernels: Kernels) -> Float:
    fitted = logistic.fit(tables, n_strata, kernels=kernels)
    cells = grouped.design(n_strata, fitted.weights.shape[1])
    return np.asarray(special.expit(np.hstack([fitted.intercept, fitted.weights]) @ cells.T))


MODELS: Mapping[ModelName, Model] = {
    "table": Model(lambda n_strata, n_parents: n_strata << n_parents, _table_likelihood, _table_shares),
    "noisy_or": Model(
        lambda n_strata, n_parents: n_strata + n_parents, _noisy_or_likelihood, _noisy_or_probabilities
    ),
    "logistic": Model(
        lambda n_strata, n_parents: n_strata + n_parents, _logistic_likelihood, _logistic_probabilities
    ),
}


def charged(model: Model, likelihoods: Float, n_strata: int, n_parents: int, n_patients: int) -> Float:
    """Log-likelihoods less log(n_patients) / 2 for each free parameter, shape (n,)."""
    return likelihoods - 0.5 * math.log(n_patients) * model.n_parameters(n_strata, n_parents)


def bic(model: Model, tables: Counts, n_strata: int, n_patients: int, kernels: Kernels) -> Float:
    """The log-likelihood of a model, `charged`, shape (n,)."""
    n_parents = (tables.shape[1] // n_strata).bit_length() - 1
    return charged(model, model.log_likelihood(tables, n_strata, kernels), n_strata, n_parents, n_patients)


def held_out(model: Model, by_fold: Float, n_strata: int, kernels: Kernels) -> Float:
    """Log-likelihood of each fold under the model fitted to the others, summed over folds; nats, shape (n,).

    One pseudo-patient at the pooled rate, spread over the cells, stands behind the fit, so that what was not
    seen in the other folds is improbable and not impossible.

    Args:
        model: the model.
        by_fold: shape (n, n_folds, n_strata * 2**n_parents, 2).
        n_strata: number of strata.
        kernels: which implementation fits.
    """
    n, n_folds, n_cells, _ = by_fold.shape
    rest = by_fold.sum(axis=1, keepdims=True) - by_fold
    pooled = rest.sum(axis=2, keepdims=True)
    rate = (pooled[..., 1:] + 0.5) / (pooled.sum(axis=-1, keepdims=True) + 1.0)
    prior = PRIOR_PATIENTS / n_cells * np.concatenate([1.0 - rate, rate], axis=-1)
    train = (rest + prior).reshape(n * n_folds, n_cells, 2)
    found = np.clip(model.probabilities(train, n_strata, kernels), 1e-12, 1.0 - 1e-12)
    found = found.reshape(n, n_folds, n_cells)
    terms = by_fold[..., 1] * np.log(found) + by_fold[..., 0] * np.log1p(-found)
    return np.asarray(terms.sum(axis=(1, 2)))

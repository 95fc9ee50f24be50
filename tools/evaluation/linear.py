"""One-vs-rest ridge regression of the next visit on the history: the learned baseline."""

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from tools.evaluation.splits import set_apart
from tools.evaluation.training import Training
from tools.numerics.runs import spans
from tools.records.cohort import Cohort, IntArray
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.evaluation.examples import Examples

Float = npt.NDArray[np.float64]
Matrix: TypeAlias = "sparse.csr_array[np.float64]"

PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0)


class Steps(NamedTuple):
    """Every visit of some patients that has an earlier one.

    Attributes:
        features: what came before it, see `features`; shape (n_steps, 2 n_codes).
        next: the codes of the visit, ones, shape (n_steps, n_codes).
    """

    features: Matrix
    next: Matrix


class Ridge(NamedTuple):
    """A fitted model: scores = features @ coefficients + intercepts."""

    coefficients: Float
    intercepts: Float

    def scores(self, features: Matrix) -> Float:
        """Shape (n, n_codes)."""
        return np.asarray(features @ self.coefficients + self.intercepts, dtype=np.float64)


def fit_linear(training: Training) -> "Callable[[Examples], Float]":
    """Ridge regression of each code on the binary history, one for every code.

    Features: whether the history holds a code, and whether its last visit does. Every visit with an earlier
    one is learned from. The penalty is the one of `PENALTIES` with the least squared error over the visits of
    every tenth training patient, set apart; with it all patients are fitted again.
    """
    cohort = training.cohort
    ridge = fit_ridge(steps(cohort), choose_penalty(cohort))

    def scores(examples: "Examples") -> Float:
        known, latest = (m[:, training.columns] for m in (examples.known, examples.latest))
        return training.placed(ridge.scores(features(known, latest)))

    return scores


def choose_penalty(cohort: Cohort) -> float:
    """The penalty with the least mean squared error on patients set apart; the larger where two are equal."""
    fitted, apart = set_apart(cohort.n_patients)
    learned, held = steps(cohort.subset(fitted)), steps(cohort.subset(apart))
    truth = held.next.toarray()
    errors = {
        penalty: float(np.square(fit_ridge(learned, penalty).scores(held.features) - truth).mean())
        for penalty in PENALTIES
    }
    return min(reversed(PENALTIES), key=errors.__getitem__)


def features(known: "sparse.csr_array[np.bool_]", latest: "sparse.csr_array[np.bool_]") -> Matrix:
    """Codes of the history, then codes of its last visit, ones, shape (n, 2 n_codes)."""
    return sparse.csr_array(sparse.hstack([known, latest], format="csr", dtype=np.float64))


def steps(cohort: Cohort) -> Steps:
    """What can be learned from, see `Steps`; patients in order, their visits oldest first."""
    visits = sparse.csr_array(
        (np.ones(len(cohort.codes), dtype=np.bool_), cohort.codes, cohort.code_offsets),
        shape=(cohort.n_visits, len(cohort.vocabulary)),
    )
    has_next = np.ones(cohort.n_visits, dtype=np.bool_)
    has_next[cohort.visit_offsets[1:][cohort.visits_per_patient > 0] - 1] = False
    now = np.flatnonzero(has_next)
    return Steps(
        features(_so_far(cohort, now), visits[now]), sparse.csr_array(visits[now + 1].astype(np.float64))
    )


def _so_far(cohort: Cohort, now: IntArray) -> "sparse.csr_array[np.bool_]":
    """The codes of each visit of `now` and of the patient's earlier ones."""
    patient = np.repeat(np.arange(cohort.n_patients), cohort.visits_per_patient)
    end = cohort.visit_offsets[patient + 1] - 1
    visit = np.repeat(np.arange(cohort.n_visits), np.diff(cohort.code_offsets))
    lengths = end[visit] - visit
    place = np.full(cohort.n_visits, -1)
    place[now] = np.arange(len(now))
    pairs = (place[spans(visit, lengths)], np.repeat(cohort.codes, lengths))
    held = sparse.coo_array((np.ones(len(pairs[0])), pairs), shape=(len(now), len(cohort.vocabulary)))
    return sparse.csr_array(held.tocsr() > 0)


def fit_ridge(learned: Steps, penalty: float) -> Ridge:
    """B = (X'X + penalty I)^-1 X'Y of centred X and Y, with intercepts that are not penalised.

    Where there are fewer steps than features the equal B = X'(XX' + penalty I)^-1 Y is solved.

    Args:
        learned: at least one step.
        penalty: above 0.

    Raises:
        InputError: no step to learn from, or a penalty that is not above 0.
    """
    x, y = learned
    if not x.shape[0] or not penalty > 0:
        raise InputError("linear", "needs a training patient with two visits, and a penalty above 0")
    x_mean, y_mean = _means(x), _means(y)
    solved = _by_features if x.shape[1] <= x.shape[0] else _by_steps
    coefficients = solved(x, y, x_mean, y_mean, penalty)
    return Ridge(coefficients, y_mean - x_mean @ coefficients)


def _means(matrix: Matrix) -> Float:
    return np.asarray(matrix.mean(axis=0), dtype=np.float64).ravel()


def _by_features(x: Matrix, y: Matrix, x_mean: Float, y_mean: Float, penalty: float) -> Float:
    gram = (x.T @ x).toarray() - x.shape[0] * np.outer(x_mean, x_mean)
    return _solved(gram, (x.T @ y).toarray() - x.shape[0] * np.outer(x_mean, y_mean), penalty)


def _by_steps(x: Matrix, y: Matrix, x_mean: Float, y_mean: Float, penalty: float) -> Float:
    gram = (x @ x.T).toarray()
    across = gram.mean(axis=0)
    gram += across.mean() - across - across[:, None]
    # The solution sums to 0 over the steps, so X need not be centred a second time.
    return np.asarray(x.T @ _solved(gram, y.toarray() - y_mean, penalty), dtype=np.float64)


def _solved(gram: Float, right: Float, penalty: float) -> Float:
    np.fill_diagonal(gram, gram.diagonal() + penalty)
    solution = linalg.solve(gram, right, assume_a="pos", overwrite_a=True, overwrite_b=True)
    return np.asarray(solution, dtype=np.float64)

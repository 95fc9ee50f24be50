"""What a predictor has to beat: six baselines, each learned from training patients only.

A baseline scores every code that a training patient has; other codes are -inf, not ranked, even where they
stand in the patient's own history. Higher is better; only the order means something. The transition baselines
break ties, such as codes never seen to follow, by frequency.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tools.dataset.arrays import blocks
from tools.evaluation.examples import Examples
from tools.evaluation.linear import fit_linear
from tools.evaluation.rankings import Rankings, rank_scores
from tools.evaluation.training import Training
from tools.prediction.candidates import log_complement
from tools.records.cohort import Cohort, Vocabulary
from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]
Matrix: TypeAlias = "sparse.csr_array[np.float64]"
Scorer = Callable[[Examples], Float]

_TIE = 1e-9  # below any difference between transition scores that counts can make on purpose
_ENTRIES_AT_ONCE = 2**22


def fit_frequency(training: Training) -> Scorer:
    """The share of training visits that hold the code; the same order for everybody."""
    return lambda examples: training.placed(np.tile(training.shares, (len(examples), 1)))


def fit_history_frequency(training: Training) -> Scorer:
    """History codes first: those of most visits, then of the latest visit, then by frequency; the rest after.

    With T visits, a code held by k of them and last by number t scores k (T + 1) + t + f / 2, f its `shares`.
    """

    def scores(examples: Examples) -> Float:
        ranked = np.tile(training.shares / 2, (len(examples), 1))
        for row, visits in enumerate(training.histories(examples)):
            last = np.zeros(len(training.shares))
            for t, visit in enumerate(visits, start=1):
                ranked[row, visit] += len(visits) + 1
                last[visit] = t
            ranked[row] += last
        return training.placed(ranked)

    return scores


def fit_transition_sum(training: Training) -> Scorer:
    """sum_a A_T[a,b] over the history's codes a, A_T of eq. 1: b in the visit or the next, A_T[a,a] = 1."""
    transition = training.dataset.transition()
    return lambda examples: _ranked(training, _known(training, examples) @ transition)


def fit_transition_noisy_or(training: Training) -> Scorer:
    """1 - prod_a (1 - A_T[a,b]) over the history's codes a, A_T of eq. 1 as in `fit_transition_sum`.

    Scored by -sum_a log(1 - A_T[a,b]), which orders alike where the product is too near 1 to be told from it.
    """
    weights = _logs(training.dataset.transition())
    return lambda examples: _ranked(training, _known(training, examples) @ weights)


def fit_history_transition(training: Training) -> Scorer:
    """History codes first, then the rest; within both by the noisy-OR of the next-only A_T.

    A history code scores 2 more, so that a certain newcomer stays behind it.
    """
    weights = _logs(training.dataset.transition(next_only=True))

    def scores(examples: Examples) -> Float:
        known = _known(training, examples)
        risks = (known @ weights).tocsr()
        risks.data = -np.expm1(-risks.data)
        return _ranked(training, risks + 2.0 * known)

    return scores


BASELINES: dict[str, Callable[[Training], Scorer]] = {
    "frequency": fit_frequency,
    "history_frequency": fit_history_frequency,
    "transition_sum": fit_transition_sum,
    "transition_noisy_or": fit_transition_noisy_or,
    "history_transition": fit_history_transition,
    "linear": fit_linear,
}


def fit(name: str, train: Cohort, whole: Vocabulary) -> Scorer:
    """Learn a baseline.

    Args:
        name: one of `BASELINES`.
        train: training patients with a vocabulary of only their codes (`training_cohort`).
        whole: the vocabulary of the whole cohort.

    Returns:
        What scores examples: shape (n, n_codes), -inf for codes that no training patient has.

    Raises:
        InputError: no such baseline, or a training code that is not in the whole vocabulary.
    """
    if name not in BASELINES:
        raise InputError("methods", f"no such baseline; use {', '.join(BASELINES)}")
    return BASELINES[name](Training(train, whole))


def rank(scorer: Scorer, examples: Examples, k: int, length: int) -> Rankings:
    """Rank the codes of many patients, block by block, so that no scores of all are ever held.

    Args:
        scorer: see `fit`.
        examples: whom to predict.
        k: codes to keep of each patient.
        length: of the list proposed for each, such as `Training.codes_per_visit`.
    """
    size = max(1, _ENTRIES_AT_ONCE // max(examples.n_codes, 1))
    parts = [
        rank_scores(scorer(examples.part(block)), k, length).codes for block in blocks(len(examples), size)
    ]
    width = min(k, examples.n_codes)
    codes = np.concatenate(parts) if parts else np.empty((0, width), dtype=np.int32)
    return Rankings(codes, None, np.full(len(examples), length, dtype=np.int64))


def _known(training: Training, examples: Examples) -> Matrix:
    """Which training codes each history holds, ones, shape (n, n_training_codes)."""
    return sparse.csr_array(examples.known[:, training.columns].astype(np.float64))


def _logs(transition: Matrix) -> Matrix:
    """-log(1 - A_T), as sparse as A_T."""
    values = -log_complement(transition.data)
    return sparse.csr_array((values, transition.indices, transition.indptr), shape=transition.shape)


def _ranked(training: Training, scores: Matrix) -> Float:
    return training.placed(scores.toarray() + _TIE * training.shares)

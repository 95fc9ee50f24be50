"""Diseases that may follow from a history: candidate selection (II-KEA eq. 4)."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from tools.dataset.clinical import ClinicalDataset
from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]
Mode = Literal["any", "all", "noisy_or", "top_k"]

CAP = 40
SHRINK = 5.0


class Candidate(NamedTuple):
    """A disease that may follow.

    Attributes:
        key: vocabulary key.
        score: 1 - prod_a (1 - A_T[a, key]) over the history a, what the ranking is by.
        strongest: the history code with the largest A_T[a, key].
        lift: A_T[strongest, key] over the base rate, 0 where the base rate is 0.
        base_rate: share of transitions whose next visit has the code.
    """

    key: str
    score: float
    strongest: str
    lift: float
    base_rate: float


def select_candidates(
    dataset: ClinicalDataset,
    history: Iterable[str],
    mode: Mode = "noisy_or",
    epsilon: float = 0.01,
    cap: int = CAP,
    next_only: bool = True,
    shrink: float = SHRINK,
) -> tuple[Candidate, ...]:
    """Codes outside the history that it makes likely (II-KEA eq. 4).

    Which codes pass:
        any: A_T[a,b] > epsilon for some a of the history (the authors' code).
        all: A_T[a,b] > epsilon for every a of the history (the paper's print).
        noisy_or: 1 - prod_a (1 - A_T[a,b]) > epsilon.
        top_k: every code with a positive score.

    Whatever the mode, candidates are ranked by the noisy-OR score, ties by key, and cut at `cap`.

    Args:
        dataset: the counts.
        history: the patient's codes so far; repeats are dropped.
        mode: see above.
        epsilon: threshold on a probability, 0 to 1.
        cap: most candidates, 1 or more.
        next_only: use P(b in the next visit | a), which is what is being predicted, instead of eq. 1's union
            with the current visit, by which codes that merely accompany the history rank high.
        shrink: see `ClinicalDataset.transition`; keeps rows that rest on a handful of visits from leading.

    Raises:
        InputError: empty history, a code outside the vocabulary, or an argument out of range.
    """
    keys = tuple(sorted(set(history)))
    if not keys:
        raise InputError("history", "holds no code of the data set; give at least one")
    check_arguments(mode, epsilon)
    if cap < 1:
        raise InputError("cap", "1 or more")
    rows = dataset.transition_rows(keys, next_only, shrink)
    score = -np.expm1(log_complement(rows).sum(axis=0))
    passes = _passes(rows, score, mode, epsilon)
    passes[[dataset.vocabulary.column(key) for key in keys]] = False
    names = dataset.vocabulary.keys
    chosen = sorted(np.flatnonzero(passes), key=lambda column: (-score[column], names[column]))[:cap]
    return tuple(_candidate(dataset, keys, rows, score, int(column)) for column in chosen)


def check_arguments(mode: str, epsilon: float) -> None:
    """Refuse arguments out of range.

    Raises:
        InputError: `mode` is none of the modes, or `epsilon` no probability.
    """
    if mode not in get_args(Mode):
        raise InputError("mode", f"one of {', '.join(get_args(Mode))}")
    if not 0.0 <= epsilon <= 1.0:
        raise InputError("epsilon", "a probability, 0 to 1")


def log_complement(chances: Float) -> Float:
    """log(1 - p), finite where p is 1, so that a certain code beats the others without hiding their order."""
    logs: Float = np.minimum(chances, 1.0 - 1e-12)
    np.negative(logs, out=logs)
    return np.asarray(np.log1p(logs, out=logs), dtype=np.float64)


def _passes(rows: Float, score: Float, mode: Mode, epsilon: float) -> npt.NDArray[np.bool_]:
    if mode == "any":
        return np.asarray(np.any(rows > epsilon, axis=0))
    if mode == "all":
        return np.asarray(np.all(rows > epsilon, axis=0))
    return score > (epsilon if mode == "noisy_or" else 0.0)


def _candidate(
    dataset: ClinicalDataset, keys: tuple[str, ...], rows: Float, score: Float, column: int
) -> Candidate:
    strongest = int(np.argmax(rows[:, column]))
    base_rate = float(dataset.base_rates[column])
    lift = float(rows[strongest, column] / base_rate) if base_rate else 0.0
    return Candidate(dataset.vocabulary.keys[column], float(score[column]), keys[strongest], lift, base_rate)

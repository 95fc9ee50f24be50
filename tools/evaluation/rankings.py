"""What a method answers: for each patient codes in order, best first, and how many of them it stands by."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.dataset.arrays import blocks
from tools.safety.errors import InputError

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

PADDING = -1
_ENTRIES_AT_ONCE = 2**22  # scores of a block of patients, 32 MB


@dataclass(frozen=True, eq=False)
class Rankings:
    """Ranked codes of n patients, at most k of each; columns of the whole cohort's vocabulary.

    A patient without any ranked code is one whom the method refused to predict.

    Attributes:
        codes: best first, each once, then `PADDING`; shape (n, k).
        probabilities: that the code follows, in [0, 1], NaN at padding; shape (n, k). None where the
            method gives an order only.
        length: of the list that the method itself proposes, whatever k is; shape (n,).

    Raises:
        InputError: shapes differ, a value is out of its range, a code stands twice in a row or after padding.
    """

    codes: Int32
    probabilities: Float | None
    length: Int64

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.length.shape != self.codes.shape[:1]:
            raise InputError("rankings", "codes need shape (n, k) and lengths shape (n,)")
        if (self.codes < PADDING).any() or (self.length < 0).any():
            raise InputError("rankings", "a code is below -1 or a length below 0")
        if (self.ranked[:, 1:] > self.ranked[:, :-1]).any():
            raise InputError("rankings", "a code stands after padding; padding comes last")
        in_order = np.sort(self.codes, axis=1)
        if ((in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] != PADDING)).any():
            raise InputError("rankings", "a code stands twice in one row; rank it once")
        if self.probabilities is not None:
            self._check(self.probabilities)

    def _check(self, probabilities: Float) -> None:
        if probabilities.shape != self.codes.shape:
            raise InputError("probabilities", "need the shape of the codes")
        if (np.isnan(probabilities) == self.ranked).any():
            raise InputError("probabilities", "NaN at padding and nowhere else")
        if ((probabilities < 0) | (probabilities > 1)).any():
            raise InputError("probabilities", "not between 0 and 1")

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def ranked(self) -> Bool:
        """Where there is a code, shape (n, k)."""
        return np.asarray(self.codes != PADDING)

    @property
    def refused(self) -> Bool:
        """Patients without any ranked code, shape (n,)."""
        return np.asarray(~self.ranked.any(axis=1))

    @property
    def proposed(self) -> Int64:
        """Length of the proposed list as far as it is ranked, shape (n,)."""
        return np.asarray(np.minimum(self.length, self.ranked.sum(axis=1)))


def rank_scores(
    scores: npt.NDArray[np.floating], k: int, length: npt.ArrayLike, are_probabilities: bool = False
) -> Rankings:
    """The k best codes of each patient; equal scores by column, the lower first.

    Args:
        scores: higher is better, -inf for a code that is not to be ranked; shape (n, n_codes).
        k: codes to keep of each patient, 1 or more; no more than there are.
        length: of the list each patient's method proposes, shape (n,) or one for all.
        are_probabilities: keep the scores as probabilities.

    Raises:
        InputError: scores of another shape or NaN, k below 1, or what `Rankings` refuses.
    """
    if scores.ndim != 2 or k < 1:
        raise InputError("scores", "need shape (n, n_codes), and k of 1 or more")
    n, n_codes = scores.shape
    k = min(k, n_codes)
    codes = np.empty((n, k), dtype=np.int32)
    kept = np.empty((n, k))
    for block in blocks(n, max(1, _ENTRIES_AT_ONCE // max(n_codes, 1))) if k else ():
        codes[block] = _best(scores[block], k)
        kept[block] = np.take_along_axis(scores[block], codes[block], axis=1)
    unranked = np.isneginf(kept)
    codes[unranked] = PADDING
    return Rankings(
        codes,
        np.where(unranked, np.nan, kept) if are_probabilities else None,
        np.broadcast_to(np.asarray(length, dtype=np.int64), (n,)).copy(),
    )


def _best(scores: npt.NDArray[np.floating], k: int) -> npt.NDArray[np.intp]:
    if np.isnan(scores).any():
        raise InputError("scores", "NaN among them; use -inf for a code that is not to be ranked")
    worth = -scores
    bar = np.partition(worth, k - 1, axis=1)[:, k - 1 : k]
    better, level = worth < bar, worth == bar
    level &= np.cumsum(level, axis=1) <= k - better.sum(axis=1, keepdims=True)
    columns = np.nonzero(better | level)[1].reshape(len(scores), k)
    in_order = np.argsort(np.take_along_axis(worth, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, in_order, axis=1)

"""How good a ranking is: weighted F1, recall at k, repeats and new codes apart.

All are shares between 0 and 1, given as a `Statistic`: `.value()` over the patients, `.values(weights)` over
resamples of them. A patient whom the method refused is a miss in each. `target` is a boolean sparse matrix of
shape (n, n_codes); ask about part of the true codes by giving only that part, as `recall(r, repeats, 10)`.
"""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tools.evaluation.rankings import Rankings
from tools.evaluation.statistic import Float, Statistic, mean, ratio
from tools.safety.errors import InputError

Int64 = npt.NDArray[np.int64]
Codes: TypeAlias = "sparse.csr_array[np.bool_]"

UNSEEN = -1


def w_f1(rankings: Rankings, target: Codes) -> Statistic:
    """Weighted F1 of each patient's first n codes, n the number of the patient's true codes (Chet, 2022).

    F1 = sum_c s_c F1_c / sum_c s_c, F1_c = 2 tp_c / (p_c + s_c), where s_c patients have code c, p_c are
    predicted to, tp_c are both: scikit-learn's `f1_score(average="weighted", zero_division=0)`. The method
    is told how many codes there are, see `w_f1_list`. Where n is above k, k codes are predicted.

    Args:
        rankings: n patients.
        target: their true codes, shape (n, n_codes).

    Returns:
        NaN where nobody has a true code.

    Raises:
        InputError: the two do not fit together.
    """
    return _weighted_f1(rankings, target, np.diff(checked(rankings, target).indptr))


def w_f1_list(rankings: Rankings, target: Codes) -> Statistic:
    """Weighted F1 of the list that the method itself proposed, at most k codes; otherwise as `w_f1`."""
    return _weighted_f1(rankings, target, rankings.length)


def recall(rankings: Rankings, target: Codes, k: int) -> Statistic:
    """recall@k = |first k codes and true codes| / |true codes|, mean over patients with a true code.

    Args:
        rankings: n patients.
        target: the codes to be found, shape (n, n_codes).
        k: no more than the rankings hold.

    Returns:
        NaN where nobody has a code to be found.

    Raises:
        InputError: the two do not fit together, or fewer than k codes were kept.
    """
    wanted = checked(rankings, target)
    kept = rankings.codes.shape[1]
    if k < 1 or kept < min(k, wanted.shape[1]):
        raise InputError("rankings", f"keep {kept} codes a patient, so there is no recall@{k}; keep more")
    true = np.diff(wanted.indptr)
    found = first_codes(rankings, k, wanted.shape[1]).multiply(wanted).sum(axis=1)
    return mean(ratio(found, true, where_empty=0.0), true > 0)


def banded(target: Codes, bands: Int64, wanted: Iterable[int]) -> dict[int, Codes]:
    """The true codes of each band of codes, to ask about alone; see `recall` and `prevalence_bands`.

    Args:
        target: true codes, shape (n, n_codes).
        bands: the band of each code, shape (n_codes,).
        wanted: bands; one that no code lies in is empty.
    """
    return {band: of_columns(target, bands == band) for band in wanted}


def prevalence_bands(counts: npt.ArrayLike, n_bands: int = 5) -> Int64:
    """Bands of codes by how often training patients have them, with about equally many codes in each.

    Args:
        counts: patients or visits with the code, or their share, shape (n_codes,).
        n_bands: 5 gives quintiles.

    Returns:
        From 0, the rarest, to n_bands - 1; `UNSEEN` for codes that no training patient has. Codes of equal
        count share a band. Shape (n_codes,).
    """
    seen = np.asarray(counts, dtype=np.float64)
    if not (seen > 0).any():
        return np.full(len(seen), UNSEEN, dtype=np.int64)
    edges = np.quantile(seen[seen > 0], np.arange(1, n_bands) / n_bands)
    return np.where(seen > 0, np.searchsorted(edges, seen, side="left"), UNSEEN).astype(np.int64)


def new_codes(target: Codes, repeats: Codes) -> Codes:
    """The true codes that are not repeats, shape (n, n_codes)."""
    new = sparse.csr_array(target > repeats)
    new.eliminate_zeros()
    return new


def of_columns(target: Codes, chosen: npt.NDArray[np.bool_]) -> Codes:
    """The codes of some columns; all others are left empty, so that the shape stays."""
    kept = sparse.csr_array(target.multiply(chosen[None, :]))
    kept.eliminate_zeros()
    return kept


def first_codes(rankings: Rankings, lengths: npt.ArrayLike, n_codes: int) -> Codes:
    """Each patient's first codes as a boolean matrix of shape (n, n_codes).

    Args:
        rankings: n patients.
        lengths: codes to take, shape (n,) or one for all; fewer where fewer are ranked.
        n_codes: columns.
    """
    places = np.arange(rankings.codes.shape[1])
    taken = rankings.ranked & (places < np.reshape(np.asarray(lengths), (-1, 1)))
    rows, _ = np.nonzero(taken)
    pattern = (np.ones(len(rows), dtype=np.bool_), (rows, rankings.codes[taken]))
    return sparse.csr_array(pattern, shape=(len(rankings), n_codes))


def _weighted_f1(rankings: Rankings, target: Codes, lengths: Int64) -> Statistic:
    true = checked(rankings, target)
    counted = np.flatnonzero(true.sum(axis=0))  # a code that nobody has weighs nothing
    listed = first_codes(rankings, lengths, true.shape[1])[:, counted]
    true = true[:, counted]
    parts = sparse.hstack([listed.multiply(true), listed, true], format="csr", dtype=np.float64)
    return Statistic(sparse.csr_array(parts), _f1_of_sums)


def _f1_of_sums(sums: Float) -> Float:
    hits, listed, true = np.split(sums, 3, axis=1)
    f1 = ratio(2 * hits, listed + true, where_empty=0.0)
    return ratio((true * f1).sum(axis=1), true.sum(axis=1))


def checked(rankings: Rankings, target: Codes) -> Codes:
    """The true codes, each once.

    Raises:
        InputError: not of the patients that were ranked, or a ranked code is none of its columns.
    """
    if target.shape[0] != len(rankings):
        raise InputError("target", f"has {target.shape[0]:,} patients where {len(rankings):,} were ranked")
    if rankings.codes.size and rankings.codes.max() >= target.shape[1]:
        raise InputError(
            "rankings", "a code is no column of the target; rank in the whole cohort's vocabulary"
        )
    canonical = sparse.csr_array(target.astype(np.bool_))
    canonical.sum_duplicates()
    canonical.eliminate_zeros()
    return canonical

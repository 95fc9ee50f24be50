"""Candidates of many histories at once (II-KEA eq. 4), for the evaluation of a cohort."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tools.dataset.arrays import blocks
from tools.dataset.clinical import ClinicalDataset
from tools.numerics.runs import offsets
from tools.prediction.candidates import SHRINK, Mode, check_arguments, log_complement
from tools.safety.errors import InputError

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]
Int64 = npt.NDArray[np.int64]

_ROWS = 256  # of A_T held densely at a time
_COLUMNS = 512  # of A_T likewise
_FOLDED = 64  # histories at a time, whose rows of bits stay in the processor's cache
_SCORED = 1024  # histories at a time, whose scores are held as floats


def candidate_matrix(
    dataset: ClinicalDataset,
    histories: Sequence[Iterable[str]],
    mode: Mode = "noisy_or",
    epsilon: float = 0.01,
    next_only: bool = True,
    shrink: float = SHRINK,
) -> Bool:
    """Which codes `select_candidates` would give for each of many histories, were there no cap.

    For `any` and `all` a bit for each pair of codes says whether the one makes the other likely. They are
    worked out once and kept with the data set; a history's candidates are the union, or the intersection, of
    its codes' rows.

    Args:
        dataset: the counts.
        histories: codes of each patient so far.
        mode: see `select_candidates`.
        epsilon: see `select_candidates`.
        next_only: see `select_candidates`.
        shrink: see `select_candidates`.

    Returns:
        Shape (n_histories, n_codes).

    Raises:
        InputError: see `select_candidates`.
    """
    check_arguments(mode, epsilon)
    held = _incidence(dataset, histories)
    passes = np.empty(held.shape, dtype=np.bool_)
    if mode in {"any", "all"}:
        for block in blocks(len(histories), _FOLDED):
            passes[block] = _folded(dataset, held[block], mode, epsilon, next_only, shrink)
    else:
        least = epsilon if mode == "noisy_or" else 0.0
        for block in blocks(len(histories), _SCORED):
            passes[block] = _scores(dataset, held[block], next_only, shrink) > least
    passes[held.nonzero()] = False
    return passes


def score_matrix(
    dataset: ClinicalDataset,
    histories: Sequence[Iterable[str]],
    next_only: bool = True,
    shrink: float = SHRINK,
) -> Float:
    """1 - prod_a (1 - A_T[a,b]) over each history a, by which candidates are ranked; 0 for its own codes.

    Without shrinkage, the logarithm of 1 - A_T is as sparse as the counts, and one sparse product does it.

    Returns:
        Shape (n_histories, n_codes).

    Raises:
        InputError: see `select_candidates`.
    """
    held = _incidence(dataset, histories)
    scores = _scores(dataset, held, next_only, shrink)
    scores[held.nonzero()] = 0.0
    return scores


def _incidence(
    dataset: ClinicalDataset, histories: Sequence[Iterable[str]]
) -> "sparse.csr_array[np.float64]":
    """Histories by codes, ones, shape (n_histories, n_codes)."""
    column = dataset.vocabulary.column
    rows = [sorted({column(key) for key in history}) for history in histories]
    if not all(rows):
        raise InputError("histories", f"number {rows.index([]) + 1} holds no code; give each at least one")
    columns = np.array([place for row in rows for place in row], dtype=np.int64)
    starts = offsets(np.array([len(row) for row in rows], dtype=np.int64))
    return sparse.csr_array((np.ones(len(columns)), columns, starts), shape=(len(rows), dataset.n_codes))


def _folded(
    dataset: ClinicalDataset,
    held: "sparse.csr_array[np.float64]",
    mode: Mode,
    epsilon: float,
    next_only: bool,
    shrink: float,
) -> npt.NDArray[np.uint8]:
    key = ("likely", epsilon, next_only, shrink)
    likely = dataset.memory.recall(key, lambda: _likely(dataset, epsilon, next_only, shrink))
    fold = np.bitwise_or if mode == "any" else np.bitwise_and
    words = fold.reduceat(likely[held.indices], held.indptr[:-1], axis=0)
    return np.unpackbits(words.view(np.uint8), axis=1, count=dataset.n_codes)


def _likely(dataset: ClinicalDataset, epsilon: float, next_only: bool, shrink: float) -> Words:
    """Bit b of row a says whether A_T[a,b] > epsilon; shape (n_codes, n_codes / 64, rounded up)."""
    n_codes = dataset.n_codes
    likely = np.zeros((n_codes, -(-n_codes // 64)), dtype=np.uint64)
    for block in blocks(n_codes, _ROWS):
        rows = dataset.transition_rows(dataset.vocabulary.keys[block], next_only, shrink)
        packed = np.packbits(rows > epsilon, axis=1)
        likely[block].view(np.uint8)[:, : packed.shape[1]] = packed
    return likely


def _scores(
    dataset: ClinicalDataset, held: "sparse.csr_array[np.float64]", next_only: bool, shrink: float
) -> Float:
    if not shrink:
        logs = dataset.transition(next_only)
        logs.data = log_complement(logs.data)
        return np.asarray(-np.expm1((held @ logs).toarray()), dtype=np.float64)
    used, at = np.unique(held.indices.astype(np.int64), return_inverse=True)
    compact = sparse.csr_array((held.data, at, held.indptr), shape=(held.shape[0], len(used)))
    counts = dataset.counts(next_only)[used].tocsc()
    scores = np.empty(held.shape)
    for block in blocks(dataset.n_codes, _COLUMNS):
        chances = dataset.probabilities(counts[:, block].toarray(), used[:, None], block, next_only, shrink)
        scores[:, block] = -np.expm1(np.asarray(compact @ log_complement(chances)))
    return scores

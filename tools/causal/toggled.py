"""Scores of families with one direct cause more or fewer, each family counted once for all of them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal import noisy_or, scores, tables
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.models import MODELS, charged
from tools.causal.scores import Method, Score, Wanted
from tools.causal.tables import Family

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Kind = Literal["own", "fewer", "more"]

_IN_TURN: tuple[Kind, Kind] = ("own", "more")


def toggled_scores(
    matrix: DiagnosisMatrix, wanted: Sequence[Wanted], columns: Sequence[Int64], method: Method
) -> list[Float]:
    """Scores of the neighbours of some families: with one more direct cause, or without one that it has.

    Kept where matrices of the same records share them. What is missing of a family is scored from one count.

    Args:
        matrix: the data.
        wanted: the families, each once.
        columns: for each family the diseases to add or to take away, each once, shape (n,); at the effect's
            own place stands the family as it is.
        method: the score.

    Returns:
        For each family nats, shape (n,). Do not write into them.
    """
    score = scores.named(method)
    keys = [("toggled", score.key, scores.shared_key(matrix, one, score.stratified)) for one in wanted]

    def compute(missing: list[Bool]) -> Float:
        asked = [some[lacking].tolist() for some, lacking in zip(columns, missing, strict=True)]
        return _toggled(matrix, [(one, some) for one, some in zip(wanted, asked, strict=True) if some], score)

    return matrix.shared.recall_rows(keys, [matrix.number_of[some] for some in columns], compute)


def _toggled(matrix: DiagnosisMatrix, asked: Sequence[tuple[Wanted, list[int]]], score: Score) -> Float:
    """Scores of the neighbours asked for, family by family; families of one shape are scored together."""
    alike, n_scores = defaultdict(list), 0
    for wanted, columns in asked:
        around = _around(matrix, wanted, columns, n_scores, score)
        alike[len(wanted.parents), around.shape.n_groups].append(around)
        n_scores += len(columns)
    found = np.empty(n_scores)
    for some in alike.values():
        _score_around(score, some, matrix, found)
    return found


class _Around(NamedTuple):
    """A family and its neighbours.

    Attributes:
        shape: the family.
        counts: its table and those of its neighbours, shape (n, n_cells, 2).
        places: where their scores go, in the order of the tables; none where no score is wanted.
    """

    shape: Family
    counts: dict[Kind, Int64]
    places: dict[Kind, list[int]]


def _around(
    matrix: DiagnosisMatrix, wanted: Wanted, columns: list[int], first_place: int, score: Score
) -> _Around:
    """Counts a family with what is asked of its neighbours, see `toggled_scores`."""
    (effect, parents), shape = wanted, scores.family(matrix, wanted, score)
    places: dict[Kind, list[int]] = {"own": [], "fewer": [], "more": []}
    lost, gained = [], []
    for place, column in enumerate(columns, first_place):
        if column == effect:
            places["own"].append(place)
        elif column in parents:
            places["fewer"].append(place)
            lost.append(parents.index(column))
        else:
            places["more"].append(place)
            gained.append(column)
    own, fewer, more = tables.neighbours(matrix.packed, shape, tuple(gained))
    return _Around(
        shape, {"own": own[None], "fewer": fewer[lost] if lost else fewer[:0], "more": more}, places
    )


def _score_around(score: Score, some: Sequence[_Around], matrix: DiagnosisMatrix, found: Float) -> None:
    """Fills the scores of families of one shape and of their neighbours at their places."""
    shape = some[0].shape
    larger, smaller = shape._replace(parents=(*shape.parents, -1)), shape._replace(parents=shape.parents[1:])
    pieces: list[tuple[Kind, Family]] = [("own", shape), ("more", larger), ("fewer", smaller)]
    if score.name == "noisy_or_bic" and matrix.kernels == "numba" and any(one.places["more"] for one in some):
        own, more = _in_turn(some, shape, matrix)
        for one, value in zip(some, own, strict=True):
            found[one.places["own"]] = value
        found[[place for one in some for place in one.places["more"]]] = more
        pieces = pieces[2:]
    for kind, its_shape in pieces:
        wanted = [one for one in some if one.places[kind]]
        if wanted:
            counts = _end_to_end([one.counts[kind] for one in wanted])
            places = [place for one in wanted for place in one.places[kind]]
            found[places] = scores.table_scores(score, counts, its_shape, matrix)


def _in_turn(some: Sequence[_Around], shape: Family, matrix: DiagnosisMatrix) -> tuple[Float, Float]:
    """Noisy-OR scores of some families, and from their fits those with another parent."""
    own, more = (_end_to_end([one.counts[kind] for one in some]) for kind in _IN_TURN)
    owner = np.arange(len(some)).repeat([len(one.counts["more"]) for one in some])
    model, n_strata, n_parents = MODELS["noisy_or"], shape.n_groups, len(shape.parents)
    fitted = noisy_or.fit(own, n_strata, kernels="numba")
    values = noisy_or.log_likelihoods_with(more, owner, fitted)
    return (
        charged(model, fitted.log_likelihood, n_strata, n_parents, matrix.n_patients),
        charged(model, values, n_strata, n_parents + 1, matrix.n_patients),
    )


def _end_to_end(arrays: Sequence[Int64]) -> Int64:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)

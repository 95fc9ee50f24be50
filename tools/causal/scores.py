"""Decomposable scores of a causal graph: how well each disease is explained by its direct causes.

Every score is a sum over families, and a family's score is a function of its count table alone, so whole
batches of families are scored in one call.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from tools.causal import tables
from tools.causal.cell_scores import CELL_SCORES
from tools.causal.dag import CausalGraph
from tools.causal.matrix import N_FOLDS, DiagnosisMatrix
from tools.causal.models import MODELS, ModelName, bic, held_out
from tools.causal.orientation import later_than
from tools.causal.strata import Groups
from tools.causal.tables import MAX_PARENTS, Family
from tools.numerics.counting import Columns, FamilyCounts
from tools.numerics.jit import Kernels
from tools.safety.errors import InputError

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
ScoreName = Literal["noisy_or_bic", "logistic_bic", "heldout", "auto", "bic", "aic", "bdeu", "k2", "loglik"]

FoldModel = ModelName | Literal["auto"]

_MODEL_OF: dict[str, FoldModel] = {
    "noisy_or_bic": "noisy_or",
    "logistic_bic": "logistic",
    "heldout": "noisy_or",
    "auto": "auto",
}


@dataclass(frozen=True)
class Score:
    """A score by name.

    `noisy_or_bic` and `logistic_bic` are the BIC of a leaky noisy-OR and of a logistic model, whose intercept
    differs by stratum of burden: n_strata + n_parents parameters a family. `heldout` is the log-likelihood of
    four folds of patients, each under the model fitted to the others. `auto` is the BIC of the noisy-OR, but
    for families whose table both predicts the folds better and has the higher BIC. The others are scores of
    conditional probability tables, see `cell_scores`. By `loglik` no edge can ever lose.

    Attributes:
        name: as in the field.
        by_burden: count families apart by stratum of burden; by default all but the table scores do.
        ess: equivalent sample size of `bdeu`, patients.
        model: of `heldout`, by default the noisy-OR; `auto` is the better of that and the table.
    """

    name: ScoreName = "noisy_or_bic"
    by_burden: bool | None = None
    ess: float = 1.0
    model: FoldModel | None = None

    def __post_init__(self) -> None:
        if self.model is not None and (self.name != "heldout" or self.model not in {*MODELS, "auto"}):
            raise InputError("model", f"of heldout only, one of {', '.join(MODELS)}, auto")
        if self.name not in get_args(ScoreName):
            raise InputError("method", f"one of {', '.join(get_args(ScoreName))}")
        if not 0 < self.ess < np.inf:
            raise InputError("ess", "a finite number of patients, more than 0")

    @cached_property
    def key(self) -> Hashable:
        """Equal for equal scores, and quick to look up by."""
        return self.name, self.by_burden, self.ess, self.model

    @property
    def stratified(self) -> bool:
        """Whether families are counted apart by burden."""
        return not self.of_tables if self.by_burden is None else self.by_burden

    @property
    def of_tables(self) -> bool:
        """Whether it is a score of conditional probability tables, see `cell_scores`."""
        return self.name in CELL_SCORES

    @property
    def by_cells(self) -> bool:
        """Whether the value of a cell depends on how many cells its family has."""
        return self.name == "bdeu"

    @property
    def by_fold(self) -> bool:
        """Whether families are counted apart by fold."""
        return self.name in {"heldout", "auto"}

    @property
    def rests_on(self) -> FoldModel:
        """The model of a family."""
        return self.model or _MODEL_OF.get(self.name, "table")

    @property
    def held_out(self) -> "Score":
        """Log-likelihood of patients held out, by this score's model: what scores may be compared by."""
        return Score("heldout", by_burden=self.stratified, model=self.rests_on)


DEFAULT = Score()
SCORES: tuple[ScoreName, ...] = get_args(ScoreName)
Method = ScoreName | Score


def named(method: Method) -> Score:
    """The score of that name, with its defaults.

    Raises:
        InputError: there is none.
    """
    return method if isinstance(method, Score) else Score(method)


class Wanted(NamedTuple):
    """A family by columns of a matrix; the parents sorted."""

    effect: int
    parents: Columns


def burden(matrix: DiagnosisMatrix, node: str, left_out: Iterable[str] = ()) -> Groups:
    """Groups of patients of like burden, for the study of one disease.

    `node` itself and the diseases that time puts after it are left out of the burden. These depend on the
    matrix alone and not on a graph, so that scores stay sums over families.

    Args:
        matrix: the data.
        node: the effect.
        left_out: diseases to leave out of the burden as well.
    """
    return matrix.burden_without(unburdened(matrix, node, left_out))


def unburdened(matrix: DiagnosisMatrix, node: str, left_out: Iterable[str] = ()) -> tuple[str, ...]:
    """What `burden` leaves out; nothing where nothing can be."""
    return () if matrix.slots else (node, *later_than(matrix, node), *left_out)


def family(matrix: DiagnosisMatrix, wanted: Wanted, score: Score) -> Family:
    """What has to be counted to score a family."""
    node = matrix.nodes[wanted.effect]
    groups = (
        (matrix.memory.recall(("groups", node), lambda: burden(matrix, node)),) if score.stratified else ()
    )
    return Family(wanted.effect, wanted.parents, (*groups, matrix.folds) if score.by_fold else groups)


def shared_key(matrix: DiagnosisMatrix, wanted: Wanted, is_stratified: bool) -> Hashable:
    """All that the table of a family depends on but folds, as matrices that share answers call it."""
    return matrix.named((wanted.effect, *wanted.parents)), _strata(matrix, wanted.effect, is_stratified)


def _strata(matrix: DiagnosisMatrix, effect: int, is_stratified: bool) -> Hashable:
    """What tells the strata of an effect from others: the diseases that they leave out of the burden."""
    if not is_stratified or matrix.slots:
        return is_stratified

    def left_out() -> bytes:
        columns = map(matrix.column, unburdened(matrix, matrix.nodes[effect]))
        return np.array(sorted(matrix.named(columns)), dtype=np.int64).tobytes()

    return matrix.memory.recall(("strata", effect), left_out)


def columns(matrix: DiagnosisMatrix, effect: str, parents: Iterable[str]) -> Wanted:
    """A family by columns.

    Raises:
        InputError: more than 10 direct causes, or one that is not a column.
    """
    return Wanted(matrix.column(effect), tuple(sorted(map(matrix.column, few(parents)))))


def few(parents: Iterable[str]) -> tuple[str, ...]:
    """Some direct causes, if they are not too many to count by.

    Raises:
        InputError: more than 10.
    """
    found = tuple(parents)
    if len(found) > MAX_PARENTS:
        raise InputError("graph", f"a disease has more than {MAX_PARENTS} direct causes; remove some")
    return found


def family_scores(matrix: DiagnosisMatrix, wanted: Sequence[Wanted], method: Method) -> Float:
    """Score of each family, nats, counted anew; shape (n_families,)."""
    score = named(method)
    families = [family(matrix, one, score) for one in wanted]
    counted = tables.count(matrix.packed, families)
    if score.of_tables:
        return _by_cell(score, counted, families, matrix.n_patients)
    pieces = (
        _Piece(one, one.trim(counted.family(place)[None]), [place]) for place, one in enumerate(families)
    )
    return _scored(pieces, len(families), score, matrix)


def local_scores(matrix: DiagnosisMatrix, wanted: Sequence[Wanted], method: Method) -> Float:
    """As `family_scores`; kept where matrices of the same records share them."""
    score = named(method)
    keys = [(score.key, shared_key(matrix, one, score.stratified)) for one in wanted]

    def compute(places: list[int]) -> list[float]:
        found: list[float] = family_scores(matrix, [wanted[place] for place in places], score).tolist()
        return found

    return np.array(matrix.shared.recall_all(keys, compute))


class _Piece(NamedTuple):
    """Tables of families of one shape, (n, n_cells, 2), and the places of their scores."""

    shape: Family
    counts: Int64
    places: list[int]


def _scored(pieces: Iterable[_Piece], n_scores: int, score: Score, matrix: DiagnosisMatrix) -> Float:
    """Scores of tables at their places; those of one shape are scored together."""
    alike = defaultdict(list)
    for piece in pieces:
        alike[len(piece.shape.parents), piece.shape.n_groups].append(piece)
    found = np.empty(n_scores)
    for some in alike.values():
        places = [place for piece in some for place in piece.places]
        stacked = np.concatenate([piece.counts for piece in some])
        found[places] = table_scores(score, stacked, some[0].shape, matrix)
    return found


def _by_cell(score: Score, counted: FamilyCounts, families: Sequence[Family], n_patients: int) -> Float:
    rule = CELL_SCORES[score.name]
    n_cells = np.array([one.n_groups << len(one.parents) for one in families])
    per_cell = np.repeat(n_cells, np.diff(counted.starts) // 2) if score.by_cells else 1
    values = rule.value(counted.counts.reshape(-1, 2), per_cell, score.ess)
    return np.asarray(np.add.reduceat(values, counted.starts[:-1] // 2) - rule.charge(n_patients) * n_cells)


def table_scores(score: Score, counts: Int64, shape: Family, matrix: DiagnosisMatrix) -> Float:
    """Scores of tables of one shape, (n, n_cells, 2); folds, where there are any, are the slowest groups."""
    n_cells = shape.n_groups << len(shape.parents)
    if score.of_tables:
        rule = CELL_SCORES[score.name]
        values = rule.value(counts, n_cells, score.ess)
        return np.asarray(values.sum(axis=1) - rule.charge(matrix.n_patients) * n_cells)
    n_patients, kernels = matrix.n_patients, matrix.kernels
    if score.by_fold:
        observed = counts.astype(np.float64)
        return _by_fold(score, observed, shape.n_groups // N_FOLDS, n_patients, kernels)
    return bic(MODELS[score.rests_on], counts, shape.n_groups, n_patients, kernels)  # type: ignore[index]


def _by_fold(score: Score, counts: Float, n_strata: int, n_patients: int, kernels: Kernels) -> Float:
    by_fold = counts.reshape(len(counts), N_FOLDS, -1, 2)
    if score.rests_on != "auto":
        return held_out(MODELS[score.rests_on], by_fold, n_strata, kernels)
    models = MODELS["noisy_or"], MODELS["table"]
    promise = [held_out(model, by_fold, n_strata, kernels) for model in models]
    if score.name == "heldout":
        return np.maximum(*promise)
    whole = by_fold.sum(axis=1)
    smooth, free = (bic(model, whole, n_strata, n_patients, kernels) for model in models)
    return np.where(promise[1] > promise[0], np.maximum(smooth, free), smooth)


def total_score(graph: CausalGraph, matrix: DiagnosisMatrix, method: Method = DEFAULT) -> float:
    """Sum of the family scores over the nodes of a graph, nats.

    Raises:
        InputError: unknown method, a node that is not a column, or a family too large to count.
    """
    return float(local_scores(matrix, graph_families(graph, matrix), method).sum())


def graph_families(graph: CausalGraph, matrix: DiagnosisMatrix) -> list[Wanted]:
    """The families of a graph, in the order of its nodes.

    Raises:
        InputError: a node that is not a column, or a family too large to count.
    """
    return [columns(matrix, node, graph.parents(node)) for node in graph.nodes]


def log_likelihood(graph: CausalGraph, matrix: DiagnosisMatrix) -> float:
    """Log-likelihood of the diagnosis matrix under a causal graph (II-KEA eq. 5).

    l = sum_p sum_a log P(X_pa | X_p,Pa(a)), with P the empirical conditional probability table.
    Adding an edge can never lower it: use it to report, and a penalised score to accept. The codes outside
    the graph add a constant, see `DiagnosisMatrix.out_of_graph`.

    Args:
        graph: acyclic, its nodes are columns of `matrix`.
        matrix: binary, shape (n_patients, n_nodes).

    Returns:
        Nats, summed over patients and over the graph's nodes.

    Raises:
        InputError: a node of the graph is not a column, or has more than 10 parents.
    """
    return total_score(graph, matrix, "loglik")

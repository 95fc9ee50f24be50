"""Decomposable scores of a causal graph: how well each disease is explained by its direct causes.

Every score is a sum over families, and a family's score is a function of its count table alone, so whole
batches of families are scored in one call.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal import noisy_or
from tools.causal.dag import CausalGraph
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.orientation import later_than
from tools.causal.tables import Rows, candidate_tables, family_table
from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]
FamilyScore = Callable[[Float, int, int], Float]

MAX_PARENTS = 10


class Score(NamedTuple):
    """A score by name.

    Attributes:
        name: as in the field.
        stratified: whether families are counted by burden stratum.
        families: (tables of shape (n, n_cells, 2), n_strata, n_patients) -> nats, shape (n,).
    """

    name: str
    stratified: bool
    families: FamilyScore


def _saturated(tables: Float, _n_strata: int, _n_patients: int) -> Float:
    totals = tables.sum(axis=-1, keepdims=True)
    share = np.divide(tables, totals, out=np.ones_like(tables), where=tables > 0)
    return np.asarray(np.sum(tables * np.log(share), axis=(1, 2)))


def _bic(tables: Float, n_strata: int, n_patients: int) -> Float:
    free_parameters = tables.shape[1]
    penalty = 0.5 * float(np.log(n_patients)) * free_parameters
    return np.asarray(_saturated(tables, n_strata, n_patients) - penalty)


def _noisy_or_bic(tables: Float, n_strata: int, n_patients: int) -> Float:
    free_parameters = n_strata + int(np.log2(tables.shape[1] // n_strata))
    fitted = noisy_or.fit(tables, n_strata).log_likelihood
    return fitted - 0.5 * float(np.log(n_patients)) * free_parameters


SCORES = {
    "loglik": Score("loglik", False, _saturated),
    "bic": Score("bic", False, _bic),
    "noisy_or_bic": Score("noisy_or_bic", True, _noisy_or_bic),
}
DEFAULT_SCORE = "noisy_or_bic"


def score_named(name: str) -> Score:
    """The score of that name.

    Raises:
        InputError: there is none.
    """
    if name not in SCORES:
        raise InputError("method", f"one of {', '.join(SCORES)}")
    return SCORES[name]


def rows(matrix: DiagnosisMatrix, node: str, stratified: bool, left_out: Iterable[str] = ()) -> Rows:
    """One row a patient: whether they ever had `node`, what else they had, and their burden.

    `node` itself and the diseases that time puts after it are left out of the burden. These depend on the
    matrix alone and not on a graph, so that scores stay sums over families.

    Args:
        matrix: the data.
        node: the effect.
        stratified: by burden; else one stratum.
        left_out: diseases to leave out of the burden as well.
    """
    outcome = matrix.values[:, matrix.column(node)].astype(bool)
    if not stratified:
        return Rows(outcome, matrix.values, np.zeros(len(outcome), dtype=np.int8), 1)
    stratum = matrix.burden_without([node, *later_than(matrix, node), *left_out])
    return Rows(outcome, matrix.values, stratum, int(stratum.max(initial=0)) + 1)


def local_score(matrix: DiagnosisMatrix, node: str, parents: tuple[str, ...], method: str) -> float:
    """Score of one family, nats; kept with the matrix."""
    score, columns = score_named(method), parent_columns(matrix, parents)

    def compute() -> float:
        observed = rows(matrix, node, score.stratified)
        table = family_table(observed, columns)[None]
        return float(score.families(table, observed.n_strata, matrix.n_patients)[0])

    return matrix.memory.recall(("family", node, parents, method), compute)


def addition_scores(
    matrix: DiagnosisMatrix,
    node: str,
    parents: tuple[str, ...],
    candidates: tuple[int, ...],
    method: str,
) -> Float:
    """Score of the family with each of some columns added to its parents, nats, shape (n_candidates,).

    Kept with the matrix: do not write into it.
    """
    score, columns = score_named(method), parent_columns(matrix, parents)

    def compute() -> Float:
        observed = rows(matrix, node, score.stratified)
        added = np.array(candidates, dtype=np.intp)
        tables = candidate_tables(observed, matrix.entries, columns, added)
        return score.families(tables, observed.n_strata, matrix.n_patients)

    return matrix.memory.recall(("additions", node, parents, candidates, method), compute)


def parent_columns(matrix: DiagnosisMatrix, parents: tuple[str, ...]) -> tuple[int, ...]:
    """Columns of the direct causes of one disease.

    Raises:
        InputError: more than 10 of them, or one that is not a column.
    """
    if len(parents) > MAX_PARENTS:
        raise InputError("graph", f"a disease has more than {MAX_PARENTS} direct causes; remove some")
    return tuple(matrix.column(parent) for parent in parents)


def total_score(graph: CausalGraph, matrix: DiagnosisMatrix, method: str = DEFAULT_SCORE) -> float:
    """Sum of the family scores over the nodes of a graph, nats.

    Raises:
        InputError: unknown method, a node that is not a column, or a family too large to count.
    """
    return sum(local_score(matrix, node, graph.parents(node), method) for node in graph.nodes)


def log_likelihood(graph: CausalGraph, matrix: DiagnosisMatrix) -> float:
    """Log-likelihood of the diagnosis matrix under a causal graph (II-KEA eq. 5).

    l = sum_p sum_a log P(X_pa | X_p,Pa(a)), with P the empirical conditional probability table.
    Adding an edge can never lower it: use it to report, and a penalised score to accept.

    Args:
        graph: acyclic, its nodes are columns of `matrix`.
        matrix: binary, shape (n_patients, n_nodes).

    Returns:
        Nats, summed over patients and over the graph's nodes.

    Raises:
        InputError: a node of the graph is not a column, or has more than 10 parents.
    """
    return total_score(graph, matrix, "loglik")


def bic(graph: CausalGraph, matrix: DiagnosisMatrix) -> float:
    """Bayesian information criterion on the scale of the log-likelihood (Schwarz 1978); higher is better.

    BIC = l - log(n_patients) / 2 * sum_a 2^|Pa(a)|, with l as in `log_likelihood`: pgmpy's definition.

    Raises:
        InputError: as `log_likelihood`.
    """
    return total_score(graph, matrix, "bic")


def noisy_or_bic(graph: CausalGraph, matrix: DiagnosisMatrix) -> float:
    """BIC of leaky noisy-OR families whose leak differs by burden stratum.

    P(X_a = 0 | s, Pa) = exp(-(leak_as + sum_c theta_ca x_c)), with n_strata + |Pa(a)| parameters a family.
    The strata (see `rows`) absorb that people with many diseases have all of them.

    Raises:
        InputError: as `log_likelihood`.
    """
    return total_score(graph, matrix, "noisy_or_bic")

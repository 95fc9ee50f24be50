"""How sure the records are of each edge: the share of resamples of the patients whose graph has it."""

import numpy as np
import numpy.typing as npt

from tools.causal import scores
from tools.causal.constraints import UNCONSTRAINED, Constraints
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.scores import Method
from tools.causal.search import hill_climb
from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]

N_RESAMPLES = 20


def edge_confidence(
    matrix: DiagnosisMatrix,
    constraints: Constraints = UNCONSTRAINED,
    method: Method = scores.DEFAULT,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Float:
    """Share of resamples of the patients from which the search finds each edge; kept with the matrix.

    The bootstrap of a graph (Friedman, Goldszmidt and Wyner 1999) in its form without replacement: each
    resample is a random half of the patients (Meinshausen and Buehlmann 2010, "Stability selection"). Drawn
    with replacement, the copies of a patient count as new evidence, and of independent diseases many more
    pairs get an edge than from the records themselves (Steck and Jaakkola 2003). In each half the evidence of
    time is weighed anew, and the search climbs from the empty graph, so that no graph at hand lends its edges
    weight. A half tells less than the whole: a weak edge may be true and seldom found.

    A share of 0.9 is not the probability that the edge is true: a bias common to all resamples, such as a
    cause outside the graph, is in every one of them. Its own standard error is sqrt(c (1 - c) / B).

    Args:
        matrix: the data.
        constraints: of each search; an edge required is in all of them.
        method: the score of each search.
        n_resamples: B, 1 or more.
        seed: of the draws.

    Returns:
        confidence[a, b] for a -> b, 0 to 1 in steps of 1 / B, shape (n_nodes, n_nodes). Do not write into it.

    Raises:
        InputError: `n_resamples` is less than 1, or see `hill_climb`.
    """
    if n_resamples < 1:
        raise InputError("resamples", "1 or more; 0 leaves edge confidence out")
    score = scores.named(method)
    key = ("confidence", constraints.key, score, n_resamples, seed)
    return matrix.memory.recall(key, lambda: _confidence(matrix, constraints, score, n_resamples, seed))


def _confidence(
    matrix: DiagnosisMatrix, constraints: Constraints, score: scores.Score, n_resamples: int, seed: int
) -> Float:
    rng = np.random.default_rng(seed)
    held = np.zeros((len(matrix.nodes),) * 2)
    for _ in range(n_resamples):
        half = rng.permutation(matrix.n_patients)[: max(matrix.n_patients // 2, 1)]
        drawn = matrix.take(np.sort(half))
        for cause, effect in hill_climb(drawn, constraints=constraints, method=score).edges:
            held[matrix.column(cause), matrix.column(effect)] += 1
    return held / n_resamples

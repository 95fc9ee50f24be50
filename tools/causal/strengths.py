"""How strong each edge of a graph is: fitted family by family, and kept for other cases of the records."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal import noisy_or, scores, tables
from tools.causal.dag import CausalGraph, Edge
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.profile import strength_intervals
from tools.causal.tables import Family
from tools.numerics.counting import Columns

Float = npt.NDArray[np.float64]


class Strength(NamedTuple):
    """Lambda of a cause, the probability that it brings about the effect where it is present.

    Attributes:
        estimate: of maximum likelihood.
        lower, upper: ends of its 95 % profile-likelihood interval.
    """

    estimate: float
    lower: float
    upper: float


def strengths(graph: CausalGraph, matrix: DiagnosisMatrix) -> dict[Edge, Strength]:
    """Strength of each edge given the graph, by a leaky noisy-OR with a leak for each stratum of burden.

    The burden leaves out the effect, its direct causes, its descendants and what time puts after it.

    Raises:
        InputError: a node that is not a column.
    """
    effects = [node for node in graph.nodes if graph.parents(node)]
    asked = [_asked(graph, matrix, effect) for effect in effects]
    found = matrix.shared.recall_all(
        [_key(matrix, one) for one in asked],
        lambda missing: _fitted(matrix, [asked[place] for place in missing]),
    )
    return {
        Edge(cause, effect): Strength(*row)
        for effect, rows in zip(effects, found, strict=True)
        for cause, row in zip(graph.parents(effect), rows.tolist(), strict=True)
    }


class _Asked(NamedTuple):
    """A family whose strengths are asked for.

    Attributes:
        effect, causes: columns, these in the order of their names, which is one in all cases.
        left_out: of the burden.
    """

    effect: int
    causes: Columns
    left_out: tuple[str, ...]


def _asked(graph: CausalGraph, matrix: DiagnosisMatrix, effect: str) -> _Asked:
    causes = graph.parents(effect)
    after = (node for node in graph.nodes if node in causes or graph.leads(effect, node))
    left_out = scores.unburdened(matrix, effect, after)
    return _Asked(matrix.column(effect), tuple(map(matrix.column, causes)), left_out)


def _key(matrix: DiagnosisMatrix, asked: _Asked) -> Hashable:
    """All that the strengths of a family depend on, as matrices that share answers call it."""
    left_out = sorted(set(matrix.named(map(matrix.column, asked.left_out))))
    packed = np.array(left_out, dtype=np.int64).tobytes()
    return "strengths", matrix.named((asked.effect, *asked.causes)), packed


def _fitted(matrix: DiagnosisMatrix, asked: Sequence[_Asked]) -> list[Float]:
    """The strengths of some families, `Strength` as columns, shape (n_causes, 3) each.

    Those of one shape are fitted together, which changes none of them.
    """
    families = [Family(one.effect, one.causes, (matrix.burden_without(one.left_out),)) for one in asked]
    counted = tables.count(matrix.packed, families)
    alike = defaultdict(list)
    for place, family in enumerate(families):
        alike[len(family.parents), family.n_groups].append(place)
    found: dict[int, Float] = {}
    for (_, n_strata), places in alike.items():
        stacked = np.concatenate([families[place].trim(counted.family(place)[None]) for place in places])
        fitted = noisy_or.fit(stacked, n_strata, kernels=matrix.kernels)
        thetas = fitted.theta, *strength_intervals(fitted, stacked, kernels=matrix.kernels)
        lambdas = noisy_or.strength(np.stack(thetas, axis=-1))
        found |= {place: one.copy() for place, one in zip(places, lambdas, strict=True)}
    return [found[place] for place in range(len(asked))]

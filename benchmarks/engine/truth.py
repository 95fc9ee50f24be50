"""Data drawn from a known noisy-OR graph, with or without frailty."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal.dag import CausalGraph
from tools.causal.diagnoses import FirstDiagnoses
from tools.causal.matrix import DiagnosisMatrix
from tools.numerics.jit import Kernels

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

N_TIERS = 2
MAX_PARENTS = 4
LEAK = 0.02, 0.10
STRENGTH = 0.2, 0.6


class Truth(NamedTuple):
    """A noisy-OR network.

    Attributes:
        nodes: in causal order.
        tiers: rank in time of each node, as history before candidates.
        leaks: shape (n_nodes,).
        strengths: lambda[cause, effect], 0 where there is no edge, shape (n_nodes, n_nodes).
    """

    nodes: tuple[str, ...]
    tiers: dict[str, int]
    leaks: Float
    strengths: Float

    @property
    def graph(self) -> CausalGraph:
        """The true graph."""
        return CausalGraph(
            self.nodes, [(self.nodes[a], self.nodes[b]) for a, b in np.argwhere(self.strengths)]
        )

    def draw(self, n_patients: int, rng: np.random.Generator, frailty: float = 0.0) -> Bool:
        """Who has what, shape (n_patients, n_nodes).

        Args:
            n_patients: number of patients.
            rng: of the draws.
            frailty: variance of a gamma factor with mean 1 that a patient's leaks are multiplied by.
        """
        factor = rng.gamma(1 / frailty, frailty, n_patients) if frailty else np.ones(n_patients)
        had = np.zeros((n_patients, len(self.nodes)), dtype=np.bool_)
        for b in range(len(self.nodes)):
            eta = -np.log1p(-self.leaks[b]) * factor - had @ np.log1p(-self.strengths[:, b])
            had[:, b] = rng.random(n_patients) < -np.expm1(-eta)
        return had


def random_truth(rng: np.random.Generator, n_nodes: int = 50, n_edges: int = 75) -> Truth:
    """A random network: edges run down the causal order, no node has more than four causes."""
    nodes = tuple(f"D{place:03d}" for place in range(n_nodes))
    strengths = np.zeros((n_nodes, n_nodes))
    while np.count_nonzero(strengths) < n_edges:
        cause, effect = sorted(rng.choice(n_nodes, 2, replace=False))
        if np.count_nonzero(strengths[:, effect]) < MAX_PARENTS:
            strengths[cause, effect] = rng.uniform(*STRENGTH)
    tiers = {node: place * N_TIERS // n_nodes for place, node in enumerate(nodes)}
    return Truth(nodes, tiers, rng.uniform(*LEAK, n_nodes), strengths)


def matrix_of(had: Bool, nodes: tuple[str, ...], kernels: Kernels | None = None) -> DiagnosisMatrix:
    """Patients of one visit each, so that nothing but the tiers tells of time."""
    first = (FirstDiagnoses(rows, np.zeros_like(rows)) for rows in map(_ones, had.T))
    offsets = np.arange(len(had) + 1, dtype=np.int64)
    return DiagnosisMatrix.of(nodes, first, offsets, had.sum(axis=1).astype(np.int32), kernels=kernels)


def _ones(column: Bool) -> npt.NDArray[np.int32]:
    return np.flatnonzero(column).astype(np.int32)

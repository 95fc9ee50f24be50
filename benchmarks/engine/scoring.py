"""B2, B3: CPU seconds of a full score and of all single-edge deltas, beside pgmpy and pyAgrum."""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyagrum

from benchmarks.engine.measure import Goal, cpu_seconds, ratio
from benchmarks.engine.truth import Bool, matrix_of
from tools.causal import scores
from tools.causal.dag import CausalGraph
from tools.causal.edits import Edit, apply, edit_deltas, edit_gains
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.orientation import time_evidence
from tools.numerics.memory import Memory

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pgmpy.structure_score import BIC

N_NODES, N_EDGES, MAX_PARENTS = 50, 100, 4
SHARES = 0.02, 0.20
N_PEER_EDITS = 60


class Peers(NamedTuple):
    """Both peers with all that they prepare once.

    pgmpy keeps local scores by family; what is timed is `_local_score`, the one that counts.
    """

    pgmpy: BIC
    pyagrum: "pyagrum.BNLearner"


def case(seed: int, n_patients: int) -> tuple[CausalGraph, Bool]:
    """A random graph of 50 nodes and 100 edges, and diseases of 2 to 20 % of the patients."""
    rng = np.random.default_rng(seed)
    edges: set[tuple[int, int]] = set()
    while len(edges) < N_EDGES:
        cause, effect = sorted(rng.choice(N_NODES, 2, replace=False).tolist())
        if sum(e == effect for _, e in edges) < MAX_PARENTS:
            edges.add((cause, effect))
    had = rng.random((n_patients, N_NODES)) < rng.uniform(*SHARES, N_NODES)
    nodes = [f"D{place:02d}" for place in range(N_NODES)]
    return CausalGraph(nodes, [(nodes[a], nodes[b]) for a, b in edges]), had


def peers(graph: CausalGraph, had: Bool) -> Peers:
    """BIC of pgmpy with state names, and a learner of pyAgrum by BIC without prior."""
    table = pd.DataFrame(had.astype(int), columns=list(graph.nodes))
    learner = pyagrum.BNLearner(table)
    learner.useNoPrior()
    learner.useScoreBIC()
    learner.setNumberOfThreads(1)
    return Peers(BIC(table, state_names={node: [0, 1] for node in graph.nodes}), learner)


def goals(quick: bool = False) -> list[Goal]:
    """Ratios at 7,500 and 85,000 patients, compiled and plain."""
    found = []
    for n_patients in (1_000,) if quick else (7_500, 85_000):
        graph, had = case(0, n_patients)
        by = peers(graph, had)
        found += _full_score(graph, had, by) + _deltas(graph, had, by)
    return found


def _full_score(graph: CausalGraph, had: Bool, by: Peers) -> list[Goal]:
    families = [(node, list(graph.parents(node))) for node in graph.nodes]

    def pgmpy() -> float:
        return sum(by.pgmpy._local_score(node, tuple(parents)) for node, parents in families)

    def agrum() -> float:
        return sum(by.pyagrum.score(node, parents) for node, parents in families)

    peer, other, n = pgmpy(), agrum() * np.log(2), f"{len(had):,} patients"
    slow, prebuilt = cpu_seconds(pgmpy), cpu_seconds(agrum)
    found = []
    for kernels, goal in (("numba", 300), ("numpy", 75)):
        matrix = matrix_of(had, graph.nodes, kernels)
        ours = _score_anew(graph, matrix)
        if abs(ours - peer) > 1e-6 or abs(ours - other) > 1e-4:
            raise SystemExit(f"scores differ: {ours}, pgmpy {peer}, pyAgrum {other}")
        spent = cpu_seconds(lambda matrix=matrix: _score_anew(graph, matrix))
        found.append(ratio(f"B2 full score, {kernels} / pgmpy, {n}", slow / spent, goal))
        if kernels == "numba":
            found.append(ratio(f"B2 full score, numba / pyAgrum, {n}", prebuilt / spent, 10))
    return found


def _score_anew(graph: CausalGraph, matrix: DiagnosisMatrix) -> float:
    return float(scores.family_scores(matrix, scores.graph_families(graph, matrix), "bic").sum())


def _deltas(graph: CausalGraph, had: Bool, by: Peers) -> list[Goal]:
    found, a_peer_edit = [], 0.0
    for kernels, goal in (("numba", 800), ("numpy", 150)):
        matrix = matrix_of(had, graph.nodes, kernels)
        evidence = time_evidence(matrix)
        edits = edit_gains(graph, matrix, method="bic")
        if not a_peer_edit:
            a_peer_edit = _peer_edit(graph, edits, by)

        def all_at_once(matrix: DiagnosisMatrix = matrix, evidence: object = evidence) -> None:
            matrix.__dict__["memory"] = memory = Memory(1 << 24)
            memory.keep("time", evidence)
            edit_deltas(graph, matrix, method="bic")

        spent = cpu_seconds(all_at_once) / len(edits)
        name = f"B3 {len(edits):,} deltas, {kernels} / pgmpy warm, an edit, {len(had):,} patients"
        found.append(ratio(name, a_peer_edit / spent, goal))
    return found


def _peer_edit(graph: CausalGraph, edits: tuple[Edit, ...], by: Peers) -> float:
    """CPU seconds of one delta by pgmpy, which has kept the families of the graph at hand."""
    rng = np.random.default_rng(1)
    some = [edits[place] for place in rng.choice(len(edits), min(N_PEER_EDITS, len(edits)), replace=False)]
    known = {node: by.pgmpy.local_score(node, graph.parents(node)) for node in graph.nodes}

    def delta(edit: Edit) -> float:
        new = apply(graph, edit)
        touched = (edit.effect, edit.cause) if edit.operation == "reverse" else (edit.effect,)
        return float(sum(by.pgmpy._local_score(node, new.parents(node)) - known[node] for node in touched))

    for edit in some:
        if abs(delta(edit) - edit.gain) > 1e-6:
            raise SystemExit(f"delta differs: {edit}, pgmpy {delta(edit)}")
    return cpu_seconds(lambda: [delta(edit) for edit in some], runs=3) / len(some)

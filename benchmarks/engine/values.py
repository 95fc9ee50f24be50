"""B1: every score of tables equals pgmpy's, and every single-edge change equals scoring anew.

pgmpy 1.1.2's BDeu leaves out terms where the EFFECT has a state that no patient is in: it corrects for
missing configurations of the parents alone. There its own formula is given counts over all named states.
"""

import warnings
from contextlib import nullcontext
from unittest import mock

import numpy as np
import pandas as pd

from benchmarks.engine.measure import Goal, at_most
from benchmarks.engine.truth import Bool, matrix_of
from tools.causal import scores
from tools.causal.dag import CausalGraph
from tools.causal.edits import apply, edit_gains
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.scores import Score

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pgmpy import structure_score
    from pgmpy.structure_score import bdeu
    from pgmpy.structure_score.bdeu import get_state_counts

ESS = 10.0
PEERS = {"loglik": "LogLikelihood", "bic": "BIC", "aic": "AIC", "bdeu": "BDeu", "k2": "K2"}


def random_case(rng: np.random.Generator) -> tuple[CausalGraph, Bool]:
    """A random graph over 4 to 10 diseases of 20 to 500 patients, of which one disease was never seen."""
    n_nodes, n_patients = int(rng.integers(4, 11)), int(rng.integers(20, 501))
    had = rng.random((n_patients, n_nodes)) < rng.uniform(0.02, 0.6, n_nodes)
    had[:, rng.integers(n_nodes)] = False
    nodes = [f"D{place}" for place in range(n_nodes)]
    order = rng.permutation(n_nodes)
    pairs = [(a, b) for place, a in enumerate(order) for b in order[place + 1 :] if rng.random() < 0.35]
    return CausalGraph(nodes, [(nodes[a], nodes[b]) for a, b in pairs]), had


def peer_score(graph: CausalGraph, had: Bool, name: str) -> float:
    """The score of a graph by pgmpy."""
    table = pd.DataFrame(had.astype(int), columns=list(graph.nodes))
    more = {"equivalent_sample_size": ESS} if name == "bdeu" else {}
    judge = getattr(structure_score, PEERS[name])(table, state_names={n: [0, 1] for n in graph.nodes}, **more)
    one_state = {node for node in graph.nodes if table[node].nunique() == 1}
    total = 0.0
    for node in graph.nodes:
        all_states = name == "bdeu" and node in one_state
        with mock.patch.object(bdeu, "get_state_counts", _full_counts) if all_states else nullcontext():
            total += float(judge.local_score(node, graph.parents(node)))
    return total


def _full_counts(*arguments: object, reindex: bool) -> pd.DataFrame:
    return get_state_counts(*arguments, reindex=True)


def goals(quick: bool = False) -> list[Goal]:
    """Largest differences over random graphs and data sets."""
    rng = np.random.default_rng(0)
    worst = dict.fromkeys(("peer", "delta", "covered"), 0.0)
    n_cases = 20 if quick else 200
    for _ in range(n_cases):
        graph, had = random_case(rng)
        for kernels in ("numba", "numpy"):
            matrix = matrix_of(had, graph.nodes, kernels)
            for name in PEERS:
                ours = scores.total_score(graph, matrix, Score(name, ess=ESS))
                worst["peer"] = max(worst["peer"], abs(ours - peer_score(graph, had, name)))
            worst["delta"] = max(worst["delta"], _largest_error(graph, matrix))
            worst["covered"] = max(worst["covered"], _largest_change_of_covered(graph, matrix))
    return [
        at_most(f"B1 difference from pgmpy, five scores, {n_cases} graphs", worst["peer"], 1e-6, " nats"),
        at_most("B1 single-edge deltas from scoring anew", worst["delta"], 1e-9, " nats"),
        at_most("B1 reversal of a covered edge, bic and loglik", worst["covered"], 1e-9, " nats"),
    ]


def _largest_error(graph: CausalGraph, matrix: DiagnosisMatrix) -> float:
    """Of any edit's gain from the difference of full scores, by BIC."""
    before = scores.family_scores(matrix, scores.graph_families(graph, matrix), "bic").sum()
    errors = [0.0]
    for edit in edit_gains(graph, matrix, method="bic"):
        families = scores.graph_families(apply(graph, edit), matrix)
        after = scores.family_scores(matrix, families, "bic").sum()
        errors.append(abs(edit.gain - float(after - before)))
    return max(errors)


def _largest_change_of_covered(graph: CausalGraph, matrix: DiagnosisMatrix) -> float:
    changes = [0.0]
    for cause, effect in graph.edges:
        if set(graph.parents(effect)) - {cause} == set(graph.parents(cause)):
            turned = graph.edit(add=[(effect, cause)], remove=[(cause, effect)])
            for name in ("bic", "loglik"):
                both = (scores.total_score(g, matrix, name) for g in (turned, graph))
                changes.append(abs(next(both) - next(both)))
    return max(changes)

"""How much of the true causal graph the statistical path recovers on the simulated demo cohort.

    python -m benchmarks.recovery [--patients 20] [--seed 0]

For some patients with three visits or more, the graph over their history (all visits but the last) and
candidates that the diagnosis run ends with, on a data set WITHOUT these patients, is compared with the truth
among its nodes:

    precision    edges found that join what a true edge joins, or that stand for a directed true path through
                 diseases outside the graph, over edges found
    recall       true edges among the nodes that are found (either direction), over all of them
    orientation  found true edges that point the right way, over found true edges

The interval is over patients of one data set, whose graphs share most of their edges; for the spread between
data sets, write cohorts with other seeds and name them by `--demo`.
"""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import networkx as nx
import numpy as np
import numpy.typing as npt

from graph.context import DiagnosisContext
from graph.diagnosis import graph
from graph.state import DiagnosisInput
from tools.causal.dag import CausalGraph
from tools.dataset.clinical import ClinicalDataset
from tools.records.cohort import Cohort, Patient
from tools.records.read import read_cohort

DEMO = Path(__file__).parents[1] / "data" / "demo"
F1_GOAL, ORIENTATION_GOAL = 0.80, 0.85
N_BOOTSTRAP = 2_000


class Recovery(NamedTuple):
    """One graph against the truth; orientation is NaN where no true edge was found."""

    n_nodes: int
    n_true: int
    n_found: int
    precision: float
    recall: float
    f1: float
    orientation: float


class Interval(NamedTuple):
    """A mean with its 95 % percentile bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def final_graph(store: Path, patient: Patient) -> CausalGraph:
    """The graph that the diagnosis run without a language model ends with."""
    history = [list(visit.codes) for visit in patient.visits[:-1]]
    context = DiagnosisContext(store=str(store), resamples=0)
    result = graph.invoke(DiagnosisInput(history=history), context=context)["result"]
    edges = ((edge["cause"], edge["effect"]) for edge in result["graph"]["edges"])
    return CausalGraph((node["code"] for node in result["graph"]["nodes"]), edges)


def compare(found: CausalGraph, truth: CausalGraph) -> Recovery:
    """Score a graph against the truth among its nodes (definitions in the module's docstring)."""
    nodes = set(found.nodes)
    true_edges = {edge for edge in truth.edges if nodes.issuperset(edge)}
    joined = {frozenset(edge) for edge in true_edges}
    hits = [edge for edge in found.edges if frozenset(edge) in joined]
    n_right = sum(edge in hits or _stands_for_path(edge, nodes, truth) for edge in found.edges)
    precision = n_right / max(len(found.edges), 1)
    recall = len(hits) / max(len(true_edges), 1)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    orientation = float(np.mean([edge in true_edges for edge in hits])) if hits else float("nan")
    return Recovery(len(nodes), len(true_edges), len(found.edges), precision, recall, f1, orientation)


def _stands_for_path(edge: tuple[str, str], nodes: set[str], truth: CausalGraph) -> bool:
    outside = truth.networkx.subgraph((set(truth.nodes) - nodes) | set(edge))
    return nx.has_path(outside, *edge)


def bootstrap(values: npt.NDArray[np.float64], rng: np.random.Generator) -> Interval:
    """Mean over patients, patients drawn again with replacement; NaN left out."""
    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"), float("nan"))
    means = known[rng.integers(len(known), size=(N_BOOTSTRAP, len(known)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(known.mean()), float(low), float(high))


def choose(cohort: Cohort, n_patients: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Rows of some patients with three visits or more."""
    return np.sort(rng.choice(np.flatnonzero(cohort.visits_per_patient >= 3), n_patients, replace=False))


def read_truth(path: Path) -> CausalGraph:
    """The graph in a `true_graph.json`."""
    truth = json.loads(path.read_text(encoding="utf-8"))
    edges = ((edge["cause"], edge["effect"]) for edge in truth["edges"])
    return CausalGraph((node["code"] for node in truth["nodes"]), edges)


def report(recoveries: list[Recovery], rng: np.random.Generator) -> bool:
    """Print the table and the verdict; True where both goals are met."""
    print("patient  nodes  true  found  precision  recall    F1  orientation")
    for row, r in enumerate(recoveries, start=1):
        print(
            f"{row:7} {r.n_nodes:6} {r.n_true:5} {r.n_found:6} "
            f"{r.precision:10.2f} {r.recall:7.2f} {r.f1:5.2f} {r.orientation:12.2f}"
        )
    columns = np.array(recoveries, dtype=np.float64).T
    precision, recall, f1, orientation = (bootstrap(column, rng) for column in columns[3:])
    print(f"mean over patients, 95 % bootstrap: precision {precision}, recall {recall}")
    passed = f1.mean >= F1_GOAL and orientation.mean >= ORIENTATION_GOAL
    print(
        f"A4 {'PASS' if passed else 'FAIL'} skeleton F1 {f1} (goal {F1_GOAL:.2f}), "
        f"orientation {orientation} (goal {ORIENTATION_GOAL:.2f})"
    )
    return passed


def main() -> int:
    """Run the benchmark; 0 where the goals are met, 1 where they are not."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recovery", description="Recovery of the true graph."
    )
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--demo", type=Path, default=DEMO, help="folder written by `iikea records simulate`")
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    cohort, truth = read_cohort(chosen.demo / "cohort.csv.gz"), read_truth(chosen.demo / "true_graph.json")
    rows = choose(cohort, chosen.patients, rng)
    others = np.setdiff1d(np.arange(cohort.n_patients), rows)
    with TemporaryDirectory() as folder:
        ClinicalDataset.build(cohort.subset(others)).save(store := Path(folder) / "store")
        recoveries = [compare(final_graph(store, patient), truth) for patient in cohort.subset(rows)]
    return 0 if report(recoveries, rng) else 1


if __name__ == "__main__":
    sys.exit(main())

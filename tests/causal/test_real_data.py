import os
from pathlib import Path

import numpy as np
import pytest

from tests.dataset.test_dataset import slow_counts
from tools.causal.dag import CausalGraph
from tools.causal.fitting import fit
from tools.dataset.clinical import ClinicalDataset
from tools.records.cohort import Cohort
from tools.records.formats import diabetes130


@pytest.fixture(scope="module")
def everyone() -> Cohort:
    folder = os.environ.get("IIKEA_REAL_DATA")
    if not folder:
        pytest.skip("IIKEA_REAL_DATA names no folder of real data")
    return diabetes130.read(Path(folder) / "diabetes130")


@pytest.fixture(scope="module")
def diabetes(everyone) -> Cohort:
    return everyone.subset(np.flatnonzero(everyone.visits_per_patient > 1)[:400])


@pytest.mark.parametrize("next_only", [False, True])
def test_transition_counts_of_real_records_equal_slow_loops(diabetes, next_only):
    patients = [[frozenset(visit.codes) for visit in patient.visits] for patient in diabetes]
    counts, _ = slow_counts(patients, next_only)
    data = ClinicalDataset.build(diabetes)
    found = data.counts(next_only).tocoo()
    keys = data.vocabulary.keys
    pairs = zip(found.row, found.col, found.data, strict=True)
    assert {(keys[a], keys[b]): int(n) for a, b, n in pairs} == counts


def test_three_slots_a_visit_do_not_hide_what_diabetes_brings(everyone):
    """250 diabetes, 401 hypertension: 30 % of those with 250 have 401 and 12 % of those without."""
    data = ClinicalDataset.build(everyone)
    assert data.slots == 3
    fitted = fit(CausalGraph(("250", "401"), [("250", "401")]), data.matrix(("250", "401")))
    (edge,) = fitted.edges
    assert fitted.burden_measure == "visits"
    assert 0.15 < edge.lower < edge.upper < 0.25
    assert edge.gain > 1_000

import os
from pathlib import Path

import numpy as np
import pytest

from tests.causal.test_dataset import slow_counts
from tools.causal.dataset import ClinicalDataset
from tools.records import diabetes130
from tools.records.cohort import Cohort


@pytest.fixture(scope="module")
def diabetes() -> Cohort:
    folder = os.environ.get("IIKEA_REAL_DATA")
    if not folder:
        pytest.skip("IIKEA_REAL_DATA names no folder of real data")
    cohort = diabetes130.read(Path(folder) / "diabetes130")
    repeated = np.flatnonzero(cohort.visits_per_patient > 1)[:400]
    return cohort.subset(repeated)


@pytest.mark.parametrize("next_only", [False, True])
def test_transition_counts_of_real_records_equal_slow_loops(diabetes, next_only):
    patients = [[frozenset(visit.codes) for visit in patient.visits] for patient in diabetes]
    counts, _ = slow_counts(patients, next_only)
    data = ClinicalDataset.build(diabetes)
    found = data.counts(next_only).tocoo()
    keys = data.vocabulary.keys
    pairs = zip(found.row, found.col, found.data, strict=True)
    assert {(keys[a], keys[b]): int(n) for a, b, n in pairs} == counts

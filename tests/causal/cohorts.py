"""Small cohorts, made by hypothesis or by hand, and matrices over them."""

import numpy as np
from hypothesis import strategies as st

from tools.dataset.clinical import ClinicalDataset
from tools.numerics.bits import unpack
from tools.records.cohort import Cohort, Concept, Vocabulary

KEYS = ("4019", "25000", "4280", "5856", "0389", "496")

visits = st.lists(st.frozensets(st.sampled_from(KEYS), max_size=4), min_size=1, max_size=5)
histories = st.lists(visits, min_size=1, max_size=12)


def cohort(patients, keys=KEYS) -> Cohort:
    """A cohort of patients given as lists of visits, each a set of keys."""
    vocabulary = Vocabulary(Concept(system="ICD9CM", code=key, display=key) for key in keys)
    flat = [sorted(vocabulary.column(key) for key in visit) for patient in patients for visit in patient]
    return Cohort(
        source="test",
        vocabulary=vocabulary,
        patient_ids=tuple(f"P{row:04d}" for row in range(len(patients))),
        visit_offsets=np.cumsum([0, *(len(patient) for patient in patients)]),
        times=np.arange(len(flat)),
        clock="order",
        code_offsets=np.cumsum([0, *(len(visit) for visit in flat)]),
        codes=np.array([code for visit in flat for code in visit], dtype=np.int64),
    )


def dataset(patients, keys=KEYS) -> ClinicalDataset:
    return ClinicalDataset.build(cohort(patients, keys))


def numbered(visits, n_codes):
    """A data set of visits given as sets of numbers below `n_codes`, and its keys in that order."""
    keys = tuple(str(100 + number) for number in range(n_codes))
    patients = [[{keys[number] for number in visit} for visit in patient] for patient in visits]
    return dataset(patients, keys), keys


def random_matrix(seed: int, n_patients: int = 300, n_visits: int = 3, kernels=None):
    """A diagnosis matrix over all keys with correlated columns."""
    rng = np.random.default_rng(seed)
    health = rng.gamma(2.0, 0.5, n_patients)
    risk = np.minimum(0.25 * health, 0.9)
    drawn = rng.random((n_patients, n_visits, len(KEYS))) < risk[:, None, None]
    patients = [[{k for k, has in zip(KEYS, row, strict=True) if has} for row in p] for p in drawn]
    return dataset(patients).matrix(KEYS, kernels)


def first_visits(matrix):
    """The visit of first diagnosis, -1 for never, shape (n_patients, n_nodes)."""
    first = np.full((matrix.n_patients, len(matrix.nodes)), -1)
    for column, one in enumerate(matrix.first_diagnoses):
        first[one.patients, column] = one.visits
    return first


def transitions(matrix):
    """(stratum, history, new) of every visit that has a successor, sorted."""
    lagged = matrix.lagged
    rows = lagged.history.n_rows
    taken = unpack(lagged.taken, rows).astype(bool)
    stratum = lagged.groups.numbers(rows)[taken].tolist()
    history, new = (
        unpack(side.bits, rows).astype(bool).T[taken].tolist() for side in (lagged.history, lagged.new)
    )
    return sorted(zip(stratum, history, new, strict=True))

"""Cohorts written by hand or drawn, small enough for slow references."""

from hypothesis import strategies as st

from tests.causal.cohorts import cohort
from tools.records.cohort import Concept, Vocabulary

CODES = ("25000", "25002", "4019", "4280", "486", "E8490", "E8497", "V5861", "V5867")

visits = st.frozensets(st.sampled_from(CODES), max_size=4)
multi_visit = st.lists(st.lists(visits, min_size=2, max_size=5), min_size=2, max_size=9)


def cohort_of(patients, codes=CODES, system="ICD9CM", source="test"):
    """Patients as lists of visits, a visit as a set of codes; the vocabulary is all of `codes`."""
    vocabulary = Vocabulary(Concept(system=system, code=code, display=code) for code in codes)
    return cohort(patients, codes).model_copy(update={"vocabulary": vocabulary, "source": source})


def plainly(cohort):
    """The patients as lists of sets of keys."""
    return [[set(visit.codes) for visit in patient.visits] for patient in cohort]


def of_sizes(*visits_per_patient, source="test"):
    """Patients of whom only the number of visits matters."""
    return cohort_of([[{"4019"}] * number for number in visits_per_patient], source=source)

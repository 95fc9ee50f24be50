from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.small_cohorts import CODES, cohort_of, multi_visit, plainly
from tools.records.cohort import Cohort, Concept, Vocabulary
from tools.records.rollup import columns_within, to_categories, training_cohort
from tools.safety.errors import InputError

HEADINGS = {
    "25000": "250",
    "25002": "250",
    "4019": "401",
    "4280": "428",
    "V5861": "V58",
    "V5867": "V58",
    "E8490": "E849",
    "E8497": "E849",
    "486": "486",
}


@given(multi_visit)
def test_each_code_becomes_its_heading_once_a_visit(patients):
    rolled = to_categories(cohort_of(patients))
    assert plainly(rolled) == [[{HEADINGS[code] for code in visit} for visit in p] for p in patients]
    assert rolled.vocabulary.keys == tuple(sorted(set(HEADINGS.values())))
    bounds = rolled.code_offsets.tolist()
    visits = [rolled.codes[a:b].tolist() for a, b in pairwise(bounds)]
    assert all(visit == sorted(set(visit)) for visit in visits)


@given(multi_visit)
def test_rolling_up_twice_changes_nothing_more(patients):
    once = to_categories(cohort_of(patients))
    twice = to_categories(once)
    assert plainly(once) == plainly(twice)
    assert once.vocabulary.columns == twice.vocabulary.columns


def test_headings_have_published_names():
    rolled = to_categories(cohort_of([[set(CODES), {"4019"}]]))
    concepts = {c.code: (c.display, c.named_by) for c in rolled.vocabulary.concepts}
    assert concepts["250"] == ("Diabetes mellitus", "heading")
    assert concepts["486"] == ("486", "record")
    icd10 = to_categories(cohort_of([[{"I509"}, {"E1165", "E119"}]], ("I509", "E1165", "E119"), "ICD10CM"))
    assert {c.code: c.display for c in icd10.vocabulary.concepts} == {
        "E11": "Type 2 diabetes mellitus",
        "I50": "Heart failure",
    }


def test_other_systems_have_no_headings():
    with pytest.raises(InputError, match="full"):
        to_categories(cohort_of([[{"44054006"}, {"38341003"}]], ("44054006", "38341003"), "SNOMED"))


@given(multi_visit, st.data())
def test_training_patients_bring_the_vocabulary_of_their_own_codes(patients, data):
    cohort = cohort_of(patients)
    rows = sorted(data.draw(st.sets(st.integers(0, len(patients) - 1), min_size=1)))
    part = training_cohort(cohort, rows)
    chosen = [patients[row] for row in rows]
    assert plainly(part) == chosen
    assert set(part.vocabulary.keys) == set().union(*(code for p in chosen for code in p))
    places = columns_within(part.vocabulary, cohort.vocabulary)
    assert [cohort.vocabulary.keys[place] for place in places] == list(part.vocabulary.keys)


def test_a_code_of_two_systems_is_found_by_system_where_its_key_differs():
    both = [Concept(system=s, code="V1582", display="x") for s in ("ICD9CM", "ICD10CM")]
    whole, part = Vocabulary(both), Vocabulary([both[0]])
    assert part.keys == ("V1582",)
    assert columns_within(part, whole).tolist() == [whole.column("ICD9CM:V1582")]
    with pytest.raises(InputError, match="not in the other"):
        columns_within(whole, part)


def test_a_subset_counts_its_own_visits_after_the_whole_was_counted():
    cohort: Cohort = cohort_of([[{"4019"}] * n for n in (1, 3, 2)])
    assert cohort.visits_per_patient.tolist() == [1, 3, 2]
    assert cohort.subset(np.array([1])).visits_per_patient.tolist() == [3]
    assert training_cohort(cohort, [0, 2]).visits_per_patient.tolist() == [1, 2]

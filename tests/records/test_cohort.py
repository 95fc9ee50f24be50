import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.records.build import Concepts, Visits, assemble
from tools.records.cohort import Concept, ConceptColumns, Vocabulary
from tools.safety.errors import InputError

CODES = ("25000", "4019", "4280", "038")
histories = st.dictionaries(
    st.text("abc1", min_size=1, max_size=3),
    st.lists(st.sets(st.sampled_from(CODES)), min_size=1, max_size=4),
    min_size=1,
    max_size=8,
)


def cohort_of(drawn):
    """A cohort of {patient: [codes of visit, ...]}, times counting from 0."""
    concepts = Concepts()
    visits = [(p, t) for p, patient in enumerate(drawn.values()) for t in range(len(patient))]
    code_sets = [codes for patient in drawn.values() for codes in patient]
    pairs = [(v, c) for v, codes in enumerate(code_sets) for c in codes]
    patient, time = (np.array(column, dtype=np.int64) for column in zip(*visits, strict=True))
    numbers = concepts.add_distinct("ICD9CM", [c for _, c in pairs])
    return assemble(
        "test",
        "order",
        patients=tuple(drawn),
        visits=Visits(patient, time, np.zeros_like(time)),
        entries=(np.array([v for v, _ in pairs], dtype=np.int64), numbers),
        concepts=concepts,
    )


def plainly(cohort):
    return {p.id: [set(v.codes) for v in p.visits] for p in cohort}


@given(histories)
def test_a_cohort_holds_what_was_put_in(drawn):
    cohort = cohort_of(drawn)
    assert plainly(cohort) == drawn
    assert cohort.patient_ids == tuple(sorted(drawn))
    assert (cohort.n_visits, len(cohort)) == (sum(map(len, drawn.values())), len(drawn))
    assert all(cohort.patient(p.id) == p for p in cohort)


@given(histories, st.data())
def test_a_subset_is_the_same_patients_with_the_same_vocabulary(drawn, data):
    cohort = cohort_of(drawn)
    rows = sorted(data.draw(st.sets(st.integers(0, len(drawn) - 1))))
    part = cohort.subset(rows)
    assert plainly(part) == {p: drawn[p] for p in (cohort.patient_ids[r] for r in rows)}
    assert part.vocabulary is cohort.vocabulary


def test_an_unknown_patient_is_refused_without_an_echo():
    with pytest.raises(InputError, match="no patient") as caught:
        cohort_of({"a": [{"4019"}]}).patient("Jane Doe")
    assert "Jane" not in str(caught.value)


def test_a_key_names_its_system_only_where_two_share_a_code():
    both = [Concept(system=s, code="V1582", display="x") for s in ("ICD9CM", "ICD10CM")]
    vocabulary = Vocabulary([*both, Concept(system="ICD9CM", code="4019", display="x")])
    assert vocabulary.keys == ("ICD10CM:V1582", "4019", "ICD9CM:V1582")
    assert vocabulary.find("icd-9-cm:V15.82") == "ICD9CM:V1582"
    assert vocabulary.find(" 401.9 ") == "4019"
    assert vocabulary.find("999.9") is None
    with pytest.raises(InputError, match="twice"):
        Vocabulary([both[0], both[0]])


def test_a_vocabulary_of_columns_is_that_of_the_concepts():
    concepts = [Concept(system=s, code=c, display=f"{s} {c}") for s in ("B", "A") for c in ("2", "10")]
    made = Vocabulary(concepts)
    again = Vocabulary.of_columns(made.columns)
    assert again.concepts == made.concepts == tuple(sorted(concepts, key=lambda c: (c.system, c.code)))
    assert again.keys == made.keys == ("A:10", "A:2", "B:10", "B:2")
    assert again.concept("B:2") == concepts[0]


@pytest.mark.parametrize(
    "columns",
    [
        ConceptColumns(("A", "A"), ("2", "10"), ("x", "x"), ("record", "record")),
        ConceptColumns(("A", "A"), ("2", "2"), ("x", "x"), ("record", "record")),
        ConceptColumns(("A", "A"), ("1", "2"), ("x",), ("record", "record")),
        ConceptColumns(("A",), ("1", "2"), ("x", "x"), ("record", "record")),
    ],
)
def test_columns_that_are_no_vocabulary_are_refused(columns):
    with pytest.raises(InputError, match="vocabulary"):
        Vocabulary.of_columns(columns)

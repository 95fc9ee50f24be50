"""Rows of OMOP tables by hand, all in January 2020."""

import pytest

from tests.records.writers import omop
from tools.records.faults import RecordFaults
from tools.records.read import read_cohort

DAY = 86_400
FIRST = 18_262  # 2020-01-01, in days since 1970
CONCEPTS = [
    {"concept_id": 1, "concept_name": "Hypertension", "vocabulary_id": "ICD9CM", "concept_code": "401.9"},
    {"concept_id": 2, "concept_name": "Diabetes", "vocabulary_id": "ICD10CM", "concept_code": "E11.9"},
    {
        "concept_id": 3,
        "concept_name": "Diabetes (SNOMED)",
        "vocabulary_id": "SNOMED",
        "concept_code": "44054006",
    },
    {"concept_id": 4, "concept_name": "of the WHO", "vocabulary_id": "ICD10", "concept_code": "E11"},
    {"concept_id": 5, "concept_name": "a block", "vocabulary_id": "ICD10CM", "concept_code": "E08-E13"},
]


def person(number=1):
    return {"person_id": number}


def visit(number, person_id=1, start=1, end=None, **more):
    days = {"visit_start_date": f"2020-01-{start:02}", "visit_end_date": f"2020-01-{end or start:02}"}
    return {"visit_occurrence_id": number, "person_id": person_id, **days, **more}


def condition(value="4019", visit_id=None, day=1, person_id=1, source=0, concept=0):
    return {
        "person_id": person_id,
        "visit_occurrence_id": visit_id,
        "condition_start_date": f"2020-01-{day:02}",
        "condition_source_value": value,
        "condition_source_concept_id": source,
        "condition_concept_id": concept,
    }


def tables(conditions, visits=None, persons=None, concepts=None):
    return {
        "PERSON": [person()] if persons is None else persons,
        "VISIT_OCCURRENCE": [visit(10)] if visits is None else visits,
        "CONDITION_OCCURRENCE": conditions,
        **({} if concepts is None else {"CONCEPT": concepts}),
    }


def written(folder, *given, kind=".csv", **named):
    return omop.write_tables(tables(*given, **named), folder, kind)


def plainly(cohort):
    return {p.id: [((v.time - FIRST * DAY) / DAY, sorted(v.codes)) for v in p.visits] for p in cohort}


def places(path):
    with pytest.raises(RecordFaults) as refused:
        read_cohort(path)
    return [f[:2] for f in refused.value.faults]

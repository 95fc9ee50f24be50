"""FHIR resources of one patient `p` with one encounter `e`, and what is compared of what is read."""

from itertools import count

import numpy as np

from tests.records.writers.fhir import URIS
from tools.dataset.clinical import ClinicalDataset

ICD9, ICD10, SNOMED = (URIS[system] for system in ("ICD9CM", "ICD10CM", "SNOMED"))


def patient(id_="p"):
    return {"resourceType": "Patient", "id": id_}


def encounter(id_="e", start="2020-01-01", end=None, subject="Patient/p", **more):
    period = {"start": start, "end": end} if end else {"start": start}
    made = {"resourceType": "Encounter", "id": id_, "period": period, "subject": {"reference": subject}}
    return {name: value for name, value in (made | more).items() if value is not None}


numbers = count()


def condition(code="4019", system=ICD9, encounter="Encounter/e", subject="Patient/p", **more):
    made = {
        "resourceType": "Condition",
        "id": f"c{next(numbers)}",
        "code": code
        if code is None or isinstance(code, dict)
        else {"coding": [{"system": system, "code": code}]},
        "subject": {"reference": subject},
        "encounter": {"reference": encounter} if encounter else None,
    }
    return {name: value for name, value in (made | more).items() if value is not None}


def coded(*codings, text=None):
    names = ("system", "code", "display")
    return {"coding": [dict(zip(names, coding, strict=False)) for coding in codings], "text": text}


def plainly(cohort):
    return {p.id: [(v.time, sorted(v.codes)) for v in p.visits] for p in cohort}


def day(text):
    return int(np.datetime64(text, "s").astype(int))


ONE = {"p": [(day("2020-01-01"), ["4019"])]}


def assert_same(one, other):
    assert one.patient_ids == other.patient_ids
    assert one.clock == other.clock
    assert one.vocabulary.concepts == other.vocabulary.concepts
    for name in ("visit_offsets", "times", "code_offsets", "codes"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    first, second = ClinicalDataset.build(one), ClinicalDataset.build(other)
    assert first.hash == second.hash
    for name, array in first.columns._asdict().items():
        np.testing.assert_array_equal(array, getattr(second.columns, name), err_msg=name)

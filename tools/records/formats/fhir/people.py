"""Sex and birth in FHIR: gender and birthDate of Patients; a birthDate may be a year or a month."""

from datetime import date
from pathlib import Path

import pandas as pd

from tools.records.cohort import Cohort
from tools.records.formats.fhir.elements import ElementFault, moment, text_of
from tools.records.formats.fhir.places import Json, Reading
from tools.records.formats.fhir.read import resources
from tools.records.person import Births, Person, agreed, people_born, sexes

_TYPE = "Patient"
_EPOCH = date(1970, 1, 1)
_YEAR, _MONTH = len("2019"), len("2019-05")


def read_people(path: Path, cohort: Cohort) -> dict[str, Person]:
    """Everyone in the cohort that was read from bundles or bulk data.

    Raises:
        InputError: the files cannot be read (`RecordFaults`).
    """
    reading = Reading()
    found = [
        (found.id, _word(found.resource, "gender"), *_born(_word(found.resource, "birthDate")))
        for found in resources(path, reading, only=_TYPE)
    ]
    reading.faults.refuse("records")
    rows = pd.DataFrame(found, columns=["id", "gender", "first", "last"])
    born = (agreed(rows["id"], rows[end].astype(float)) for end in ("first", "last"))
    return people_born(cohort, sexes(rows["id"], rows["gender"].astype(object)), Births(*born))


def _word(patient: Json, name: str) -> str:
    try:
        return text_of(patient, name, _TYPE)
    except ElementFault:
        return ""


def _born(text: str) -> tuple[int | None, int | None]:
    """First and last day since 1970 that a birthDate may mean."""
    try:
        first = moment(text, "Patient.birthDate").day
        if len(text) > _MONTH:
            return first, first
        year, month = int(text[:_YEAR]), int(text[_YEAR + 1 :] or 12)
        after = date(year + month // 12, month % 12 + 1, 1)
    except ValueError:  # also an ElementFault, or no year after this
        return None, None
    return first, (after - _EPOCH).days - 1

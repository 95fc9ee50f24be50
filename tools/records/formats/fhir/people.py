"""Sex and birth in FHIR: gender and birthDate of Patients; a birthDate may be a year or a month.

A birthDate is a day where someone lives, so it is compared with the day where an encounter was, not in UTC.
"""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from tools.records.cohort import DAY_S, Cohort
from tools.records.formats.fhir.collected import Collected
from tools.records.formats.fhir.elements import ElementFault, moment, text_of
from tools.records.formats.fhir.places import Json, Reading
from tools.records.formats.fhir.read import resources
from tools.records.person import (
    Births,
    Numbers,
    Person,
    agreed,
    last_times,
    people_born,
    sexes,
)

_PATIENT, _ENCOUNTER = "Patient", "Encounter"
_EPOCH = date(1970, 1, 1)
_YEAR, _MONTH = len("2019"), len("2019-05")


def read_people(path: Path, cohort: Cohort) -> dict[str, Person]:
    """Everyone in the cohort that was read from bundles or bulk data.

    Raises:
        InputError: the files cannot be read (`RecordFaults`).
    """
    reading, told = Reading(), []
    visits = Collected(reading)
    for found in resources(path, reading, (_PATIENT, _ENCOUNTER)):
        if found.resource["resourceType"] == _PATIENT:
            of = found.resource
            told.append((found.id, _word(of, "gender"), *_born(_word(of, "birthDate"))))
        else:
            visits.add(found)
    reading.faults.refuse("records")
    rows = pd.DataFrame(told, columns=["id", "gender", "first", "last"])
    born = (agreed(rows["id"], rows[end].astype(float)) for end in ("first", "last"))
    sex = sexes(rows["id"], rows["gender"].astype(object))
    return people_born(cohort, sex, Births(*born), _last_days(cohort, visits))


def _last_days(cohort: Cohort, found: Collected) -> Numbers:
    """Day of each patient's last visit, as its encounter writes it; of a visit without one in UTC."""
    begun, last = found.encounter_rows.frame(), last_times(cohort)
    ids = pd.Series(np.array([*found.patients, ""], dtype=object)[begun["patient"]], dtype=object)
    is_last = begun["time"].to_numpy() == last.reindex(ids).to_numpy()
    written = begun["first_day"][is_last].groupby(ids[is_last]).max()
    days: Numbers = written.reindex(last.index).fillna(last // DAY_S)
    return days


def _word(patient: Json, name: str) -> str:
    try:
        return text_of(patient, name, _PATIENT)
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

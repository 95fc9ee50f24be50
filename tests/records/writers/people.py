"""Who the invented patients are, for all writers: sex and day of birth told by the patient's id."""

from datetime import date, timedelta
from typing import Literal, NamedTuple

from tools.records.cohort import Patient

_EPOCH = date(1970, 1, 1)


class Told(NamedTuple):
    """What is written of a patient; a sex of None is left out."""

    sex: Literal["F", "M"] | None
    birth: date


def told(patient: Patient) -> Told:
    """The same for the same id, whatever the format."""
    number = sum(map(ord, patient.id)) * 7 + len(patient.visits)
    sexes: tuple[Literal["F", "M"] | None, ...] = ("F", "M", None)
    return Told(sexes[number % 3], date(1900 + number % 90, number % 12 + 1, number % 28 + 1))


def day_of(patient: Patient) -> date:
    """The day of the last visit."""
    return _EPOCH + timedelta(seconds=patient.visits[-1].time)


def age_of(patient: Patient) -> int:
    """Completed years at the last visit."""
    birth, day = told(patient).birth, day_of(patient)
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))

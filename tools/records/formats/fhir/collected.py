"""What is taken of Patients, Encounters and Conditions, as numbers; they may come in any order."""

from array import array
from typing import NamedTuple

import numpy as np
import pandas as pd

from tools.records.build import UNKNOWN, Concepts
from tools.records.cohort import NO_END
from tools.records.concepts.codes import shape_rule
from tools.records.formats.fhir.elements import (
    ElementFault,
    Moment,
    coded,
    moment,
    object_of,
    referenced,
    statuses,
    text_of,
    usable_id,
)
from tools.records.formats.fhir.places import Found, Reading

NO_DAY = np.iinfo(np.int64).min
_VOID = {"entered-in-error", "cancelled"}
_DAY_LONG = len("2019-05-31")
_DENIED = {"entered-in-error", "refuted"}


class EncounterRow(NamedTuple):
    """An Encounter: numbers of itself and its patient, seconds, days since 1970, and where it stands.

    `end` is in seconds, `NO_END` where there is none or only its month is known.
    """

    encounter: int
    patient: int
    time: int
    first_day: int
    last_day: int
    end: int
    is_partial: int
    file: int
    row: int


class ConditionRow(NamedTuple):
    """A Condition; `encounter` is `UNKNOWN` and `day` `NO_DAY` where there is none."""

    patient: int
    encounter: int
    day: int
    is_partial: int
    concept: int
    file: int
    row: int


class Columns:
    """Rows of integers as columns, eight bytes a number.

    Args:
        names: of the columns.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._columns = {name: array("q") for name in names}

    def append(self, row: tuple[int, ...]) -> None:
        """Add a row."""
        for column, number in zip(self._columns.values(), row, strict=True):
            column.append(number)

    def frame(self) -> pd.DataFrame:
        """The rows, shape (n_rows, n_columns)."""
        return pd.DataFrame(
            {name: np.array(column, dtype=np.int64) for name, column in self._columns.items()}
        )


class Collected:
    """Collects resources.

    Args:
        reading: where faults and what is left out are noted.

    Attributes:
        patients: numbers by id, also of those that are only referred to.
        encounters: likewise.
        listed: the patients that there are.
        void: encounters entered in error or cancelled.
        undated: encounters without a begin.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.patients: dict[str, int] = {}
        self.encounters: dict[str, int] = {}
        self.concepts = Concepts()
        self.listed: set[int] = set()
        self.void: set[int] = set()
        self.undated: set[int] = set()
        self.encounter_rows = Columns(EncounterRow._fields)
        self.condition_rows = Columns(ConditionRow._fields)
        self._take = {"Patient": self._patient, "Encounter": self._encounter, "Condition": self._condition}

    def add(self, found: Found) -> None:
        """Take what is needed of a resource; the first rule that it breaks is noted as a fault."""
        try:
            self._take[found.resource["resourceType"]](found)
        except ElementFault as fault:
            self.reading.note(found.file, found.row, fault.path, fault.rule)

    def _patient(self, found: Found) -> None:
        self.listed.add(_number(self.patients, usable_id(found.id, "Patient.id")))

    def _encounter(self, found: Found) -> None:
        number = _number(self.encounters, usable_id(found.id, "Encounter.id"))
        if statuses(found.resource, "status") & _VOID:
            self.void.add(number)
            return
        patient = self._subject(found)
        period = object_of(found.resource, "period", "Encounter")
        begin, end = (text_of(period, name, "Encounter.period") for name in ("start", "end"))
        if not begin:
            self.undated.add(number)
            return
        first = moment(begin, "Encounter.period.start")
        # What has no end may go on, or nobody wrote it down: only its first day is sure to be of it.
        last = moment(end, "Encounter.period.end") if end else first
        days = (first.day, max(first.day, last.day))
        self.encounter_rows.append(
            EncounterRow(
                number,
                patient,
                first.seconds,
                *days,
                _end(first, last, end),
                first.is_partial,
                found.file,
                found.row,
            )
        )

    def _condition(self, found: Found) -> None:
        if statuses(found.resource, "verificationStatus") & _DENIED:
            self.reading.count("condition", "entered in error or refuted, left out")
            return
        patient = self._subject(found)
        encounter = referenced(found.resource, "encounter", "Encounter", found.full_urls)
        at = UNKNOWN if encounter is None else _number(self.encounters, encounter)
        concept = self._concept(found)
        dated = _dated(found)
        day, is_partial = (dated.day, dated.is_partial) if dated else (NO_DAY, False)
        if concept is not None:
            self.condition_rows.append(
                ConditionRow(patient, at, day, is_partial, concept, found.file, found.row)
            )

    def _subject(self, found: Found) -> int:
        patient = referenced(found.resource, "subject", "Patient", found.full_urls)
        if patient is None:
            raise ElementFault(f"{found.resource['resourceType']}.subject", "needs a reference to a Patient")
        return _number(self.patients, patient)

    def _concept(self, found: Found) -> int | None:
        diagnosis = coded(found.resource)
        if diagnosis is None:
            self.reading.count("condition", "without a code of a named system, left out")
            return None
        number = int(self.concepts.add_distinct(diagnosis.system, [diagnosis.code])[0])
        if number == UNKNOWN:
            raise ElementFault("Condition.code.coding.code", shape_rule(diagnosis.system))
        self.concepts.show_distinct([(number, diagnosis.display)])
        return number


def _end(first: Moment, last: Moment, text: str) -> int:
    """Seconds of an end; of one that is but the day of the begin, those of the begin: a day has no offset."""
    if not text or last.is_partial:
        return NO_END
    return first.seconds if len(text) == _DAY_LONG and last.day == first.day else last.seconds


def _number(numbers: dict[str, int], text: str) -> int:
    return numbers.setdefault(text, len(numbers))


def _dated(found: Found) -> Moment | None:
    for name in ("onsetDateTime", "recordedDate"):
        if text := text_of(found.resource, name, "Condition"):
            return moment(text, f"Condition.{name}")
    return None

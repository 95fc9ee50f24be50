"""From collected resources to a cohort: an Encounter is a visit, and each Condition finds its visit."""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tools.records.build import UNKNOWN, Visits, assemble, grouped, natural_ranks
from tools.records.cohort import DAY_S, NO_END, Cohort, IntArray, Stays
from tools.records.formats.fhir.collected import NO_DAY, Collected
from tools.records.formats.fhir.places import Reading
from tools.safety.errors import InputError

# Rank of a visit that is but a day: what begins at its very midnight, elsewhere, is of the day before.
_AFTER_ENCOUNTERS = np.iinfo(np.int64).max
_FIRST_DAY, _DAYS = -719_162, 1 << 22  # of the year 1, and more days than dates can name
_NOWHERE = "leads to no {} of these records; export both together"
_Mask = npt.NDArray[np.bool_]


def cohort(source: str, found: Collected) -> Cohort:
    """The cohort.

    A Condition belongs to its Encounter. One that names none is put by its day into the patient's encounter
    that holds the day, the last to begin where several do, else into a visit that is that day.

    Args:
        source: name of the format.
        found: all resources.

    Raises:
        RecordFaults: rules were broken, or references lead nowhere.
        InputError: there is no visit.
    """
    reading = found.reading
    reading.faults.refuse("records")
    listed, conditions = found.encounter_rows.frame(), found.condition_rows.frame()
    _require_leading(found, listed, conditions)
    reading.faults.refuse("records")
    encounters = _distinct(found, listed)
    conditions = _kept(found, encounters, conditions)
    loose = conditions["is_loose"].to_numpy(bool)
    partial = encounters["is_partial"].sum() + conditions["is_partial"][loose].sum()
    reading.count("date", "without day or month, taken as the first of it", int(partial))
    days = _place(reading, encounters, conditions)
    patient, of_patient = np.unique(np.r_[_ints(encounters["patient"]), days.patient], return_inverse=True)
    reading.count("patient", "without a visit, left out", len(found.listed) - len(patient))
    if not len(patient):
        raise InputError("records", "no Encounter with a period.start, and no Condition with a date")
    ids = tuple(found.patients)
    ends = np.r_[_ints(encounters["end"]), np.full_like(days.day, NO_END)]
    return assemble(
        source,
        "seconds",
        patients=[ids[number] for number in patient],
        visits=Visits(
            patient=of_patient.astype(np.int64),
            time=np.r_[_ints(encounters["time"]), days.day * DAY_S],
            rank=np.r_[_ints(encounters["rank"]), np.full_like(days.day, _AFTER_ENCOUNTERS)],
        ),
        entries=(_ints(conditions["visit"]), _ints(conditions["concept"])),
        concepts=found.concepts,
        stays=Stays(ends),
        notices=reading.notices,
    )


def _require_leading(found: Collected, encounters: pd.DataFrame, conditions: pd.DataFrame) -> None:
    """Note references to what is not there, and Conditions of an Encounter of another patient."""
    patients = _mask(found.listed, len(found.patients))
    owner = np.full(len(found.encounters), UNKNOWN, dtype=np.int64)
    owner[encounters["encounter"]] = encounters["patient"]
    there = _mask(found.void | found.undated, len(found.encounters)) | (owner != UNKNOWN)
    for type_, rows in (("Encounter", encounters), ("Condition", conditions)):
        nowhere = ~patients[_ints(rows["patient"])]
        _note(found.reading, rows[nowhere], f"{type_}.subject", _NOWHERE.format("Patient"))
    named = conditions[conditions["encounter"] != UNKNOWN]
    at = _ints(named["encounter"])
    _note(found.reading, named[~there[at]], "Condition.encounter", _NOWHERE.format("Encounter"))
    whose = _ints(named["patient"])
    differs = (owner[at] != UNKNOWN) & (owner[at] != whose) & patients[whose]
    _note(found.reading, named[differs], "Condition.subject", "not the patient of its encounter; mend one")
    same = encounters.drop_duplicates(["encounter", "patient", "time"])
    again = same[same["encounter"].duplicated()]
    _note(found.reading, again, "Encounter.id", "listed before with another patient or begin; keep one")


def _note(reading: Reading, rows: pd.DataFrame, path: str, rule: str) -> None:
    for file, row in zip(rows["file"], rows["row"], strict=True):
        reading.note(file, row, path, rule)


def _distinct(found: Collected, listed: pd.DataFrame) -> pd.DataFrame:
    """The encounters that count, each once, by patient and begin; with `rank` decided by their ids."""
    found.reading.count("encounter", "entered in error or cancelled, left out", len(found.void))
    undated = found.undated - found.void - set(listed["encounter"])
    found.reading.count("encounter", "without a period.start, left out", len(undated))
    kept = listed[~_mask(found.void, len(found.encounters))[_ints(listed["encounter"])]]
    once = kept.groupby("encounter", as_index=False).agg(
        {
            "patient": "first",
            "time": "first",
            "first_day": "min",
            "last_day": "max",
            "end": "max",
            "is_partial": "min",
        }
    )
    once["rank"] = natural_ranks(tuple(found.encounters))[_ints(once["encounter"])]
    return once.sort_values(["patient", "first_day", "time", "rank"], ignore_index=True)


def _kept(found: Collected, encounters: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """The conditions that count, with their `visit`, a row of the encounters or `UNKNOWN`."""
    void = _mask(found.void, len(found.encounters) + 1)  # its last place, -1, stands for none
    left_out = void[_ints(conditions["encounter"])]
    found.reading.count(
        "condition", "of an encounter entered in error or cancelled, left out", int(left_out.sum())
    )
    kept = conditions[~left_out].copy()
    visit_of = np.full(len(found.encounters) + 1, UNKNOWN, dtype=np.int64)
    visit_of[_ints(encounters["encounter"])] = np.arange(len(encounters))
    kept["visit"] = visit_of[_ints(kept["encounter"])]
    kept["is_loose"] = kept["visit"] == UNKNOWN
    lost = kept["is_loose"] & (kept["day"] == NO_DAY)
    found.reading.count("condition", "with neither an encounter nor a date, left out", int(lost.sum()))
    return kept[~lost].reset_index(drop=True)


class _Days(NamedTuple):
    """Visits that are but a day of a patient, each of shape (n_days,); days since 1970."""

    patient: IntArray
    day: IntArray


def _place(reading: Reading, encounters: pd.DataFrame, conditions: pd.DataFrame) -> _Days:
    """Give the loose conditions their `visit` by their day; those that are days come after the encounters."""
    visit = _ints(conditions["visit"]).copy()
    loose = np.flatnonzero(conditions["is_loose"])
    patient, day = (_ints(conditions[name])[loose] for name in ("patient", "day"))
    visit[loose] = _holding(encounters, patient, day)
    alone = visit[loose] == UNKNOWN
    put = int((~alone).sum())
    reading.count("condition", "without a dated encounter, put into one that holds its day", put)
    reading.count("condition", "of a day without an encounter, in a visit of that day", int(alone.sum()))
    days = _Days(patient[:0], day[:0])
    if alone.any():
        *columns, of_row = grouped(patient[alone], day[alone])
        days = _Days(*columns)
        visit[loose[alone]] = len(encounters) + of_row
    conditions["visit"] = visit
    return days


def _holding(encounters: pd.DataFrame, patient: IntArray, day: IntArray) -> IntArray:
    """The patient's encounter that holds each day, the last to begin of several, or `UNKNOWN`.

    From the last that has begun by the day, all go back one encounter at a time, and no further than there
    is an earlier one that lasts to the day.

    Args:
        encounters: by patient and begin.
        patient: shape (n,).
        day: days since 1970, shape (n,).
    """
    of, last = _ints(encounters["patient"]), _ints(encounters["last_day"])
    reach = _ints(encounters.groupby("patient")["last_day"].cummax())
    begins = of * _DAYS + _ints(encounters["first_day"]) - _FIRST_DAY
    at = np.searchsorted(begins, patient * _DAYS + day - _FIRST_DAY, side="right") - 1
    found = np.full(len(day), UNKNOWN, dtype=np.int64)
    looking = np.arange(len(day))
    while len(looking):
        looking = looking[at[looking] >= 0]
        here = at[looking]
        may = (of[here] == patient[looking]) & (reach[here] >= day[looking])
        looking, here = looking[may], here[may]
        holds = last[here] >= day[looking]
        found[looking[holds]] = here[holds]
        looking = looking[~holds]
        at[looking] -= 1
    return found


def _mask(numbers: AbstractSet[int], length: int) -> _Mask:
    """Which of the first numbers are in a set, shape (length,)."""
    found = np.zeros(length, dtype=np.bool_)
    found[list(numbers)] = True
    return found


def _ints(column: "pd.Series[int]") -> IntArray:
    return np.asarray(column, dtype=np.int64)

"""OMOP common data model 5: persons, visits and conditions, in delimited or parquet files or DuckDB."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tools.records.build import UNKNOWN, Numbering, assemble, stacked, with_visits
from tools.records.cohort import NO_END, Cohort, IntArray, Stays
from tools.records.faults import Faults, counted
from tools.records.formats.omop.codes import COLUMNS, ConditionCodes, Listed
from tools.records.formats.omop.find import CONCEPT, CONDITION, PERSON, VISIT, find_tables, has_tables
from tools.records.formats.omop.tables import Place, Relation, Rows
from tools.records.formats.omop.visits import (
    EMPTY,
    PersonVisits,
    moments,
    note_rows,
    noted_persons,
    numbered,
    read_persons,
    read_visits,
    require_columns,
    with_days,
)
from tools.safety.errors import InputError

NAME = "omop"
NEEDS = (
    "a folder with PERSON, VISIT_OCCURRENCE, CONDITION_OCCURRENCE and perhaps CONCEPT, as .csv, .csv.gz or "
    ".parquet, or a DuckDB database that holds them"
)
_VISIT_ID = "visit_occurrence_id"
_WANTED = ("person_id", _VISIT_ID, "condition_start_date", "condition_start_datetime", *COLUMNS)


def matches(path: Path) -> bool:
    """Whether a path is such a folder or database."""
    return has_tables(path)


def read(path: Path, system: str | None = None) -> Cohort:
    """Read the tables.

    Args:
        path: of the folder or database.
        system: of the codes in condition_source_value where CONCEPT does not tell; told from their shapes
            when None.

    Raises:
        InputError: a table or column is not there, the system of codes stays unclear, or rows break rules
            (`RecordFaults`).
    """
    if not has_tables(path):
        raise InputError("records", f"{NAME} needs {NEEDS}")
    tables, faults = find_tables(path), Faults()
    codes = ConditionCodes(system)
    persons = read_persons(tables[PERSON], faults)
    faults.refuse("records")
    known = read_visits(tables[VISIT], persons, faults)
    conditions = _Conditions(persons, known, codes)
    conditions.read(tables[CONDITION], faults)
    listed = codes.read_concepts(tables[CONCEPT], faults) if CONCEPT in tables else {}
    return conditions.cohort(listed, faults)


class _Conditions:
    """Conditions, as numbers."""

    def __init__(self, persons: Numbering, known: PersonVisits, codes: ConditionCodes) -> None:
        self._persons, self._known, self._codes = persons, known, codes
        self._places: list[Place] = []
        self._parts: list[tuple[npt.NDArray[np.integer], ...]] = []

    def read(self, table: Relation, faults: Faults) -> None:
        """Read the table; broken rules are noted."""
        dates = ("condition_start_date", "condition_start_datetime")
        require_columns(table, ("person_id",), COLUMNS, (_VISIT_ID, *dates))
        for rows in table.batches(_WANTED, faults):
            person = noted_persons(rows, self._persons)
            moment = moments(rows, dates[0]).or_else(moments(rows, dates[1]))
            visit, is_named = self._visit(rows, person)
            dated = (rows.column(dates[0]).at >= 0) | (rows.column(dates[1]).at >= 0)
            rows.place.note(dates[0], ~(is_named | dated), EMPTY)
            columns = (person, visit, moment.day, *self._codes.add(rows))
            self._places.append(rows.place._replace(number=rows.place.number.astype(np.int32)))
            self._parts.append(tuple(column.astype(np.int32) for column in columns))

    def _visit(self, rows: Rows, person: IntArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        """The visits that rows name, and whether they name one."""
        texts = rows.column(_VISIT_ID)
        visit = numbered(texts, self._known.ids, grows=False)
        unknown = texts.there & (visit == UNKNOWN)
        rows.place.note(_VISIT_ID, unknown, "not in VISIT_OCCURRENCE; both tables must match")
        owner = np.append(self._known.visits.patient, UNKNOWN)[visit]
        others = (visit != UNKNOWN) & (person != UNKNOWN) & (owner != person)
        rows.place.note("person_id", others, "VISIT_OCCURRENCE gives this visit to another person")
        return visit, texts.there

    def cohort(self, listed: dict[int, Listed], faults: Faults) -> Cohort:
        """All conditions as a cohort.

        Raises:
            InputError: rows broke rules, or the system of codes stays unclear.
        """
        faults.refuse("records")
        if not self._parts:
            raise InputError(CONDITION, "lists no condition; check that this is the whole table")
        person, visit, day, *columns = (stacked(column) for column in zip(*self._parts, strict=True))
        self._parts.clear()
        chosen = self._codes.choose(listed, *columns)
        for place, column in enumerate(COLUMNS):
            bad = (chosen.column == place) & (chosen.concept == UNKNOWN)
            note_rows(self._places, column, bad, chosen.rules[place])
        faults.refuse("records")
        coded = chosen.concept != UNKNOWN
        placed = coded & (visit == UNKNOWN)
        visit[placed] = self._known.holding(person[placed], day[placed])
        apart = coded & (visit == UNKNOWN)
        visits, visit[apart] = with_days(self._known.visits, person[apart], day[apart])
        patients, patient = with_visits(self._persons.texts, visits.patient)
        return assemble(
            NAME,
            "seconds",
            patients=patients,
            visits=visits._replace(patient=patient),
            entries=(visit[coded], chosen.concept[coded]),
            concepts=self._codes.concepts,
            stays=Stays(np.r_[self._known.end, np.full(len(patient) - len(self._known.end), NO_END)]),
            notices=_notices(
                uncoded=int((~coded).sum()),
                texts=chosen.n_texts,
                placed=int(placed.sum() - apart.sum()),
                apart=int(apart.sum()),
                absent=len(self._persons) - len(patients),
            ),
        )


def _notices(uncoded: int, texts: int, placed: int, apart: int, absent: int) -> Iterator[str]:
    if uncoded:
        yield f"{counted(uncoded, 'condition')} without a code, left out"
    if texts:
        yield f"{counted(texts, 'condition')} whose source value is no code, read by the concept"
    if placed:
        yield f"{counted(placed, 'condition')} without a visit, put in the person's visit of that day"
    if apart:
        yield f"{counted(apart, 'condition')} outside all visits, each day of a person taken as a visit"
    if absent:
        yield f"{counted(absent, 'person')} without any visit, left out"

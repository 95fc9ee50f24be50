"""What MIMIC-III and MIMIC-IV share: a table of admissions and a table of their diagnoses."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tools.records.build import UNKNOWN, Concepts, Entries, Visits, assemble
from tools.records.cohort import NO_END, Cohort, IntArray, Stays
from tools.records.concepts.codes import shape_rule
from tools.records.faults import Faults, counted
from tools.records.files.locate import find_table
from tools.records.files.rows import Batch
from tools.records.files.table import Table
from tools.records.files.texts import no_texts
from tools.records.files.times import seconds_of
from tools.records.formats.admissions import Admissions
from tools.safety.errors import InputError

_ADMISSIONS, _DIAGNOSES = "ADMISSIONS", "DIAGNOSES_ICD"
_ADMISSION_COLUMNS = {"subject_id": ("subject_id",), "hadm_id": ("hadm_id",), "admittime": ("admittime",)}
_END = "dischtime"
_NOT_A_TIME = "not an ISO date or time such as 2164-10-23 21:09:00"
CodeNumbers = Callable[[Table, Batch, Concepts], IntArray]


class Tables(NamedTuple):
    """Paths of the two tables."""

    admissions: Path
    diagnoses: Path


def find_tables(folder: Path) -> Tables | None:
    """The two tables of a folder, or None."""
    admissions, diagnoses = find_table(folder, "admissions"), find_table(folder, "diagnoses_icd")
    return Tables(admissions, diagnoses) if admissions and diagnoses else None


def header_of(diagnoses: Path) -> tuple[str, ...]:
    """Column names of the table of diagnoses, in lower case."""
    return Table(diagnoses, Faults(), _DIAGNOSES).header()


def read_tables(
    source: str, tables: Tables, code_columns: tuple[str, ...], numbers_of: CodeNumbers
) -> Cohort:
    """Read admissions and their diagnoses.

    A patient's visits are ordered by admission time, then admission id. A row without a code is left out
    and counted in the cohort's notices.

    Args:
        source: name of the format.
        tables: where they are.
        code_columns: columns of the diagnoses that hold the code; the code itself first.
        numbers_of: notes bad codes of some rows as faults and gives the concepts' numbers.

    Raises:
        RecordFaults: rows break rules; nothing is loaded.
        InputError: a file cannot be read at all, or lists no admission.
    """
    faults = Faults()
    admissions, visits, ends = _read_admissions(Table(tables.admissions, faults, _ADMISSIONS))
    faults.refuse("records")
    table = Table(tables.diagnoses, faults, _DIAGNOSES)
    concepts, entries, without_code = Concepts(), Entries(), 0
    columns = {name: (name,) for name in ("subject_id", "hadm_id", *code_columns)}
    for batch in table.batches(columns, required=columns.keys()):
        there = batch.texts[code_columns[0]].there
        coded = batch.of(there)
        without_code += int((~there).sum())
        visit = _visit_numbers(table, coded, admissions, visits)
        entries.add(visit, numbers_of(table, coded, concepts))
    faults.refuse("records")
    if not len(visits.time):
        raise InputError(_ADMISSIONS, "lists no admission; check that this is the whole file")
    left_out = f"{counted(without_code, 'diagnosis row')} without a code, left out"
    return assemble(
        source,
        "seconds",
        patients=admissions.patients.texts,
        visits=visits,
        entries=entries.columns(),
        concepts=concepts,
        stays=Stays(ends),
        notices=[left_out] if without_code else [],
    )


def _read_admissions(table: Table) -> tuple[Admissions, Visits, IntArray]:
    """The admissions, and their ends by number; an end that cannot be read is not known."""
    admissions = Admissions(table, "hadm_id")
    numbers, ends = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    columns = {**_ADMISSION_COLUMNS, _END: (_END,)}
    for batch in table.batches(columns, required=_ADMISSION_COLUMNS.keys()):
        table.require(batch, *_ADMISSION_COLUMNS)
        subject, stay, time = (batch.texts[column] for column in _ADMISSION_COLUMNS)
        times, readable = seconds_of(time)
        table.note(batch.row[time.there & ~readable], "admittime", _NOT_A_TIME)
        number = admissions.add(stay, subject, times, batch.row)
        ended, known = seconds_of(batch.texts.get(_END) or no_texts(len(batch.row)))
        numbers.append(number[known & stay.there])
        ends.append(ended[known & stay.there])
    end_of = np.full(len(admissions.ids), NO_END, dtype=np.int64)
    np.maximum.at(end_of, np.concatenate(numbers), np.concatenate(ends))
    return admissions, admissions.visits(), end_of


def _visit_numbers(table: Table, batch: Batch, admissions: Admissions, visits: Visits) -> IntArray:
    table.require(batch, "subject_id", "hadm_id")
    subject, stay = batch.texts["subject_id"], batch.texts["hadm_id"]
    visit = stay.numbered(admissions.ids.find_distinct(stay.distinct))
    unknown = stay.there & (visit == UNKNOWN)
    table.note(batch.row[unknown], "hadm_id", "not in ADMISSIONS; both files must match")
    patient = subject.numbered(admissions.patients.find_distinct(subject.distinct))
    owner = np.append(visits.patient, UNKNOWN)[visit]
    differs = (visit != UNKNOWN) & subject.there & (patient != owner)
    table.note(batch.row[differs], "subject_id", "ADMISSIONS gives this admission to another patient")
    return visit


def code_numbers(table: Table, batch: Batch, column: str, system: str, concepts: Concepts) -> IntArray:
    """Numbers of a column of codes, of which none is empty; what cannot be a code of the system is noted."""
    codes = batch.texts[column]
    numbers = codes.numbered(concepts.add_distinct(system, codes.distinct))
    table.note(batch.row[numbers == UNKNOWN], column, shape_rule(system))
    return numbers

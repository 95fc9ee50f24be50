"""What MIMIC-III and MIMIC-IV share: a table of admissions and a table of their diagnoses."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tools.records.build import UNKNOWN, Concepts, Entries, Visits, assemble
from tools.records.cohort import NO_END, Cohort, IntArray, Stays
from tools.records.concepts.codes import shape_rule
from tools.records.faults import Faults, counted
from tools.records.files.locate import find_table
from tools.records.files.table import Table
from tools.records.files.times import seconds
from tools.records.formats.admissions import Admissions
from tools.safety.errors import InputError

_ADMISSIONS, _DIAGNOSES = "ADMISSIONS", "DIAGNOSES_ICD"
_ADMISSION_COLUMNS = {"subject_id": ("subject_id",), "hadm_id": ("hadm_id",), "admittime": ("admittime",)}
_END = "dischtime"
CodeNumbers = Callable[[Table, pd.DataFrame, Concepts], IntArray]


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
        numbers_of: notes bad codes of a chunk as faults and gives the concepts' numbers.

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
    for chunk in table.chunks(columns, required=columns.keys()):
        coded = chunk[chunk[code_columns[0]] != ""]
        without_code += len(chunk) - len(coded)
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
    for chunk in table.chunks({**_ADMISSION_COLUMNS, _END: (_END,)}, required=_ADMISSION_COLUMNS.keys()):
        for column in _ADMISSION_COLUMNS:
            table.require(chunk, column)
        times, readable = seconds(chunk["admittime"])
        unreadable = ~readable & (chunk["admittime"] != "").to_numpy()
        table.note(
            chunk.index[unreadable], "admittime", "not an ISO date or time such as 2164-10-23 21:09:00"
        )
        numbers.append(admissions.add(chunk["hadm_id"], chunk["subject_id"], times))
        ended, known = seconds(chunk[_END] if _END in chunk else pd.Series("", index=chunk.index))
        ends.append(np.where(known, ended, NO_END))
    end_of = np.full(len(admissions.ids), NO_END, dtype=np.int64)
    np.maximum.at(end_of, np.concatenate(numbers), np.concatenate(ends))
    return admissions, admissions.visits(), end_of


def _visit_numbers(table: Table, chunk: pd.DataFrame, admissions: Admissions, visits: Visits) -> IntArray:
    for column in ("subject_id", "hadm_id"):
        table.require(chunk, column)
    visit = admissions.ids.find(chunk["hadm_id"])
    named = (chunk["hadm_id"] != "").to_numpy()
    table.note(chunk.index[named & (visit == UNKNOWN)], "hadm_id", "not in ADMISSIONS; both files must match")
    known = np.flatnonzero(visit != UNKNOWN)
    subjects = chunk["subject_id"].iloc[known]
    differs = admissions.patients.find(subjects) != visits.patient[visit[known]]
    differs &= (subjects != "").to_numpy()
    table.note(subjects.index[differs], "subject_id", "ADMISSIONS gives this admission to another patient")
    return visit


def refuse_bad_codes(table: Table, rows: pd.Index, numbers: IntArray, column: str, system: str) -> None:
    """Note the rows whose spelling cannot be a code of the system."""
    table.note(rows[numbers == UNKNOWN], column, shape_rule(system))

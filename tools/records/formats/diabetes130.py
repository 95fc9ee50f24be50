"""Diabetes 130-US hospitals (UCI 296): one row an encounter with at most three ICD-9-CM codes.

The set has no dates: encounters are ordered by their id. Leading zeros were dropped ("38" is 038) and are
put back; trailing ones cannot be told ("250.7" may be 250.70), so such a code stays the heading it is.
"""

import re
from pathlib import Path

import numpy as np

from tools.records.build import UNKNOWN, Concepts, Entries, assemble
from tools.records.cohort import Cohort, IntArray
from tools.records.concepts.codes import ICD9CM, shape_rule
from tools.records.faults import Faults
from tools.records.files.locate import find_table, is_table
from tools.records.files.rows import Batch
from tools.records.files.table import Table
from tools.records.formats.admissions import Admissions
from tools.safety.errors import InputError

NAME = "diabetes130"
NEEDS = "diabetic_data.csv or .csv.gz (columns encounter_id, patient_nbr, diag_1), or the folder it is in"
_DIAGNOSES = ("diag_1", "diag_2", "diag_3")
_COLUMNS = {name: (name,) for name in ("encounter_id", "patient_nbr", *_DIAGNOSES)}
_MISSING = "?"
_WHOLE = re.compile(r"[0-9]{1,18}")
_HEADING = re.compile(r"^\d{1,2}(?=\.|$)")


def matches(path: Path) -> bool:
    """Whether a path is such a file, or a folder with it."""
    file = _find(path)
    return file is not None and {"encounter_id", "patient_nbr", "diag_1"} <= set(
        Table(file, Faults()).header()
    )


def read(path: Path) -> Cohort:
    """Read the file.

    Raises:
        InputError: it is not there or breaks rules (`RecordFaults`).
    """
    file = _find(path)
    if file is None:
        raise InputError("records", f"{NAME} needs {NEEDS}")
    faults = Faults()
    table = Table(file, faults)
    encounters, concepts, entries = Admissions(table, "encounter_id"), Concepts(), Entries()
    for batch in table.batches(_COLUMNS, required=_COLUMNS.keys()):
        table.require(batch, "encounter_id", "patient_nbr")
        encounter, patient = batch.texts["encounter_id"], batch.texts["patient_nbr"]
        visit = encounters.add(encounter, patient, _order(table, batch), batch.row)
        for column in _DIAGNOSES:
            entries.add(visit, _numbers(table, batch, column, concepts))
    visits = encounters.visits()
    faults.refuse("records")
    if not len(visits.time):
        raise InputError("records", "the file lists no encounter; check that this is the whole file")
    return assemble(
        NAME,
        "order",
        patients=encounters.patients.texts,
        visits=visits,
        entries=entries.columns(),
        concepts=concepts,
    )


def _find(path: Path) -> Path | None:
    return path if is_table(path) else find_table(path, "diabetic_data")


def _order(table: Table, batch: Batch) -> IntArray:
    ids = batch.texts["encounter_id"]
    orders = [int(text) if _WHOLE.fullmatch(text) else UNKNOWN for text in ids.distinct]
    order = ids.numbered(np.array(orders, dtype=np.int64))
    table.note(batch.row[ids.there & (order == UNKNOWN)], "encounter_id", "not a whole number")
    return order


def _numbers(table: Table, batch: Batch, column: str, concepts: Concepts) -> IntArray:
    codes = batch.texts[column]
    given = codes.there & ~codes.has(_MISSING)
    found = codes.of(given)
    spelled = (_HEADING.sub(lambda heading: heading.group().zfill(3), text) for text in found.distinct)
    numbers = np.full(len(given), UNKNOWN, dtype=np.int64)
    numbers[given] = found.numbered(concepts.add_distinct(ICD9CM, spelled))
    table.note(batch.row[given & (numbers == UNKNOWN)], column, shape_rule(ICD9CM))
    return numbers

"""Diabetes 130-US hospitals (UCI 296): one row an encounter with at most three ICD-9-CM codes.

The set has no dates: encounters are ordered by their id. Leading zeros were dropped ("38" is 038) and are
put back; trailing ones cannot be told ("250.7" may be 250.70), so such a code stays the heading it is.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tools.records.build import UNKNOWN, Concepts, Entries, assemble
from tools.records.cohort import Cohort, IntArray
from tools.records.concepts.codes import ICD9CM, shape_rule
from tools.records.faults import Faults
from tools.records.files.locate import find_table, is_table
from tools.records.files.table import Table
from tools.records.formats.admissions import Admissions
from tools.safety.errors import InputError

NAME = "diabetes130"
NEEDS = "diabetic_data.csv or .csv.gz (columns encounter_id, patient_nbr, diag_1), or the folder it is in"
_DIAGNOSES = ("diag_1", "diag_2", "diag_3")
_COLUMNS = {name: (name,) for name in ("encounter_id", "patient_nbr", *_DIAGNOSES)}
_MISSING = ("?", "")


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
    for chunk in table.chunks(_COLUMNS, required=_COLUMNS.keys()):
        for column in ("encounter_id", "patient_nbr"):
            table.require(chunk, column)
        visit = encounters.add(
            chunk["encounter_id"], chunk["patient_nbr"], _order(table, chunk["encounter_id"])
        )
        for column in _DIAGNOSES:
            entries.add(visit, _numbers(table, chunk[column], concepts))
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


def _order(table: Table, ids: "pd.Series[str]") -> IntArray:
    whole = ids.str.fullmatch(r"[0-9]{1,18}").to_numpy(dtype=bool)
    table.note(ids.index[~whole & (ids != "").to_numpy()], "encounter_id", "not a whole number")
    return ids.where(whole, "0").to_numpy().astype(np.int64)


def _numbers(table: Table, cells: "pd.Series[str]", concepts: Concepts) -> IntArray:
    given = ~cells.isin(_MISSING).to_numpy()
    numbers = np.full(len(cells), UNKNOWN, dtype=np.int64)
    spelled = cells[given].str.replace(r"^\d{1,2}(?=\.|$)", lambda m: m.group().zfill(3), regex=True)
    numbers[given] = concepts.add(ICD9CM, spelled)
    bad = given & (numbers == UNKNOWN)
    table.note(cells.index[bad], str(cells.name), shape_rule(ICD9CM))
    return numbers

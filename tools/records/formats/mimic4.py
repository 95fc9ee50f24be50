"""MIMIC-IV: hosp/admissions and hosp/diagnoses_icd, each row with its own ICD version."""

from pathlib import Path

import numpy as np

from tools.records.build import UNKNOWN, Concepts
from tools.records.cohort import Cohort, IntArray
from tools.records.concepts.codes import ICD9CM, ICD10CM
from tools.records.files.rows import Batch
from tools.records.files.table import Table
from tools.records.formats.mimic import Tables, code_numbers, find_tables, header_of, read_tables
from tools.safety.errors import InputError

NAME = "mimic4"
NEEDS = "a folder with admissions and diagnoses_icd (column icd_version), or with hosp/ that holds them"
_SYSTEMS = {"9": ICD9CM, "10": ICD10CM}


def matches(path: Path) -> bool:
    """Whether a path is such a folder."""
    tables = _find(path)
    return tables is not None and "icd_version" in header_of(tables.diagnoses)


def read(path: Path) -> Cohort:
    """Read a folder; file names and headers in any case.

    Raises:
        InputError: the tables are not there or break rules (`RecordFaults`).
    """
    tables = _find(path)
    if tables is None:
        raise InputError("records", f"{NAME} needs {NEEDS}")
    return read_tables(NAME, tables, ("icd_code", "icd_version"), _numbers)


def _find(path: Path) -> Tables | None:
    return find_tables(path) or find_tables(path / "hosp")


def _numbers(table: Table, batch: Batch, concepts: Concepts) -> IntArray:
    numbers = np.full(len(batch.row), UNKNOWN, dtype=np.int64)
    version = batch.texts["icd_version"]
    for text, system in _SYSTEMS.items():
        here = version.has(text)
        numbers[here] = code_numbers(table, batch.of(here), "icd_code", system, concepts)
    neither = ~version.has(*_SYSTEMS)
    table.note(batch.row[neither], "icd_version", "neither 9 nor 10")
    return numbers

"""MIMIC-IV: hosp/admissions and hosp/diagnoses_icd, each row with its own ICD version."""

from pathlib import Path

import numpy as np
import pandas as pd

from tools.records.build import UNKNOWN, Concepts
from tools.records.cohort import Cohort, IntArray
from tools.records.concepts.codes import ICD9CM, ICD10CM
from tools.records.files.table import Table
from tools.records.formats.mimic import Tables, find_tables, header_of, read_tables, refuse_bad_codes
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


def _numbers(table: Table, chunk: pd.DataFrame, concepts: Concepts) -> IntArray:
    numbers = np.full(len(chunk), UNKNOWN, dtype=np.int64)
    versions = chunk["icd_version"]
    for version, system in _SYSTEMS.items():
        here = (versions == version).to_numpy()
        numbers[here] = concepts.add(system, chunk["icd_code"][here])
        refuse_bad_codes(table, chunk.index[here], numbers[here], "icd_code", system)
    table.note(chunk.index[~versions.isin(_SYSTEMS).to_numpy()], "icd_version", "neither 9 nor 10")
    return numbers

"""MIMIC-III: ADMISSIONS and DIAGNOSES_ICD, all codes ICD-9-CM without dots."""

from pathlib import Path

from tools.records.build import Concepts
from tools.records.cohort import Cohort, IntArray
from tools.records.concepts.codes import ICD9CM
from tools.records.files.rows import Batch
from tools.records.files.table import Table
from tools.records.formats.mimic import code_numbers, find_tables, header_of, read_tables
from tools.safety.errors import InputError

NAME = "mimic3"
NEEDS = "a folder with ADMISSIONS and DIAGNOSES_ICD (column icd9_code), .csv or .csv.gz"


def matches(path: Path) -> bool:
    """Whether a path is such a folder."""
    tables = find_tables(path)
    return tables is not None and "icd9_code" in header_of(tables.diagnoses)


def read(path: Path) -> Cohort:
    """Read a folder; file names and headers in any case.

    Raises:
        InputError: the tables are not there or break rules (`RecordFaults`).
    """
    tables = find_tables(path)
    if tables is None:
        raise InputError("records", f"{NAME} needs {NEEDS}")
    return read_tables(NAME, tables, ("icd9_code",), _numbers)


def _numbers(table: Table, batch: Batch, concepts: Concepts) -> IntArray:
    return code_numbers(table, batch, "icd9_code", ICD9CM, concepts)

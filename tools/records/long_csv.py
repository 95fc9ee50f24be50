"""Long CSV: one diagnosis a row, with patient, time, code and, where there are several, code system."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from tools.records.build import UNKNOWN, Concepts, Numbering, Visits, assemble, stacked
from tools.records.codes import ICD9CM, ICD10CM, is_well_spelled, system_name
from tools.records.cohort import Clock, Cohort, IntArray
from tools.records.faults import Faults
from tools.records.locate import is_table
from tools.records.table import Table
from tools.records.times import seconds
from tools.safety.errors import InputError

NAME = "long_csv"
NEEDS = "a .csv or .csv.gz file with the columns patient, time, code and perhaps system, display"
_COLUMNS = {
    "patient": ("patient", "patient_id", "subject_id", "person_id"),
    "time": ("time", "date", "datetime", "visit_time", "visit_date"),
    "code": ("code", "icd_code", "diagnosis_code"),
    "system": ("system", "code_system"),
    "display": ("display", "code_display"),
}
_REQUIRED = ("patient", "time", "code")
_ORDER = re.compile(r"[+-]?[0-9]{1,15}")


def matches(path: Path) -> bool:
    """Whether a path is a file with such a header."""
    if not is_table(path):
        return False
    header = set(Table(path, Faults()).header())
    return all(header & set(_COLUMNS[column]) for column in _REQUIRED)


def read(path: Path, system: str | None = None) -> Cohort:
    """Read a file. Rows of one patient at one time are one visit.

    Args:
        path: the file. Its times are all ISO dates and times, or all whole numbers that give an order.
        system: the code system of a file without a system column; told from the codes' shapes when None.

    Raises:
        InputError: the file is not there, breaks rules (`RecordFaults`), or its code system stays unclear.
    """
    if not is_table(path):
        raise InputError("records", f"{NAME} needs {NEEDS}")
    table = Table(path, Faults())
    system = _system_of_file(table, system)
    patients, concepts, clock = Numbering(), Concepts(), None
    parts: list[tuple[IntArray, IntArray, IntArray]] = []
    for chunk in table.chunks(_COLUMNS, required=set(_REQUIRED)):
        for column in (*_REQUIRED, *(["system"] if system is None else [])):
            table.require(chunk, column)
        clock = clock or _clock(chunk["time"])
        numbers = _numbers(table, chunk, concepts, system)
        parts.append((patients.add(chunk["patient"]), _times(table, chunk["time"], clock), numbers))
    table.faults.refuse("records")
    if clock is None:
        raise InputError("records", "the file has no rows below its header")
    patient, time, concept = (stacked(column) for column in zip(*parts, strict=True))
    visits, visit = _visits(patient, time)
    return assemble(
        NAME, clock, patients=patients.texts, visits=visits, entries=(visit, concept), concepts=concepts
    )


def infer_system(spellings: set[str]) -> str:
    """The code system whose shape all spellings have.

    Raises:
        InputError: none has, or both ICD-9-CM and ICD-10-CM do (as codes that begin with E or V may).
    """
    fitting = [s for s in (ICD9CM, ICD10CM) if all(is_well_spelled(s, text) for text in spellings)]
    if len(fitting) == 1:
        return fitting[0]
    found = "fit both" if fitting else "do not all fit one of"
    rule = f"the codes {found} ICD-9-CM and ICD-10-CM; add a system column, or name the system"
    raise InputError("code", rule)


def _system_of_file(table: Table, system: str | None) -> str | None:
    in_file = bool(set(table.header()) & set(_COLUMNS["system"]))
    if in_file and system is not None:
        raise InputError("system", "the file has a system column of its own; leave this argument out")
    if in_file or system is not None:
        return system_name(system) if system is not None else None
    scan = Table(table.path, table.faults)
    spellings: set[str] = set()
    for chunk in scan.chunks({"code": _COLUMNS["code"]}, required={"code"}):
        spellings.update(chunk["code"].unique())
    table.faults.refuse("records")
    return infer_system(spellings - {""})


def _clock(times: "pd.Series[str]") -> Clock:
    first = next((text for text in times if text), "")
    return "order" if _ORDER.fullmatch(first) else "seconds"


def _times(table: Table, texts: "pd.Series[str]", clock: Clock) -> IntArray:
    if clock == "order":
        readable = texts.str.fullmatch(_ORDER.pattern).to_numpy(dtype=bool)
        times = texts.where(readable, "0").to_numpy().astype(np.int64)
        rule = "not a whole number, as the first time of the file is"
    else:
        times, readable = seconds(texts)
        rule = "not an ISO date or time such as 2024-05-31 or 2024-05-31T08:30:00"
    table.note(texts.index[~readable & (texts != "").to_numpy()], "time", rule)
    return times


def _numbers(table: Table, chunk: pd.DataFrame, concepts: Concepts, system: str | None) -> IntArray:
    numbers = np.full(len(chunk), UNKNOWN, dtype=np.int64)
    systems = chunk["system"] if system is None else pd.Series(system, index=chunk.index, dtype=object)
    for text in systems.unique():
        here = (systems == text).to_numpy() & (chunk["code"] != "").to_numpy()
        named = system_name(text)
        numbers[here] = concepts.add(named, chunk["code"][here])
        bad = here & (numbers == UNKNOWN)
        shape = f"a {named} code" if named in (ICD9CM, ICD10CM) else "a code: 1 to 64 printable characters"
        table.note(chunk.index[bad], "code", f"not the shape of {shape}")
    if "display" in chunk:
        concepts.show(numbers, chunk["display"])
    return numbers


def _visits(patient: IntArray, time: IntArray) -> tuple[Visits, IntArray]:
    """Distinct (patient, time) pairs as visits, and the visit of each row."""
    in_order = np.lexsort((time, patient))
    p, t = patient[in_order], time[in_order]
    begins = np.r_[True, (p[1:] != p[:-1]) | (t[1:] != t[:-1])][: len(p)]
    visit = np.empty(len(p), dtype=np.int64)
    visit[in_order] = np.cumsum(begins) - 1
    return Visits(p[begins], t[begins], np.zeros(int(begins.sum()), dtype=np.int64)), visit

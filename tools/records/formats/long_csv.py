"""Long CSV: one diagnosis a row, with patient, time, code and, where there are several, code system."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.records.build import UNKNOWN, Concepts, Numbering, Visits, assemble, distinct, grouped, stacked
from tools.records.cohort import Clock, Cohort, IntArray
from tools.records.concepts.codes import ICD9CM, ICD10CM, is_system, is_well_spelled, shape_rule, system_name
from tools.records.faults import Faults
from tools.records.files.locate import is_table
from tools.records.files.rows import Batch
from tools.records.files.table import Table
from tools.records.files.texts import Texts
from tools.records.files.times import seconds_of
from tools.safety.errors import InputError

NAME = "csv"
NEEDS = "a .csv or .csv.gz file with the columns patient, time, code and perhaps system, display"
COLUMNS = {
    "patient": ("patient", "patient_id", "subject_id", "person_id"),
    "time": ("time", "date", "datetime", "visit_time", "visit_date"),
    "code": ("code", "icd_code", "diagnosis_code"),
    "system": ("system", "code_system"),
    "display": ("display", "code_display"),
}
REQUIRED = ("patient", "time", "code")
NO_SYSTEM = "not a system's name; give ICD9CM, ICD10CM or what the records call their system"
SAY_SYSTEM = "add a `system` column or give --system ICD9CM / ICD10CM"
_ORDER = re.compile(r"[+-]?[0-9]{1,15}")


def matches(path: Path) -> bool:
    """Whether a path is a file with such a header."""
    if not is_table(path):
        return False
    header = set(Table(path, Faults()).header())
    return all(header & set(COLUMNS[column]) for column in REQUIRED)


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
    coding = _coding(table, system)
    patients, concepts, clock = Numbering(), Concepts(), None
    parts: list[tuple[npt.NDArray[np.integer], ...]] = []
    for batch in table.batches(COLUMNS, required=set(REQUIRED)):
        table.require(batch, *REQUIRED, *(["system"] if coding.system is None else []))
        clock = clock or _clock(batch.texts["time"])
        numbers, who = _numbers(table, batch, concepts, coding), batch.texts["patient"]
        patient = who.numbered(patients.add_distinct(who.distinct))
        parts.append((patient.astype(np.int32), _times(table, batch, clock), numbers.astype(np.int32)))
    table.faults.refuse("records")
    if clock is None:
        raise InputError("records", "the file has no rows below its header")
    if not coding.is_clear:
        raise InputError("code", f"every code fits both ICD-9-CM and ICD-10-CM; {SAY_SYSTEM}")
    patient, time, concept = (stacked(column) for column in zip(*parts, strict=True))
    parts.clear()
    of, at, visit = grouped(patient, time)
    return assemble(
        NAME,
        clock,
        patients=patients.texts,
        visits=Visits(of, at, np.zeros_like(at)),
        entries=(visit, concept),
        concepts=concepts,
    )


class Coding(NamedTuple):
    """How a file's code system is known.

    Attributes:
        system: of all rows; None where a column says it.
        is_clear: False where every code fits two systems.
        next_step: what a code that does not fit may call for.
    """

    system: str | None
    is_clear: bool = True
    next_step: str = ""


def _coding(table: Table, given: str | None) -> Coding:
    # A table of its own, since the reading proper meets and notes the same faults again.
    scan = Table(table.path, Faults())
    if set(scan.header()) & set(COLUMNS["system"]):
        if given is not None:
            raise InputError("system", "the file has a system column of its own; leave this argument out")
        return Coding(None)
    if given is None:
        return told_by_shape(_rows_by_spelling(scan))
    if not is_system(given):
        raise InputError("system", NO_SYSTEM)
    return Coding(system_name(given))


def told_by_shape(rows: Mapping[str, int]) -> Coding:
    """The system whose shape most rows have; ICD-9-CM where both have as many.

    Codes that begin with E or V may fit both systems.

    Args:
        rows: spelling of a code to the number of rows that hold it.
    """
    fitting = {s: {text for text in rows if is_well_spelled(s, text)} for s in (ICD9CM, ICD10CM)}
    system = max(fitting, key=lambda s: sum(rows[text] for text in fitting[s]))
    fits_both = fitting[ICD9CM] == fitting[ICD10CM] == rows.keys()
    step = f", the system taken since the file names none; mend it, or {SAY_SYSTEM}"
    return Coding(system, is_clear=not (rows and fits_both), next_step=step)


def _rows_by_spelling(table: Table) -> dict[str, int]:
    rows: Counter[str] = Counter()
    for batch in table.batches({"code": COLUMNS["code"]}, required={"code"}):
        code = batch.texts["code"]
        counts = np.bincount(code.at[code.there], minlength=len(code.distinct))
        rows.update(dict(zip(code.distinct, counts.tolist(), strict=True)))
    return rows


def _clock(times: Texts) -> Clock:
    return "order" if times.distinct and _ORDER.fullmatch(times.distinct[0]) else "seconds"


def _times(table: Table, batch: Batch, clock: Clock) -> IntArray:
    texts = batch.texts["time"]
    if clock == "order":
        numbers = [int(text) if _ORDER.fullmatch(text) else None for text in texts.distinct]
        readable = np.array([*(number is not None for number in numbers), False])[texts.at]
        times = texts.numbered(np.array([number or 0 for number in numbers], dtype=np.int64))
        rule = "not a whole number, as the first time of the file is"
    else:
        times, readable = seconds_of(texts)
        rule = "not an ISO date or time such as 2024-05-31 or 2024-05-31T08:30:00"
    table.note(batch.row[texts.there & ~readable], "time", rule)
    return times


def _numbers(table: Table, batch: Batch, concepts: Concepts, coding: Coding) -> IntArray:
    code = batch.texts["code"]
    numbers = np.full(len(batch.row), UNKNOWN, dtype=np.int64)
    one = Texts((coding.system or "",), np.zeros_like(numbers))
    systems = one if coding.system else batch.texts["system"]
    for text in systems.distinct:
        in_system = systems.has(text)
        if not is_system(text):
            table.note(batch.row[in_system], "system", NO_SYSTEM)
            continue
        here, named = in_system & code.there, system_name(text)
        found = code.of(here)
        numbers[here] = found.numbered(concepts.add_distinct(named, found.distinct))
        bad = here & (numbers == UNKNOWN)
        table.note(batch.row[bad], "code", shape_rule(named) + coding.next_step)
    if "display" in batch.texts:
        show(concepts, numbers, batch.texts["display"])
    return numbers


def show(concepts: Concepts, numbers: IntArray, displays: Texts) -> None:
    """Tell the names of codes that stand beside them."""
    named = (numbers != UNKNOWN) & displays.there
    width = max(len(displays.distinct), 1)
    pairs = distinct(numbers[named] * width + displays.at[named])
    concepts.show_distinct((int(pair // width), displays.distinct[pair % width]) for pair in pairs)

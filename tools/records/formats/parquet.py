"""Parquet: one diagnosis a row, in one file or in a folder of shards; the rules of the long CSV hold.

Rows are numbered from 1 in faults. Times are timestamps, dates, or whole numbers that give an order.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tools.records.build import (
    UNKNOWN,
    Concepts,
    Numbering,
    Visits,
    assemble,
    grouped,
    natural_ranks,
    stacked,
)
from tools.records.cohort import Clock, Cohort, IntArray
from tools.records.concepts.codes import is_system, shape_rule, system_name
from tools.records.faults import Faults, Noting
from tools.records.files.arrow import ENDING, is_parquet
from tools.records.files.texts import Texts
from tools.records.formats.long_csv import NO_SYSTEM, show
from tools.records.formats.parquet_file import Batch, batches
from tools.safety.errors import InputError

NAME = "parquet"
NEEDS = "a .parquet file or a folder of them; columns patient, time, code and perhaps system, display, visit"


def shards(path: Path) -> tuple[Path, ...]:
    """The .parquet files of a folder by name, or the one that the path is.

    Raises:
        InputError: the folder cannot be read, there is no such file, or there are some further down.
    """
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError as error:
        rule = f"the folder cannot be read ({error.strerror}); check its rights"
        raise InputError("records", rule) from None
    found = tuple(filter(is_parquet, files))
    if not found:
        raise InputError("records", f"{NAME} needs {NEEDS}")
    if any(file.is_dir() and next(file.rglob(f"*{ENDING}"), None) for file in files):
        raise InputError("records", "there are parquet files in folders of the folder; move all into one")
    return found


def matches(path: Path) -> bool:
    """Whether a path is a .parquet file or a folder that holds one."""
    return any(map(is_parquet, path.iterdir())) if path.is_dir() else is_parquet(path)


def read(path: Path, system: str | None = None) -> Cohort:
    """Read a file, or all files of a folder as one table. Rows of one patient and time are one visit.

    Where there is a visit column, rows of one patient and visit are one, at the earliest of their times.

    Args:
        path: the file or folder.
        system: the code system of files without a system column.

    Raises:
        InputError: no such file, pyarrow is not installed, a column is missing or of another type, or the
            rows break rules (`RecordFaults`).
    """
    rows = _Rows(system)
    for file in shards(path):
        rows.add(file)
    return rows.cohort()


class _Rows:
    """Rows of files, as numbers."""

    def __init__(self, system: str | None) -> None:
        if system is not None and not is_system(system):
            raise InputError("system", NO_SYSTEM)
        self._system = system
        self._faults = Faults()
        self._patients, self._visits, self._concepts = Numbering(), Numbering(), Concepts()
        self._clocks: set[Clock] = set()
        self._have_visits: set[bool] = set()
        self._parts: list[tuple[npt.NDArray[np.integer], ...]] = []

    def add(self, file: Path) -> None:
        """Read a file; broken rules are noted."""
        row = 1
        for batch in batches(file, self._system):
            noting = Noting(self._faults, f"{file.name}: ", row)
            noting.require("time", batch.timed)
            for column in ("patient", "code", "system", "visit"):
                if column in batch.texts:
                    noting.require(column, batch.texts[column].there)
            patients = batch.texts["patient"]
            patient = patients.numbered(self._patients.add_distinct(patients.distinct))
            numbers = (patient, self._visit(batch), self._concept(noting, batch))
            self._parts.append((batch.time, *(column.astype(np.int32) for column in numbers)))
            self._clocks.add(batch.clock)
            row += len(batch.time)

    def _visit(self, batch: Batch) -> IntArray:
        texts = batch.texts.get("visit")
        self._have_visits.add(texts is not None)
        if texts is None:
            return np.zeros(len(batch.time), dtype=np.int64)
        return texts.numbered(self._visits.add_distinct(texts.distinct))

    def _concept(self, noting: Noting, batch: Batch) -> IntArray:
        codes = batch.texts["code"]
        one = Texts((self._system or "",), np.zeros(len(codes.at), dtype=np.int64))
        systems = batch.texts.get("system", one)
        numbers = np.full(len(codes.at), UNKNOWN, dtype=np.int64)
        for place, text in enumerate(systems.distinct):
            here = (systems.at == place) & codes.there
            if is_system(text):
                found = codes.of(here)
                numbers[here] = found.numbered(self._concepts.add_distinct(system_name(text), found.distinct))
                bad = here & (numbers == UNKNOWN)
                noting.note("code", np.flatnonzero(bad), shape_rule(system_name(text)))
            else:
                noting.note("system", np.flatnonzero(systems.at == place), NO_SYSTEM)
        if "display" in batch.texts:
            show(self._concepts, numbers, batch.texts["display"])
        return numbers

    def cohort(self) -> Cohort:
        """All rows as a cohort.

        Raises:
            InputError: there is no row, rows broke rules, or the files differ in their clock or columns.
        """
        self._faults.refuse("records")
        if not self._parts:
            raise InputError("records", "there are no rows")
        if len(self._clocks) > 1:
            raise InputError("time", "dates in some of the files, whole numbers in others; use one of them")
        if len(self._have_visits) > 1:
            raise InputError("visit", "a column of some of the files only; use it in all or none")
        time, patient, visit, concept = (stacked(column) for column in zip(*self._parts, strict=True))
        self._parts.clear()
        visits, of_row = self._distinct_visits(patient, time, visit)
        return assemble(
            NAME,
            *self._clocks,
            patients=self._patients.texts,
            visits=visits,
            entries=(of_row, concept),
            concepts=self._concepts,
        )

    def _distinct_visits(self, patient: IntArray, time: IntArray, visit: IntArray) -> tuple[Visits, IntArray]:
        if self._have_visits == {False}:
            of, at, of_row = grouped(patient, time)
            return Visits(of, at, np.zeros_like(at)), of_row
        of, rank, of_row = grouped(patient, natural_ranks(self._visits.texts)[visit])
        earliest = np.full(len(of), np.iinfo(np.int64).max)
        np.minimum.at(earliest, of_row, time)
        return Visits(of, earliest, rank), of_row

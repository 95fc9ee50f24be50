"""MEDS (Medical Event Data Standard 0.4): one event a row in parquet shards, of which diagnoses are read.

Rows are numbered from 1 in each shard. A visit is a `hadm_id` of a patient, or else a day.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.records.build import (
    UNKNOWN,
    Numbering,
    Visits,
    assemble,
    grouped,
    natural_ranks,
    stacked,
    with_visits,
)
from tools.records.cohort import DAY_S, Cohort, IntArray, Stays
from tools.records.faults import Faults, Noting, counted
from tools.records.files.arrow import batches_of, is_parquet, read_schema, schema_of, texts_of
from tools.records.files.texts import Texts, no_texts
from tools.records.formats.meds.codes import OTHER, MedsCodes, is_coded
from tools.records.formats.meds.stays import StayTimes
from tools.safety.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

NAME = "meds"
NEEDS = (
    "a folder with data/**/*.parquet, or a .parquet file; columns subject_id, time, code such as ICD9CM/4019"
)
REQUIRED = ("subject_id", "time", "code")
_STAY = "hadm_id"
_DESCRIBED = {"code", "description"}
_WANTED = {"time": "timestamps", "code": "text"}
_DAYS_FROM = -(1 << 40)  # keys of visits: a day is far below zero, a hadm_id its number
_PEEKED = 10_000
_MISSPELT = "names ICD but is no code of its shape, such as DIAGNOSIS//ICD//9//49390 or ICD10CM/E11.9"


def matches(path: Path) -> bool:
    """Whether a path is a folder or file of such events."""
    first = path if is_parquet(path) else next(_shards(path), None)
    if first is None:
        return False
    schema = schema_of(first)
    if schema is None:
        return path.is_dir()
    if not set(REQUIRED) <= set(schema.names):
        return False
    return path.is_dir() or ("system" not in schema.names and _has_coded(path))


def read(path: Path) -> Cohort:
    """Read the diagnoses of a folder of shards, or of one file; all other events are counted.

    The time of a visit is the earliest of its diagnoses'.

    Raises:
        InputError: no such file, pyarrow is not installed, a column is missing or of another type, no event
            is a diagnosis, or the rows break rules (`RecordFaults`).
    """
    events = _Events()
    for file, label in labelled_shards(path):
        events.add(file, label)
    if path.is_dir():
        events.name(path / "metadata" / "codes.parquet")
    return events.cohort()


def labelled_shards(path: Path) -> list[tuple[Path, str]]:
    """The files of a folder, or the one that the path is, each with what faults call it.

    Raises:
        InputError: there is none, or the folder cannot be read.
    """
    if is_parquet(path):
        return [(path, path.name)]
    files = sorted(_shards(path))
    if not files:
        raise InputError("records", f"{NAME} needs {NEEDS}")
    return [(file, file.relative_to(path / "data").as_posix()) for file in files]


def _shards(folder: Path) -> Iterator[Path]:
    """Files of a folder in any order."""
    try:
        yield from (file for file in (folder / "data").rglob("*") if is_parquet(file))
    except OSError as error:
        rule = f"the folder cannot be read ({error.strerror}); check its rights"
        raise InputError("records", rule) from None


def _has_coded(file: Path) -> bool:
    codes = batches_of(file, file.name, lambda _: {"code": "code"}, lambda c: texts_of(c["code"]), _PEEKED)
    first = next(codes, None)
    return first is not None and any(map(is_coded, first.distinct))


class Batch(NamedTuple):
    """Some rows of a shard; `time` is 0 where there is none."""

    subject: Texts
    code: Texts
    stay: Texts
    time: IntArray
    timed: npt.NDArray[np.bool_]


def batches(file: Path, label: str) -> Iterator[Batch]:
    """The events of a shard, a million rows at a time.

    Raises:
        InputError: it cannot be read, a column is missing or of another type; it is called by the label.
    """
    yield from batches_of(file, label, lambda schema: _names(label, schema), _batch)


class _Events:
    """Events of shards, as numbers."""

    def __init__(self) -> None:
        self._faults = Faults()
        self._codes = MedsCodes()
        self._patients, self._stays = Numbering(), Numbering()
        self._others = StayTimes()
        self._parts: list[tuple[npt.NDArray[np.integer], ...]] = []
        self._rows, self._skipped, self._untimed = 0, 0, 0

    def add(self, file: Path, label: str) -> None:
        """Read a shard; broken rules are noted."""
        row = 1
        for batch in batches(file, label):
            noting = Noting(self._faults, f"{label}: ", row)
            noting.require("subject_id", batch.subject.there)
            noting.require("code", batch.code.there)
            concept = batch.code.numbered(self._codes.add(batch.code.distinct))
            noting.note("code", np.flatnonzero((concept == UNKNOWN) & batch.code.there), _MISSPELT)
            patient = batch.subject.numbered(self._patients.add_distinct(batch.subject.distinct))
            stay = batch.stay.numbered(self._stays.add_distinct(batch.stay.distinct))
            self._keep(batch, patient, stay, concept)
            row += len(concept)
        self._rows += row - 1

    def _keep(self, batch: Batch, patient: IntArray, stay: IntArray, concept: IntArray) -> None:
        other = concept == OTHER
        self._skipped += int(other.sum())
        during = other & batch.timed & (stay != UNKNOWN) & (patient != UNKNOWN)
        self._others.add(patient[during], stay[during], batch.time[during])
        coded = concept >= 0
        self._untimed += int((coded & ~batch.timed).sum())
        kept = np.flatnonzero(coded & batch.timed)
        time, stay = batch.time[kept], stay[kept]
        key = np.where(stay == UNKNOWN, _DAYS_FROM + time // DAY_S, stay)
        self._parts.append((patient[kept].astype(np.int32), key, time, concept[kept].astype(np.int32)))

    def name(self, file: Path) -> None:
        """Read what codes mean, where the file that says it is there."""
        label = f"metadata/{file.name}"
        if not (file.is_file() and set(read_schema(file, label).names) >= _DESCRIBED):
            return
        names = {column: column for column in _DESCRIBED}
        for code, description in batches_of(file, label, lambda _: names, _both):
            both = np.flatnonzero(code.there & description.there)
            pairs = zip(code.at[both], description.at[both], strict=True)
            self._codes.show((code.distinct[c], description.distinct[d]) for c, d in pairs)

    def cohort(self) -> Cohort:
        """All diagnoses as a cohort.

        Raises:
            InputError: there is no diagnosis with a time, or rows broke rules.
        """
        self._faults.refuse("records")
        if not any(len(part[0]) for part in self._parts):
            rule = "none of the events is a diagnosis with a time" if self._rows else "there are no rows"
            raise InputError("records", rule)
        patient, key, time, concept = (stacked(column) for column in zip(*self._parts, strict=True))
        self._parts.clear()
        of, key, of_row = grouped(patient, key)
        first = np.full(len(of), np.iinfo(np.int64).max)
        np.minimum.at(first, of_row, time)
        last = np.full(len(of), np.iinfo(np.int64).min)
        np.maximum.at(last, of_row, time)
        in_stay = (key >= 0) & (first == last)
        late = np.zeros(len(of), dtype=np.bool_)
        late[in_stay] = self._others.ended_by(of[in_stay], key[in_stay], first[in_stay])
        patients, visit_patient = with_visits(self._patients.texts, of)
        rank = np.append(natural_ranks(self._stays.texts), -1)[np.maximum(key, -1)]
        return assemble(
            NAME,
            "seconds",
            patients=patients,
            visits=Visits(visit_patient, first, rank),
            entries=(of_row, concept),
            concepts=self._codes.concepts,
            stays=Stays(late=late),
            notices=self._notices(int(late.sum())),
        )

    def _notices(self, late: int) -> Iterator[str]:
        if self._skipped:
            yield f"{counted(self._skipped, 'event')} other than diagnoses, left out"
        if self._untimed:
            yield f"{counted(self._untimed, 'diagnosis row')} without a time, left out"
        if late:
            yield (
                f"in {counted(late, 'visit')} diagnoses carry the time of discharge: order holds, times of "
                "day mean nothing, and what they say was not known during the visit"
            )


def _names(label: str, schema: "pa.Schema") -> dict[str, str]:
    for column in REQUIRED:
        if schema.names.count(column) != 1:
            raise InputError(f"{label}: {column}", "there must be one column of this name")
        if not _is_readable(column, schema.field(column).type):
            wanted = _WANTED.get(column, "whole numbers")
            raise InputError(f"{label}: {column}", f"of a type that cannot be read; write it as {wanted}")
    return {column: column for column in (*REQUIRED, *([_STAY] if _STAY in schema.names else []))}


def _is_readable(column: str, kind: "pa.DataType") -> bool:
    from pyarrow import types

    if column == "time":
        return bool(types.is_timestamp(kind) or types.is_date(kind))
    value = kind.value_type if types.is_dictionary(kind) else kind
    is_text = bool(types.is_string(value) or types.is_large_string(value))
    return is_text or (column == "subject_id" and bool(types.is_integer(value)))


def _batch(columns: "dict[str, pa.Array]") -> Batch:
    time = columns["time"]
    timed = time.is_valid().to_numpy(zero_copy_only=False)
    # A row without a time becomes NaT, which has no seconds.
    seconds = time.to_numpy(zero_copy_only=False).astype("datetime64[s]").astype(np.int64)
    return Batch(
        texts_of(columns["subject_id"]),
        texts_of(columns["code"]),
        texts_of(columns[_STAY]) if _STAY in columns else no_texts(len(timed)),
        np.where(timed, seconds, 0),
        timed,
    )


def _both(columns: "dict[str, pa.Array]") -> tuple[Texts, Texts]:
    return texts_of(columns["code"]), texts_of(columns["description"])

"""What is in a set of records, and what is wrong with it."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from tools.records.cohort import Cohort
from tools.records.faults import RecordFaults, counted
from tools.records.files.times import begin_of
from tools.records.quality import Quality, quality
from tools.records.read import known_format, read_cohort, sniff

_UNKNOWN_FORMAT = "unknown"
_SHIFTED_FROM = date(2100, 1, 1)


class FaultPlace(BaseModel):
    """A place where records break a rule: 1-based line, column, rule; never the value."""

    model_config = ConfigDict(frozen=True)

    row: int
    column: str
    rule: str


class RecordsCheck(BaseModel):
    """Summary of a set of records. Where there are faults nothing was loaded, and the counts are 0.

    Attributes:
        format: name of the format, `unknown` where the files are too damaged to tell.
        patients: number of patients.
        visits: number of visits.
        multi_visit_patients: patients with two visits or more.
        codes: number of distinct codes.
        systems: code system to number of distinct codes.
        rows: diagnoses, each code once a visit.
        share_of_rows_named: of `rows`, between 0 and 1.
        named_by: where a name was found to number of rows (see `tools.records.concepts.names.name`).
        faults: the first places, by row.
        fault_count: number of all places.
        quality: how good the records are for learning from; empty where there are faults.
        notices: what a person should know before using these records.
    """

    model_config = ConfigDict(frozen=True)

    format: str
    patients: int = 0
    visits: int = 0
    multi_visit_patients: int = 0
    codes: int = 0
    systems: dict[str, int] = {}
    rows: int = 0
    share_of_rows_named: float = 0.0
    named_by: dict[str, int] = {}
    faults: tuple[FaultPlace, ...] = ()
    fault_count: int = 0
    quality: tuple[Quality, ...] = ()
    notices: tuple[str, ...] = ()


def check(
    path: str | Path,
    format: str | None = None,  # noqa: A002
    system: str | None = None,
    today: date | None = None,
) -> RecordsCheck:
    """Read records and say what is in them; broken rules are part of the answer.

    Args:
        path: a file or a folder.
        format: a name of `tools.records.read.FORMATS`; told from the files when None.
        system: the code system of a long CSV without a system column.
        today: visits after this day are in the future; the present day (UTC) when None.

    Raises:
        InputError: there is nothing to check: unknown path or format, or no row at all.
    """
    name = _UNKNOWN_FORMAT
    try:
        name = sniff(path) if format is None else known_format(format)
        cohort = read_cohort(path, name, system)
    except RecordFaults as error:
        places = tuple(FaultPlace(row=f.row, column=f.column, rule=f.rule) for f in error.faults)
        return RecordsCheck(format=name, faults=places, fault_count=error.count)
    return summary(cohort, today or datetime.now(UTC).date())


def summary(cohort: Cohort, today: date) -> RecordsCheck:
    """The summary of a cohort.

    Args:
        cohort: as a reader gives it.
        today: visits after this day are in the future.
    """
    concepts = cohort.vocabulary.concepts
    named_by: Counter[str] = Counter()
    for concept, rows in zip(concepts, np.bincount(cohort.codes, minlength=len(concepts)), strict=True):
        named_by[concept.named_by] += int(rows)
    rows_in_all = len(cohort.codes)
    return RecordsCheck(
        format=cohort.source,
        patients=cohort.n_patients,
        visits=cohort.n_visits,
        multi_visit_patients=int((cohort.visits_per_patient > 1).sum()),
        codes=len(concepts),
        systems=dict(sorted(Counter(c.system for c in concepts).items())),
        rows=rows_in_all,
        share_of_rows_named=(rows_in_all - named_by["unlisted"]) / rows_in_all if rows_in_all else 0.0,
        named_by={source: count for source, count in sorted(named_by.items()) if count},
        quality=quality(cohort, today),
        notices=(*cohort.notices, *_notice_of_single_visits(cohort), *_notices_of_dates(cohort, today)),
    )


def _notice_of_single_visits(cohort: Cohort) -> tuple[str, ...]:
    single = int((cohort.visits_per_patient == 1).sum())
    if not 0 < single < cohort.n_patients:
        return ()
    return (f"{counted(single, 'patient')} with one visit only, which gives no transition",)


def _notices_of_dates(cohort: Cohort, today: date) -> tuple[str, ...]:
    future = (
        int((cohort.times >= begin_of(today + timedelta(days=1))).sum()) if cohort.clock == "seconds" else 0
    )
    if not future:
        return ()
    visits = f"{counted(future, 'visit')} dated in the future"
    if (cohort.times >= begin_of(_SHIFTED_FROM)).any():
        why = "de-identified sets shift dates past 2100; order and intervals within a patient hold"
        return (f"{visits}: {why}, calendar dates mean nothing",)
    return (f"{visits}; check the dates",)

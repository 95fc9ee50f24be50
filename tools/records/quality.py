"""How good records are for learning what follows what: counts with what each means."""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict

from tools.records.cohort import DAY_S, NO_END, Cohort, Stays
from tools.records.files.times import begin_of

_LONG_GAP_S = 10 * 365 * DAY_S
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


class Quality(BaseModel):
    """One line of the table.

    Attributes:
        what: is counted.
        count: how many.
        total: of how many.
        meaning: what follows from it.
    """

    model_config = ConfigDict(frozen=True)

    what: str
    count: int
    total: int
    meaning: str

    @property
    def share(self) -> float:
        """Between 0 and 1; 0 of nothing."""
        return self.count / self.total if self.total else 0.0


def quality(cohort: Cohort, today: date) -> tuple[Quality, ...]:
    """The table of a cohort; lines about dates only where visits have dates.

    Args:
        cohort: as a reader gives it.
        today: visits after this day are in the future.
    """
    lines = [*_of_patients(cohort), *_of_visits(cohort), *_of_codes(cohort)]
    if cohort.clock == "seconds":
        lines += _of_dates(cohort, today)
    if cohort.stays is not None:
        lines += _of_stays(cohort, cohort.stays)
    return tuple(
        Quality(what=what, count=count, total=total, meaning=meaning) for what, count, total, meaning in lines
    )


_Line = tuple[str, int, int, str]


def _of_patients(cohort: Cohort) -> Iterator[_Line]:
    again = _count(cohort.visits_per_patient > 1)
    yield "patients with two visits or more", again, cohort.n_patients, "only they show what follows what"


def _of_visits(cohort: Cohort) -> Iterator[_Line]:
    sizes, n = np.diff(cohort.code_offsets), cohort.n_visits
    yield "visits without a code", _count(sizes == 0), n, "nothing is learned from them"
    most = int(sizes.max(initial=0))
    full = _count(sizes == most) if most else 0
    said = f"visits with {most} codes, the most of any"
    yield said, full, n, "many: the records have no room for more, and diseases compete for places"
    tied = _count(_with_the_one_before(cohort, cohort.times))
    yield "visits at the very time of the one before", tied, n, "their order is that of their ids"


def _of_dates(cohort: Cohort, today: date) -> Iterator[_Line]:
    n = cohort.n_visits
    same_day = _count(_with_the_one_before(cohort, cohort.times // DAY_S))
    yield "visits on the day of the one before", same_day, n, "one stay may count as two"
    gaps = np.diff(cohort.times, prepend=cohort.times[:1])
    long = _count(_follows(cohort) & (gaps > _LONG_GAP_S))
    yield "visits over ten years after the one before", long, n, "a wrong date, or years unseen"
    future = _count(cohort.times >= begin_of(today + timedelta(days=1)))
    yield "visits dated in the future", future, n, "shifted by de-identification, or wrong"


def _of_stays(cohort: Cohort, stays: Stays) -> Iterator[_Line]:
    n = cohort.n_visits
    if stays.ends is not None and _count(stays.ends != NO_END):
        known = stays.ends != NO_END
        # At midnight only the day is told: the visit may last until its end.
        last = np.where(known & (stays.ends % DAY_S == 0), stays.ends + DAY_S - 1, stays.ends)
        wrong = known & (last < cohort.times)
        yield "visits that end before they begin", _count(wrong), _count(known), "one of the two is wrong"
        inside = _count(_begins_inside(cohort, np.where(wrong, NO_END, stays.ends)))
        yield "visits that begin before an earlier one ends", inside, n, "one stay may count as two"
    if stays.late is not None:
        meaning = "leakage: what they say was not known during the visit"
        yield "visits whose diagnoses carry the time of discharge", _count(stays.late), n, meaning


def _of_codes(cohort: Cohort) -> Iterator[_Line]:
    rows, columns = len(cohort.codes), cohort.vocabulary.columns
    unlisted = np.array([source == "unlisted" for source in columns.named_by], dtype=np.bool_)
    named = rows - _count(unlisted[cohort.codes])
    yield "diagnosis rows with a named code", named, rows, "others are in no list: misspelt, local or retired"
    again = _count(_had_before(cohort))
    yield "diagnosis rows that repeat an earlier one", again, rows, "what a list of the history predicts"


def _count(which: Bool) -> int:
    return int(np.count_nonzero(which))


def _had_before(cohort: Cohort) -> Bool:
    """Which diagnoses the patient had at an earlier visit, shape (n_entries,)."""
    visits = np.repeat(np.arange(cohort.n_visits), np.diff(cohort.code_offsets))
    patients = np.repeat(np.arange(cohort.n_patients), cohort.visits_per_patient)[visits]
    pairs = patients * max(len(cohort.vocabulary), 1) + cohort.codes
    _, first = np.unique(pairs, return_index=True)
    again = np.ones(len(pairs), dtype=np.bool_)
    again[first] = False
    return again


def _follows(cohort: Cohort) -> Bool:
    """Which visits are not their patient's first, shape (n_visits,)."""
    follows = np.ones(cohort.n_visits, dtype=np.bool_)
    follows[cohort.visit_offsets[:-1][cohort.visits_per_patient > 0]] = False
    return follows


def _with_the_one_before(cohort: Cohort, values: Int64) -> Bool:
    """Which visits have the value of their patient's visit before."""
    same = np.zeros(cohort.n_visits, dtype=np.bool_)
    same[1:] = values[1:] == values[:-1]
    return same & _follows(cohort)


def _begins_inside(cohort: Cohort, ends: Int64) -> Bool:
    """Which visits begin before the end of one of their patient's earlier ones."""
    of_patient = pd.Series(ends).groupby(np.repeat(np.arange(cohort.n_patients), cohort.visits_per_patient))
    latest = of_patient.cummax().to_numpy(dtype=np.int64)
    inside = np.zeros(cohort.n_visits, dtype=np.bool_)
    inside[1:] = cohort.times[1:] < latest[:-1]
    return inside & _follows(cohort)

"""Persons and visits of OMOP, and the visits that conditions without one of their own belong to."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.records.build import UNKNOWN, Numbering, Visits, grouped, natural_ranks, stacked
from tools.records.cohort import DAY_S, NO_END, IntArray
from tools.records.faults import Faults
from tools.records.files.texts import Texts
from tools.records.files.times import seconds_of
from tools.records.formats.omop.tables import Place, Relation, Rows
from tools.safety.errors import InputError

EMPTY = "empty; every row needs a value here"
_DAY_BITS, _DAY_ZERO = 23, 1 << 22  # days of the years 1 to 9999 fit, counted from one long before
_NOT_A_TIME = "not an ISO date or time such as 2024-05-31 or 2024-05-31 08:30:00"


def numbered(texts: Texts, numbering: Numbering, grows: bool) -> IntArray:
    """Numbers of ids, `UNKNOWN` for none; a new id is added or is `UNKNOWN` too.

    An id that a program wrote as a float, `12.0`, is `12`.
    """
    ids = (text.removesuffix(".0") for text in texts.distinct)
    return texts.numbered(numbering.add_distinct(ids) if grows else numbering.find_distinct(ids))


def require_columns(table: Relation, *choices: tuple[str, ...]) -> None:
    """Refuse a table that has none of the columns of a choice.

    Raises:
        InputError: naming them.
    """
    there = table.columns()
    for choice in choices:
        if not there & set(choice):
            rule = f"missing column; there must be one of: {', '.join(choice)}"
            raise InputError(f"{table.label}.{choice[0]}", rule)


class Moments(NamedTuple):
    """Seconds of rows, 0 where there are none; both of shape (n_rows,)."""

    time: IntArray
    there: npt.NDArray[np.bool_]

    def or_else(self, other: "Moments") -> "Moments":
        """These, and the others' where there is none."""
        return Moments(np.where(self.there, self.time, other.time), self.there | other.there)

    @property
    def day(self) -> IntArray:
        """Days since 1970."""
        return self.time // DAY_S


def moments(rows: Rows, column: str) -> Moments:
    """Times in a column; what is none is noted."""
    texts = rows.column(column)
    times, readable = seconds_of(texts)
    rows.place.note(column, texts.there & ~readable, _NOT_A_TIME)
    return Moments(times, readable)


def read_persons(table: Relation, faults: Faults) -> Numbering:
    """The persons."""
    require_columns(table, ("person_id",))
    persons = Numbering()
    for rows in table.batches(["person_id"], faults):
        texts = rows.column("person_id")
        rows.place.note("person_id", ~texts.there, EMPTY)
        numbered(texts, persons, grows=True)
    return persons


def noted_persons(rows: Rows, persons: Numbering) -> IntArray:
    """Numbers of the rows' persons; one that is none is noted."""
    texts = rows.column("person_id")
    person = numbered(texts, persons, grows=False)
    rows.place.note("person_id", ~texts.there, EMPTY)
    rows.place.note("person_id", texts.there & (person == UNKNOWN), "not in PERSON; both tables must match")
    return person


class PersonVisits(NamedTuple):
    """Visits by number, each column of shape (n_visits,); days since 1970, the last included.

    Attributes:
        ids: of the visits.
        visits: who and when.
        first_day: from.
        last_day: to.
        end: seconds since 1970 where it is told, else `NO_END`.
    """

    ids: Numbering
    visits: Visits
    first_day: IntArray
    last_day: IntArray
    end: IntArray

    def holding(self, person: IntArray, day: IntArray) -> IntArray:
        """The visit of a person in whose days a day lies, of several the one that began last.

        Args:
            person: numbers, shape (n,).
            day: shape (n,).

        Returns:
            Numbers of visits, `UNKNOWN` for none, shape (n,).
        """
        found = np.full(len(person), UNKNOWN, dtype=np.int64)
        order = np.lexsort((self.visits.rank, self.first_day, self.visits.patient))
        who = self.visits.patient[order] << _DAY_BITS
        begins, ends = who + self.first_day[order] + _DAY_ZERO, who + self.last_day[order] + _DAY_ZERO
        # The latest end so far: no visit before one whose reach falls short can hold the day.
        reach = np.maximum.accumulate(ends) if len(ends) else ends
        wanted = (person << _DAY_BITS) + day + _DAY_ZERO
        at = np.searchsorted(begins, wanted, side="right") - 1
        open_ = np.flatnonzero(at >= 0)
        while len(open_):
            open_ = open_[(at[open_] >= 0) & (reach[at[open_]] >= wanted[open_])]
            holds = ends[at[open_]] >= wanted[open_]
            found[open_[holds]] = order[at[open_[holds]]]
            open_ = open_[~holds]
            at[open_] -= 1
        return found


def read_visits(table: Relation, persons: Numbering, faults: Faults) -> PersonVisits:
    """The visits; a visit that contradicts itself, or is of no person, is noted."""
    require_columns(
        table, ("visit_occurrence_id",), ("person_id",), ("visit_start_datetime", "visit_start_date")
    )
    wanted = ["visit_occurrence_id", "person_id"]
    wanted += [f"visit_{end}_{kind}" for end in ("start", "end") for kind in ("datetime", "date")]
    ids, places, parts = Numbering(), [], []
    for rows in table.batches(wanted, faults):
        texts = rows.column("visit_occurrence_id")
        rows.place.note("visit_occurrence_id", ~texts.there, EMPTY)
        person = noted_persons(rows, persons)
        moment, date = moments(rows, "visit_start_datetime"), moments(rows, "visit_start_date")
        start = moment.or_else(date)
        has_none = (rows.column("visit_start_datetime").at < 0) & (rows.column("visit_start_date").at < 0)
        rows.place.note("visit_start_date", has_none, EMPTY)
        first = date.or_else(moment)
        end_date, end = moments(rows, "visit_end_date"), moments(rows, "visit_end_datetime")
        last, end = end_date.or_else(end).or_else(first), end.or_else(end_date)
        end_time = np.where(end.there, end.time, NO_END)
        places.append(rows.place)
        parts.append((numbered(texts, ids, grows=True), person, start.time, first.day, last.day, end_time))
    faults.refuse("records")
    if not len(ids):
        raise InputError(table.label, "lists no visit; check that this is the whole table")
    number, person, time, first_day, last_day, end_time = (
        stacked(column) for column in zip(*parts, strict=True)
    )
    at = np.empty(len(ids), dtype=np.int64)
    at[number[::-1]] = np.arange(len(number))[::-1]
    first_row = at[number]
    differs = (person != person[first_row]) | (time != time[first_row])
    note_rows(places, "visit_occurrence_id", differs, "listed before with another person or time; keep one")
    faults.refuse("records")
    visits = Visits(person[at], time[at], natural_ranks(ids.texts))
    return PersonVisits(ids, visits, first_day[at], np.maximum(last_day[at], first_day[at]), end_time[at])


def note_rows(places: list[Place], column: str, bad: npt.NDArray[np.bool_], rule: str) -> None:
    """Note rows of several batches, given one after another, that break a rule."""
    for place, rows in zip(places, split(places, bad), strict=True):
        place.note(column, rows, rule)


def split(places: list[Place], values: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.bool_]]:
    """Values of several batches, batch by batch."""
    begin = 0
    for place in places:
        yield values[begin : begin + len(place.number)]
        begin += len(place.number)


def with_days(visits: Visits, person: IntArray, day: IntArray) -> tuple[Visits, IntArray]:
    """The visits with one more for each day of a person that has none, before others at its midnight.

    Args:
        visits: by number.
        person: of each row without a visit, shape (n_rows,).
        day: since 1970, shape (n_rows,).

    Returns:
        All visits, and the new visit of each row.
    """
    who, when, of_row = grouped(person, day)
    added = Visits(who, when * DAY_S, np.full(len(who), -1, dtype=np.int64))
    both = Visits(*(np.concatenate(pair) for pair in zip(visits, added, strict=True)))
    return both, of_row + len(visits.time)

"""Sex and birth in OMOP: gender_concept_id, and year, month, day or time of birth, of PERSON."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from tools.records.cohort import DAY_S, Cohort
from tools.records.faults import Faults
from tools.records.files.times import seconds
from tools.records.formats.omop.find import PERSON, find_tables
from tools.records.formats.omop.tables import Rows
from tools.records.person import Births, Person, Sex, agreed, people_born

_GENDERS: dict[str, Sex] = {"8507": "M", "8532": "F"}
_BIRTH = ("year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime")
_WANTED = ("person_id", "gender_concept_id", *_BIRTH)
_YEARS, _MONTHS = (1, 9999), (1, 12)
Floats = npt.NDArray[np.float64]


def read_people(path: Path, cohort: Cohort) -> dict[str, Person]:
    """Everyone in the cohort that was read from a folder or database.

    Raises:
        InputError: PERSON cannot be read.
    """
    faults = Faults()
    frames = [_frame(rows) for rows in find_tables(path)[PERSON].batches(_WANTED, faults)]
    faults.refuse("records")
    rows = pd.concat(frames, ignore_index=True)
    sex = agreed(rows["person_id"], rows["gender_concept_id"].map(_GENDERS))
    first, last = _born(rows)
    return people_born(cohort, sex, Births(agreed(rows["person_id"], first), agreed(rows["person_id"], last)))


def _frame(rows: Rows) -> pd.DataFrame:
    """The wanted columns as texts, empty where there is none; whole numbers without the `.0` of floats."""
    columns = {}
    for name in _WANTED:
        texts = rows.column(name)
        distinct = (*(text.removesuffix(".0") for text in texts.distinct), "")
        columns[name] = pd.Series(np.array(distinct, dtype=object)[texts.at], dtype=object)
    return pd.DataFrame(columns)


def _born(rows: pd.DataFrame) -> Iterator[pd.Series]:
    """First and last day on which each row's person may have been born, NaN where it does not say."""
    year, month, day = (pd.to_numeric(rows[name], errors="coerce").to_numpy(float) for name in _BIRTH[:3])
    first, last = _span(year, month, day)
    moment, has_moment = seconds(rows["birth_datetime"])
    exact = np.floor_divide(moment, DAY_S)
    fits = has_moment & ((rows["year_of_birth"] == "").to_numpy() | ((first <= exact) & (exact <= last)))
    for end in (first, last):
        yield pd.Series(np.where(fits, exact, np.where(has_moment, np.nan, end)), index=rows.index)


def _span(year: Floats, month: Floats, day: Floats) -> tuple[Floats, Floats]:
    """First and last day since 1970 of a year, of a month of it, or of a day of that; NaN of what is none."""
    has_month, has_day = ~np.isnan(month), ~np.isnan(month) & ~np.isnan(day)
    begin = (year - 1970) * 12 + np.where(has_month, month, 1) - 1
    end = begin + np.where(has_month, 1, 12)
    known = _within(year, _YEARS) & (~has_month | _within(month, _MONTHS))
    first, last = (
        np.where(known, _months(np.where(known, n, 0)), np.nan) - before
        for n, before in ((begin, 0), (end, 1))
    )
    exact = first + day - 1
    exact = np.where((exact >= first) & (exact <= last), exact, np.nan)
    return np.where(has_day, exact, first), np.where(has_day, exact, last)


def _within(numbers: Floats, bounds: tuple[int, int]) -> npt.NDArray[np.bool_]:
    return np.asarray((numbers >= bounds[0]) & (numbers <= bounds[1]) & (numbers % 1 == 0), dtype=np.bool_)


def _months(months: Floats) -> Floats:
    """The first day of months, both since 1970."""
    return months.astype(np.int64).astype("datetime64[M]").astype("datetime64[D]").astype(np.float64)

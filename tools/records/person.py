"""Who a patient is, and how it is told from what records say: what is not clear is None."""

from typing import Literal, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from tools.records.cohort import DAY_S, Cohort

Sex = Literal["F", "M"]
Words: TypeAlias = "pd.Series[str]"
Numbers: TypeAlias = "pd.Series[float]"
Days: TypeAlias = "npt.NDArray[np.datetime64]"

SEXES: dict[str, Sex] = {"f": "F", "female": "F", "m": "M", "male": "M"}
OLDEST = 90


class Person(NamedTuple):
    """What is known of a patient.

    Attributes:
        sex: as recorded; None where it is not, or where the records contradict each other.
        age_band: at the last visit, `0-9` to `80-89` or `90+` years; None where it is not known.
    """

    sex: Sex | None
    age_band: str | None


class Births(NamedTuple):
    """Between which days people were born, by patient id; days since 1970, NaN where it is not known.

    Attributes:
        first: the day itself where it is known; of a year alone its first day.
        last: likewise, its last day.
    """

    first: Numbers
    last: Numbers


def age_band(years: float) -> str | None:
    """The ten years an age lies in; `90+` from 90, None of what is no age.

    De-identified records move the births of people above 89 back by centuries, so there is no upper limit.
    """
    if not years >= 0:
        return None
    if years >= OLDEST:
        return f"{OLDEST}+"
    decade = int(years) // 10 * 10
    return f"{decade}-{decade + 9}"


def agreed(ids: Words, values: pd.Series) -> pd.Series:
    """The one value that each patient's rows give, missing where none can be read or two differ."""
    told = values.groupby(ids)
    return told.first().where(told.nunique() == 1)


def sexes(ids: Words, words: Words) -> Words:
    """The sex of each patient whose rows agree on it; words such as `F`, `female` or `Male`."""
    return agreed(ids, words.str.lower().map(SEXES))


def last_times(cohort: Cohort) -> Numbers:
    """Time of each patient's last visit, by patient id."""
    there = cohort.visits_per_patient > 0
    times = cohort.times[cohort.visit_offsets[1:][there] - 1]
    ids = pd.Index(cohort.patient_ids, dtype=object)[there]
    return pd.Series(times, index=ids, dtype=np.float64)


def last_days(cohort: Cohort) -> Numbers:
    """Day of each patient's last visit, since 1970, in UTC, by patient id."""
    return last_times(cohort) // DAY_S


def people_born(
    cohort: Cohort, sex: Words, births: Births, days: "Numbers | None" = None
) -> dict[str, Person]:
    """Everyone in a cohort that has dates.

    Where only a year or month of birth is known there is an age band if all its days give the same.

    Args:
        cohort: n patients.
        sex: by patient id, missing where it is not known.
        births: likewise.
        days: of each patient's last visit, since 1970; see `last_days` when None.
    """
    day = last_days(cohort) if days is None else days
    first, last = (births.first.reindex(day.index), births.last.reindex(day.index))
    # Who had a visit was born by then: of a year or month of birth only the days before it count.
    last = last.where((last <= day) | (first > day), day.where(last.notna()))
    ages = [pd.Series(_years_between(_days(end), _days(day)), index=day.index) for end in (last, first)]
    return people_aged(cohort, sex, *ages)


def people_aged(cohort: Cohort, sex: Words, least: Numbers, most: Numbers) -> dict[str, Person]:
    """Everyone in a cohort, of an age between two; see `people_born`."""
    ids = list(cohort.patient_ids)
    told = zip(ids, sex.reindex(ids), least.reindex(ids), most.reindex(ids), strict=True)
    return {
        patient: Person(cast(Sex, word) if isinstance(word, str) else None, _band(float(low), float(high)))
        for patient, word, low, high in told
    }


def _band(least: float, most: float) -> str | None:
    band = age_band(least)
    return band if band == age_band(most) else None


def _days(numbers: Numbers) -> Days:
    known = numbers.notna().to_numpy(dtype=bool)
    whole = np.floor(numbers.fillna(0).to_numpy(dtype=np.float64)).astype(np.int64)
    return np.where(known, whole.astype("datetime64[D]"), np.datetime64("NaT", "D"))


def _years_between(birth: Days, day: Days) -> npt.NDArray[np.float64]:
    """Completed years of life, NaN where either day is not known."""
    months = _months(day) - _months(birth)
    of_month = [(days - days.astype("datetime64[M]")).astype(np.float64) for days in (birth, day)]
    return np.asarray((months - (of_month[1] < of_month[0])) // 12, dtype=np.float64)


def _months(days: Days) -> npt.NDArray[np.float64]:
    """Since 1970, NaN where the day is not known."""
    return np.where(np.isnat(days), np.nan, days.astype("datetime64[M]").astype(np.int64))

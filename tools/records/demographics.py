"""Sex and age of patients, where a format tells them. What cannot be read is None, never a guess."""

from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from tools.records.faults import Faults
from tools.records.files.locate import find_table, is_table
from tools.records.files.table import Table
from tools.records.files.times import seconds
from tools.records.formats import diabetes130, mimic3, mimic4
from tools.records.read import known_format

Sex = Literal["F", "M"]
Texts: TypeAlias = "pd.Series[str]"
Numbers: TypeAlias = "pd.Series[float]"
Days: TypeAlias = "npt.NDArray[np.datetime64]"

_SEXES: dict[str, Sex] = {"f": "F", "female": "F", "m": "M", "male": "M"}
_OLDEST = 90


class Person(NamedTuple):
    """What is known of a patient.

    Attributes:
        sex: as recorded; None where it is not, or where the records contradict each other.
        age_band: at the last visit, `0-9` to `80-89` or `90+` years; None where it is not known.
    """

    sex: Sex | None
    age_band: str | None


def read_people(path: str | Path, format: str) -> dict[str, Person]:  # noqa: A002
    """The people of a set of records.

    Args:
        path: as given to `tools.records.read.read_cohort`.
        format: a name of `tools.records.read.FORMATS`.

    Returns:
        By patient id as the cohort has it, sorted. Empty where the format does not tell, or where the table
        that does is not there.

    Raises:
        InputError: an unknown format, or a table that cannot be read at all (`RecordFaults`).
    """
    reader = _READERS.get(known_format(format))
    return reader(Path(path)) if reader else {}


def age_band(years: float) -> str | None:
    """The ten years an age lies in; `90+` from 90, None of what is no age.

    De-identified records move the births of people above 89 back by centuries, so there is no upper limit.
    """
    if not years >= 0:
        return None
    if years >= _OLDEST:
        return f"{_OLDEST}+"
    decade = int(years) // 10 * 10
    return f"{decade}-{decade + 9}"


def _diabetes130(path: Path) -> dict[str, Person]:
    file = path if is_table(path) else find_table(path, "diabetic_data")
    rows = _columns(file, "", ("patient_nbr", "encounter_id"), ("gender", "age"))
    order = pd.to_numeric(rows["encounter_id"], errors="coerce")
    last = rows[order == order.groupby(rows["patient_nbr"]).transform("max")]
    ends = last["age"].str.extract(r"^\[(\d{1,3})-(\d{1,3})\)$").astype(float)
    ages = ends[0].where((ends[0] % 10 == 0) & (ends[1] - ends[0] == 10))
    return _people(_sexes(rows, "patient_nbr"), _agreed(last["patient_nbr"], ages))


def _mimic3(path: Path) -> dict[str, Person]:
    patients = _columns(find_table(path, "patients"), "PATIENTS", ("subject_id",), ("gender", "dob"))
    birth = _agreed(patients["subject_id"], _times(patients["dob"]))
    last = _last_admissions(path).reindex(birth.index)
    ages = pd.Series(_years_between(_days(birth), _days(last)), index=birth.index)
    return _people(_sexes(patients, "subject_id"), ages)


def _mimic4(path: Path) -> dict[str, Person]:
    folder = path if mimic4.matches(path) and find_table(path, "admissions") else path / "hosp"
    anchors = ("gender", "anchor_age", "anchor_year")
    patients = _columns(find_table(folder, "patients"), "PATIENTS", ("subject_id",), anchors)
    age, year = (pd.to_numeric(patients[name], errors="coerce") for name in anchors[1:])
    birth_year = _agreed(patients["subject_id"], (year - age).where(age >= 0))
    last = _last_admissions(folder).reindex(birth_year.index)
    last_year = pd.Series(_numbered(_days(last), "Y") + 1970, index=last.index)
    return _people(_sexes(patients, "subject_id"), last_year - birth_year)


_READERS = {diabetes130.NAME: _diabetes130, mimic3.NAME: _mimic3, mimic4.NAME: _mimic4}


def _columns(file: Path | None, label: str, required: tuple[str, ...], told: tuple[str, ...]) -> pd.DataFrame:
    """Columns of a table as texts; a column of `told` that it lacks is empty, as is a table not there."""
    wanted = (*required, *told)
    frames = [pd.DataFrame({name: pd.Series([], dtype=object) for name in wanted})]
    if file is not None:
        faults = Faults()
        chunks = Table(file, faults, label).chunks({name: (name,) for name in wanted}, set(required))
        frames += [chunk.reindex(columns=wanted, fill_value="") for chunk in chunks]
        faults.refuse(label or "records")
    joined = pd.concat(frames, ignore_index=True).astype(str)
    return joined[(joined[list(required)] != "").all(axis=1)]


def _sexes(rows: pd.DataFrame, id_column: str) -> Texts:
    return _agreed(rows[id_column], rows["gender"].str.lower().map(_SEXES))


def _agreed(ids: Texts, values: pd.Series) -> pd.Series:
    """The one value that each patient's rows give, missing where none can be read or two differ."""
    told = values.groupby(ids)
    return told.first().where(told.nunique() == 1)


def _last_admissions(folder: Path) -> Numbers:
    """Time of each patient's last admission, seconds since 1970."""
    rows = _columns(find_table(folder, "admissions"), "ADMISSIONS", ("subject_id", "admittime"), ())
    return _times(rows["admittime"]).groupby(rows["subject_id"]).max()


def _times(texts: Texts) -> Numbers:
    numbers, readable = seconds(texts)
    return pd.Series(np.where(readable, numbers, np.nan), index=texts.index)


def _days(times: Numbers) -> Days:
    known = times.notna().to_numpy(dtype=bool)
    whole = np.where(known, times.fillna(0).to_numpy(), 0).astype(np.int64)
    return np.where(known, whole.astype("datetime64[s]"), np.datetime64("NaT")).astype("datetime64[D]")


def _years_between(birth: Days, day: Days) -> npt.NDArray[np.float64]:
    """Completed years of life, NaN where either day is not known."""
    months = _numbered(day, "M") - _numbered(birth, "M")
    of_month = [(days - days.astype("datetime64[M]")).astype(np.float64) for days in (birth, day)]
    return np.asarray((months - (of_month[1] < of_month[0])) // 12, dtype=np.float64)


def _numbered(days: Days, unit: Literal["Y", "M"]) -> npt.NDArray[np.float64]:
    """Years or months since 1970, NaN where the day is not known."""
    whole = days.astype(f"datetime64[{unit}]").astype(np.int64)
    return np.where(np.isnat(days), np.nan, whole)


def _people(sexes: Texts, ages: Numbers) -> dict[str, Person]:
    ids = sexes.index.union(ages.index)
    told = zip(ids, sexes.reindex(ids), ages.reindex(ids), strict=True)
    return {
        str(patient): Person(cast(Sex, sex) if isinstance(sex, str) else None, age_band(float(age)))
        for patient, sex, age in told
    }

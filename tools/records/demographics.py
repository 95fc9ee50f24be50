"""Sex and age of patients, where a format tells them. What cannot be read is None, never a guess."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from tools.records.cohort import DAY_S, Cohort
from tools.records.faults import Faults
from tools.records.files.locate import find_table, is_table
from tools.records.files.table import Table
from tools.records.files.times import seconds
from tools.records.formats import diabetes130, mimic3, mimic4
from tools.records.formats.fhir import people as fhir_people
from tools.records.formats.fhir import read as fhir
from tools.records.formats.meds import people as meds_people
from tools.records.formats.meds import read as meds
from tools.records.formats.omop import people as omop_people
from tools.records.formats.omop import read as omop
from tools.records.person import (
    OLDEST,
    Births,
    Numbers,
    Person,
    Words,
    agreed,
    last_days,
    people_aged,
    people_born,
    sexes,
)


def read_people(path: str | Path, cohort: Cohort) -> dict[str, Person]:
    """The people of a set of records.

    Args:
        path: as given to `tools.records.read.read_cohort`.
        cohort: what came of it; `source` and the last visits are taken from it.

    Returns:
        Everyone in the cohort, by patient id. Empty where the format does not tell.

    Raises:
        InputError: a table cannot be read at all (`RecordFaults`).
    """
    reader = _READERS.get(cohort.source)
    return reader(Path(path), cohort) if reader else {}


def _diabetes130(path: Path, cohort: Cohort) -> dict[str, Person]:
    file = path if is_table(path) else find_table(path, "diabetic_data")
    rows = _columns(file, "", ("patient_nbr", "encounter_id"), ("gender", "age"))
    order = pd.to_numeric(rows["encounter_id"], errors="coerce")
    last = rows[order == order.groupby(rows["patient_nbr"]).transform("max")]
    ends = last["age"].str.extract(r"^\[(\d{1,3})-(\d{1,3})\)$").astype(float)
    ages = agreed(last["patient_nbr"], ends[0].where((ends[0] % 10 == 0) & (ends[1] - ends[0] == 10)))
    return people_aged(cohort, sexes(rows["patient_nbr"], rows["gender"]), ages, ages)


def _mimic3(path: Path, cohort: Cohort) -> dict[str, Person]:
    patients = _columns(find_table(path, "patients"), "PATIENTS", ("subject_id",), ("gender", "dob"))
    birth = agreed(patients["subject_id"], _days(patients["dob"]))
    return people_born(cohort, sexes(patients["subject_id"], patients["gender"]), Births(birth, birth))


def _mimic4(path: Path, cohort: Cohort) -> dict[str, Person]:
    folder = path if mimic4.matches(path) and find_table(path, "admissions") else path / "hosp"
    anchors = ("gender", "anchor_age", "anchor_year")
    patients = _columns(find_table(folder, "patients"), "PATIENTS", ("subject_id",), anchors)
    age, year = (pd.to_numeric(patients[name], errors="coerce") for name in anchors[1:])
    # An age of 91 stands for all above 89, so those people may have been born in any earlier year.
    latest = (year - age.clip(upper=OLDEST)).where(age >= 0)
    earliest = latest.where(age < OLDEST, -np.inf).where(latest.notna())
    day = last_days(cohort)
    last_year = day.to_numpy().astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    years = pd.Series(last_year, index=day.index)
    least, most = (years - agreed(patients["subject_id"], born) for born in (latest, earliest))
    return people_aged(cohort, sexes(patients["subject_id"], patients["gender"]), least, most)


_READERS: dict[str, Callable[[Path, Cohort], dict[str, Person]]] = {
    diabetes130.NAME: _diabetes130,
    mimic3.NAME: _mimic3,
    mimic4.NAME: _mimic4,
    meds.NAME: meds_people.read_people,
    omop.NAME: omop_people.read_people,
    fhir.NAME: fhir_people.read_people,
}


def _columns(file: Path | None, label: str, required: tuple[str, ...], told: tuple[str, ...]) -> pd.DataFrame:
    """Columns of a table as texts; a column of `told` that it lacks is empty, as is a table not there."""
    wanted = (*required, *told)
    frames = [pd.DataFrame({name: pd.Series([], dtype=object) for name in wanted})]
    if file is not None:
        faults = Faults()
        for _, texts in Table(file, faults, label).batches({name: (name,) for name in wanted}, set(required)):
            cells = {name: column.cells() for name, column in texts.items()}
            frames.append(pd.DataFrame(cells).reindex(columns=wanted, fill_value=""))
        faults.refuse(label or "records")
    joined = pd.concat(frames, ignore_index=True).astype(str)
    return joined[(joined[list(required)] != "").all(axis=1)]


def _days(texts: Words) -> Numbers:
    numbers, readable = seconds(texts)
    return pd.Series(np.where(readable, numbers // DAY_S, np.nan), index=texts.index)

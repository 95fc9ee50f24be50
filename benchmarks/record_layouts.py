"""The same simulated visits in the layouts of MEDS, OMOP (delimited, parquet and DuckDB) and MIMIC-IV."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import csv, parquet

from tools.records.concepts.codes import ICD9CM, ICD10CM
from tools.records.concepts.names import icd9_leaves

LAYOUTS = ("mimic4", "meds", "omop-csv", "omop-parquet", "omop-duckdb")
_N_CODES, _VISITS_A_PATIENT, _DIAGNOSES_A_VISIT = 4_000, 4, 3
_SHARDS = 8
_FIRST_STAY, _FIRST_PATIENT, _FIRST_CONCEPT = 20_000_000, 10_000_000, 44_000_000
_YEARS_S = 40 * 365 * 86_400
_OMOP_MORE = {
    "person": {
        "gender_concept_id": 8507,
        "year_of_birth": 1950,
        "race_concept_id": 0,
        "ethnicity_concept_id": 0,
    },
    "visit_occurrence": {"visit_concept_id": 9201, "visit_type_concept_id": 32817, "provider_id": None},
    "condition_occurrence": {
        "condition_type_concept_id": 32817,
        "condition_status_concept_id": 0,
        "stop_reason": None,
        "provider_id": None,
        "visit_detail_id": None,
    },
    "concept": {"domain_id": "Condition", "concept_class_id": "code", "standard_concept": None},
}


class Drawn(NamedTuple):
    """Simulated visits and diagnoses, in the order of patients and times.

    Attributes:
        system: of each code.
        code: dotless.
        patient: of each visit, from 0.
        start: of each visit, seconds.
        end: of each visit, seconds.
        visit: of each diagnosis row.
        concept: of each diagnosis row, a place in `code`.
    """

    system: tuple[str, ...]
    code: tuple[str, ...]
    patient: np.ndarray[Any, Any]
    start: np.ndarray[Any, Any]
    end: np.ndarray[Any, Any]
    visit: np.ndarray[Any, Any]
    concept: np.ndarray[Any, Any]


def drawn(n_visits: int) -> Drawn:
    """Visits at random times, codes by the frequencies of Zipf; the same each time."""
    random = np.random.default_rng(0)
    leaves = sorted(icd9_leaves())[:: len(icd9_leaves()) // (_N_CODES // 2)][: _N_CODES // 2]
    icd10 = [f"{'ABCDEFGHIJ'[n % 10]}{n // 10 % 100:02}{n // 1000}" for n in range(_N_CODES - len(leaves))]
    systems = (*[ICD9CM] * len(leaves), *[ICD10CM] * len(icd10))
    patient = np.sort(random.integers(0, max(n_visits // _VISITS_A_PATIENT, 1), n_visits))
    start = random.integers(0, _YEARS_S, n_visits)
    start = start[np.lexsort((start, patient))]
    weights = 1 / np.arange(1, _N_CODES + 1)
    counts = 1 + random.poisson(_DIAGNOSES_A_VISIT - 1, n_visits)
    ranked = random.permutation(_N_CODES)
    concept = ranked[random.choice(_N_CODES, counts.sum(), p=weights / weights.sum())]
    return Drawn(
        systems,
        (*leaves, *icd10),
        patient,
        start,
        start + random.integers(3_600, 20 * 86_400, n_visits),
        np.repeat(np.arange(n_visits), counts),
        concept,
    )


def write(folder: str, n_visits: int) -> int:
    """Write all layouts into folders of their names.

    Returns:
        The number of diagnosis rows of each.
    """
    rows, place = drawn(n_visits), Path(folder)
    _write_mimic4(rows, place / "mimic4" / "hosp")
    _write_meds(rows, place / "meds")
    _write_omop(rows, place)
    return len(rows.visit)


def _write_mimic4(rows: Drawn, folder: Path) -> None:
    folder.mkdir(parents=True)
    of = rows.patient + _FIRST_PATIENT
    stays = {
        "subject_id": of,
        "hadm_id": _stays(rows),
        "admittime": _iso(rows.start),
        "dischtime": _iso(rows.end),
    }
    csv.write_csv(pa.table(stays), folder / "admissions.csv")
    version = np.where(np.array(rows.system) == ICD9CM, 9, 10)
    diagnoses = {
        "subject_id": of[rows.visit],
        "hadm_id": _stays(rows)[rows.visit],
        "seq_num": np.arange(len(rows.visit)) % 9 + 1,
        "icd_code": _coded(rows.code, rows.concept),
        "icd_version": version[rows.concept],
    }
    csv.write_csv(pa.table(diagnoses), folder / "diagnoses_icd.csv")


def _write_meds(rows: Drawn, folder: Path) -> None:
    """Each visit begins with an admission and two values of a laboratory, and ends with its diagnoses."""
    n_visits = len(rows.start)
    versions = ["9" if system == ICD9CM else "10" for system in rows.system]
    spelled = [f"DIAGNOSIS//ICD//{v}//{code}" for v, code in zip(versions, rows.code, strict=True)]
    spelled += ["HOSPITAL_ADMISSION//EMERGENCY", "LAB//50912//mg/dL"]
    visit = np.r_[np.repeat(np.arange(n_visits), 3), rows.visit]
    code = np.r_[np.tile([len(rows.code), *[len(rows.code) + 1] * 2], n_visits), rows.concept]
    time = np.r_[np.repeat(rows.start, 3), rows.end[rows.visit]]
    order = np.lexsort((time, rows.patient[visit]))
    table = pa.table(
        {
            "subject_id": rows.patient[visit][order] + _FIRST_PATIENT,
            "time": pa.array(time[order] * 1_000_000, pa.timestamp("us")),
            "code": _coded(spelled, code[order]),
            "numeric_value": pa.array(np.where(code[order] > len(rows.code), 1.0, np.nan), pa.float32()),
            "hadm_id": _stays(rows)[visit][order],
        }
    )
    (folder / "data" / "train").mkdir(parents=True)
    cuts = np.searchsorted(table["subject_id"].to_numpy(), _FIRST_PATIENT + _shares(rows))
    for number, (first, last) in enumerate(pairwise(cuts)):
        parquet.write_table(table.slice(first, last - first), folder / "data" / "train" / f"{number}.parquet")


def _shares(rows: Drawn) -> np.ndarray[Any, Any]:
    return np.linspace(0, rows.patient.max() + 1, _SHARDS + 1).astype(np.int64)


def _write_omop(rows: Drawn, folder: Path) -> None:
    of, ids = rows.patient + _FIRST_PATIENT, np.arange(len(rows.code)) + _FIRST_CONCEPT
    start, end = _dated(rows.start), _dated(rows.end)
    tables: Mapping[str, dict[str, object]] = {
        "person": {"person_id": np.unique(of)},
        "visit_occurrence": {
            "visit_occurrence_id": _stays(rows),
            "person_id": of,
            "visit_start_date": start.cast(pa.date32()),
            "visit_start_datetime": start,
            "visit_end_date": end.cast(pa.date32()),
        },
        "condition_occurrence": {
            "condition_occurrence_id": np.arange(len(rows.visit)),
            "person_id": of[rows.visit],
            "condition_concept_id": np.zeros(len(rows.visit), dtype=np.int64),
            "condition_start_date": start.take(pa.array(rows.visit)).cast(pa.date32()),
            "visit_occurrence_id": _stays(rows)[rows.visit],
            "condition_source_value": _coded(rows.code, rows.concept),
            "condition_source_concept_id": ids[rows.concept],
        },
        "concept": {
            "concept_id": ids,
            "concept_name": [f"name of {code}" for code in rows.code],
            "vocabulary_id": list(rows.system),
            "concept_code": list(rows.code),
        },
    }
    for kind in ("csv", "parquet"):
        (folder / f"omop-{kind}").mkdir()
    for name, columns in tables.items():
        table = pa.table(columns)
        for column, value in _OMOP_MORE[name].items():
            filled = pa.nulls(len(table), pa.int64()) if value is None else pa.repeat(value, len(table))
            table = table.append_column(column, filled)
        parquet.write_table(table, folder / "omop-parquet" / f"{name}.parquet")
        csv.write_csv(table, folder / "omop-csv" / f"{name}.csv")
    with duckdb.connect(str(folder / "omop-duckdb")) as database:
        for name in tables:
            file = folder / "omop-parquet" / f"{name}.parquet"
            database.read_parquet(str(file)).create(name)


def _stays(rows: Drawn) -> np.ndarray[Any, Any]:
    return np.arange(len(rows.start)) + _FIRST_STAY


def _coded(texts: object, at: np.ndarray[Any, Any]) -> "pa.Array":
    return pa.DictionaryArray.from_arrays(pa.array(at, pa.int32()), pa.array(texts, pa.string())).cast(
        "string"
    )


def _dated(seconds: np.ndarray[Any, Any]) -> "pa.Array":
    return pa.array(seconds, pa.timestamp("s"))


def _iso(seconds: np.ndarray[Any, Any]) -> "pa.Array":
    return _dated(seconds).cast("string")

"""Writes a cohort as OMOP 5.4: PERSON, VISIT_OCCURRENCE, CONDITION_OCCURRENCE and CONCEPT."""

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import parquet

from tests.records.writers.people import told

COLUMNS = {
    "PERSON": "person_id gender_concept_id year_of_birth month_of_birth day_of_birth birth_datetime "
    "race_concept_id ethnicity_concept_id location_id provider_id care_site_id person_source_value "
    "gender_source_value gender_source_concept_id race_source_value race_source_concept_id "
    "ethnicity_source_value ethnicity_source_concept_id",
    "VISIT_OCCURRENCE": "visit_occurrence_id person_id visit_concept_id visit_start_date "
    "visit_start_datetime visit_end_date visit_end_datetime visit_type_concept_id provider_id care_site_id "
    "visit_source_value visit_source_concept_id admitted_from_concept_id admitted_from_source_value "
    "discharged_to_concept_id discharged_to_source_value preceding_visit_occurrence_id",
    "CONDITION_OCCURRENCE": "condition_occurrence_id person_id condition_concept_id condition_start_date "
    "condition_start_datetime condition_end_date condition_end_datetime condition_type_concept_id "
    "condition_status_concept_id stop_reason provider_id visit_occurrence_id visit_detail_id "
    "condition_source_value condition_source_concept_id condition_status_source_value",
    "CONCEPT": "concept_id concept_name domain_id vocabulary_id concept_class_id standard_concept "
    "concept_code valid_start_date valid_end_date invalid_reason",
}
FIRST_CONCEPT = 44_000_001
GENDERS = {"F": 8532, "M": 8507, None: 0}


def iso(seconds):
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def rows_of(cohort):
    """Rows by table, as dicts of what is told; conditions have their code by the source concept."""
    tables = {name: [] for name in COLUMNS}
    for number, key in enumerate(cohort.vocabulary.keys):
        concept = cohort.vocabulary.concept(key)
        tables["CONCEPT"].append(
            {
                "concept_id": FIRST_CONCEPT + number,
                "concept_name": concept.display,
                "domain_id": "Condition",
                "vocabulary_id": concept.system,
                "concept_code": concept.dotted,
            }
        )
    for number, patient in enumerate(cohort):
        person = {"person_id": int(patient.id)}
        who = told(patient)
        birth = {
            "year_of_birth": who.birth.year,
            "month_of_birth": who.birth.month,
            "day_of_birth": who.birth.day,
            "birth_datetime": f"{who.birth} 00:00:00",
        }
        tables["PERSON"].append({**person, "gender_concept_id": GENDERS[who.sex], **birth})
        for place, visit in enumerate(patient.visits):
            of_visit = {**person, "visit_occurrence_id": 1_000 * (number + 1) + place}
            start = iso(visit.time)
            times = {
                "visit_start_date": start[:10],
                "visit_start_datetime": start,
                "visit_end_date": start[:10],
            }
            tables["VISIT_OCCURRENCE"].append({**of_visit, **times})
            for key in visit.codes:
                column = cohort.vocabulary.column(key)
                tables["CONDITION_OCCURRENCE"].append(
                    {
                        **of_visit,
                        "condition_occurrence_id": len(tables["CONDITION_OCCURRENCE"]) + 1,
                        "condition_concept_id": 0,
                        "condition_start_date": start[:10],
                        "condition_source_value": f"{key:<20}",
                        "condition_source_concept_id": FIRST_CONCEPT + column,
                    }
                )
    return tables


def write_tables(tables, folder: Path, kind=".csv", case=str.lower, delimiter=",") -> Path:
    """The tables as `.csv`, `.csv.gz` or `.parquet` files of a folder, or as `.duckdb` database."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        columns, path = COLUMNS[name].split(), folder / (case(name) + kind)
        if kind in (".parquet", ".duckdb"):
            _write_arrow(columns, rows, folder, name, kind, case)
            continue
        opened = gzip.open if kind.endswith(".gz") else open
        with opened(path, "wt", encoding="utf-8", newline="") as out:
            quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
            lines = csv.writer(out, delimiter=delimiter, quoting=quoting)
            lines.writerow(map(case, columns))
            lines.writerows([["" if row.get(c) is None else row.get(c) for c in columns] for row in rows])
    return folder / "omop.duckdb" if kind == ".duckdb" else folder


def _write_arrow(columns, rows, folder, name, kind, case):
    arrays = {case(c): _array(c, [row.get(c) for row in rows]) for c in columns}
    table = pa.table(arrays)
    if kind == ".parquet":
        parquet.write_table(table, folder / (case(name) + kind))
        return
    with duckdb.connect(str(folder / "omop.duckdb")) as opened:
        opened.execute("CREATE SCHEMA IF NOT EXISTS cdm")
        opened.register("given", table)
        opened.execute(f"CREATE TABLE cdm.{case(name)} AS SELECT * FROM given")


def _array(column, values):
    if column.endswith("_id") and all(isinstance(value, int | None) for value in values):
        return pa.array(values, pa.int64())
    if column.endswith(("_date", "_datetime")):
        kind = pa.date32() if column.endswith("_date") else pa.timestamp("us")
        return pa.array(
            [value and datetime.fromisoformat(value) for value in values], pa.timestamp("us")
        ).cast(kind)
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def write(cohort, folder: Path, kind=".csv", case=str.lower, delimiter=",") -> Path:
    return write_tables(rows_of(cohort), folder, kind, case, delimiter)

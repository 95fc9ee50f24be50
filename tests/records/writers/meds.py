"""Writes a cohort as MEDS 0.4: shards under data/, what codes mean in metadata/codes.parquet."""

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tests.records.writers.people import told

SCHEMA = pa.schema(
    [
        ("subject_id", pa.int64()),
        ("time", pa.timestamp("us")),
        ("code", pa.string()),
        ("numeric_value", pa.float32()),
        ("text_value", pa.large_string()),
        ("hadm_id", pa.int64()),
    ]
)
VERSIONS = {"ICD9CM": "9", "ICD10CM": "10"}


def spelled(system, code):
    return f"DIAGNOSIS//ICD//{VERSIONS[system]}//{code}" if system in VERSIONS else f"{system}/{code}"


def rows_of(cohort, spell=spelled):
    """Events (subject_id, microseconds, code, value, text, hadm_id); visits have hadm_ids in their order."""
    vocabulary, events = cohort.vocabulary, []
    for number, patient in enumerate(cohort):
        who = told(patient)
        if who.sex:
            events.append((int(patient.id), None, f"GENDER//{who.sex}", None, None, None))
        born = (who.birth - date(1970, 1, 1)).days * 86_400_000_000
        events.append((int(patient.id), born, "MEDS_BIRTH", None, None, None))
        for place, visit in enumerate(patient.visits):
            hadm, at = 1_000 * (number + 1) + place, visit.time * 1_000_000
            events.append((int(patient.id), at, "HOSPITAL_ADMISSION//EMERGENCY", None, None, hadm))
            events.append((int(patient.id), at, "LAB//50912//mg/dL", 1.5, None, hadm))
            for key in visit.codes:
                concept = vocabulary.concept(key)
                events.append((int(patient.id), at, spell(concept.system, concept.code), None, None, hadm))
    return events


def write_shard(path: Path, events, schema=SCHEMA, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(zip(*events, strict=True)) or [[]] * len(schema)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
    parquet.write_table(pa.table(arrays, schema=schema), path, **options)
    return path


def write(cohort, folder: Path, spell=spelled) -> Path:
    events = rows_of(cohort, spell)
    halves = {"train/0.parquet": events[::2], "held_out/nested/1.parquet": events[1::2]}
    for name, half in halves.items():
        write_shard(folder / "data" / name, half)
    described = [(spell(c.system, c.code), c.display) for c in cohort.vocabulary.concepts]
    (folder / "metadata").mkdir(exist_ok=True)
    table = pa.table(
        {
            "code": pa.array([code for code, _ in described], pa.string()),
            "description": pa.array([name for _, name in described], pa.string()),
            "parent_codes": pa.array([None] * len(described), pa.list_(pa.string())),
        }
    )
    parquet.write_table(table, folder / "metadata" / "codes.parquet")
    (folder / "metadata" / "dataset.json").write_text(json.dumps({"meds_version": "0.4.1"}))
    return folder

import csv
import gzip
import json
import os
from pathlib import Path

import pytest

from tests.records.writers import fhir as writer


@pytest.fixture
def write_table():
    def write(path: Path, header, rows) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = gzip.open if path.name.lower().endswith(".gz") else open
        with opened(path, "wt", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows([header, *rows])
        return path

    return write


@pytest.fixture
def mimic3(tmp_path, write_table):
    def write(admissions, diagnoses, folder=tmp_path / "mimic3", ending=".csv", upper=True) -> Path:
        case = str.upper if upper else str.lower
        for stem, header, rows in (
            ("admissions", ("subject_id", "hadm_id", "admittime"), admissions),
            ("diagnoses_icd", ("subject_id", "hadm_id", "seq_num", "icd9_code"), diagnoses),
        ):
            write_table(folder / (case(stem) + ending), [case(column) for column in header], rows)
        return folder

    return write


@pytest.fixture
def bundle(tmp_path):
    def save(*resources, name="b.json", full_urls=()):
        entries = [{"resource": resource} for resource in resources]
        for entry, url in zip(entries, full_urls, strict=False):
            entry["fullUrl"] = url
        content = {"type": "collection", "entry": entries, "resourceType": "Bundle"}
        return writer.save(tmp_path / name, json.dumps(content))

    return save


@pytest.fixture
def bulk(tmp_path):
    def save(*resources, types=("Patient", "Encounter", "Condition")):
        for type_ in types:
            lines = [json.dumps(r) for r in resources if r["resourceType"] == type_]
            writer.save(tmp_path / f"{type_}.ndjson", "\n".join(lines))
        return tmp_path

    return save


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("IIKEA_REAL_DATA")
    if not folder:
        pytest.skip("IIKEA_REAL_DATA names no folder of real data")
    return Path(folder)

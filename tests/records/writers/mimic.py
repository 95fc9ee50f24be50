"""Cohorts of ICD codes in the layouts of MIMIC-III and MIMIC-IV."""

import csv
from pathlib import Path

import numpy as np

from tests.records.writers.people import age_of, day_of, told

_VERSIONS = {"ICD9CM": "9", "ICD10CM": "10"}


def write_mimic3(cohort, folder: Path) -> Path:
    """PATIENTS, ADMISSIONS and DIAGNOSES_ICD of a cohort of ICD-9-CM codes."""
    _write(cohort, folder, str.upper, ("icd9_code",), lambda system, code: (code,))
    born = [(p.id, told(p).sex or "", f"{told(p).birth} 00:00:00") for p in cohort]
    return _save(folder / "PATIENTS.csv", [("SUBJECT_ID", "GENDER", "DOB"), *born])


def write_mimic4(cohort, folder: Path) -> Path:
    """hosp/patients, hosp/admissions and hosp/diagnoses_icd."""
    columns = ("icd_code", "icd_version")
    _write(cohort, folder / "hosp", str.lower, columns, lambda system, code: (code, _VERSIONS[system]))
    header = ("subject_id", "gender", "anchor_age", "anchor_year")
    aged = [(p.id, told(p).sex or "", age_of(p), day_of(p).year) for p in cohort]
    _save(folder / "hosp" / "patients.csv", [header, *aged])
    return folder


def _write(cohort, folder, case, code_columns, cells):
    folder.mkdir(parents=True)
    concept = cohort.vocabulary.concept
    admissions = [("subject_id", "hadm_id", "admittime", "dischtime")]
    diagnoses = [("subject_id", "hadm_id", "seq_num", *code_columns)]
    for patient in cohort:
        for visit in patient.visits:
            when, stay = np.datetime64(visit.time, "s"), 20_000 + len(admissions)
            admissions.append((patient.id, stay, when, when + np.timedelta64(2, "D")))
            for place, key in enumerate(visit.codes, start=1):
                found = concept(key)
                diagnoses.append((patient.id, stay, place, *cells(found.system, found.code)))
    for name, rows in (("admissions", admissions), ("diagnoses_icd", diagnoses)):
        header = [case(column) for column in rows[0]]
        _save(folder / f"{case(name)}.csv", [header, *rows[1:]])
    return folder


def _save(path, rows):
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(rows)
    return path.parent

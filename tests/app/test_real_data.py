"""Check, fit and predict on real records, with no key and in bounded memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.records.read import read_cohort

MEMORY_LIMIT_KB = 600_000
HISTORY = "250.00 401.9; 428.0"
SETS = {"mimic3_demo": (100, 129, 14, 581), "diabetes130": (71_518, 101_766, 16_773, 915)}


# A process starts with the peak of the one that it was forked from, here a small one instead of pytest.
METER = """
import json, resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([ended.returncode, ended.stdout, peak]))
"""


def run(*arguments: object) -> tuple[dict, int]:
    """The JSON a command prints, and its peak memory in kilobytes."""
    command = [sys.executable, "-m", "app.main", *map(str, arguments), "--json"]
    metered = subprocess.run(
        [sys.executable, "-c", METER, *command], stdout=subprocess.PIPE, text=True, check=True
    )
    code, out, peak = json.loads(metered.stdout)
    assert code == 0, out
    return json.loads(out), peak


@pytest.mark.parametrize("name", SETS)
def test_a_real_set_is_checked_fitted_and_predicted_from(name, real_data: Path, tmp_path):
    patients, visits, repeated, codes = SETS[name]
    found, _ = run("records", "check", real_data / name)
    assert (found["patients"], found["visits"]) == (patients, visits)
    assert (found["multi_visit_patients"], found["codes"]) == (repeated, codes)
    assert found["share_of_rows_named"] >= 0.99
    assert found["fault_count"] == 0
    _, fit_kb = run("records", "fit", real_data / name, "--store", tmp_path / "store")
    result, predict_kb = run("predict", "--store", tmp_path / "store", "--history", HISTORY)
    assert max(fit_kb, predict_kb) <= MEMORY_LIMIT_KB
    assert len(result["predictions"]) == 10
    assert all(0 <= p["probability"] <= 1 for p in result["predictions"])
    assert result["graph"]["edges"]


def test_a_patient_of_the_records_is_predicted_from_their_own_visits(real_data: Path, tmp_path):
    records = real_data / "mimic3_demo"
    run("records", "fit", records, "--store", tmp_path / "store")
    who = next(patient.id for patient in read_cohort(records) if len(patient.visits) > 1)
    patient = ("--patient", who, "--records", records)
    whole, _ = run("predict", "--store", tmp_path / "store", *patient)
    first, _ = run("predict", "--store", tmp_path / "store", *patient, "--visits", 1)
    assert first["history"] == whole["history"][:1]
    assert len(whole["history"]) > 1

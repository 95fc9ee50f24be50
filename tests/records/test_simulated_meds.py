"""Simulated records written as MEDS hold the same cohort and truth as those written as CSV."""

import json

import numpy as np
import pytest

from tools.dataset.clinical import ClinicalDataset
from tools.records.read import read_cohort, sniff
from tools.records.simulate import simulate, write
from tools.safety.errors import InputError


def test_the_cohort_and_its_truth_are_those_of_the_csv(tmp_path):
    simulation = simulate(60, 3)
    assert write(simulation, tmp_path / "csv", "csv") == ()
    [told] = write(simulation, tmp_path / "meds", "meds")
    assert "numbered" in told
    assert sniff(tmp_path / "meds") == "meds"
    found, expected = read_cohort(tmp_path / "meds"), read_cohort(tmp_path / "csv" / "cohort.csv.gz")
    assert sorted(map(int, found.patient_ids)) == list(range(1, 61))
    by_number = [found.patient(str(number)).visits for number in range(1, 61)]
    assert by_number == [patient.visits for patient in expected]
    assert ClinicalDataset.build(found).n_transitions == ClinicalDataset.build(expected).n_transitions
    truths = [(tmp_path / name / "true_graph.json").read_bytes() for name in ("csv", "meds")]
    assert truths[0] == truths[1]
    readme = (tmp_path / "meds" / "README.md").read_text()
    assert "--format meds" in readme
    assert "data/0.parquet" in readme
    assert "cohort.csv.gz" not in readme
    made_of = json.loads((tmp_path / "meds" / "metadata" / "dataset.json").read_text())
    assert made_of["dataset_name"] == "simulation"


def test_the_same_simulation_gives_the_same_bytes(tmp_path):
    written = []
    for name in ("a", "b"):
        write(simulate(20, 3), tmp_path / name, "meds")
        files = (file for file in (tmp_path / name).rglob("*") if file.is_file())
        written.append({file.relative_to(tmp_path / name): file.read_bytes() for file in files})
    assert written[0] == written[1]
    assert len(written[0]) == 5


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="already"):
        write(simulate(5, 1), tmp_path / "mine", "meds")
    assert not list((tmp_path / "mine").iterdir())


def test_times_are_the_days_of_the_visits(tmp_path):
    simulation = simulate(20, 3)
    write(simulation, tmp_path / "meds", "meds")
    np.testing.assert_array_equal(
        np.sort(read_cohort(tmp_path / "meds").times), np.sort(simulation.cohort.times)
    )

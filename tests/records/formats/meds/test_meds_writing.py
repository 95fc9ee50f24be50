"""Any records as MEDS: read back they are the same cohort, in the layout of the standard."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from pyarrow import parquet

from tests.evaluation.small_cohorts import cohort_of as small
from tests.records.writers.cohorts import assert_same, assert_same_dataset, cohort_of, visits
from tools.dataset.clinical import ClinicalDataset
from tools.records.formats.meds import writing as meds_writing
from tools.records.read import read_cohort, sniff
from tools.records.simulate import simulate
from tools.safety.errors import InputError


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(visits)
def test_what_is_written_is_read_back(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("meds")
    cohort = cohort_of(drawn, folder / "long.csv")
    assert meds_writing.write(cohort, folder / "out") == ()
    assert sniff(folder / "out") == "meds"
    found = read_cohort(folder / "out")
    assert_same(found, cohort)
    assert_same_dataset(found, cohort)


def test_the_layout_is_that_of_the_standard(tmp_path):
    meds_writing.write(simulate(30, 1).cohort, tmp_path / "out")
    table = parquet.read_table(tmp_path / "out" / "data" / "0.parquet")
    assert table.schema.field("subject_id").type == pa.int64()
    assert table.schema.field("time").type == pa.timestamp("us")
    assert table.schema.field("code").type == pa.string()
    assert table.schema.field("numeric_value").type == pa.float32()
    subjects, times = table["subject_id"].to_numpy(), table["time"].to_numpy().astype(np.int64)
    assert np.array_equal(np.lexsort((times, subjects)), np.arange(len(subjects)))
    codes = parquet.read_table(tmp_path / "out" / "metadata" / "codes.parquet")
    assert codes.column_names == ["code", "description", "parent_codes"]
    assert set(table["code"].to_pylist()) <= set(codes["code"].to_pylist())


def test_ids_that_are_no_numbers_are_numbered_and_said_to_be(tmp_path):
    cohort = simulate(30, 1).cohort
    [told] = meds_writing.write(cohort, tmp_path / "out")
    assert "numbered from 1" in told
    found = read_cohort(tmp_path / "out")
    assert sorted(map(int, found.patient_ids)) == list(range(1, 31))
    assert found.n_visits == cohort.n_visits


def test_an_order_becomes_days_and_is_said_to(tmp_path):
    cohort = small([[{"4019"}, {"4280", "4019"}], [{"4280"}]]).model_copy(update={"clock": "order"})
    told = meds_writing.write(cohort, tmp_path / "out")
    assert any("day n" in text for text in told)
    found = read_cohort(tmp_path / "out")
    assert np.diff(found.times[:2]).tolist() == [86_400 * int(np.diff(cohort.times[:2])[0])]
    assert ClinicalDataset.build(found).n_transitions == 1


def test_what_meds_cannot_hold_is_refused_and_nothing_is_left(tmp_path):
    cohort = small([[{"1"}, {"2"}]], ("1", "2"), "CCS")
    with pytest.raises(InputError, match="CCS"):
        meds_writing.write(cohort, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="already"):
        meds_writing.write(simulate(5, 1).cohort, tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]

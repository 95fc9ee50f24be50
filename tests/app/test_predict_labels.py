"""`iikea predict --labels FILE`, with whose and when from the records or from options."""

from datetime import UTC, datetime

import pytest
from pyarrow import parquet

from tests.records.writers import meds
from tools.records.simulate import simulate

HISTORY = ("--history", "250.00 401.9; 585.9")
SMALL = ("--max-iterations", 1, "--top-k", 100, "--resamples", 0, "--without-knowledge", "--without-causal")
WHO = ("--subject-id", 12, "--prediction-time", "2024-05-31T08:30:00+02:00")


@pytest.fixture(scope="module")
def cohort():
    ids = tuple(str(number) for number in range(10, 40))
    return simulate(30, 5).cohort.model_copy(update={"patient_ids": ids})


@pytest.fixture
def of_records(cohort, tmp_path):
    path = meds.write(cohort, tmp_path / "meds")
    return next(p for p in cohort if len(p.visits) > 2), ("--records", path)


def time_of(visit):
    return datetime.fromtimestamp(visit.time, UTC).replace(tzinfo=None)


def test_a_history_needs_to_be_told_whose_and_when(iikea, tmp_path):
    ended = iikea("predict", *HISTORY, *SMALL, *WHO, "--labels", tmp_path / "l.parquet", "--json")
    assert ended.code == 0
    table = parquet.read_table(tmp_path / "l.parquet")
    assert set(table["subject_id"].to_pylist()) == {12}
    assert set(table["prediction_time"].to_pylist()) == {datetime(2024, 5, 31, 6, 30)}
    assert len(table) == len(ended.json["predictions"])
    assert "boolean_value" not in table.column_names


def test_records_tell_whose_when_and_with_visits_what_came(iikea, of_records, tmp_path):
    patient, records = of_records
    asked = ("predict", "--patient", patient.id, *records, *SMALL, "--json", "--labels")
    ended = iikea(*asked, tmp_path / "cut.parquet", "--visits", 2)
    table = parquet.read_table(tmp_path / "cut.parquet")
    assert set(table["subject_id"].to_pylist()) == {int(patient.id)}
    assert set(table["prediction_time"].to_pylist()) == {time_of(patient.visits[1])}
    came = set(patient.visits[2].codes)
    predicted = [p["code"] for p in ended.json["predictions"]]
    assert table["boolean_value"].to_pylist() == [code in came for code in predicted]
    assert came & set(predicted)
    iikea(*asked, tmp_path / "whole.parquet")
    table = parquet.read_table(tmp_path / "whole.parquet")
    assert "boolean_value" not in table.column_names
    assert set(table["prediction_time"].to_pylist()) == {time_of(patient.visits[-1])}


def test_what_came_is_said_in_the_vocabulary_of_the_store(iikea, of_records, tmp_path):
    patient, records = of_records
    iikea("records", "fit", records[1], "--store", tmp_path / "s", "--vocabulary", "category")
    asked = ("--patient", patient.id, *records, "--visits", 2, "--store", tmp_path / "s")
    ended = iikea("predict", *asked, *SMALL, "--labels", tmp_path / "l.parquet", "--json")
    found = parquet.read_table(tmp_path / "l.parquet")["boolean_value"].to_pylist()
    came = {code[: 4 if code.startswith("E") else 3] for code in patient.visits[2].codes}
    assert found == [p["code"] in came for p in ended.json["predictions"]]
    assert any(found)


def test_what_came_is_not_known_where_the_store_has_no_such_codes(iikea, tmp_path):
    rows = [(p, t, "ICD9CM", code) for p in (1, 2) for t, code in ((1, "4019"), (2, "25000"), (3, "4019"))]
    rows += [(3, 1, "ICD9CM", "4019"), (3, 2, "ICD10CM", "E119")]
    for name, some in (("old", rows[:-1]), ("all", rows)):
        lines = "".join(f"{p},2020-01-0{t},{system},{code}\n" for p, t, system, code in some)
        (tmp_path / f"{name}.csv").write_text("patient,time,system,code\n" + lines)
    iikea("records", "fit", tmp_path / "old.csv", "--store", tmp_path / "s")
    asked = ("--patient", "3", "--records", tmp_path / "all.csv", "--visits", 1, "--store", tmp_path / "s")
    ended = iikea("predict", *asked, *SMALL, "--labels", tmp_path / "l.parquet", "--json")
    assert ended.code == 0, ended.err
    assert "boolean_value" not in parquet.read_table(tmp_path / "l.parquet").column_names


@pytest.mark.parametrize(
    ("options", "field", "step"),
    [
        ((), "subject_id", "--subject-id"),
        (("--subject-id", 2**63), "subject_id", "64 bits"),
        (("--subject-id", 1), "prediction_time", "--prediction-time"),
        (("--subject-id", 1, "--prediction-time", "noon"), "prediction_time", "ISO"),
    ],
)
def test_what_is_not_told_is_asked_for_before_the_work(options, field, step, iikea, tmp_path):
    ended = iikea("predict", *HISTORY, "--labels", tmp_path / "l.parquet", *options, "--json")
    assert (ended.code, ended.json["error"]["field"]) == (2, field)
    assert step in ended.json["error"]["message"]
    assert not list(tmp_path.iterdir())


def test_records_with_other_ids_or_without_dates_need_to_be_told(iikea, write_csv, tmp_path):
    rows = [("John-1", 1, "4019"), ("John-1", 2, "25000")]
    path = write_csv(tmp_path / "long.csv", rows)
    asked = ("predict", "--records", path, "--patient", "John-1", *SMALL, "--json", "--labels")
    ended = iikea(*asked, tmp_path / "l.parquet")
    assert (ended.code, ended.json["error"]["field"]) == (2, "subject_id")
    assert "John" not in ended.json["error"]["message"]
    ended = iikea(*asked, tmp_path / "l.parquet", "--subject-id", 3)
    assert (ended.code, ended.json["error"]["field"]) == (2, "prediction_time")
    assert iikea(*asked, tmp_path / "l.parquet", *WHO).code == 0


@pytest.fixture
def write_csv():
    def write(path, rows):
        path.write_text("patient,time,code\n" + "".join(f"{p},{t},{c}\n" for p, t, c in rows))
        return path

    return write


def test_options_of_labels_need_their_file_and_a_place(iikea, tmp_path):
    for options in (WHO[:2], WHO[2:]):
        ended = iikea("predict", *HISTORY, *options, "--json")
        assert (ended.code, ended.json["error"]["field"]) == (2, options[0][2:].replace("-", "_"))
    ended = iikea("predict", *HISTORY, *WHO, "--labels", tmp_path / "no" / "l.parquet", "--json")
    assert (ended.code, ended.json["error"]["field"]) == (2, "labels")


def test_a_refusal_writes_no_labels(iikea, tmp_path):
    ended = iikea("predict", "--history", "999.99", *SMALL, *WHO, "--labels", tmp_path / "l.parquet")
    assert ended.code == 2
    assert "nothing was written" in ended.err
    assert not list(tmp_path.iterdir())

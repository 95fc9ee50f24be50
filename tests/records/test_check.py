import gzip
from datetime import date

import pytest

from tools.records.check import check
from tools.records.read import read_cohort

TODAY = date(2024, 6, 1)


def long_file(write_table, tmp_path, rows):
    return write_table(tmp_path / "long.csv", ("patient", "time", "code"), rows)


def test_the_summary_counts_what_was_written(write_table, tmp_path):
    rows = [("p1", 1, "401.9"), ("p1", 1, "4019"), ("p1", 2, "585"), ("p2", 1, "000"), ("p2", 1, "5850")]
    found = check(long_file(write_table, tmp_path, rows), today=TODAY)
    assert found.model_dump(exclude={"quality"}) == {
        "format": "csv",
        "patients": 2,
        "visits": 3,
        "multi_visit_patients": 1,
        "codes": 4,
        "systems": {"ICD9CM": 4},
        "rows": 4,
        "share_of_rows_named": 0.75,
        "named_by": {"ancestor": 1, "heading": 1, "leaf": 1, "unlisted": 1},
        "faults": (),
        "fault_count": 0,
        "notices": ("1 patient with one visit only, which gives no transition",),
    }


def test_faults_are_part_of_the_answer(write_table, tmp_path):
    found = check(long_file(write_table, tmp_path, [("p", 1, "4019"), ("", 2, "4019")]))
    assert [(f.row, f.column) for f in found.faults] == [(3, "patient")]
    assert (found.fault_count, found.visits, found.codes) == (1, 0, 0)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"patient,time,code\n", "not a gzip file"),
        (b"p", "not a gzip file"),
        (gzip.compress(b"patient,time,code\np,1,4019\n" * 9, mtime=0)[:12], "cut off or damaged"),
        (gzip.compress(b"x", mtime=0)[:3] + b"\xff" * 40, "cut off or damaged"),
    ],
)
def test_a_file_too_damaged_to_tell_its_format_is_a_fault(tmp_path, content, rule):
    path = tmp_path / "records.csv.gz"
    path.write_bytes(content)
    found = check(path)
    assert (found.format, found.fault_count, found.visits) == ("unknown", 1, 0)
    [fault] = found.faults
    assert (fault.row, fault.column) == (1, "(row)")
    assert rule in fault.rule


def test_a_damaged_table_of_a_folder_is_named(mimic3):
    folder = mimic3([(1, 10, "2150-01-01")], [])
    (folder / "DIAGNOSES_ICD.csv").rename(folder / "DIAGNOSES_ICD.csv.gz")
    [fault] = check(folder).faults
    assert fault.column == "DIAGNOSES_ICD.(row)"


def test_a_header_with_broken_quoting_is_a_fault(tmp_path):
    path = tmp_path / "records.csv"
    path.write_text('patient,"time" of visit,code\np,1,4019\n')
    assert [(f.row, f.column) for f in check(path).faults] == [(1, "(row)")]


def test_records_without_a_second_visit_predict_nothing(write_table, tmp_path):
    path = long_file(write_table, tmp_path, [("p1", 1, "4019"), ("p2", 1, "5859")])
    found = check(path)
    assert found.notices == read_cohort(path).notices
    [notice] = found.notices
    assert "no transition can be learned" in notice
    assert "predictions are impossible" in notice
    long_file(write_table, tmp_path, [("p1", 1, "4019"), ("p1", 2, "5859")])
    assert check(path).notices == read_cohort(path).notices == ()


def test_r3_dates_in_the_future_are_told(write_table, tmp_path):
    rows = [("p", "2024-06-01T23:59:59", "4019"), ("p", "2024-06-02", "4019")]
    assert check(long_file(write_table, tmp_path, rows), today=TODAY).notices == (
        "1 visit dated in the future; check the dates",
    )
    rows.append(("p", "2101-01-01", "4019"))
    [notice] = check(long_file(write_table, tmp_path, rows), today=TODAY).notices
    assert notice.startswith("2 visits dated in the future: de-identified sets shift dates")
    orders = [("p", 10**12, "4019"), ("p", 1, "4019")]
    assert check(long_file(write_table, tmp_path, orders), today=TODAY).notices == ()

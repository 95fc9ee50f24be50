from datetime import date

from tools.records.check import check

TODAY = date(2024, 6, 1)


def long_file(write_table, tmp_path, rows):
    return write_table(tmp_path / "long.csv", ("patient", "time", "code"), rows)


def test_the_summary_counts_what_was_written(write_table, tmp_path):
    rows = [("p1", 1, "401.9"), ("p1", 1, "4019"), ("p1", 2, "585"), ("p2", 1, "000"), ("p2", 1, "5850")]
    found = check(long_file(write_table, tmp_path, rows), today=TODAY)
    assert found.model_dump() == {
        "format": "long_csv",
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
        "notices": ("1 patient with one visit only: no transitions from them",),
    }


def test_faults_are_part_of_the_answer(write_table, tmp_path):
    found = check(long_file(write_table, tmp_path, [("p", 1, "4019"), ("", 2, "4019")]))
    assert [(f.row, f.column) for f in found.faults] == [(3, "patient")]
    assert (found.fault_count, found.visits, found.codes) == (1, 0, 0)


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

"""The table of data quality, beside counts by hand and a slow reference."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.small_cohorts import CODES, cohort_of, plainly
from tools.records.check import check
from tools.records.quality import quality
from tools.records.read import read_cohort

TODAY = date(2024, 6, 1)
visits = st.lists(st.sets(st.sampled_from(CODES), min_size=1), min_size=1, max_size=4)


def lines(found):
    return {line.what: (line.count, line.total) for line in found}


@pytest.fixture
def records(write_table, tmp_path):
    rows = [
        ("p1", "2010-01-01T08:00:00", "401.9"),
        ("p1", "2010-01-01T20:00:00", "401.9"),
        ("p1", "2010-01-01T20:00:00", "585.9"),
        ("p1", "2023-01-01", "401.9"),
        ("p2", "2023-01-01", "000"),
        ("p2", "2024-06-02", "4280"),
    ]
    return write_table(tmp_path / "long.csv", ("patient", "time", "code"), rows)


def test_each_line_counts_what_it_says(records):
    assert lines(quality(read_cohort(records), TODAY)) == {
        "patients with two visits or more": (2, 2),
        "visits without a code": (0, 5),
        "visits with 2 codes, the most of any": (1, 5),
        "visits at the very time of the one before": (0, 5),
        "visits on the day of the one before": (1, 5),
        "visits over ten years after the one before": (1, 5),
        "visits dated in the future": (1, 5),
        "diagnosis rows with a named code": (5, 6),
        "diagnosis rows that repeat an earlier one": (2, 6),
    }


def test_visits_of_two_stays_at_one_time_are_told(mimic3):
    folder = mimic3([(1, 10, "2150-01-01"), (1, 11, "2150-01-01")], [(1, 10, 1, "4019"), (1, 11, 1, "4280")])
    found = check(folder)
    assert not found.faults
    assert lines(found.quality)["visits at the very time of the one before"] == (1, 2)


@given(st.lists(visits, min_size=1, max_size=6))
def test_repeats_and_patients_as_counted_one_by_one(patients):
    cohort = cohort_of(patients)
    had_before = sum(
        len(visit & set().union(*person[:n])) for person in plainly(cohort) for n, visit in enumerate(person)
    )
    found = lines(quality(cohort, TODAY))
    rows = sum(len(visit) for person in patients for visit in person)
    assert found["diagnosis rows that repeat an earlier one"] == (had_before, rows)
    assert found["patients with two visits or more"] == (sum(len(p) > 1 for p in patients), len(patients))

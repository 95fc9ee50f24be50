"""The table of data quality, beside counts by hand and a slow reference."""

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.small_cohorts import CODES, cohort_of, plainly
from tests.records import fhir_samples
from tests.records.writers import fhir, meds, omop
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


ENDS, INSIDE, LATE = (
    "visits that end before they begin",
    "visits that begin before an earlier one ends",
    "visits whose diagnoses carry the time of discharge",
)
STAYS = [
    ("1", "2020-01-05 10:00:00", "2020-01-09 12:00:00"),
    ("1", "2020-01-07 10:00:00", "2020-01-08 12:00:00"),  # inside the first
    ("1", "2020-01-08 18:00:00", "2020-01-08 19:00:00"),  # also, past one that ended
    ("1", "2020-01-09 12:00:00", "2020-01-09 00:00:00"),  # only the day of its end is told
    ("1", "2020-01-20 08:00:00", "2020-01-19 08:00:00"),  # ends before it begins
    ("1", "2020-01-20 09:00:00", None),
    ("2", "2020-01-06 10:00:00", "2020-01-06 11:00:00"),
]
EXPECTED = {ENDS: (1, 6), INSIDE: (2, 7)}


def as_mimic3(tmp_path, write_table):
    rows = [(who, stay, begin, end or "") for stay, (who, begin, end) in enumerate(STAYS)]
    write_table(tmp_path / "ADMISSIONS.csv", ("subject_id", "hadm_id", "admittime", "dischtime"), rows)
    coded = [(who, stay, "4019") for stay, (who, *_) in enumerate(STAYS)]
    write_table(tmp_path / "DIAGNOSES_ICD.csv", ("subject_id", "hadm_id", "icd9_code"), coded)
    return tmp_path


def omop_tables(stays):
    visits = [
        {"visit_occurrence_id": n, "person_id": who, "visit_start_datetime": begin, "visit_end_datetime": end}
        for n, (who, begin, end) in enumerate(stays, start=1)
    ]
    coded = [
        {**{name: v[name] for name in ("person_id", "visit_occurrence_id")}, "condition_source_value": "4019"}
        for v in visits
    ]
    persons = [{"person_id": who} for who in sorted({who for who, *_ in stays})]
    return {"PERSON": persons, "VISIT_OCCURRENCE": visits, "CONDITION_OCCURRENCE": coded}


def as_omop(tmp_path, _):
    return omop.write_tables(omop_tables([(int(who), *times) for who, *times in STAYS]), tmp_path)


def as_fhir(tmp_path, _):
    def iso(text, is_end=False):
        day, clock = text.split(" ")
        return day if is_end and clock == "00:00:00" else f"{day}T{clock}-05:00"

    found = [fhir_samples.patient("1"), fhir_samples.patient("2")]
    for n, (who, begin, end) in enumerate(STAYS):
        ended = iso(end, is_end=True) if end else None
        found.append(fhir_samples.encounter(f"e{n}", iso(begin), ended, subject=f"Patient/{who}"))
        found.append(fhir_samples.condition(encounter=f"Encounter/e{n}", subject=f"Patient/{who}"))
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in found]}
    return fhir.save(tmp_path / "b.json", json.dumps(bundle))


@pytest.mark.parametrize("write", [as_mimic3, as_omop, as_fhir])
def test_ends_that_are_wrong_and_stays_that_overlap_are_told_in_every_format(write, tmp_path, write_table):
    found = lines(check(write(tmp_path, write_table)).quality)
    assert {name: found.get(name) for name in EXPECTED} == EXPECTED
    assert LATE not in found


def test_without_ends_nothing_is_said_of_them(records, mimic3):
    folder = mimic3([(1, 10, "2150-01-01")], [(1, 10, 1, "4019")])
    for path in (records, folder):
        assert not {ENDS, INSIDE, LATE} & lines(check(path).quality).keys()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9), st.integers(-2, 5)), min_size=1, max_size=12))
def test_overlaps_and_order_as_counted_pair_by_pair(tmp_path_factory, drawn):
    stays = [(who, n + 100 * at, n + 100 * (at + long)) for n, (who, at, long) in enumerate(drawn, start=1)]
    folder = tmp_path_factory.mktemp("stays")
    written = omop_tables([(who, *map(omop.iso, times)) for who, *times in stays])
    found = lines(quality(read_cohort(omop.write_tables(written, folder)), TODAY))
    inside = sum(
        any(who == other and first < begin < last for other, first, last in stays) for who, begin, _ in stays
    )
    assert found[ENDS] == (sum(last < begin for _, begin, last in stays), len(stays))
    assert found[INSIDE] == (inside, len(stays))


def test_diagnoses_that_came_with_discharge_are_told_as_leakage(tmp_path):
    hour = 3_600 * 1_000_000
    events = [
        (1, 0, "HOSPITAL_ADMISSION", None, None, 10),
        (1, 9 * hour, "ICD9CM/4019", None, None, 10),
        (1, 99 * hour, "ICD9CM/4019", None, None, 11),
        (1, 100 * hour, "HOSPITAL_DISCHARGE", None, None, 11),
    ]
    meds.write_shard(tmp_path / "data" / "0.parquet", events)
    assert lines(check(tmp_path).quality)[LATE] == (1, 2)


def test_a_part_of_a_cohort_keeps_its_ends(tmp_path, write_table):
    cohort = read_cohort(as_mimic3(tmp_path, write_table))
    assert lines(quality(cohort.subset([0]), TODAY))[ENDS] == (1, 5)
    assert lines(quality(cohort.subset([1]), TODAY))[ENDS] == (0, 1)


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

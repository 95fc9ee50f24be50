"""Who the patients are, by slow reading of the same rows; what cannot be told is never guessed."""

from collections import Counter
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.records.demographics import read_people
from tools.records.faults import RecordFaults
from tools.records.person import Person, age_band
from tools.records.read import read_cohort

NOBODY = Person(None, None)
in_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
days = st.dates(date(2090, 1, 1), date(2130, 12, 31))


def diabetes(write_table, folder, rows, told=("gender", "age")):
    header = ("encounter_id", "patient_nbr", "diag_1", "diag_2", "diag_3", *told)
    rows = [(visit, patient, "250", "?", "?", *cells) for visit, patient, *cells in rows]
    return write_table(folder / "diabetic_data.csv", header, rows)


def mimic(write_table, folder, header, patients, admissions):
    write_table(folder / "PATIENTS.csv.gz", header, patients)
    stays = [(patient, visit, f"{day} 10:00:00") for visit, (patient, day) in enumerate(admissions)]
    write_table(folder / "ADMISSIONS.csv", ("subject_id", "hadm_id", "admittime"), stays)
    write_table(folder / "diagnoses_icd.csv", ("subject_id", "hadm_id", "icd9_code"), [])
    return folder


def people_of(path):
    return read_people(path, read_cohort(path))


def slow_age(birth, day):
    had_birthday = (day.month, day.day) >= (birth.month, birth.day)
    return day.year - birth.year - (0 if had_birthday else 1)


def test_diabetes130_tells_sex_and_the_age_at_the_last_encounter(write_table, tmp_path):
    rows = [
        (9, "10", "Female", "[60-70)"),
        (10, "10", "Female", "[70-80)"),
        (8, "10", "Female", "[50-60)"),
        (1, "2", "Male", "[90-100)"),
        (2, "3", "Unknown/Invalid", "[0-10)"),
    ]
    path = diabetes(write_table, tmp_path, rows)
    expected = {"10": Person("F", "70-79"), "2": Person("M", "90+"), "3": Person(None, "0-9")}
    for place in (path, str(tmp_path)):
        people = people_of(place)
        assert people == expected
        assert list(people) == list(read_cohort(place, "diabetes130").patient_ids)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("Female", "[60-70)"), ("Male", "[60-70)")], Person(None, "60-69")),
        ([("Female", "[60-70)"), ("?", "?")], Person("F", None)),
        ([("?", "[60-75)")], NOBODY),
        ([("x", "[65-75)")], NOBODY),
        ([("", "67")], NOBODY),
        ([("female", "-5")], Person("F", None)),
    ],
)
def test_what_is_unclear_is_not_guessed(write_table, tmp_path, rows, expected):
    path = diabetes(write_table, tmp_path, [(n, "7", *cells) for n, cells in enumerate(rows)])
    assert people_of(path) == {"7": expected}


def test_columns_that_are_not_there_tell_nothing(write_table, tmp_path):
    path = diabetes(write_table, tmp_path, [(1, "7", "Male")], told=("gender",))
    assert people_of(path) == {"7": Person("M", None)}


@in_fixtures
@given(birth=days, stays=st.lists(days, min_size=1, max_size=4), sex=st.sampled_from("FM"))
def test_mimic3_age_is_that_of_completed_years_at_the_last_admission(
    write_table, tmp_path, birth, stays, sex
):
    header = ("SUBJECT_ID", "GENDER", "DOB")
    folder = mimic(
        write_table, tmp_path, header, [("5", sex, f"{birth} 00:00:00")], [("5", day) for day in stays]
    )
    last = max(stays)
    expected = None if last < birth else age_band(slow_age(birth, last))
    assert people_of(folder) == {"5": Person(sex, expected)}


def test_mimic3_people_of_shifted_age_contradictions_and_gaps(write_table, tmp_path):
    patients = [
        ("1", "F", "1801-05-01 00:00:00"),
        ("2", "M", "not a date"),
        ("3", "F", "2050-01-01 00:00:00"),
        ("3", "M", "2060-01-01 00:00:00"),
        ("4", "", ""),
        ("6", "M", "2050-01-01 00:00:00"),
    ]
    stays = [(patient, "2101-05-01") for patient in "12345"]
    folder = mimic(write_table, tmp_path, ("subject_id", "gender", "dob"), patients, stays)
    people = people_of(folder)
    assert people["1"] == Person("F", "90+")
    assert people["2"] == Person("M", None)
    assert people["3"] == people["4"] == people["5"] == NOBODY
    assert list(people) == list("12345")


@pytest.mark.parametrize("inside", ["", "hosp"])
def test_mimic4_age_is_that_of_the_anchor_and_the_years_since(write_table, tmp_path, inside):
    patients = [("1", "F", 52, 2180), ("2", "M", 91, 2150), ("3", "F", 88, 2150), ("4", "M", "?", 2150)]
    stays = [("1", "2180-01-01"), ("1", "2188-12-31"), ("2", "2150-05-05"), ("3", "2153-01-01")]
    stays.append(("4", "2150-01-01"))
    # 91 stands for every age above 89: three years before, no more is known than that it was above 86.
    patients += [("5", "F", 91, 2150), ("6", "F", 89, 2150)]
    stays += [("5", "2147-01-01"), ("6", "2149-01-01")]
    header = ("subject_id", "gender", "anchor_age", "anchor_year")
    folder = mimic(write_table, tmp_path / inside, header, patients, stays)
    write_table(
        folder / "diagnoses_icd.csv",
        ("subject_id", "hadm_id", "icd_code", "icd_version"),
        [("1", 0, "4019", 9)],
    )
    assert people_of(tmp_path) == {
        "1": Person("F", "60-69"),
        "2": Person("M", "90+"),
        "3": Person("F", "90+"),
        "4": Person("M", None),
        "5": Person("F", None),
        "6": Person("F", "80-89"),
    }


def test_where_nothing_is_told_there_is_nobody(write_table, tmp_path):
    write_table(tmp_path / "long.csv", ("patient", "time", "code"), [("p", 1, "4019")])
    assert people_of(tmp_path / "long.csv") == {}
    folder = mimic(write_table, tmp_path / "m", ("subject_id",), [], [("1", "2101-05-01")])
    (folder / "PATIENTS.csv.gz").unlink()
    assert people_of(folder) == {"1": NOBODY}


def test_a_broken_table_is_refused_by_row_and_column(write_table, tmp_path):
    mimic(write_table, tmp_path, ("gender", "dob"), [("F", "2050-01-01")], [("1", "2101-01-01")])
    with pytest.raises(RecordFaults, match=r"PATIENTS\.subject_id"):
        people_of(tmp_path)


@pytest.mark.parametrize(
    ("age", "band"), [(0, "0-9"), (9.9, "0-9"), (10, "10-19"), (89, "80-89"), (300, "90+")]
)
def test_bands_are_of_ten_years(age, band):
    assert age_band(age) == band


def test_what_is_no_age_has_no_band():
    assert age_band(-1) is None
    assert age_band(float("nan")) is None


@pytest.mark.parametrize(
    ("folder", "format_", "sexes", "oldest"),
    [
        ("diabetes130", "diabetes130", {"F": 38_023, "M": 33_489, None: 6}, 2_040),
        ("mimic3_demo", "mimic3", {"F": 55, "M": 45}, 8),
    ],
)
def test_real_records_name_their_people(real_data, folder, format_, sexes, oldest):
    cohort = read_cohort(real_data / folder, format_)
    people = read_people(real_data / folder, cohort)
    assert list(people) == list(cohort.patient_ids)
    assert Counter(person.sex for person in people.values()) == sexes
    bands = Counter(person.age_band for person in people.values())
    assert bands["90+"] == oldest
    assert bands[None] == 0

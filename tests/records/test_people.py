"""J1 for people: one cohort written in every format gives the same sex and age of everyone in it."""

from datetime import date

import pytest

from tests.records.fhir_samples import condition, encounter
from tests.records.test_same_in_every_format import N_PATIENTS, WRITERS
from tests.records.writers import meds, omop
from tests.records.writers.omop_rows import condition as omop_condition
from tests.records.writers.omop_rows import visit
from tests.records.writers.people import age_of, told
from tools.evaluation.subgroups import groupings
from tools.records.demographics import read_people
from tools.records.person import Person, age_band
from tools.records.read import read_cohort
from tools.records.simulate import simulate

NOBODY = Person(None, None)
US = 1_000_000
TOLD = [name for name in WRITERS if name != "csv"]


@pytest.fixture(scope="module")
def cohort():
    ids = tuple(str(number) for number in range(10_000, 10_000 + N_PATIENTS))
    return simulate(N_PATIENTS, 5).cohort.model_copy(update={"patient_ids": ids})


def people_of(path):
    return read_people(path, read_cohort(path))


@pytest.mark.parametrize("format_", TOLD)
def test_the_same_people_come_back_from_every_format(format_, cohort, tmp_path):
    path = WRITERS[format_](cohort, tmp_path / "records")
    found = people_of(path)
    assert found == {p.id: Person(told(p).sex, age_band(age_of(p))) for p in cohort}
    assert list(found) == list(cohort.patient_ids)
    assert set(groupings(cohort, found)) == {"age", "sex", "visits"}
    assert {person.sex for person in found.values()} == {"F", "M", None}


@pytest.mark.parametrize("kind", [".csv.gz", ".parquet", ".duckdb"])
def test_omop_tells_the_same_whatever_holds_its_tables(kind, cohort, tmp_path):
    expected = people_of(omop.write(cohort, tmp_path / "plain"))
    assert people_of(omop.write(cohort, tmp_path / "other", kind)) == expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([(None, "GENDER//F"), (date(1950, 1, 2), "MEDS_BIRTH")], Person("F", "60-69")),
        ([(None, "GENDER//F"), (date(1950, 1, 1), "MEDS_BIRTH")], Person("F", "70-79")),
        ([(None, "Gender/M"), (date(1921, 5, 5), "MEDS_BIRTH//SNOMED")], Person("M", "90+")),
        ([(date(2019, 1, 1), "gender//female")], Person("F", None)),
        ([(None, "SEX//Male")], Person("M", None)),
        ([(None, "GENDER//F"), (None, "GENDER//F")], Person("F", None)),
        ([(None, "GENDER//F"), (None, "GENDER//M")], NOBODY),
        ([(None, "GENDER//UNKNOWN"), (None, "GENDER"), (None, "GENDERED//F")], NOBODY),
        ([(date(1950, 1, 1), "MEDS_BIRTH"), (date(1960, 1, 1), "MEDS_BIRTH")], NOBODY),
        ([(date(2020, 6, 1), "MEDS_BIRTH"), (None, "MEDS_BIRTHDAY"), (None, "MEDS_BIRTH")], NOBODY),
    ],
)
def test_meds_codes_of_sex_and_birth(codes, expected, tmp_path):
    def at(day):
        return None if day is None else (day - date(1970, 1, 1)).days * 86_400 * US

    told_of = [(7, at(day), code, None, None, None) for day, code in codes]
    visited = (7, at(date(2020, 1, 1)), "ICD9CM/4019", None, None, None)
    path = meds.write_shard(tmp_path / "data" / "0.parquet", [*told_of, visited]).parent.parent
    assert people_of(path) == {"7": expected}
    assert people_of(tmp_path / "data" / "0.parquet") == {"7": expected}


@pytest.mark.parametrize("kind", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"gender_concept_id": 8532, "birth_datetime": "1950-01-02 00:00:00"}, Person("F", "60-69")),
        ({"gender_concept_id": 8507, "birth_datetime": "1949-12-31 00:00:00"}, Person("M", "70-79")),
        ({"gender_concept_id": 8551, "year_of_birth": 1955}, Person(None, "60-69")),
        ({"year_of_birth": 1950}, NOBODY),
        ({"year_of_birth": 1950, "month_of_birth": 2}, Person(None, "60-69")),
        ({"year_of_birth": 1949, "month_of_birth": 12, "day_of_birth": 31}, Person(None, "70-79")),
        ({"year_of_birth": 1950, "day_of_birth": 1}, NOBODY),
        ({"year_of_birth": 2020}, Person(None, "0-9")),
        ({"year_of_birth": 1950, "birth_datetime": "1961-01-01 00:00:00"}, NOBODY),
        ({"year_of_birth": 1950, "month_of_birth": 13}, NOBODY),
        ({"year_of_birth": 1951, "month_of_birth": 2, "day_of_birth": 30}, NOBODY),
        ({"year_of_birth": 0}, NOBODY),
        ({"year_of_birth": 2021}, NOBODY),
    ],
)
def test_omop_persons_are_not_guessed_at(kind, person, expected, tmp_path):
    tables = {
        "PERSON": [{"person_id": 1, **person}],
        "VISIT_OCCURRENCE": [visit(10)],
        "CONDITION_OCCURRENCE": [omop_condition(visit_id=10)],
    }
    assert people_of(omop.write_tables(tables, tmp_path / "omop", kind)) == {"1": expected}


def test_omop_persons_listed_twice_must_agree(tmp_path):
    tables = {
        "PERSON": [
            {"person_id": 1, "gender_concept_id": 8507, "year_of_birth": 1955},
            {"person_id": 1, "gender_concept_id": 8532, "year_of_birth": 1955},
        ],
        "VISIT_OCCURRENCE": [visit(10)],
        "CONDITION_OCCURRENCE": [omop_condition(visit_id=10)],
    }
    assert people_of(omop.write_tables(tables, tmp_path / "omop")) == {"1": Person(None, "60-69")}


@pytest.mark.parametrize("export", ["bundle", "bulk"])
@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"gender": "female", "birthDate": "1950-01-02"}, Person("F", "60-69")),
        ({"gender": "Male", "birthDate": "1950-01-01"}, Person("M", "70-79")),
        ({"gender": "other", "birthDate": "1955"}, Person(None, "60-69")),
        ({"gender": "unknown", "birthDate": "1950"}, NOBODY),
        ({"birthDate": "1950-02"}, Person(None, "60-69")),
        ({"birthDate": "1950-01"}, NOBODY),
        ({"birthDate": "9999"}, NOBODY),
        ({"birthDate": "0000"}, NOBODY),
        ({"birthDate": "2020"}, Person(None, "0-9")),
        ({"birthDate": "2020-01-02"}, NOBODY),
        ({"gender": 1, "birthDate": ["1950"]}, NOBODY),
        ({"gender": {"code": "female"}, "birthDate": "1950-13-01"}, NOBODY),
        ({"gender": "female", "birthDate": "unknown"}, Person("F", None)),
        ({}, NOBODY),
    ],
)
def test_fhir_patients_are_not_guessed_at(export, element, expected, request):
    save = request.getfixturevalue(export)
    patient = {"resourceType": "Patient", "id": "p", **element}
    path = save(patient, encounter(start="2020-01-01"), condition())
    assert people_of(path) == {"p": expected}


@pytest.mark.parametrize("export", ["bundle", "bulk"])
@pytest.mark.parametrize(
    ("start", "born", "band"),
    [
        ("2020-01-01T23:30:00-05:00", "1950-01-02", "60-69"),  # the day after, in UTC
        ("2020-01-02T04:30:00+09:00", "1950-01-02", "70-79"),  # the day before
        ("2020-01-02T04:30:00+09:00", "2020-01-02", "0-9"),
        ("2020-01-02T04:30:00+09:00", "2020-01-03", None),
        ("2020-12-31T23:30:00-05:00", "2021", None),
    ],
)
def test_fhir_age_is_that_of_the_day_where_the_visit_was(export, start, born, band, request):
    save = request.getfixturevalue(export)
    patient = {"resourceType": "Patient", "id": "p", "birthDate": born}
    earlier = encounter("before", start="2019-06-01T08:00:00-05:00")
    path = save(patient, earlier, encounter(start=start), condition())
    assert people_of(path) == {"p": Person(None, band)}


def test_formats_that_tell_of_nobody(cohort, tmp_path):
    assert people_of(WRITERS["csv"](cohort, tmp_path / "long")) == {}

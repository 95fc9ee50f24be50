"""Each layout against a slow reading of the same rows, and against its own rows in another order."""

import gzip
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.records.concepts.codes import is_well_spelled
from tools.records.faults import RecordFaults
from tools.records.read import FORMATS, read_cohort, sniff
from tools.safety.errors import InputError

CODES = ("4019", "25000", "4280", "V4581", "E8490", "038")
rows_of_a_long_file = st.lists(
    st.tuples(st.sampled_from(["p1", "p10", "p2", "é"]), st.integers(-3, 3), st.sampled_from(CODES)),
    min_size=1,
    max_size=40,
)
in_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def slowly(rows):
    """Rows of (patient, (time, rank), code) as {patient: [(time, codes), ...]} by plain sorting."""
    visits = defaultdict(lambda: defaultdict(set))
    for patient, when, code in rows:
        visits[patient][when] |= {code} - {None}
    return {
        patient: [(when[0], sorted(codes)) for when, codes in sorted(of_patient.items())]
        for patient, of_patient in sorted(visits.items())
    }


def plainly(cohort):
    return {p.id: [(v.time, sorted(v.codes)) for v in p.visits] for p in cohort}


def same(first, second):
    return (
        plainly(first) == plainly(second)
        and first.vocabulary.concepts == second.vocabulary.concepts
        and first.notices == second.notices
    )


@in_fixtures
@given(rows=rows_of_a_long_file, data=st.data())
def test_a_long_file_in_any_order_is_the_slow_reading(write_table, tmp_path, rows, data):
    header = ("patient", "time", "code")
    cohort = read_cohort(write_table(tmp_path / "a.csv", header, rows), system="9")
    assert plainly(cohort) == slowly([(p, (t, 0), c) for p, t, c in rows])
    shuffled = write_table(tmp_path / "b.csv", header, data.draw(st.permutations(rows)))
    assert same(cohort, read_cohort(shuffled, system="9"))


admissions_and_diagnoses = st.lists(
    st.tuples(st.sampled_from(["7", "10"]), st.integers(1, 3), st.lists(st.sampled_from(CODES), max_size=4)),
    min_size=1,
    max_size=12,
)


@in_fixtures
@given(visits=admissions_and_diagnoses, data=st.data())
def test_mimic3_in_any_order_is_the_slow_reading(mimic3, visits, data):
    admissions = [(p, 95 + i, f"2150-01-0{day} 10:00:00") for i, (p, day, _) in enumerate(visits)]
    diagnoses = [(p, 95 + i, n, c) for i, (p, _, codes) in enumerate(visits) for n, c in enumerate(codes)]
    cohort = read_cohort(mimic3(admissions, diagnoses))
    midnight = 5_680_281_600
    expected = slowly(
        (p, (midnight + (day - 1) * 86_400 + 36_000, 95 + i), code)
        for i, (p, day, codes) in enumerate(visits)
        for code in codes or [None]
    )
    assert plainly(cohort) == expected
    again = mimic3(data.draw(st.permutations(admissions)), data.draw(st.permutations(diagnoses)))
    assert same(cohort, read_cohort(again))


@in_fixtures
@given(rows=rows_of_a_long_file, codes=st.lists(st.sampled_from(CODES), min_size=1, max_size=4))
def test_r5_changing_a_patients_last_visit_changes_no_earlier_one(write_table, tmp_path, rows, codes):
    header = ("patient", "time", "code")
    patient, last, _ = max(rows, key=lambda row: row[1])
    changed = [row for row in rows if row[:2] != (patient, last)] + [(patient, last, c) for c in codes]
    before = read_cohort(write_table(tmp_path / "a.csv", header, rows), system="9").patient(patient)
    after = read_cohort(write_table(tmp_path / "b.csv", header, changed), system="9").patient(patient)
    assert before.visits[:-1] == after.visits[:-1]
    assert set(after.visits[-1].codes) == set(codes)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".CSV"])
@pytest.mark.parametrize("upper", [True, False])
def test_mimic3_reads_any_case_and_compression(mimic3, ending, upper):
    folder = mimic3([(1, 10, "2150-01-01 00:00:00")], [(1, 10, 1, "4019")], ending=ending, upper=upper)
    assert sniff(folder) == "mimic3"
    assert plainly(read_cohort(folder)) == {"1": [(5_680_281_600, ["4019"])]}


def test_r3_visits_at_one_time_are_ordered_by_admission_id(mimic3):
    day = "2150-01-01 00:00:00"
    folder = mimic3(
        [(1, 100, day), (1, 99, day), (1, 5, "2150-01-02 00:00:00")],
        [(1, 5, 1, "038"), (1, 100, 1, "4019"), (1, 99, 1, "25000")],
    )
    assert [v.codes for v in read_cohort(folder).patient("1").visits] == [("25000",), ("4019",), ("038",)]


def test_visits_without_a_diagnosis_are_kept_and_told(mimic3):
    day = "2150-01-01 00:00:00"
    cohort = read_cohort(mimic3([(1, 10, day), (2, 20, day)], [(1, 10, 1, "4019"), (1, 10, 2, "")]))
    assert plainly(cohort)["2"] == [(5_680_281_600, [])]
    assert cohort.notices == (
        "1 diagnosis row without a code, left out",
        "1 visit without any diagnosis, kept without codes",
        "no patient has two visits: no transition can be learned, so predictions are impossible",
    )


def places(folder):
    with pytest.raises(RecordFaults) as caught:
        read_cohort(folder)
    return [(fault.row, fault.column) for fault in caught.value.faults]


def test_diagnoses_must_belong_to_an_admission_of_the_same_patient(mimic3):
    admissions = [(1, 10, "2150-01-01 00:00:00"), (2, 20, "2150-01-01 00:00:00")]
    owners = [(1, 10), (1, 99), (1, 20), ("", 10), (1, "")]
    diagnoses = [(patient, admission, 1, "4019") for patient, admission in owners]
    assert places(mimic3(admissions, diagnoses)) == [
        (3, "DIAGNOSES_ICD.hadm_id"),
        (4, "DIAGNOSES_ICD.subject_id"),
        (5, "DIAGNOSES_ICD.subject_id"),
        (6, "DIAGNOSES_ICD.hadm_id"),
    ]


@pytest.mark.parametrize("again", [(2, 10, "2150-01-01 00:00:00"), (1, 10, "2150-01-02 00:00:00")])
def test_an_admission_must_not_contradict_itself(mimic3, again):
    first = (1, 10, "2150-01-01 00:00:00")
    assert places(mimic3([first, again], [])) == [(3, "ADMISSIONS.hadm_id")]
    assert read_cohort(mimic3([first, first], [])).n_visits == 1


def test_faults_of_admissions_come_before_what_follows_from_them(mimic3):
    folder = mimic3([(1, 10, "2150-01-01 99:00:00"), ("", 20, "")], [(1, 10, 1, "x"), (3, 30, 1, "4019")])
    assert places(folder) == [
        (2, "ADMISSIONS.admittime"),
        (3, "ADMISSIONS.admittime"),
        (3, "ADMISSIONS.subject_id"),
    ]


@pytest.mark.parametrize("inside", ["", "hosp"])
def test_mimic4_keeps_the_version_of_each_row(write_table, tmp_path, inside):
    folder = tmp_path / inside
    write_table(
        folder / "admissions.csv.gz",
        ("subject_id", "hadm_id", "admittime"),
        [(1, 10, "2150-01-01 00:00:00"), (1, 11, "2151-01-01 00:00:00")],
    )
    header = ("subject_id", "hadm_id", "seq_num", "icd_code", "icd_version")
    rows = [(1, 10, 1, "E8490 ", 9), (1, 10, 2, "V1582", 9), (1, 11, 1, "I509", 10), (1, 11, 2, "V1582", 10)]
    write_table(folder / "diagnoses_icd.csv.gz", header, rows)
    assert sniff(tmp_path) == "mimic4"
    cohort = read_cohort(tmp_path)
    assert cohort.vocabulary.systems == ("ICD10CM", "ICD9CM")
    assert [v.codes for v in cohort.patient("1").visits] == [
        ("E8490", "ICD9CM:V1582"),
        ("I509", "ICD10CM:V1582"),
    ]
    write_table(
        folder / "diagnoses_icd.csv.gz", header, [*rows, (1, 10, 3, "4019", 11), (1, 10, 4, "4019", 10)]
    )
    assert places(tmp_path) == [(6, "DIAGNOSES_ICD.icd_version"), (7, "DIAGNOSES_ICD.icd_code")]


def diabetes_file(write_table, path, rows):
    return write_table(path, ("encounter_id", "patient_nbr", "race", "diag_1", "diag_2", "diag_3"), rows)


def test_diabetes130_puts_zeros_back_and_orders_by_encounter(write_table, tmp_path):
    rows = [(100, 1, "?", "250.83", "8", "?"), (99, 1, "?", "V27", "E888", "38"), (3, 2, "?", "?", "?", "?")]
    diabetes_file(write_table, tmp_path / "diabetic_data.csv.gz", rows)
    assert sniff(tmp_path) == "diabetes130" == sniff(tmp_path / "diabetic_data.csv.gz")
    cohort = read_cohort(tmp_path)
    assert cohort.clock == "order"
    assert plainly(cohort) == {"1": [(99, ["038", "E888", "V27"]), (100, ["008", "25083"])], "2": [(3, [])]}


def test_diabetes130_faults(write_table, tmp_path):
    rows = [(1, 1, "", "250", "", ""), (1, 2, "", "250", "", ""), ("x", 3, "", "12345678", "", "?")]
    path = diabetes_file(write_table, tmp_path / "d.csv", rows)
    assert places(path) == [(3, "encounter_id"), (4, "diag_1"), (4, "encounter_id")]


def test_long_files_take_dates_systems_and_names(write_table, tmp_path):
    path = write_table(
        tmp_path / "long.csv",
        ("Patient_ID", "DATE", "code", "system", "display"),
        [
            ("p", "2024-05-31T08:30:00", "I50.9", "ICD-10-CM", ""),
            ("p", "2024-05-30", "401.9", "9", "b"),
            ("p", "2024-05-30T00:00:00Z", "4019", "ICD9", "a"),
            ("p", "2024-05-30", "44054006", "SNOMED", "Diabetes mellitus type 2"),
        ],
    )
    cohort = read_cohort(path)
    assert cohort.clock == "seconds"
    assert [v.codes for v in cohort.patient("p").visits] == [("4019", "44054006"), ("I509",)]
    assert [(c.code, c.display, c.named_by) for c in cohort.vocabulary.concepts] == [
        ("I509", "Heart failure, unspecified", "leaf"),
        ("4019", "a", "record"),
        ("44054006", "Diabetes mellitus type 2", "record"),
    ]


@pytest.mark.parametrize(
    ("codes", "system"),
    [
        (["401.9", "V45.81", "E849.0"], "ICD9CM"),
        (["I50.9", "E11.9", "Z79.4"], "ICD10CM"),
        (["E11.65"], "ICD10CM"),
    ],
)
def test_the_system_is_told_from_the_whole_file(write_table, tmp_path, codes, system):
    path = write_table(tmp_path / "a.csv", ("patient", "time", "code"), [("p", 1, code) for code in codes])
    assert read_cohort(path).vocabulary.systems == (system,)


def without_system(write_table, tmp_path, codes):
    return write_table(tmp_path / "a.csv", ("patient", "time", "code"), [("p", 1, code) for code in codes])


SAY_SYSTEM = "add a `system` column or give --system ICD9CM / ICD10CM"


@pytest.mark.parametrize("codes", [["V1582"], ["E8490", "V1582"]])
def test_a_system_that_all_codes_leave_open_is_asked_for(write_table, tmp_path, codes):
    path = without_system(write_table, tmp_path, codes)
    with pytest.raises(InputError, match=SAY_SYSTEM) as caught:
        read_cohort(path)
    assert not isinstance(caught.value, RecordFaults)
    assert not any(code in str(caught.value) for code in codes)
    for system in ("9", "10"):
        assert read_cohort(path, system=system).n_visits == 1


@pytest.mark.parametrize(
    ("codes", "misfits", "system"),
    [
        (["4019", "25000", "x", "V1582"], [4], "ICD9CM"),
        (["I509", "I509", "4019", "25000", "I10"], [4, 5], "ICD10CM"),
        (["I509", "I509", "I509", "4019", "25000"], [5, 6], "ICD10CM"),
        (["V1582", "x"], [3], "ICD9CM"),
        (["44054006"], [2], "ICD9CM"),
    ],
)
def test_r1_codes_unlike_most_are_faults_by_row(write_table, tmp_path, codes, misfits, system):
    path = without_system(write_table, tmp_path, codes)
    with pytest.raises(RecordFaults) as caught:
        read_cohort(path)
    assert [fault[:2] for fault in caught.value.faults] == [(row, "code") for row in misfits]
    for fault in caught.value.faults:
        assert f"not the shape of an {system} code" in fault.rule
        assert SAY_SYSTEM in fault.rule


def test_r1_all_faults_of_a_file_without_systems_come_at_once(write_table, tmp_path):
    rows = [("p", 1, "V1582"), ("p", "never", "V1582"), ("", 1, ""), ("p", 1)]
    path = write_table(tmp_path / "a.csv", ("patient", "time", "code"), rows)
    assert places(path) == [(3, "time"), (4, "code"), (4, "patient"), (5, "(row)")]


def test_r1_no_code_at_all_is_a_fault_of_each_row(write_table, tmp_path):
    assert places(without_system(write_table, tmp_path, ["", " "])) == [(2, "code"), (3, "code")]


@given(
    codes=st.lists(st.sampled_from([*CODES, "I509", "E119", "V1582", "x", ""]), max_size=8),
)
@in_fixtures
def test_no_file_without_systems_is_read_in_part(write_table, tmp_path, codes):
    path = without_system(write_table, tmp_path, codes)
    fitting = [s for s in ("ICD9CM", "ICD10CM") if all(is_well_spelled(s, code) for code in codes)]
    if codes and len(fitting) == 1:
        assert read_cohort(path).vocabulary.systems == tuple(fitting)
    else:
        with pytest.raises(InputError):
            read_cohort(path)


@pytest.mark.parametrize("system", ["", "  ", "a\x1b[0m", "x" * 65])
def test_a_system_that_is_no_name_is_refused(write_table, tmp_path, system):
    with pytest.raises(InputError, match=r"^system: not a system's name"):
        read_cohort(without_system(write_table, tmp_path, ["4019"]), system=system)
    header = ("patient", "time", "code", "system")
    path = write_table(tmp_path / "b.csv", header, [("p", 1, "4019", "9"), ("p", 1, "4019", system)])
    assert places(path) == [(3, "system")]


def test_a_system_of_which_nothing_is_known_is_told(write_table, tmp_path):
    path = without_system(write_table, tmp_path, ["44054006"])
    assert "no names and no shape checks for system FOO" in read_cohort(path, system="foo").notices
    header = ("patient", "time", "code", "system", "display")
    rows = [("p", 1, "1", s, "a name" if s == "B" else "") for s in ("B", "A", "9")]
    rows[-1] = ("p", 2, "4019", "9", "")
    notices = read_cohort(write_table(path, header, rows)).notices
    assert notices == ("no names but the records' own and no shape checks for systems A, B",)
    rows = [("p", v, "1", f"S{n}", "") for v in (1, 2) for n in range(7)]
    assert read_cohort(write_table(path, header, rows)).notices == (
        "no names and no shape checks for systems S0, S1, S2, S3, S4, ...",
    )


def test_a_system_is_refused_where_the_records_name_theirs(write_table, mimic3, tmp_path):
    path = write_table(tmp_path / "a.csv", ("patient", "time", "code", "system"), [("p", 1, "4019", "9")])
    for records in (path, mimic3([(1, 10, "2150-01-01")], [])):
        with pytest.raises(InputError, match="system"):
            read_cohort(records, system="9")


def test_unknown_formats_and_paths_are_refused_by_name(write_table, tmp_path):
    other = write_table(tmp_path / "Jane Doe.csv", ("a", "b"), [(1, 2)])
    with pytest.raises(InputError, match=r"mimic3.*mimic4.*diabetes130.*csv") as caught:
        sniff(other)
    assert "Jane" not in str(caught.value)
    with pytest.raises(InputError, match="no file or folder"):
        read_cohort(tmp_path / "nowhere")
    with pytest.raises(InputError, match="use one of"):
        read_cohort(other, format="hl7v2")


def test_a_format_is_named_in_any_case(write_table, tmp_path):
    path = write_table(tmp_path / "a.csv", ("patient", "time", "code"), [("p", 1, "4019")])
    assert sniff(path) == "csv"
    assert read_cohort(path, format=" CSV").source == "csv"


def test_each_format_says_what_it_needs(tmp_path):
    for name, format_ in FORMATS.items():
        with pytest.raises(InputError, match=name) as caught:
            read_cohort(tmp_path, format=name)
        assert format_.needs in str(caught.value)


def test_two_files_for_one_table_are_refused(mimic3):
    folder = mimic3([(1, 10, "2150-01-01")], [])
    (folder / "admissions.csv.gz").write_bytes(gzip.compress(b"subject_id,hadm_id,admittime\n"))
    with pytest.raises(InputError, match="several times"):
        read_cohort(folder)

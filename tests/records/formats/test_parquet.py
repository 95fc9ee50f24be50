import csv
import sys
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tools.records.check import check
from tools.records.files import arrow
from tools.records.read import read_cohort, sniff
from tools.safety.errors import InputError

CANARY = "Zaphod-Beeblebrox"
SYSTEMS = {"9": ("401.9", "4019", " v58.61", "E849.0"), "ICD10CM": ("I10", "i50.9", "E11.9")}

entry = st.sampled_from([(system, code) for system, codes in SYSTEMS.items() for code in codes])
row = st.tuples(
    st.sampled_from(["p1", "p2", " p2", "10", "9"]), st.integers(0, 3), entry, st.sampled_from("ab ")
)


def rows(**changed):
    """Three rows of one patient, with other columns where told."""
    columns = {
        "patient": ["p1", "p1", "p1"],
        "time": [1, 2, 2],
        "code": ["4019", "4280", "25000"],
        "system": ["ICD9CM"] * 3,
    }
    return pa.table({name: values for name, values in (columns | changed).items() if values is not None})


def written(path, content, **options):
    parquet.write_table(content, path, **options)
    return path


def assert_same(one, other):
    assert one.vocabulary.concepts == other.vocabulary.concepts
    assert (one.patient_ids, one.clock, one.notices) == (other.patient_ids, other.clock, other.notices)
    for name in ("visit_offsets", "times", "code_offsets", "codes"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@settings(max_examples=60)
@given(drawn=st.lists(row, min_size=1, max_size=30), dated=st.booleans(), cut=st.integers(1, 7))
def test_what_is_read_equals_what_the_same_rows_give_as_csv(drawn, dated, cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    times = [date(1969, 12, 30 + day) if day < 2 else date(1970, 1, day) for _, day, *_ in drawn]
    names = ("Patient_ID", "date" if dated else "time", "icd_code", "system", "display")
    columns = (
        [who for who, *_ in drawn],
        times if dated else [day for _, day, *_ in drawn],
        [code for *_, (_, code), _ in drawn],
        [system for *_, (system, _), _ in drawn],
        [display for *_, display in drawn],
    )
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, *zip(*columns, strict=True)])
    content = pa.table(dict(zip(names, columns, strict=True)))
    written(folder / "one.parquet", content, row_group_size=cut, use_dictionary=bool(cut % 2))
    (folder / "shards").mkdir()
    written(folder / "shards" / "a.parquet", content.slice(0, cut))
    written(folder / "shards" / "b.parquet", content.slice(cut))
    expected = read_cohort(folder / "rows.csv")
    assert_same(read_cohort(folder / "one.parquet"), expected)
    assert_same(read_cohort(folder / "shards"), expected)


def test_batches_do_not_show(tmp_path, monkeypatch):
    drawn = np.random.default_rng(0)
    content = rows(
        patient=[f"p{n}" for n in drawn.integers(0, 9, 200)],
        time=drawn.integers(0, 5, 200),
        code=[str(n) for n in drawn.integers(100, 140, 200)],
        system=["9"] * 200,
        display=[f"name {n}" for n in drawn.integers(0, 3, 200)],
    )
    path = written(tmp_path / "r.parquet", content)
    whole = read_cohort(path)
    monkeypatch.setattr(arrow, "_ROWS_A_BATCH", 7)
    assert_same(read_cohort(path), whole)


SECONDS = [datetime(1969, 12, 31, 23, 59, 59, 500_000), datetime(2020, 1, 1), datetime(2164, 10, 23, 21, 9)]
TIMES = {
    "seconds": pa.array(SECONDS, pa.timestamp("s")),
    "nanoseconds": pa.array(SECONDS, pa.timestamp("ns")),
    "with a zone": pa.array([t.replace(tzinfo=UTC) for t in SECONDS], pa.timestamp("us", "America/New_York")),
    "days": pa.array([t.date() for t in SECONDS], pa.date32()),
    "days in milliseconds": pa.array([t.date() for t in SECONDS], pa.date64()),
}


@pytest.mark.parametrize("kind", TIMES)
def test_times_are_seconds_since_1970_in_utc(kind, tmp_path):
    found = read_cohort(written(tmp_path / "r.parquet", rows(time=TIMES[kind])))
    midnight = "days" in kind
    expected = [
        (t.replace(hour=0, minute=0, second=0) if midnight else t).replace(tzinfo=UTC) for t in SECONDS
    ]
    assert found.times.tolist() == [int(t.timestamp() // 1) for t in expected]
    assert found.clock == "seconds"


IDS = {
    "whole numbers": pa.array([7, 7, 10]),
    "unsigned": pa.array([7, 7, 10], pa.uint32()),
    "large text": pa.array(["7", "7", "10"], pa.large_string()),
    "a dictionary": pa.array(["7", "7", "10"]).dictionary_encode(),
    "a dictionary of numbers": pa.array([7, 7, 10]).dictionary_encode(),
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_are_text_whatever_their_type(kind, tmp_path):
    found = read_cohort(written(tmp_path / "r.parquet", rows(patient=IDS[kind])))
    assert found.patient_ids == ("10", "7")
    assert found.visits_per_patient.tolist() == [1, 2]


def test_a_visit_column_says_which_rows_are_one_visit(tmp_path):
    content = rows(time=[5, 4, 5], hadm_id=[20, 20, 3])
    found = read_cohort(written(tmp_path / "r.parquet", content))
    assert [(visit.time, visit.codes) for visit in found.patient("p1").visits] == [
        (4, ("4019", "4280")),
        (5, ("25000",)),
    ]
    tied = read_cohort(written(tmp_path / "r.parquet", rows(time=[5, 5, 5], hadm_id=[20, 20, 3])))
    assert [visit.codes for visit in tied.patient("p1").visits] == [("25000",), ("4019", "4280")]


def test_a_system_may_be_given_where_no_column_says_it(tmp_path):
    path = written(tmp_path / "r.parquet", rows(system=None))
    assert read_cohort(path, system="icd-9").vocabulary.systems == ("ICD9CM",)
    for system, rule in ((None, "--system"), ("\n", "not a system's name")):
        with pytest.raises(InputError, match=rule):
            read_cohort(path, system=system)
    with pytest.raises(InputError, match="leave this argument out"):
        read_cohort(written(tmp_path / "s.parquet", rows()), system="ICD9CM")


FAULTS = {
    "no patient": (rows(patient=["p1", None, " "]), [(2, "patient", "empty"), (3, "patient", "empty")]),
    "no time": (rows(time=pa.array([1, None, 2])), [(2, "time", "empty")]),
    "no date": (rows(time=pa.array([SECONDS[0], None, SECONDS[1]])), [(2, "time", "empty")]),
    "no code": (rows(code=["4019", "", None]), [(2, "code", "empty"), (3, "code", "empty")]),
    "no code in a dictionary": (
        rows(code=pa.array(["4019", None, "x"]).dictionary_encode()),
        [(2, "code", "empty"), (3, "code", "not the shape")],
    ),
    "no visit": (rows(visit=[1, None, 2]), [(2, "visit", "empty")]),
    "no system": (rows(system=["ICD9CM", None, "ICD9CM"]), [(2, "system", "empty")]),
    "not a code": (rows(code=["4019", CANARY, "4280"]), [(2, "code", "not the shape of an ICD9CM")]),
    "not a system": (
        rows(system=["ICD9CM", "ICD9CM", CANARY + "\n!"]),
        [(3, "system", "not a system's name")],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_by_row_column_and_rule_and_never_by_value(fault, tmp_path):
    content, places = FAULTS[fault]
    with pytest.raises(InputError) as refused:
        read_cohort(written(tmp_path / "r.parquet", content))
    for (row, column, rule), place in zip(places, refused.value.faults, strict=True):
        assert (place.row, place.column) == (row, f"r.parquet: {column}")
        assert place.rule.startswith(rule)
    assert CANARY not in f"{refused.value} {refused.value.faults}"


def test_check_lists_faults_of_all_files_by_row_over_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow, "_ROWS_A_BATCH", 2)
    written(tmp_path / "a.parquet", rows(code=["4019", "4280", CANARY]))
    written(tmp_path / "b.parquet", rows(patient=[None, "p2", "p2"]))
    found = check(tmp_path)
    assert (found.format, found.fault_count, found.patients) == ("parquet", 2, 0)
    assert [(f.row, f.column) for f in found.faults] == [(1, "b.parquet: patient"), (3, "a.parquet: code")]


REFUSED = {
    "a column missing": (rows(time=None), "missing column; there must be one of: time, date"),
    "a column twice": (rows(patient_id=["p1"] * 3), "there are 2 such columns"),
    "codes as numbers": (rows(code=[4019, 4280, 250]), "write it as text"),
    "times as text": (rows(time=["2020-01-01"] * 3), "write it as timestamps, dates or whole numbers"),
    "times as floats": (rows(time=[1.0, 2.0, 3.0]), "write it as timestamps"),
    "patients as floats": (rows(patient=[1.0, 2.0, 3.0]), "write it as text or whole numbers"),
    "nested codes": (rows(code=[["4019"], ["4280"], []]), "write it as text"),
    "a time beyond 64 bits": (
        rows(time=pa.array([1, 2, 2**64 - 1], pa.uint64())),
        "not a readable parquet file",
    ),
    "not UTF-8": (
        rows(code=pa.array([b"\xff", b"4", b"5"]).view(pa.string())),
        "not a readable parquet file",
    ),
    "no row": (rows().slice(0, 0), "there are no rows"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_file_of_another_make_is_refused_with_what_mends_it(fault, tmp_path):
    content, rule = REFUSED[fault]
    with pytest.raises(InputError, match=rule):
        read_cohort(written(tmp_path / "r.parquet", content))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"patient,time,code\n", b"PAR1" + bytes(50) + b"PAR1"])
def test_what_is_no_parquet_file_is_refused(content, tmp_path):
    (tmp_path / "r.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"r\.parquet: not a readable parquet file"):
        read_cohort(tmp_path / "r.parquet")


def test_a_file_cut_off_is_refused(tmp_path):
    path = written(tmp_path / "r.parquet", rows())
    path.write_bytes(path.read_bytes()[20:])
    with pytest.raises(InputError, match="not a readable parquet file"):
        read_cohort(path)


def test_shards_must_agree_on_their_clock_and_on_visits(tmp_path):
    written(tmp_path / "a.parquet", rows())
    written(tmp_path / "b.parquet", rows(time=TIMES["days"]))
    with pytest.raises(InputError, match="dates in some of the files"):
        read_cohort(tmp_path)
    written(tmp_path / "b.parquet", rows(visit=[1, 2, 3]))
    with pytest.raises(InputError, match="some of the files only"):
        read_cohort(tmp_path)


def test_a_folder_of_shards_is_recognised_by_its_files(tmp_path):
    with pytest.raises(InputError, match="not of a known format"):
        sniff(tmp_path)
    with pytest.raises(InputError, match="parquet needs"):
        read_cohort(tmp_path, format="parquet")
    written(tmp_path / "r.PARQUET", rows())
    assert sniff(tmp_path) == sniff(tmp_path / "r.PARQUET") == "parquet"


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    path = written(tmp_path / "r.parquet", rows())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[parquet\]'"):
        read_cohort(path)

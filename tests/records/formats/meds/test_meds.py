import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tests.records.writers import meds
from tests.records.writers.cohorts import assert_same, assert_same_dataset, cohort_of, visits
from tools.records.check import check
from tools.records.faults import RecordFaults
from tools.records.files import arrow
from tools.records.read import read_cohort, sniff
from tools.safety.errors import InputError

CANARY = "Zaphod-Beeblebrox"
US = 1_000_000
DAY = 86_400


def event(subject, seconds, code, hadm=None):
    return (subject, None if seconds is None else seconds * US, code, None, None, hadm)


def dataset(folder, *events, schema=meds.SCHEMA):
    meds.write_shard(folder / "data" / "0.parquet", events, schema)
    return folder


def plainly(cohort):
    return {p.id: [(v.time, sorted(v.codes)) for v in p.visits] for p in cohort}


@settings(max_examples=40)
@given(drawn=visits)
def test_what_is_written_is_read(drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("meds")
    expected = cohort_of(drawn, folder / "long.csv")
    path = meds.write(expected, folder / "meds")
    assert sniff(path) == "meds"
    found = read_cohort(path)
    assert_same(found, expected)
    assert_same_dataset(found, expected)


@settings(max_examples=40)
@given(drawn=visits, data=st.data())
def test_r3_the_order_of_rows_and_shards_does_not_matter(drawn, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("meds")
    events = meds.rows_of(cohort_of(drawn, folder / "long.csv"))
    # Without stays, and with some, so that both kinds of visits lie on one day.
    loose = [(*e[:5], e[5] if e[5] is None or e[5] % 2 else None) for e in events]
    expected = read_cohort(dataset(folder / "a", *loose))
    shuffled = data.draw(st.permutations(loose))
    meds.write_shard(folder / "b" / "data" / "z.parquet", shuffled[::2])
    meds.write_shard(folder / "b" / "data" / "deep" / "er" / "a.parquet", shuffled[1::2])
    found = read_cohort(folder / "b")
    assert_same(found, expected)
    assert found.notices == expected.notices


def test_batches_do_not_show(tmp_path, monkeypatch):
    drawn = np.random.default_rng(0)
    events = [
        event(int(p), int(t), f"ICD9CM/{c}" if c < 130 else "LAB//x", int(h) if h else None)
        for p, t, c, h in drawn.integers([0, 0, 100, 0], [5, 9 * DAY, 140, 3], (300, 4))
    ]
    path = dataset(tmp_path, *events)
    whole = read_cohort(path)
    monkeypatch.setattr(arrow, "_ROWS_A_BATCH", 7)
    again = read_cohort(path)
    assert_same(again, whole)
    assert again.notices == whole.notices


SPELLINGS = {
    "DIAGNOSIS//ICD//9//49390": ("ICD9CM", "49390"),
    "DIAGNOSIS//ICD//10//E119": ("ICD10CM", "E119"),
    "diagnosis//icd//10//e11.9": ("ICD10CM", "E119"),
    "DIAGNOSIS/ICD/9/038": ("ICD9CM", "038"),
    "ICD9CM/4019": ("ICD9CM", "4019"),
    "ICD9CM//401.9": ("ICD9CM", "4019"),
    "ICD10CM/E11.9": ("ICD10CM", "E119"),
    "icd10cm//E11.9 ": ("ICD10CM", "E119"),
    "ICD-10-CM/E11.9": ("ICD10CM", "E119"),
    "SNOMED/44054006": ("SNOMED", "44054006"),
    "snomed//44054006": ("SNOMED", "44054006"),
    "DIAGNOSIS//SNOMED//44054006": ("SNOMED", "44054006"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("encoded", [False, True])
def test_codes_of_diagnoses_are_known_by_their_system(spelling, encoded, tmp_path):
    kind = pa.dictionary(pa.int32(), pa.string()) if encoded else pa.string()
    schema = pa.schema([field.with_type(kind) if field.name == "code" else field for field in meds.SCHEMA])
    found = read_cohort(dataset(tmp_path, event(1, 0, spelling), schema=schema))
    [concept] = found.vocabulary.concepts
    assert (concept.system, concept.code) == SPELLINGS[spelling]


def test_codes_of_other_things_are_counted_once(tmp_path):
    others = [
        "PROCEDURE//ICD//9//3893", "ICD10PCS/0BH17EZ", "ICD9Proc/38.93", "ICDO3/8000/3", "LAB//50912//mg/dL",
        "MEDS_BIRTH", "DIAGNOSIS", "DIAGNOSIS//9//49390", "RxNorm/1", "GENDER//F", "9/4019", "SNOMED",
    ]  # fmt: skip
    events = [event(1, at, code) for at, code in enumerate(others)]
    found = read_cohort(dataset(tmp_path, event(1, 5, "ICD9CM/4019"), *events))
    assert found.vocabulary.keys == ("4019",)
    assert found.notices[0] == f"{len(others)} events other than diagnoses, left out"


MISSPELT = [
    "DIAGNOSIS//ICD//9", "DIAGNOSIS//ICD//9//", "DIAGNOSIS//ICD//11//1A00", "DIAGNOSIS//ICD//9//I509",
    "DIAGNOSIS//ICD//9//4019//x", "ICD9CM/", "ICD10CM/4019", "ICD9CM/40.19", "DIAGNOSIS//ICD11//1A00",
    "ICD10CM/=1+1",
]  # fmt: skip


def test_codes_that_name_icd_and_are_none_are_faults_by_row_of_the_shard(tmp_path):
    meds.write_shard(tmp_path / "data" / "a.parquet", [event(1, 0, "ICD9CM/4019")])
    meds.write_shard(tmp_path / "data" / "train" / "0.parquet", [event(1, 0, code) for code in MISSPELT])
    with pytest.raises(RecordFaults) as refused:
        read_cohort(tmp_path)
    assert [f[:2] for f in refused.value.faults] == [
        (row, "train/0.parquet: code") for row in range(1, len(MISSPELT) + 1)
    ]


def test_r1_of_ten_thousand_broken_rows_fifty_are_listed_and_no_value(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow, "_ROWS_A_BATCH", 999)
    events = [event(1, 0, "ICD9CM/4019")] + [event(1, 0, f"ICD9CM/{CANARY}{n}") for n in range(10_000)]
    path = dataset(tmp_path, *events)
    with pytest.raises(RecordFaults) as refused:
        read_cohort(path)
    assert refused.value.count == 10_000
    assert [f.row for f in refused.value.faults] == list(range(2, 52))
    assert CANARY not in f"{refused.value} {refused.value.faults}"
    found = check(path)
    assert (found.format, found.fault_count, found.patients) == ("meds", 10_000, 0)


def test_r1_rows_without_a_subject_or_code_are_faults(tmp_path):
    path = dataset(tmp_path, event(None, 0, "ICD9CM/4019"), event(1, 0, None), event(1, 0, " "))
    with pytest.raises(RecordFaults) as refused:
        read_cohort(path)
    assert [f[:2] for f in refused.value.faults] == [
        (1, "0.parquet: subject_id"),
        (2, "0.parquet: code"),
        (3, "0.parquet: code"),
    ]


def test_r2_formulas_are_text(tmp_path):
    schema = pa.schema([f.with_type(pa.string()) if f.name == "hadm_id" else f for f in meds.SCHEMA])
    path = dataset(
        tmp_path, event(1, 0, "ICD9CM/4019", "=1+1"), event(1, 0, "ICD9CM/4280", "+2"), schema=schema
    )
    assert plainly(read_cohort(path)) == {"1": [(0, ["4280"]), (0, ["4019"])]}


def test_a_visit_is_a_stay_or_else_a_day_at_the_earliest_of_its_diagnoses(tmp_path):
    path = dataset(
        tmp_path,
        event(1, DAY + 70, "ICD9CM/4019", 5),
        event(1, 3 * DAY, "ICD9CM/4280", 5),
        event(1, DAY - 1, "ICD9CM/25000"),
        event(1, DAY + 50, "ICD9CM/038"),
        event(1, DAY, "ICD9CM/5859"),
        event(2, 9 * DAY, "ICD9CM/4019", 5),
        event(1, -1, "ICD9CM/4019"),
    )
    assert plainly(read_cohort(path)) == {
        "1": [(-1, ["4019"]), (DAY - 1, ["25000"]), (DAY, ["038", "5859"]), (DAY + 70, ["4019", "4280"])],
        "2": [(9 * DAY, ["4019"])],
    }


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.float64(), pa.large_string(), None])
def test_stays_are_numbers_texts_or_not_there(kind, tmp_path):
    events = [event(1, 0, "ICD9CM/4019", 1), event(1, 0, "ICD9CM/4280", 2), event(1, 0, "ICD9CM/038", 1)]
    if kind is None:
        schema, events = meds.SCHEMA.remove(5), [e[:5] for e in events]
    else:
        schema = meds.SCHEMA.set(5, pa.field("hadm_id", kind))
        if kind not in (pa.int64(), pa.float64()):
            events = [(*e[:5], str(e[5])) for e in events]
    visits = plainly(read_cohort(dataset(tmp_path, *events, schema=schema)))["1"]
    assert visits == (
        [(0, ["038", "4019", "4280"])] if kind is None else [(0, ["038", "4019"]), (0, ["4280"])]
    )


def test_diagnoses_without_a_time_are_left_out_and_counted(tmp_path):
    path = dataset(
        tmp_path,
        event(1, None, "ICD9CM/4019", 3),
        event(1, 7, "ICD9CM/4280", 3),
        event(2, None, "ICD9CM/038"),
    )
    found = read_cohort(path)
    assert plainly(found) == {"1": [(7, ["4280"])]}
    assert found.notices[0] == "2 diagnosis rows without a time, left out"
    assert found.vocabulary.keys == ("4280",)


LATE = "diagnoses carry the time of discharge: order holds, times of day mean nothing"


@pytest.mark.parametrize(
    ("events", "visits"),
    [
        (
            [(0, "HOSPITAL_ADMISSION"), (90, "ICD9CM/4019"), (90, "ICD9CM/4280"), (90, "HOSPITAL_DISCHARGE")],
            1,
        ),
        ([(0, "HOSPITAL_ADMISSION"), (90, "ICD9CM/4019"), (91, "ICD9CM/4280")], 0),
        ([(90, "HOSPITAL_ADMISSION"), (90, "ICD9CM/4019")], 0),
        ([(0, "HOSPITAL_ADMISSION"), (90, "ICD9CM/4019"), (100, "LAB//x")], 0),
        ([(90, "ICD9CM/4019")], 0),
        ([(None, "GENDER//F"), (90, "ICD9CM/4019")], 0),
    ],
)
def test_diagnoses_at_the_time_of_discharge_are_told(events, visits, tmp_path):
    stay = [event(1, at, code, 7) for at, code in events]
    elsewhere = [event(1, -50, "LAB//x", 6), event(1, -50, "LAB//x"), event(2, -50, "LAB//x", 7)]
    notices = read_cohort(dataset(tmp_path, *stay, *elsewhere)).notices
    told = [notice for notice in notices if LATE in notice]
    assert len(told) == visits
    assert all(notice.startswith("in 1 visit ") for notice in told)


def test_names_come_from_the_metadata_where_there_are_some(tmp_path):
    path = dataset(tmp_path, event(1, 0, "ICD9CM/4019"), event(1, 0, "SNOMED/1"), event(1, 0, "ICD9CM/25000"))
    (path / "metadata").mkdir()
    codes = pa.table(
        {"code": ["ICD9CM/4019", "SNOMED/1", "ICD9CM/4280", None], "description": ["mine", None, "x", "y"]}
    )
    parquet.write_table(codes, path / "metadata" / "codes.parquet")
    found = read_cohort(path).vocabulary.concepts
    assert [(c.code, c.named_by) for c in found] == [("25000", "leaf"), ("4019", "record"), ("1", "unlisted")]
    parquet.write_table(codes.select(["code"]), path / "metadata" / "codes.parquet")
    assert read_cohort(path).vocabulary.concepts[1].named_by == "leaf"
    (path / "metadata" / "codes.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"metadata/codes\.parquet: not a readable parquet file"):
        read_cohort(path)


def test_one_file_is_meds_by_its_codes_and_else_plain_parquet(tmp_path):
    path = meds.write_shard(tmp_path / "r.parquet", [event(1, 0, "LAB//x"), event(1, 0, "ICD9CM/4019")])
    assert sniff(path) == "meds"
    assert read_cohort(path).vocabulary.keys == ("4019",)
    plain = meds.write_shard(tmp_path / "p.parquet", [event(1, 0, "4019", 3)])
    assert sniff(plain) == "parquet"
    assert read_cohort(plain, system="9").vocabulary.keys == ("4019",)


def without(column):
    schema = meds.SCHEMA.remove(meds.SCHEMA.get_field_index(column))
    return schema, [
        [v for v, f in zip(event(1, 0, "ICD9CM/4019"), meds.SCHEMA, strict=True) if f.name != column]
    ]


@pytest.mark.parametrize("column", ["subject_id", "time", "code"])
def test_r4_a_column_missing_is_named(column, tmp_path):
    schema, events = without(column)
    meds.write_shard(tmp_path / "data" / "0.parquet", events, schema)
    with pytest.raises(InputError, match=f"0.parquet: {column}: there must be one column"):
        read_cohort(tmp_path, format="meds")


def test_r4_times_of_another_type_are_refused(tmp_path):
    schema = meds.SCHEMA.set(1, pa.field("time", pa.int64()))
    with pytest.raises(InputError, match="time: of a type that cannot be read; write it as timestamps"):
        read_cohort(dataset(tmp_path, event(1, 0, "ICD9CM/4019"), schema=schema))


@pytest.mark.parametrize(
    ("events", "rule"),
    [((), "there are no rows"), ((event(1, 0, "LAB//x"),), "none of the events is a diagnosis with a time")],
)
def test_r4_nothing_to_read_is_told(events, rule, tmp_path):
    with pytest.raises(InputError, match=rule):
        read_cohort(dataset(tmp_path, *events))


def test_r4_no_shard_and_a_damaged_one_are_told(tmp_path):
    with pytest.raises(InputError, match="meds needs"):
        read_cohort(tmp_path, format="meds")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "0.parquet").write_bytes(b"PAR1" + bytes(40))
    with pytest.raises(InputError, match=r"0\.parquet: not a readable parquet file"):
        read_cohort(tmp_path)


def test_r5_changing_the_last_visit_changes_no_earlier_one(tmp_path):
    earlier = [event(1, 0, "ICD9CM/4019", 1), event(1, DAY, "ICD9CM/4280", 2)]
    before = read_cohort(dataset(tmp_path / "a", *earlier, event(1, 2 * DAY, "ICD9CM/038", 3))).patient("1")
    after = read_cohort(dataset(tmp_path / "b", *earlier, event(1, 2 * DAY, "ICD9CM/5859", 3))).patient("1")
    assert before.visits[:-1] == after.visits[:-1]


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    path = dataset(tmp_path, event(1, 0, "ICD9CM/4019"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[parquet\]'"):
        read_cohort(path)

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tests.records.writers import omop
from tests.records.writers.cohorts import assert_same, assert_same_dataset, cohort_of, visits
from tests.records.writers.omop_rows import (
    CONCEPTS,
    condition,
    person,
    places,
    plainly,
    tables,
    visit,
    written,
)
from tools.records.check import check
from tools.records.faults import RecordFaults
from tools.records.formats.omop import duckdb_tables as omop_duckdb
from tools.records.read import read_cohort, sniff
from tools.safety.errors import InputError

CANARY = "Zaphod-Beeblebrox"
KINDS = (".csv", ".csv.gz", ".parquet", ".duckdb")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(drawn=visits, case=st.sampled_from([str.lower, str.upper, str.title]))
def test_what_is_written_is_read(kind, drawn, case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("omop")
    expected = cohort_of(drawn, folder / "long.csv")
    path = omop.write(expected, folder / "omop", kind, case, delimiter="\t" if len(drawn) % 2 else ",")
    assert sniff(path) == "omop"
    found = read_cohort(path)
    assert_same(found, expected)
    assert_same_dataset(found, expected)


@settings(max_examples=30)
@given(
    drawn=st.lists(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from([None, 1, 2]),
            st.integers(1, 9),
            st.sampled_from(["4019", "038"]),
        ),
        min_size=1,
        max_size=15,
    ),
    spans=st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(0, 4)), min_size=1, max_size=8
    ),
    data=st.data(),
)
def test_r3_conditions_without_a_visit_are_placed_as_slow_reading_does_in_any_order(
    drawn, spans, data, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("omop")
    persons = [person(n) for n in (1, 2, 3)]
    known = [visit(95 + n, p, start, start + length) for n, (p, start, length) in enumerate(spans)]
    given_rows = [condition(value, None, day, who) for who, _, day, value in drawn]
    expected = {number: {} for number in (1, 2, 3)}
    for number, (who, start, _) in enumerate(spans):
        expected[who][start, len(str(95 + number)), 95 + number] = set()
    for who, _, day, value in drawn:
        holding = [
            (start, len(str(95 + n)), 95 + n)
            for n, (p, start, length) in enumerate(spans)
            if p == who and start <= day <= start + length
        ]
        expected[who].setdefault(max(holding) if holding else (day, -1, -1), set()).add(value)
    slow = {
        str(who): [(float(key[0] - 1), sorted(of[key])) for key in sorted(of)]
        for who, of in expected.items()
        if of
    }
    path = written(folder / "a", given_rows, known, persons)
    found = read_cohort(path, system="9")
    assert plainly(found) == slow
    shuffle = lambda rows: data.draw(st.permutations(rows))  # noqa: E731
    again = written(folder / "b", shuffle(given_rows), shuffle(known), shuffle(persons), kind=".parquet")
    assert_same(read_cohort(again, system="9"), found)


def test_the_order_of_sources_of_a_code(tmp_path):
    rows = [
        condition("E119", source=1, concept=3),
        condition("401.9  ", source=0, concept=3),
        condition("4280", source=4, concept=3),
        condition("25000", source=99, concept=3),
        condition(None, source=4, concept=3),
        condition(" ", source=None, concept=2),
        condition(None, source=0, concept=4),
        condition(None, source=0, concept=0),
    ]
    found = read_cohort(written(tmp_path, rows, concepts=CONCEPTS))
    assert [(c.system, c.code, c.named_by) for c in found.vocabulary.concepts] == [
        ("ICD10CM", "E119", "record"),
        ("ICD9CM", "25000", "leaf"),
        ("ICD9CM", "4019", "record"),
        ("ICD9CM", "4280", "leaf"),
        ("SNOMED", "44054006", "record"),
    ]
    assert "2 conditions without a code, left out" in found.notices


@pytest.mark.parametrize("system", [None, "ICD9CM"])
def test_free_text_gives_way_to_the_concept_where_it_is_listed(system, tmp_path):
    rows = [
        condition("Essential hypertension, on 2 drugs", concept=1),
        condition("diabetes", concept=3),
        condition("4280", concept=3),
        condition("V1582", concept=2),
    ]
    path = written(tmp_path, rows, [visit(10)], [person()], CONCEPTS)
    cohort = read_cohort(path, system=system)
    [found] = plainly(cohort)["1"]
    assert found[1] == ["4019", "4280", "44054006", "V1582"]
    assert "2 conditions whose source value is no code, read by the concept" in cohort.notices


@pytest.mark.parametrize("concept", [0, 4, 99])
def test_free_text_without_a_listed_concept_stays_a_fault(concept, tmp_path):
    rows = [condition("4280"), condition("diabetes", concept=concept)]
    assert places(written(tmp_path, rows, concepts=CONCEPTS)) == [
        (3, "CONDITION_OCCURRENCE.condition_source_value")
    ]


def test_free_text_does_not_make_ambiguous_codes_clear(tmp_path):
    rows = [condition("V1582"), condition("diabetes", concept=3)]
    with pytest.raises(InputError, match="fits both"):
        read_cohort(written(tmp_path, rows, concepts=CONCEPTS))


def test_without_concept_the_source_value_alone_counts(tmp_path):
    found = read_cohort(written(tmp_path, [condition("401.9", source=1), condition(None, source=1)]))
    assert found.vocabulary.keys == ("4019",)
    assert "1 condition without a code, left out" in found.notices


@pytest.mark.parametrize(
    ("values", "given_system", "system"),
    [
        (["401.9", "250.00"], None, "ICD9CM"),
        (["I50.9", "E11.9"], None, "ICD10CM"),
        (["44054006", "38341003"], None, "SNOMED"),
        (["V1582"], "10", "ICD10CM"),
        (["V1582"], "ICD-9", "ICD9CM"),
        (["44054006"], "snomed-ct", "SNOMED"),
    ],
)
def test_the_system_of_source_values_is_said_or_told_by_their_shapes(values, given_system, system, tmp_path):
    path = written(tmp_path, [condition(value) for value in values])
    assert read_cohort(path, system=given_system).vocabulary.systems == (system,)


def test_a_system_that_values_leave_open_is_asked_for(tmp_path):
    path = written(tmp_path, [condition("V1582")])
    with pytest.raises(InputError, match="name it by --system") as refused:
        read_cohort(path)
    assert not isinstance(refused.value, RecordFaults)
    with pytest.raises(InputError, match="not a system's name"):
        read_cohort(path, system=" ")


@pytest.mark.parametrize("kind", [".csv", ".parquet", ".duckdb"])
def test_codes_unlike_their_system_are_faults_by_row(kind, tmp_path):
    rows = [condition("4019"), condition("I509"), condition("25000"), condition(None, source=5)]
    first = 2 if kind == ".csv" else 1
    assert places(written(tmp_path, rows, concepts=CONCEPTS, kind=kind)) == [
        (first + 1, "CONDITION_OCCURRENCE.condition_source_value"),
        (first + 3, "CONDITION_OCCURRENCE.condition_source_concept_id"),
    ]
    snomed = [condition("44054006"), condition("38341003"), condition("I509")]
    assert places(written(tmp_path / "b", snomed, kind=kind)) == [
        (first + 2, "CONDITION_OCCURRENCE.condition_source_value")
    ]


@pytest.mark.parametrize("kind", [".csv", ".parquet", ".duckdb"])
def test_tables_must_match(kind, tmp_path):
    rows = [
        condition(visit_id=10),
        condition(visit_id=99),
        condition(visit_id=10, person_id=2),
        condition(visit_id=10, person_id=7),
        condition(visit_id=10, person_id=None),
        {**condition(), "condition_start_date": None},
    ]
    first = 2 if kind == ".csv" else 1
    assert places(written(tmp_path, rows, persons=[person(1), person(2)], kind=kind)) == [
        (first + 1, "CONDITION_OCCURRENCE.visit_occurrence_id"),
        (first + 2, "CONDITION_OCCURRENCE.person_id"),
        (first + 3, "CONDITION_OCCURRENCE.person_id"),
        (first + 4, "CONDITION_OCCURRENCE.person_id"),
        (first + 5, "CONDITION_OCCURRENCE.condition_start_date"),
    ]


def test_visits_must_not_contradict_themselves_and_be_of_a_person(tmp_path):
    rows = [
        visit(10),
        visit(10),
        visit(10, start=2),
        visit(11, person_id=2),
        {**visit(12), "visit_start_date": None},
    ]
    assert places(written(tmp_path, [condition()], rows)) == [
        (5, "VISIT_OCCURRENCE.person_id"),
        (6, "VISIT_OCCURRENCE.visit_start_date"),
    ]
    assert places(written(tmp_path, [condition()], rows[:3])) == [(4, "VISIT_OCCURRENCE.visit_occurrence_id")]
    assert read_cohort(written(tmp_path, [condition()], rows[:2])).n_visits == 1


def test_a_time_is_preferred_and_else_the_date_taken(tmp_path):
    rows = [
        visit(10, visit_start_datetime="2020-01-01 12:00:00"),
        visit(11, start=3, end=5),
        {"visit_occurrence_id": 12, "person_id": 1, "visit_start_datetime": "2020-01-09 06:00:00"},
    ]
    found = read_cohort(written(tmp_path, [condition(day=9), condition("25000", day=4)], rows))
    assert plainly(found) == {"1": [(0.5, []), (2.0, ["25000"]), (8.25, ["4019"])]}
    assert "2 conditions without a visit, put in the person's visit of that day" in found.notices


def test_conditions_outside_all_visits_make_a_visit_of_each_day(tmp_path):
    rows = [
        condition(day=3),
        condition("25000", day=3),
        condition("4280", day=5),
        condition("038", 10),
        condition(None, day=8),
    ]
    found = read_cohort(written(tmp_path, rows))
    assert plainly(found) == {"1": [(0, ["038"]), (2, ["25000", "4019"]), (4, ["4280"])]}
    assert found.notices[:2] == (
        "1 condition without a code, left out",
        "3 conditions outside all visits, each day of a person taken as a visit",
    )


def test_persons_without_a_visit_are_left_out_and_counted(tmp_path):
    found = read_cohort(written(tmp_path, [condition()], persons=[person(n) for n in (3, 1, 2)]))
    assert found.patient_ids == ("1",)
    assert "2 persons without any visit, left out" in found.notices


@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_ids_that_a_program_made_floats_are_whole_numbers(kind, tmp_path):
    path = written(tmp_path, [condition(visit_id=10), condition("25000")], kind=kind)
    file = path / f"condition_occurrence{kind}"
    if kind == ".parquet":
        table = parquet.read_table(file)
        for name in ("visit_occurrence_id", "condition_source_concept_id"):
            at = table.schema.get_field_index(name)
            table = table.set_column(at, name, table.column(name).cast(pa.float64()))
        parquet.write_table(table, file)
    else:
        file.write_text(file.read_text().replace(",10,", ",10.0,").replace(",0,", ",0.0,"))
    assert plainly(read_cohort(path)) == {"1": [(0, ["25000", "4019"])]}


def test_tabs_keep_quotes_within_and_drop_those_around(tmp_path):
    path = omop.write_tables(
        tables([condition(None, concept=3)], concepts=CONCEPTS), tmp_path, delimiter="\t"
    )
    file = path / "concept.csv"
    file.write_text(file.read_text().replace("Diabetes (SNOMED)", 'Diabetes, "type 2" of 5" size'))
    persons = path / "person.csv"
    persons.write_text("\t".join(f'"{cell}"' for cell in ("Person_ID", "x")) + '\n"1"\t"a, b"\n')
    [concept] = read_cohort(path).vocabulary.concepts
    assert concept.display == 'Diabetes, "type 2" of 5" size'


def test_a_table_of_several_parquet_files_is_one(tmp_path):
    path = written(tmp_path, [condition(visit_id=10)], kind=".parquet")
    file = path / "condition_occurrence.parquet"
    table = parquet.read_table(file)
    file.unlink()
    (path / "condition_occurrence").mkdir()
    for part in ("a", "b"):
        parquet.write_table(table, path / "condition_occurrence" / f"{part}.parquet")
    assert sniff(path) == "omop"
    assert plainly(read_cohort(path)) == {"1": [(0, ["4019"])]}
    bad = table.set_column(1, "person_id", pa.array([7]))
    parquet.write_table(bad, path / "condition_occurrence" / "b.parquet")
    assert places(path) == [(1, "CONDITION_OCCURRENCE b.parquet.person_id")]


def test_tables_may_be_of_several_kinds_but_each_once(tmp_path):
    path = written(tmp_path, [condition(visit_id=10)])
    (path / "person.csv").unlink()
    parquet.write_table(pa.table({"PERSON_ID": [1]}), path / "PERSON.parquet")
    assert plainly(read_cohort(path)) == {"1": [(0, ["4019"])]}
    parquet.write_table(pa.table({"PERSON_ID": [1]}), path / "person.PARQUET")
    with pytest.raises(InputError, match="PERSON: stands in the folder several times"):
        read_cohort(path)


@pytest.mark.parametrize("kind", [".csv", ".parquet", ".duckdb"])
def test_r1_of_ten_thousand_broken_rows_fifty_are_listed_and_no_value(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(omop_duckdb, "_ROWS_A_BATCH", 3_000)
    rows = [condition("4019", 10)] * 10_001 + [condition(f"{CANARY}{n}", 10) for n in range(10_000)]
    path = written(tmp_path, rows, kind=kind)
    first = 10_003 if kind == ".csv" else 10_002
    with pytest.raises(RecordFaults) as refused:
        read_cohort(path)
    assert refused.value.count == 10_000
    assert [f.row for f in refused.value.faults] == list(range(first, first + 50))
    assert CANARY not in f"{refused.value} {refused.value.faults}"
    found = check(path)
    assert (found.format, found.fault_count, found.visits) == ("omop", 10_000, 0)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("VISIT_OCCURRENCE", "visit_start_date"),
        ("VISIT_OCCURRENCE", "visit_end_date"),
        ("CONDITION_OCCURRENCE", "condition_start_date"),
    ],
)
def test_r1_what_is_no_date_is_a_fault(table, column, tmp_path):
    rows = tables([condition(visit_id=10)])
    rows[table][0] = {**rows[table][0], column: CANARY}
    assert places(omop.write_tables(rows, tmp_path)) == [(2, f"{table}.{column}")]


def test_r2_formulas_are_text(tmp_path):
    rows = tables([condition(visit_id="=1+1", person_id="+1")], [visit("=1+1", "+1")], [person("+1")])
    assert plainly(read_cohort(omop.write_tables(rows, tmp_path))) == {"+1": [(0, ["4019"])]}


@pytest.mark.parametrize("kind", [".csv", ".parquet", ".duckdb"])
def test_r4_empty_tables_are_told(kind, tmp_path):
    with pytest.raises(InputError, match="VISIT_OCCURRENCE: lists no visit"):
        read_cohort(written(tmp_path / "a", [], visits=[], kind=kind))
    with pytest.raises(InputError, match="CONDITION_OCCURRENCE: lists no condition"):
        read_cohort(written(tmp_path / "b", [], kind=kind))


@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_r4_a_missing_column_is_named(kind, tmp_path):
    path = written(tmp_path, [condition()], kind=kind)
    if kind == ".csv":
        (path / "visit_occurrence.csv").write_text("visit_occurrence_id,visit_start_date\n1,2020-01-01\n")
    else:
        parquet.write_table(pa.table({"visit_occurrence_id": [1]}), path / "visit_occurrence.parquet")
    with pytest.raises(InputError, match=r"VISIT_OCCURRENCE\.person_id: missing column"):
        read_cohort(path)


def test_r4_a_folder_or_database_without_a_table_is_refused(tmp_path):
    path = written(tmp_path, [condition()])
    (path / "person.csv").unlink()
    with pytest.raises(InputError, match="omop needs"):
        read_cohort(path, format="omop")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as opened:
        opened.execute("CREATE TABLE person (person_id INTEGER)")
    with pytest.raises(InputError, match="there is no table VISIT_OCCURRENCE"):
        read_cohort(tmp_path / "x.duckdb")


def test_r4_damaged_files_are_told(tmp_path):
    (tmp_path / "x.duckdb").write_bytes(bytes(8) + b"DUCK" + bytes(5_000))
    with pytest.raises(InputError, match="the DuckDB database cannot be opened"):
        read_cohort(tmp_path / "x.duckdb")
    path = written(tmp_path / "p", [condition()], kind=".parquet")
    (path / "person.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="PERSON: not a readable parquet file"):
        read_cohort(path)


def test_r5_changing_the_last_visit_changes_no_earlier_one(tmp_path):
    known = [visit(10), visit(11, start=4), visit(12, start=8)]
    earlier = [condition("4019", 10), condition("25000", day=4)]
    before = read_cohort(written(tmp_path / "a", [*earlier, condition("038", 12)], known)).patient("1")
    after = read_cohort(written(tmp_path / "b", [*earlier, condition("5859", 12)], known)).patient("1")
    assert before.visits[:-1] == after.visits[:-1]

import gzip
import random
import string

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.records.check import check
from tools.records.faults import Faults, RecordFaults
from tools.records.files import blocks
from tools.records.files import rows as rows_module
from tools.records.files.cells import Dialect, split
from tools.records.files.opening import zstd
from tools.records.files.table import Table
from tools.records.files.times import seconds
from tools.records.read import read_cohort, sniff
from tools.safety.errors import InputError

HEADER = "patient,time,code\n"
packed = pytest.mark.parametrize(("compress", "ending"), [(gzip.compress, ".gz"), (zstd.compress, ".zst")])
GOOD = HEADER + "p1,1,4019\np2,1,25000\n"


def read_text(tmp_path, content, name="records.csv", system="9"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_cohort(path, format="csv", system=system)


def faults_of(tmp_path, content, name="records.csv"):
    with pytest.raises(RecordFaults) as caught:
        read_text(tmp_path, content, name)
    return [(fault.row, fault.column) for fault in caught.value.faults]


def test_chunks_carry_the_lines_of_the_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\ufeffA, b \n1,x\n\n2,"two\nlines"\n 3 ,y\n', encoding="utf-8")
    [(row, texts)] = list(
        Table(path, Faults()).batches({"first": ("a",), "second": ("b",)}, required={"first"})
    )
    assert row.tolist() == [2, 4, 6]
    assert texts["first"].cells().tolist() == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (HEADER + "p1,1\n", (2, "(row)")),
        (HEADER + "p1,1,4019,x\n", (2, "(row)")),
        (HEADER + "p1,1,4019\np2,\xff,4019\n", None),
        (HEADER.encode() + b"p1,1,4019\np\xff,1,4019\n", (3, "(row)")),
        (HEADER + "p1,1,4019\np\x002,1,4019\n", (3, "(row)")),
        (HEADER + 'p1,1,4019\n"p2,1,4019\n', (3, "(row)")),
        (HEADER + 'p1,1,4019\n"p2"x,1,4019\n', (3, "(row)")),
        ('patient,"time" x,code\n', (1, "(row)")),
        (HEADER + ",1,4019\n", (2, "patient")),
        (HEADER + "p1,,4019\n", (2, "time")),
        (HEADER + "p1,1, \n", (2, "code")),
        (HEADER + "p1,1,4019\np1,yesterday,4019\n", (3, "time")),
        (HEADER + "p1,2024-01-01,4019\np1,2024-02-30,4019\n", (3, "time")),
        (HEADER + "p1,2024-01-01,4019\np1,7,4019\n", (3, "time")),
        (HEADER + "p1,1,hypertension\n", (2, "code")),
        ("patient,code\np1,4019\n", (1, "time")),
        ("patient,time,time,code\np1,1,1,4019\n", (1, "time")),
    ],
)
def test_r1_a_fault_is_placed_by_row_and_column(tmp_path, content, place):
    assert faults_of(tmp_path, content) == [place or (3, "time")]


@packed
def test_r1_a_cut_off_compressed_file_is_refused(tmp_path, compress, ending):
    rows = "".join(f"p{i},{i},{random.Random(i).randint(100, 999)}\n" for i in range(20_000))
    whole = compress((HEADER + rows).encode())
    [(row, column)] = faults_of(tmp_path, whole[: len(whole) // 2], f"records.csv{ending}")
    assert column == "(row)"
    assert 2 < row < 20_000


def test_r1_a_damaged_gzip_file_is_refused(tmp_path):
    whole = gzip.compress(GOOD.encode())
    assert faults_of(tmp_path, whole[:-8] + bytes(8), "records.csv.gz") == [(4, "(row)")]


@packed
def test_compressed_records_are_read_as_plain_ones(tmp_path, compress, ending):
    found = read_text(tmp_path, compress(GOOD.encode()), f"records.csv{ending}")
    assert found.patient_ids == read_text(tmp_path, GOOD).patient_ids == ("p1", "p2")
    assert sniff(tmp_path / f"records.csv{ending}") == "csv"


@packed
def test_r1_a_plain_file_with_the_name_of_a_compressed_one_is_said_to_be_none(tmp_path, compress, ending):
    name = {".gz": "gzip", ".zst": "zstd"}[ending]
    with pytest.raises(RecordFaults, match=f"not a {name} file"):
        read_text(tmp_path, GOOD, f"records.csv{ending}")


@packed
def test_r1_a_line_without_end_does_not_fill_memory(tmp_path, compress, ending):
    bomb = compress(HEADER.encode() + b"x" * 50_000_000)
    assert faults_of(tmp_path, bomb, f"records.csv{ending}") == [(2, "(row)")]


@pytest.mark.parametrize("system", ["9", None])
def test_r1_what_is_wrong_with_the_header_is_counted_once(tmp_path, system):
    with pytest.raises(RecordFaults) as caught:
        read_text(tmp_path, b"patient,time,code,\xff\np1,1,4019,\n", system=system)
    assert caught.value.count == 1


@pytest.mark.parametrize("cell", ["x" * 131_073, '"' + "x" * 131_073 + '"'])
def test_r1_a_cell_longer_than_can_be_read_is_said_to_be(tmp_path, cell):
    with pytest.raises(RecordFaults, match="131,072 characters") as caught:
        read_text(tmp_path, f"{GOOD}{cell},1,4019\np3,1,4019\n")
    assert [(fault.row, fault.column) for fault in caught.value.faults] == [(4, "(row)")]


def test_r1_ten_thousand_bad_rows_give_fifty_places_and_no_value(tmp_path):
    draw = random.Random(7)
    secret = "".join(draw.choices(string.ascii_letters, k=12))
    bad = [f"p,1,{secret}", f"{secret},1", f"{secret},{secret},4019", f'"{secret}" x,1,4019', f",1,{secret}"]
    path = tmp_path / "records.csv"
    path.write_text(HEADER + "".join(draw.choice(bad) + "\n" for _ in range(10_000)))
    with pytest.raises(RecordFaults) as caught:
        read_cohort(path, system="9")
    error = caught.value
    assert len(error.faults) == 50
    assert error.count >= 10_000
    assert error.faults == tuple(sorted(error.faults))
    assert error.faults[0].row == 2
    assert secret not in f"{error} {error.faults}"
    summary = check(path, system="9")
    assert (summary.fault_count, summary.patients, len(summary.faults)) == (error.count, 0, 50)
    assert secret not in summary.model_dump_json()


words = [b"p1", b"4019", b"1", b"2024-01-01", b"=1", b"\x00", b"\xff"]
pieces = st.sampled_from([*words, b",", b'"', b"\n", b"\r\n"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(pieces, max_size=30), st.booleans(), st.integers(0, 20))
def test_any_bytes_are_read_or_refused(tmp_path, body, packed, cut):
    content = HEADER.encode() + b"".join(body)
    if packed:
        content = gzip.compress(content)
        content = content[: len(content) - cut]
    try:
        cohort = read_text(tmp_path, content, "any.csv.gz" if packed else "any.csv")
        assert cohort.n_visits > 0
    except InputError as error:
        assert len(error.faults) <= 50


def told(path, tabbed, *columns):
    """What is read of a file: rows with their cells, and the faults; or the refusal."""
    faults, found = Faults(), []
    table = Table(path, faults, may_be_tabbed=tabbed)
    try:
        for row, texts in table.batches({name: (name,) for name in columns}, required=set(columns)):
            found += zip(row.tolist(), *(texts[name].cells() for name in columns), strict=True)
    except InputError as error:
        found.append(str(error))
    return found, faults.count, faults.kept


plain_cells = st.sampled_from(
    ["", " ", "p1", "4019 ", '"4019"', '""', "é", "\u00a0x\u2028", "x" * 70, "12345678"]
)
odd_cells = st.sampled_from(
    ['"a,b"', '"two\nlines"', '"a""b"', ' "x"', '"x" ', 'a"b', '"', "\0", "\r", "1,2"]
)
ends = st.sampled_from(["\n"] * 6 + ["\r\n", "\r\n", "\r", "\n\n"])
cells_of_rows = st.lists(st.one_of(plain_cells, plain_cells, plain_cells, odd_cells), min_size=3, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(
    rows=st.lists(st.tuples(cells_of_rows, ends), max_size=12),
    bad=st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from([b"\xff", b"\xed\xa0\x80", b'"'])), max_size=1
    ),
    tabbed=st.booleans(),
    least=st.integers(1, 40),
    has_last_end=st.booleans(),
)
def test_rows_told_many_at_a_time_are_those_of_the_csv_module(
    tmp_path, rows, bad, tabbed, least, has_last_end
):
    text = "".join(
        ("\t" if tabbed else ",").join(cells) + end for cells, end in [(["a", "b", "c"], "\n"), *rows]
    )
    content = (text if has_last_end else text.rstrip("\r\n")).encode()
    for place, byte in bad:
        content = content[:place] + byte + content[place:]
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "_LEAST_BYTES", least)
        found = told(path, tabbed, "a", "c")
        patched.setattr(rows_module, "split", lambda *_: None)
        by_csv_in_blocks = told(path, tabbed, "a", "c")
        patched.setattr(blocks, "_LEAST_BYTES", 1 << 20)
        by_csv = told(path, tabbed, "a", "c")
    assert found == by_csv_in_blocks == by_csv


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("dialect", [Dialect(",", True, str.strip), Dialect("\t", False, str.strip)])
def test_plain_rows_take_no_csv_module(dialect, line_end):
    rows = [["1", " x ", ""], ["é", "", "2024-01-01 10:00:00"]] + [['"q"', "y", "z"]] * dialect.is_quoted
    block = "".join(dialect.delimiter.join(cells) + line_end for cells in rows).encode()
    found = split(block, 3, dialect)
    columns = [found.texts(column).cells().tolist() for column in range(3)]
    expected = [[cell.strip().strip('"') for cell in cells] for cells in rows]
    assert columns == [list(column) for column in zip(*expected, strict=True)]


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 63, 64, 65, 300])
def test_cells_of_any_length_are_told_apart(length):
    cells = ["x" * length, "x" * (length - 1) + "y", "y" + "x" * (length - 1), "x" * length, ""]
    found = split("".join(f"{cell},\n" for cell in cells).encode(), 2, Dialect(",", True, str.strip)).texts(0)
    assert found.cells().tolist() == cells
    assert len(found.distinct) == len(set(cells)) - 1


def test_long_files_are_read_block_by_block_with_their_lines(tmp_path):
    rows = [f"p{n},{n % 7},4019" for n in range(400_000)]
    rows[200_000] = '"p\n",0,4019'
    path = tmp_path / "t.csv"
    path.write_text(HEADER + "\n".join(rows))
    batches = list(Table(path, Faults()).batches({"who": ("patient",)}, required={"who"}))
    assert len(batches) > 2
    row = [number for batch in batches for number in batch.row.tolist()]
    assert row == [n + 2 + (n > 200_000) for n in range(400_000)]
    who = [text for batch in batches for text in batch.texts["who"].cells()]
    assert who == [f"p{n}" if n != 200_000 else "p" for n in range(400_000)]


def test_all_faults_are_counted_and_the_first_rows_kept():
    faults = Faults()
    faults.add_rows(range(1000, 0, -1), "code", "bad")
    faults.add(7, "time", "bad")
    assert faults.count == 1001
    assert [f.row for f in faults.kept] == [1, 2, 3, 4, 5, 6, 7, 7, *range(8, 50)]


@pytest.mark.parametrize("content", ["", HEADER])
@pytest.mark.parametrize("system", ["9", None])
def test_a_file_without_rows_is_refused(tmp_path, content, system):
    with pytest.raises(InputError, match=r"empty|no rows"):
        read_text(tmp_path, content, system=system)


def test_fields_are_counted_in_words(tmp_path):
    with pytest.raises(RecordFaults, match="has 1 field where the header has 3"):
        read_text(tmp_path, HEADER + "p1\n")


def test_r2_formula_cells_are_text(tmp_path):
    path = tmp_path / "records.csv"
    path.write_text('patient,time,code,display\n"=1+1",1,4019,"=HYPERLINK(""http://x"")"\n')
    cohort = read_cohort(path, system="9")
    assert cohort.patient_ids == ("=1+1",)
    assert cohort.vocabulary.concepts[0].display == '=HYPERLINK("http://x")'


def test_times_are_utc_seconds_whatever_the_spelling():
    local = ["1970-01-02", "1970-01-01 00:01:00", "2164-10-23"]
    with_offset = ["1970-01-01T00:00:01Z", "1970-01-01T02:00:00+02:00"]
    values, readable = seconds(pd.Series([*local, *with_offset, "1970", "1970-13-01", ""], dtype=object))
    assert values.tolist() == [86_400, 60, 6_147_619_200, 1, 0, 0, 0, 0]
    assert readable.tolist() == [True] * 5 + [False] * 3

"""FAULTS R1 to R5: bad records end in a typed refusal that names the place, and lose nothing."""

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from markupsafe import escape

from tests.app.conftest import iikea  # noqa: F401 - the fixture
from tools.dataset.clinical import ClinicalDataset
from tools.records.read import read_cohort

CANARY = "Zaphod-Beeblebrox"
HEADER = ("patient", "time", "code", "system")


def write(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = HEADER) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def cohort_rows(n_patients: int = 60) -> list[tuple[str, ...]]:
    codes = ("4019", "25000", "5859", "4280", "41401")
    return [
        (f"p{p:03}", f"2020-0{1 + v}-01", codes[(p + v + k) % 5], "ICD9CM")
        for p in range(n_patients)
        for v in range(3)
        for k in range(2)
    ]


def malformed(path: Path, header: tuple[str, ...]) -> Path:
    draw, width = random.Random(1), len(header)
    good = ("p1", "2020-01-01", "4019", "ICD9CM")[:width]
    bad = [
        (CANARY, "not a date", *good[2:]),
        ("", *good[1:]),
        (*good[:2], CANARY, *good[3:]),
        good[:-1],
        (*good, CANARY),
        ("p1", "2020-13-45", "4019", CANARY)[:width],
    ]
    return write(path, [draw.choice(bad) for _ in range(10_000)], header)


@pytest.mark.parametrize("header", [HEADER, HEADER[:3]])
def test_r1_a_malformed_file_is_refused_with_its_first_fifty_places(tmp_path, header):
    path, store = malformed(tmp_path / "bad.csv", header), tmp_path / "store"
    command = [sys.executable, "-m", "app.main", "records"]
    checked = subprocess.run(
        [*command, "check", path, "--json"], capture_output=True, text=True, timeout=20, check=False
    )
    found = json.loads(checked.stdout)
    assert checked.returncode == 2
    assert found["fault_count"] >= 10_000
    assert len(found["faults"]) == 50
    assert all(fault["row"] >= 2 and fault["column"] and fault["rule"] for fault in found["faults"])
    fitted = subprocess.run(
        [*command, "fit", path, "--store", store], capture_output=True, text=True, timeout=20, check=False
    )
    assert fitted.returncode == 2
    assert not store.exists()
    assert CANARY not in checked.stdout + checked.stderr + fitted.stdout + fitted.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["bad.csv"]


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2"])
def test_r2_a_formula_in_a_code_is_refused_as_a_code(cell, tmp_path, iikea):  # noqa: F811
    path = write(tmp_path / "f.csv", [*cohort_rows(2), ("p1", "2020-01-01", cell, "ICD9CM")])
    ended = iikea("records", "check", path, "--json")
    assert ended.code == 2
    assert ended.json["faults"][0]["column"] == "code"


def test_r2_a_formula_in_a_name_is_text_in_the_report(tmp_path, iikea):  # noqa: F811
    formula = '=HYPERLINK("http://example.org","x")'
    rows = [(*row, formula if row[2] == "4280" else "") for row in cohort_rows()]
    path = tmp_path / "named.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("patient", "time", "code", "system", "display"), *rows])
    assert iikea("records", "fit", path, "--store", tmp_path / "s").code == 0
    report = tmp_path / "r.html"
    ended = iikea("predict", "--store", tmp_path / "s", "--history", "428.0", "--report", report, "--json")
    assert ended.code == 0
    page = report.read_text(encoding="utf-8")
    assert str(escape(formula)) in page
    assert 'href="http' not in page


def test_r3_the_order_of_rows_changes_nothing(tmp_path):
    rows = [*cohort_rows(), ("p000", "2020-01-01", "7140", "ICD9CM"), ("p000", "2031-01-01", "486", "ICD9CM")]
    shuffled = random.Random(2).sample(rows, len(rows))
    first = ClinicalDataset.build(read_cohort(write(tmp_path / "a.csv", rows)))
    second = ClinicalDataset.build(read_cohort(write(tmp_path / "b.csv", shuffled)))
    assert first.hash == second.hash


def test_r3_visits_are_sorted_and_two_on_one_day_are_one_visit(tmp_path):
    rows = [
        ("p", "2021-05-01", "486", "ICD9CM"),
        ("p", "2020-05-01", "4019", "ICD9CM"),
        ("p", "2021-05-01", "4280", "ICD9CM"),
    ]
    patient = read_cohort(write(tmp_path / "a.csv", rows)).patient("p")
    assert [visit.codes for visit in patient.visits] == [("4019",), ("4280", "486")]


def test_r3_a_visit_in_the_future_is_said(tmp_path, iikea):  # noqa: F811
    path = write(tmp_path / "a.csv", [*cohort_rows(), ("p", "2090-05-01", "486", "ICD9CM")])
    ended = iikea("records", "check", path, "--json")
    assert any("future" in notice for notice in ended.json["notices"])


@pytest.mark.parametrize("history", ["", " ; ", "486"])
def test_r4_no_history_or_only_unknown_codes_is_a_refusal(history, tmp_path, iikea):  # noqa: F811
    store = tmp_path / "s"
    iikea("records", "fit", write(tmp_path / "a.csv", cohort_rows()), "--store", store)
    ended = iikea("predict", "--store", store, "--history", history, "--json")
    assert ended.code == 2
    assert ended.json["refusal"]["kind"] == "not enough history"
    assert ended.json["predictions"] == []


def test_r4_one_visit_is_enough(tmp_path, iikea):  # noqa: F811
    store = tmp_path / "s"
    iikea("records", "fit", write(tmp_path / "a.csv", cohort_rows()), "--store", store)
    ended = iikea("predict", "--store", store, "--history", "401.9", "--json")
    assert ended.code == 0
    assert ended.json["predictions"]


def test_r4_five_hundred_codes_are_capped_with_a_notice(iikea):  # noqa: F811
    leaves = [f"{n}.{d}" for n in range(401, 460) for d in range(10)][:500]
    ended = iikea("predict", "--history", " ".join([*leaves, "401.9"]), "--json", "--top-k", 3)
    assert ended.code == 0
    assert any("left out" in notice for notice in ended.json["notices"])


def test_r5_changing_the_future_leaves_the_output_byte_equal(tmp_path, iikea):  # noqa: F811
    store = tmp_path / "s"
    iikea("records", "fit", write(tmp_path / "train.csv", cohort_rows()), "--store", store)
    past = [("q", "2020-01-01", "4019", "ICD9CM"), ("q", "2020-02-01", "25000", "ICD9CM")]
    futures = (
        [("q", "2020-03-01", "5859", "ICD9CM")],
        [("q", "2021-03-01", "4280", "ICD9CM"), ("q", "2021-03-01", "99999", "ICD9CM")],
        [],
        [("q", "2020-03-01", "4280", "ICD9CM"), ("q", "2021-03-01", "99999", "ICD9CM")],
    )
    outputs = set()
    for number, future in enumerate(futures):
        records = write(tmp_path / f"q{number}.csv", [*past, *future])
        ended = iikea(
            "predict", "--store", store, "--patient", "q", "--records", records, "--visits", 2, "--json"
        )
        assert ended.code == 0
        outputs.add(ended.out)
    assert len(outputs) == 1

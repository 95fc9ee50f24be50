"""The other commands, on the demo data and on small files; help that tells the next step."""

import csv
import json

import pytest

from tests.knowledge.samples import curated, said
from tools.resources import DEMO_RECORDS


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("records",),
        ("records", "check"),
        ("records", "fit"),
        ("records", "convert"),
        ("records", "simulate"),
        ("records", "merge"),
        ("predict",),
        ("demo",),
        ("doctor",),
    ],
)
def test_help_says_what_each_option_is_for(command, iikea):
    ended = iikea(*command, "--help")
    assert ended.code == 0
    assert "Usage" in ended.out


def test_demo_predicts_and_writes_a_report(iikea, tmp_path):
    ended = iikea("demo", "--out", tmp_path / "out")
    assert ended.code == 0
    for words in ("Next visit", "Causal graph", "stopped: ", "kept from the model", "simulated"):
        assert words in ended.out
    assert "Not a medical device" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert iikea("demo", "--out", tmp_path / "out", "--json").json["predictions"]


def test_the_demo_patient_is_left_out_of_the_fitted_data(iikea, tmp_path):
    from tools.dataset.clinical import ClinicalDataset
    from tools.resources import open_dataset

    iikea("demo", "--out", tmp_path)
    assert ClinicalDataset.open(tmp_path / "store").n_patients == open_dataset().n_patients - 1


def test_simulated_records_are_told_and_can_be_checked(iikea, tmp_path):
    asked = ("records", "simulate", "--patients", 40, "--seed", 3)
    assert iikea(*asked, "--out", tmp_path / "a", "--json").json["patients"] == 40
    assert "40 patients" in iikea(*asked, "--out", tmp_path / "b").out
    assert iikea("records", "check", tmp_path / "b" / "cohort.csv.gz", "--json").json["patients"] == 40
    refused = iikea("records", "simulate", "--patients", 0, "--out", tmp_path / "c")
    assert refused.code == 2
    assert "n_patients" in refused.err


def test_simulated_records_can_be_meds_and_other_formats_are_named_as_none(iikea, tmp_path):
    asked = ("records", "simulate", "--patients", 40, "--seed", 3, "--out", tmp_path / "m", "--format")
    ended = iikea(*asked, "meds", "--json")
    assert (ended.json["patients"], len(ended.json["notices"])) == (40, 1)
    found = iikea("records", "check", tmp_path / "m", "--json").json
    assert (found["format"], found["patients"]) == ("meds", 40)
    refused = iikea(*asked, "omop")
    assert refused.code == 2
    for words in ("--format", "omop", "csv", "meds"):
        assert words in refused.err


def test_converted_records_hold_the_same(iikea, tmp_path):
    out = tmp_path / "meds"
    found = iikea("records", "convert", DEMO_RECORDS, "--out", out, "--json").json
    assert (found["patients"], found["visits"]) == (2000, 7889)
    checked = iikea("records", "check", out, "--json").json
    assert [checked[name] for name in ("format", "patients", "rows")] == ["meds", 2000, found["rows"]]
    again = iikea("records", "convert", DEMO_RECORDS, "--out", out)
    assert again.code == 2
    assert "already" in again.err


def test_check_says_what_the_demo_cohort_holds(iikea):
    found = iikea("records", "check", DEMO_RECORDS, "--json").json
    assert (found["patients"], found["fault_count"]) == (2000, 0)
    assert found["share_of_rows_named"] == 1.0
    shown = iikea("records", "check", DEMO_RECORDS).out
    assert "2,000" in shown
    assert "Quality" in shown


def test_fit_then_predict_on_own_records(iikea, tmp_path):
    rows = [
        (f"p{p}", f"2020-0{v + 1}-01", code)
        for p in range(40)
        for v in range(3)
        for code in ("401.9", ("428.0", "585.9", "486")[(p + v) % 3])
    ]
    with (tmp_path / "r.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("patient", "time", "code"), *rows])
    fitted = iikea(
        "records", "fit", tmp_path / "r.csv", "--system", "ICD9CM", "--store", tmp_path / "s", "--json"
    )
    assert fitted.json["patients"] == 40
    ended = iikea(
        *("predict", "--store", tmp_path / "s", "--records", tmp_path / "r.csv", "--patient", "p3", "--json")
    )
    assert ended.code == 0
    assert len(ended.json["history"]) == 3
    missing = iikea(
        *("predict", "--store", tmp_path / "s", "--records", tmp_path / "r.csv", "--patient", "zz", "--json")
    )
    assert missing.code == 2
    assert "zz" not in missing.out


def test_fit_never_overwrites_a_folder_that_is_no_store(iikea, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    ended = iikea("records", "fit", DEMO_RECORDS, "--store", precious, "--json")
    assert ended.code == 2
    assert (precious / "thesis.txt").read_text() == "years of work"


def test_records_that_are_not_there_are_said_to_be_missing(iikea, tmp_path):
    ended = iikea("records", "check", tmp_path / "nothing", "--json")
    assert ended.code == 2
    assert ended.json["error"]["kind"] == "InputError"


def test_doctor_says_by_what_a_named_library_is_searched(iikea, tmp_path):
    curated(tmp_path / "ours", gout=said("Gout hurts."))
    findings = iikea("doctor", "--library", tmp_path / "ours", "--json").json
    (found,) = [finding["found"] for finding in findings if finding["what"] == "knowledge library"]
    assert found == "ours, 1 passage, searched by words (BM25)"


def test_doctor_finds_the_demo_ready_and_names_what_mends_the_rest(iikea, monkeypatch):
    findings = {f["what"]: f for f in iikea("doctor", "--json").json}
    assert findings["demo cohort"]["ok"]
    assert findings["knowledge library"]["ok"]
    assert findings["model statistical"]["ok"]
    assert findings["numba"]["ok"]
    for extra, what in (("parquet", "Parquet records"), ("cluster", "fitting on a cluster")):
        assert extra in findings[what]["found"] + findings[what]["remedy"]
    assert all(f["ok"] or f["remedy"] for f in findings.values())
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    ended = iikea("doctor", "--model", "openai:x", "--json")
    unreachable = next(f for f in json.loads(ended.out) if f["what"] == "model openai:x")
    assert ended.code == 1
    assert "127.0.0.1" in unreachable["found"]
    assert "sk-canary" not in ended.out

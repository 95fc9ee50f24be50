"""`iikea predict --fhir FILE --subject ID` and `--csv FILE`."""

import csv
import json

import pytest
from fhir.resources.R4B.bundle import Bundle

HISTORY = ("--history", "250.00 401.9; 585.9")
SMALL = ("--max-iterations", 1, "--top-k", 5, "--resamples", 0, "--without-knowledge")


def test_predictions_are_written_as_fhir_and_csv(iikea, tmp_path):
    files = ("--fhir", tmp_path / "r.json", "--subject", "Patient/123", "--csv", tmp_path / "p.csv")
    ended = iikea("predict", *HISTORY, *SMALL, *files, "--json")
    assert ended.code == 0
    bundle = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    Bundle.model_validate(bundle)
    assessment = bundle["entry"][0]["resource"]
    assert assessment["subject"] == {"reference": "Patient/123"}
    chances = [prediction["probability"] for prediction in ended.json["predictions"]]
    assert [p["probabilityDecimal"] for p in assessment["prediction"]] == pytest.approx(
        [100 * chance for chance in chances], abs=1e-4
    )
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["code"] for row in rows] == [p["dotted"] for p in ended.json["predictions"]]


def test_a_refusal_writes_neither(iikea, tmp_path):
    files = ("--fhir", tmp_path / "r.json", "--csv", tmp_path / "p.csv")
    ended = iikea("predict", "--history", "999.99", *SMALL, *files)
    assert ended.code == 2
    assert "No prediction" in ended.out
    assert "nothing was written" in ended.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("files", "field"),
    [
        (("--fhir", "nowhere/r.json"), "fhir"),
        (("--csv", "nowhere/p.csv"), "csv"),
        (("--csv", "."), "csv"),
        (("--subject", "Patient/1"), "subject"),
        (("--fhir", "r.json", "--subject", "Jane Doe"), "subject"),
    ],
)
def test_places_and_subject_are_checked_before_the_work(iikea, tmp_path, monkeypatch, files, field):
    monkeypatch.chdir(tmp_path)
    ended = iikea("predict", *HISTORY, *files, "--json")
    assert (ended.code, ended.json["error"]["field"]) == (2, field)
    assert "Jane" not in ended.out
    assert not list(tmp_path.iterdir())

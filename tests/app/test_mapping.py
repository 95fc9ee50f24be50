"""Commands that take `--vocabulary` say what mapping the codes lost."""

import json

import pytest


def test_a_store_in_other_codes_says_what_was_mapped(iikea, tmp_path):
    records = tmp_path / "records.csv"
    rows = [f"p{n},{day},{code}" for n in range(3) for day in (1, 2) for code in ("I50.9", "Z99.99")]
    records.write_text("patient,time,code\n" + "\n".join(rows))
    asked = ("records", "fit", records, "--system", "ICD10CM", "--vocabulary", "icd9")
    shown = iikea(*asked, "--store", tmp_path / "store").out
    assert "one to many" in shown and "not at all" in shown
    told = json.loads(iikea(*asked, "--store", tmp_path / "again", "--json").out)["mapping"]
    assert {loss["kind"]: loss["rows"] for loss in told} == {"one to many": 6, "not at all": 6}
    plain = json.loads(iikea(*asked[:-2], "--store", tmp_path / "plain", "--json").out)
    assert plain["mapping"] == []
    assert plain["codes"] == 2


@pytest.mark.parametrize("vocabulary", ["ccs", "icd9"])
def test_an_evaluation_in_other_codes_runs_and_says_what_was_mapped(vocabulary, iikea, tmp_path):
    asked = ("evaluate", "--records", "data/demo/cohort.csv.gz", "--methods", "history_frequency", "--json")
    told = iikea(*asked, "--vocabulary", vocabulary, "--out", tmp_path)
    assert "codes were mapped" in told.err
    assert json.loads(told.out)["manifest"]["vocabulary"] == vocabulary

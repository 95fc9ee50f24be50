"""What an evaluation tells beside its table: for whom a method works, on which codes, how sure it may be."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from app.evaluation.folds import Fold
from app.evaluation.showing import shown_by_group
from benchmarks.evaluation import COLUMNS, command, parsed, read
from tools.evaluation.ledger import Ledger
from tools.evaluation.metrics import prevalence_bands
from tools.evaluation.splits import split
from tools.records.read import read_cohort
from tools.resources import DEMO_RECORDS
from tools.safety.errors import InputError

EVALUATE = ("evaluate", "--records", DEMO_RECORDS)
METHODS = ["history_frequency", "default", "without_causal"]
DETAILS = ("subgroups", "reliability", "recall_by_frequency")
N = 6


def test_details_are_told_of_every_method_that_has_them(iikea, tmp_path):
    asked = (*EVALUATE, "--methods", ",".join(METHODS), "--limit", N, "--out", tmp_path, "--json")
    table = iikea(*asked).json
    outcomes = Ledger(tmp_path / "outcomes" / "default-0.jsonl").outcomes()
    told = {name: list(dict.fromkeys(each["method"] for each in table[name])) for name in DETAILS}
    assert told == dict.fromkeys(DETAILS, METHODS) | {"reliability": METHODS[1:]}
    n_pairs = sum(len(outcome.codes) for outcome in outcomes.values())
    for bins in ("equal_width", "equal_mass"):
        curve = table["reliability"][0][bins]
        assert sum(each["n_pairs"] for each in curve) == n_pairs
        assert all(0 <= each["low"] <= each["observed"] <= each["high"] <= 1 for each in curve)
    visits = [each for each in table["subgroups"] if each["method"] == "default"]
    assert {each["by"] for each in visits} == {"visits"}
    assert sum(each["n_patients"] for each in visits) == N
    bands = [each for each in table["recall_by_frequency"] if each["method"] == "default"]
    people = list(read_cohort(DEMO_RECORDS))
    assert sum(each["n_true"] for each in bands) == sum(len(people[row].visits[-1].codes) for row in outcomes)


def test_graphs_are_measured_alike_whatever_score_accepted_them(iikea, tmp_path):
    methods = "default,score_loglik,without_causal"
    asked = (*EVALUATE, "--methods", methods, "--limit", 3, "--out", tmp_path)
    table = iikea(*asked, "--json").json
    lines = {line["method"]: line for line in table["graphs"]}
    assert list(lines) == ["default", "score_loglik"]
    of_method = {
        method: list(Ledger(tmp_path / "outcomes" / f"{method}-0.jsonl").outcomes().values())
        for method in methods.split(",")
    }
    for method, line in lines.items():
        for name in ("edges", "held_out_gain"):
            values = [getattr(outcome, name) for outcome in of_method[method]]
            assert line[name] == pytest.approx(np.mean(values))
    assert {outcome.edges for outcome in of_method["without_causal"]} == {None}
    assert lines["score_loglik"]["edges"] > lines["default"]["edges"]
    (found,) = (each for each in table["differences"] if each["metric"] == "held_out_gain")
    assert found["against"] == "score_loglik"
    assert found["difference"] == pytest.approx(
        lines["default"]["held_out_gain"] - lines["score_loglik"]["held_out_gain"]
    )
    assert found["difference"] > 0
    shown = iikea(*asked).out
    assert "The accepted graphs" in shown
    assert f"{found['difference']:+.4f}" in shown


def test_bands_are_those_of_the_training_patients(tmp_path):
    cohort = read_cohort(DEMO_RECORDS)
    people, parts = list(cohort), split(cohort, "80-20", 3)
    rows = parts.test[:9]
    found = Fold(cohort, parts, 3, rows, tmp_path).banded()
    has = Counter(
        key for row in parts.train for key in {c for visit in people[row].visits for c in visit.codes}
    )
    bands = prevalence_bands([has[key] for key in cohort.vocabulary.keys])
    for band, codes in found.codes.items():
        expected = [
            sum(bands[cohort.vocabulary.column(key)] == band for key in people[row].visits[-1].codes)
            for row in rows
        ]
        assert np.diff(codes.indptr).tolist() == expected
    most = max(has.values())
    assert max(high for _, high in found.training_patients.values()) == most


def test_the_benchmark_reads_what_the_command_prints(iikea, tmp_path):
    asked = (*EVALUATE, "--methods", "linear,default,without_causal", "--limit", 2, "--out", tmp_path)
    (tmp_path / "full.json").write_text(iikea(*asked, "--json").out)
    kept = parsed(tmp_path / "full.json")
    assert {each.metric for each in kept.less("without_causal")} > set(COLUMNS)
    assert "--methods linear,default,without_causal" in command(kept.manifest)
    with pytest.raises(
        InputError, match=r"full\.json: is of the format .*with --format diabetes130,.* no --limit"
    ):
        read(tmp_path, "full", ["default"])


def test_without_the_default_its_first_ablation_is_compared(iikea, tmp_path):
    asked = (*EVALUATE, "--methods", "linear,without_knowledge,without_causal", "--limit", 2)
    found = iikea(*asked, "--out", tmp_path, "--json").json["differences"]
    assert {(each["method"], each["against"]) for each in found} == {
        ("without_causal", "linear"),
        ("without_causal", "without_knowledge"),
    }
    assert "The row without_causal less another" in iikea(*asked, "--out", tmp_path).out


@pytest.fixture
def people(tmp_path):
    """diabetes130 records of 150 patients with two visits, half of them women, every fifth younger."""
    header = ("encounter_id", "patient_nbr", "gender", "age", "diag_1", "diag_2", "diag_3")
    rows = [
        (2 * n + visit, n, ("Female", "Male")[n % 2], "[60-70)" if n % 5 else "[0-10)", "250", "401", "?")
        for n in range(150)
        for visit in range(2)
    ]
    (tmp_path / "records").mkdir()
    pd.DataFrame(rows, columns=header).to_csv(tmp_path / "records" / "diabetic_data.csv", index=False)
    return tmp_path / "records"


def test_subgroups_are_shown_when_asked_for_and_small_ones_said_to_be(iikea, people, tmp_path):
    asked = ("evaluate", "--records", people, "--methods", "frequency,history_frequency")
    where = ("--format", "diabetes130", "--seeds", 3, "--out", tmp_path / "out")
    plain = iikea(*asked, *where)
    assert plain.code == 0 and "by group of patients" not in plain.out
    shown = iikea(*asked, *where, "--subgroups").out
    assert shown.startswith(plain.out[:200])
    part = shown[shown.index("history_frequency, by group of patients") :]
    lines = {" ".join(line.split()[:2]): line for line in part.splitlines() if line[:3] in {"age", "sex"}}
    groups = iikea(*asked, *where, "--json").json["subgroups"]
    mine = {f"{g['by']} {g['group']}": g for g in groups if g["method"] == "history_frequency"}
    assert set(lines) == {"age 0-9", "age 60-69", "sex F", "sex M"} == set(mine) - {"visits 2"}
    for name, group in mine.items():
        line = lines.get(name, "")
        assert ("too few" in line) == (group["w_f1"] is None)
    assert "too few" in lines["age 0-9"] and "100.0" in lines["sex F"]


def test_who_the_patients_are_is_not_guessed(iikea, tmp_path):
    asked = (*EVALUATE, "--methods", "frequency", "--limit", 30, "--out", tmp_path, "--subgroups")
    assert "do not tell age or sex" in " ".join(iikea(*asked).out.split())


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        (("frequency", "linear"), "linear"),
        (("linear", "without_causal", "score_bic"), "score_bic"),
        (("linear", "default", "score_bic", "retain"), "default"),
        (("frequency", "retain"), "frequency"),
        (("retain", "transformer"), "transformer"),
    ],
)
def test_subgroups_are_of_the_default_or_the_last_method_that_is_nearest_to_it(methods, told):
    assert shown_by_group(methods) == told

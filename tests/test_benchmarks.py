"""The benchmark of the engine runs through at small sizes: its comparisons hold, and it judges every goal."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from app.evaluation.asked import BASELINES
from app.house import ROOT
from benchmarks import evaluation, imputation
from benchmarks.causal_engine import PARTS, verdicts
from benchmarks.engine.measure import Goal, at_least, at_most, ratio


def test_every_part_runs_and_every_acceptance_id_is_judged():
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.causal_engine", "--quick"],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode in {0, 1}, ended.stderr
    judged = {line[:2]: line[3:7] for line in ended.stdout.splitlines() if line.startswith("B")}
    assert set(judged) == {id_ for ids in PARTS.values() for id_ in ids}
    # Sizes do not matter to equality and to what is found of the truth.
    assert judged["B1"] == "PASS"
    recovery = [line for line in ended.stdout.splitlines() if line[5:].startswith("B6") and "CPU" not in line]
    assert len(recovery) > 5
    assert all(line.startswith("ok") for line in recovery)


def test_an_id_passes_where_all_of_its_goals_do(capsys):
    goals = [
        ratio("B2 fast", 400.0, 300.0),
        at_most("B3 lean", 3.0, 2.0, " MB"),
        at_least("B3 right", 0.9, 0.8),
    ]
    assert not verdicts(goals)
    assert capsys.readouterr().out.splitlines() == [
        "B2 PASS fast 400x (goal >= 300x)",
        "B3 FAIL lean 3 MB (goal <= 2 MB); right 0.9 (goal >= 0.8)",
    ]
    assert verdicts(goals[:1])


@pytest.mark.parametrize(("make", "better"), [(ratio, 1), (at_least, 1), (at_most, -1)])
def test_a_goal_is_met_at_its_bound_and_on_one_side_of_it(make, better):
    found: list[Goal] = [make("X", 2.0 + step, 2.0) for step in (-better, 0, better)]
    assert [goal.passed for goal in found] == [False, True, True]


def test_imputation_is_measured_and_judged_by_its_last_line():
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.imputation", "--patients", "60", "--steps", "3", "--seeds", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = ended.stdout.splitlines()
    assert [line[:18].strip() for line in lines[1:-1]] == list(imputation.METHODS), ended.stderr
    assert re.fullmatch(r"I1 (PASS|FAIL) tilt -?[\d.]+ % below MICE at 30-50 % \(goal 8 %\)", lines[-1])
    assert ended.returncode == ("FAIL" in lines[-1])


@pytest.mark.parametrize(
    ("gain", "strict", "passed"), [(0.08, False, True), (0.07, False, False), (0.2, True, False)]
)
def test_a_tilt_passes_where_it_is_far_enough_below_mice_at_both_shares(gain, strict, passed, capsys):
    peers = {"MICE": 1.0, "MICE all visits": 0.8, "tilt": 1 - gain}
    found = {(name, share): np.array([error]) for name, error in peers.items() for share in imputation.SHARES}
    assert imputation.verdict(found, strict) == passed
    found["tilt", 0.5] = np.array([1.0])
    assert not imputation.verdict(found, strict)
    assert capsys.readouterr().out.splitlines()[0][3:7] == ("PASS" if passed else "FAIL")


METRICS = ("w_f1", "recall_at_10", "recall_at_20")
AIMED = {"full": (28.0, 52.0, 64.0), "category": (31.0, 57.3, 68.6)}
SURE, UNSURE = [0.1, 0.3], [-0.1, 0.2]


def kept(vocabulary, default, baselines, differences=(), ece=0.1, methods=()):
    """An output of `iikea evaluate --json`; figures are in the order of METRICS, 0 of baselines not given."""
    rows = {
        **dict.fromkeys(BASELINES, (0, 0, 0)),
        **baselines,
        "default": default,
        **dict.fromkeys(methods, default),
    }
    manifest = {
        **{name: f"{name} hash" for name in ("data", "settings", "code")},
        **{"format": "diabetes130", "split": "80-20", "vocabulary": vocabulary, "model": "statistical"},
        **{"prompts": {}, "libraries": [], "versions": {}, "methods": list(rows), "seeds": [0, 1, 2, 3, 4]},
        **{"limit": None, "stores": {"0": "hash"}},
    }
    return {
        "rows": [
            {"method": method, **dict(zip(METRICS, figures, strict=True)), "ece": ece, "ci": {}}
            for method, figures in rows.items()
        ],
        "differences": [
            {
                **{"method": "default", "against": against, "is_best_baseline": against in BASELINES},
                **{"metric": metric, "difference": sum(ci) / 2, "ci": ci},
            }
            for against, metric, ci in differences
        ],
        "manifest": manifest,
    }


def ablated(loglik, others=("without_causal", "without_knowledge")):
    differences = [(other, "recall_at_10", UNSURE) for other in others]
    differences += [("score_loglik", metric, ci) for metric, ci in loglik.items()]
    methods = ("without_causal", "without_knowledge", "score_loglik")
    return kept("full", (28, 52, 64), {}, differences, methods=methods)


def over(baseline, metrics=METRICS):
    return [(baseline, metric, SURE) for metric in metrics]


@pytest.fixture
def results(tmp_path, capsys):
    """Judges results by what each file holds: the exit code, and each line by its first two letters."""

    def judge(**files):
        for name, content in files.items():
            (tmp_path / f"{name}.json").write_text(
                content if isinstance(content, str) else json.dumps(content)
            )
        code = evaluation.main(["--results", str(tmp_path)])
        return code, {line[:2]: line for line in capsys.readouterr().out.splitlines()}

    return judge


def fine():
    """Results that pass: every aim reached in one vocabulary, none in the other."""
    return {
        "full": kept(
            "full",
            (28.0, 52.5, 64.1),
            {"linear": (20, 52, 64), "history_frequency": (27, 40, 60)},
            [("history_frequency", "w_f1", SURE), *over("linear", METRICS[1:])],
        ),
        "category": kept(
            "category", (30.9, 57.2, 68.5), {"linear": (26.0, 56.0, 67.0)}, over("linear"), ece=1.9
        ),
        "ablations": ablated({"w_f1": SURE, "recall_at_10": UNSURE}),
    }


def test_kept_results_are_judged_by_every_metric_and_vocabulary(results):
    code, said = results(**fine())
    assert code == 0
    assert said["E2"].startswith(
        "E2 PASS full: w_f1 28.00 (best baseline 27.00, +0.20 [0.10, 0.30]; aim 28.0 reached), "
        "recall@10 52.50 (best baseline 52.00, +0.20 [0.10, 0.30]; aim 52.0 reached)"
    )
    assert said["E2"].count("not reached") == 3
    assert said["E3"] == "E3 PASS ECE 0.10 % full, 1.90 % 3-digit (goal 2 %)"
    assert said["E4"].startswith("E4 PASS default less without_causal: +0.05 [-0.10, 0.20] recall@10;")
    assert said["fu"] == (
        "full.json: iikea evaluate --records RECORDS --format diabetes130 --split 80-20 --vocabulary full "
        f"--seeds 5 --methods {','.join(BASELINES)},default --json (code code hash)"
    )


def test_without_the_default_the_row_that_predicts_the_same_is_judged_and_said_to_be(results):
    files = fine()
    for row in files["category"]["rows"]:
        row["method"] = row["method"].replace("default", "without_causal")
    code, said = results(**files)
    assert code == 0
    assert "3-digit (row without_causal, whose predictions are the same): w_f1 30.90" in said["E2"]
    files["category"]["rows"].pop()
    code, said = results(**files)
    assert code == 1
    assert "has no row of default or without_causal" in said["E2"]


@pytest.mark.parametrize("vocabulary", ["full", "category"])
@pytest.mark.parametrize("place", range(3))
def test_one_metric_that_only_equals_the_best_baseline_fails(vocabulary, place, results):
    files = fine()
    row = next(row for row in files[vocabulary]["rows"] if row["method"] == "default")
    row[METRICS[place]] = max(
        row[METRICS[place]] for row in files[vocabulary]["rows"] if row["method"] != "default"
    )
    code, said = results(**files)
    assert (code, said["E2"][:7], said["E3"][:7]) == (1, "E2 FAIL", "E3 PASS")


@pytest.mark.parametrize("vocabulary", ["full", "category"])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("ci", [None, UNSURE, [0.0, 0.3]])
def test_a_metric_that_is_not_surely_above_its_best_baseline_fails(ci, metric, vocabulary, results):
    files = fine()
    differences = files[vocabulary]["differences"]
    (place,) = (n for n, each in enumerate(differences) if each["metric"] == metric)
    if ci is None:
        del differences[place]
    else:
        differences[place]["ci"] = ci
    code, said = results(**files)
    assert (code, said["E2"][:7], said["E3"][:7]) == (1, "E2 FAIL", "E3 PASS")
    assert said["E2"].count("no difference") == (ci is None)


@pytest.mark.parametrize("ci", [UNSURE, [-0.3, -0.1]])
def test_differences_over_other_methods_count_for_nothing(ci, results):
    files = fine()
    files["full"] = kept(
        "full",
        (28, 53, 65),
        {"linear": (27, 52, 64)},
        [*over("linear"), ("without_causal", "w_f1", ci)],
        methods=("without_causal",),
    )
    assert results(**files)[0] == 0


@pytest.mark.parametrize(("ece", "verdict"), [(2.0, "PASS"), (2.01, "FAIL"), (None, "FAIL")])
def test_calibration_is_judged_in_both_vocabularies(ece, verdict, results):
    files = fine()
    files["category"]["rows"][-1]["ece"] = ece
    assert results(**files)[1]["E3"][3:7] == verdict


@pytest.mark.parametrize(
    ("ablations", "verdict"),
    [
        (ablated({"w_f1": SURE}), "PASS"),
        (ablated({"w_f1": UNSURE, "recall_at_20": SURE}), "PASS"),
        (ablated({"w_f1": UNSURE}), "FAIL"),
        (ablated({"w_f1": SURE, "recall_at_10": [-0.3, -0.1]}), "FAIL"),
        (ablated({"w_f1": SURE}, others=("without_causal",)), "FAIL"),
    ],
)
def test_likelihood_alone_has_to_be_worse_somewhere_and_better_nowhere(ablations, verdict, results):
    code, said = results(**fine() | {"ablations": ablations})
    assert (said["E4"][3:7], code) == (verdict, 0 if verdict == "PASS" else 1)


def changed(name, **manifest):
    """A fine file, but for its manifest."""
    content = fine()[name]
    return content | {"manifest": content["manifest"] | manifest}


def without(name, method):
    content = fine()[name]
    return content | {"rows": [row for row in content["rows"] if row["method"] != method]}


def infinite(name, place, field, value):
    content = fine()[name]
    content[place][0][field] = value
    return content


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("full", "not json", "full.json: the JSON is not as"),
        ("full", {"rows": []}, "differences is not as"),
        ("full", changed("category"), "is of the vocabulary category"),
        ("category", changed("full"), "is of the vocabulary full"),
        ("ablations", kept("full", (1, 1, 1), {}), "no row of without_causal, without_knowledge, score"),
        ("full", without("full", "default"), "no row of default"),
        *[("full", without("full", method), f"no row of {method};") for method in BASELINES],
        ("category", without("category", "linear"), "no row of linear;"),
        *[
            (name, changed(name, **{field: value}), f"{name}.json: is of the {field} {value}; write")
            for name in ("full", "category", "ablations")
            for field, value in (("format", "csv"), ("split", "paper"), ("model", "openai:x"))
        ],
        ("ablations", changed("ablations", seeds=[0, 1, 2]), "the seeds (0, 1, 2); write"),
        ("full", changed("full", seeds=[0, 1, 2, 3, 5]), "the seeds (0, 1, 2, 3, 5); write"),
        ("full", changed("full", limit=500), "is of the limit 500; write"),
        ("category", changed("category", limit=0, split="loo"), "is of the split loo, the limit 0; write"),
        *[
            (name, infinite(name, "rows", "w_f1", value), "rows.0.w_f1 is NaN or infinite")
            for name in ("full", "ablations")
            for value in (float("nan"), float("inf"))
        ],
        ("full", infinite("full", "rows", "ece", float("nan")), "rows.0.ece is NaN or infinite"),
        ("full", infinite("full", "differences", "difference", float("-inf")), "0.difference is NaN or"),
        ("full", infinite("full", "differences", "ci", [0.1, float("inf")]), "0.ci.1 is NaN or infinite"),
    ],
)
def test_a_file_that_cannot_be_judged_is_named_with_what_to_do(name, content, said, results):
    code, lines = results(**fine() | {name: content})
    missing, judged = ("E4", "E2") if name == "ablations" else ("E2", "E4")
    assert code == 1
    assert "not judged" in lines[missing] and said in lines[missing] and f"--json > {name}" in lines[missing]
    assert lines[judged][3:7] == "PASS"


def test_what_to_do_names_each_option(results):
    wrong = changed("full", format="csv", split="loo", model="x", seeds=[0], vocabulary="category", limit=9)
    options = (
        "--format diabetes130, --split 80-20, --model statistical, --seeds 5, --vocabulary full, no --limit"
    )
    assert results(**fine() | {"full": wrong})[1]["E2"].endswith(f"with {options}")


def test_the_two_vocabularies_are_of_one_code(results):
    files = fine() | {"category": changed("category", code="other code")}
    code, said = results(**files)
    assert (code, said["E4"][:7]) == (1, "E4 PASS")
    assert said["E2"].startswith("E2 E3 not judged: ")
    for named in ("full.json and ", "category.json", "code hash and other code", "write both again"):
        assert named in said["E2"]
    files["full"] = changed("full", code="other code")
    assert results(**files)[0] == 0  # ablations may be of another


def test_ablations_may_be_of_some_patients_and_say_so(results):
    code, said = results(**fine() | {"ablations": changed("ablations", limit=1500)})
    assert code == 0
    assert said["E4"].endswith("(of 1,500 test patients a split at most)")
    assert "--limit 1500" in said["ab"]
    assert "at most" not in results(**fine())[1]["E4"]


def test_a_missing_file_fails_no_other(results):
    files = fine()
    del files["ablations"]
    code, said = results(**files)
    assert (code, said["E2"][:7]) == (1, "E2 PASS")
    assert "ablations.json: cannot be read" in said["E4"]

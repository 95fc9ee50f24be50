"""`iikea predict`: one object, the same bytes every time, exit codes that tell what went wrong."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from app import console, predicting
from graph.context import DiagnosisContext
from tests.fakes.mind import Mind
from tests.fakes.model_server import ModelServer
from tests.fakes.replies import status, text
from tools.causal.scores import SCORES
from tools.reporting.result import GraphScores

HISTORY = ("--history", "250.00 401.9; 585.9")
SMALL = ("--max-iterations", 2, "--top-k", 5, "--resamples", 2)


def test_the_object_has_what_is_promised(iikea):
    result = iikea("predict", *HISTORY, *SMALL, "--json").json
    prediction, edge, node, score = (
        result["predictions"][0],
        result["graph"]["edges"][0],
        result["graph"]["nodes"][0],
        result["scores"][0],
    )
    assert {
        "rank",
        "code",
        "system",
        "display",
        "probability",
        "repeat",
        "reason",
        "path",
        "evidence",
    } <= set(prediction)
    assert {"cause", "effect", "strength", "evidence"} <= set(edge)
    assert {"confidence", "held_out_gain", "reversal", "identified_by"} <= set(edge)
    assert {"code", "display", "role"} <= set(node)
    assert {"iteration", "method", "accepted_score", "log_likelihood", "n_edges"} <= set(score)
    assert {"gain_per_patient", "held_out_gain_per_patient"} <= set(score)
    assert set(result["graph"]["scores"]) == set(GraphScores.model_fields)
    assert result["stopped"] in {"unchanged", "limit", "seen", "budget"}
    assert result["iterations"] == len(result["scores"])
    assert result["model"] == "statistical"
    assert result["seed"] == 0
    assert {"candidates", "knowledge", "versions"} <= set(result)
    assert len(result["predictions"]) == 5


def test_the_parts_of_a_probability_add_up_to_it_and_name_causes_by_edges(iikea):
    result = iikea("predict", *HISTORY, "--max-iterations", 2, "--top-k", 30, "--resamples", 0, "--json").json
    edges = {(edge["cause"], edge["effect"]) for edge in result["graph"]["edges"]}
    had = {code for visit in result["history"] for code in visit}
    names = set()
    for prediction in result["predictions"]:
        parts = prediction["parts"]
        assert sum(part["value"] for part in parts) == pytest.approx(prediction["probability"], abs=1e-9)
        for part in parts:
            assert ((part["source"], prediction["code"]) in edges) == (part["name"] == "cause")
            assert (part["source"] in had) == (part["name"] in {"cause", "association"})
        names |= {part["name"] for part in parts}
    assert names >= {"recurrence", "cause", "association", "base rate"}
    chances = [prediction["probability"] for prediction in result["predictions"]]
    assert min(chances[:10]) >= max(chances[10:20])
    assert min(chances[10:20]) >= max(chances[20:])


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_same_input_and_seed_give_the_same_bytes_in_any_process(hash_seed, iikea):
    asked = ("predict", *HISTORY, "--seed", "7", "--resamples", "2", "--json")
    here, again = iikea(*asked), iikea(*asked)
    assert here.out == again.out
    command = [sys.executable, "-m", "app.main", *asked]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": "Asia/Kolkata", "LC_ALL": "C.UTF-8"}
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert there.stdout == here.out


def test_another_seed_draws_other_resamples_and_changes_nothing_else(iikea):
    one, other = (
        iikea("predict", *HISTORY, *SMALL, "--seed", seed, "--json").json["graph"] for seed in (1, 2)
    )
    drawn, again = ([edge.pop("confidence") for edge in graph["edges"]] for graph in (one, other))
    assert drawn != again
    assert one == other


def test_the_score_and_the_number_of_resamples_are_the_caller_s(iikea):
    plain = iikea("predict", *HISTORY, "--score", "bic", "--resamples", 0, "--json").json
    assert {score["method"] for score in plain["scores"]} == {plain["graph"]["scores"]["method"]} == {"bic"}
    assert plain["graph"]["scores"]["by_burden"] is False
    assert {edge["confidence"] for edge in plain["graph"]["edges"]} == {None}
    for given in (("--resamples", 201), ("--resamples", -1)):
        assert iikea("predict", *HISTORY, *given).code == 2


def test_help_lists_every_score(iikea, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    told = iikea("predict", "--help").out
    assert all(name in told for name in SCORES)


def test_people_see_how_sure_each_edge_is_and_whether_its_direction_is_told(iikea, monkeypatch):
    monkeypatch.setattr(console.out, "width", 100)
    told = iikea("predict", *HISTORY, *SMALL).out
    edges = iikea("predict", *HISTORY, *SMALL, "--json").json["graph"]["edges"]
    shown = told[told.index("Causal graph") : told.index("Loop:")]
    by = Counter(edge["identified_by"] for edge in edges)
    assert by["score"] + by["nothing"] > 0
    lines = shown.partition("strength: chance")[0].splitlines()
    assert sum(line.rstrip().endswith(" ~") for line in lines) == by["score"]
    assert sum(line.rstrip().endswith(" ?") for line in lines) == by["nothing"]
    assert sum("50%" in line for line in lines) == sum(edge["confidence"] == 0.5 for edge in edges) > 0
    legend = " ".join(shown.split())
    assert "share of 2 random halves of the patients" in legend
    assert "not the probability that it is true" in legend
    assert "in the cross-validated log-likelihood" in legend
    without = iikea("predict", *HISTORY, *SMALL, "--resamples", 0).out
    assert "resamples" not in without[without.index("Causal graph") : without.index("Loop:")]


def test_progress_says_that_edges_are_resampled_where_they_are():
    stages = predicting._stages(DiagnosisContext(resamples=7))
    assert stages["gather"].endswith("edge confidence from 7 resamples")
    assert (
        "7 resamples" in predicting._stages(DiagnosisContext(resamples=7, without_knowledge=True))["select"]
    )
    for context in (DiagnosisContext(resamples=0), DiagnosisContext(without_causal=True)):
        assert not any("resamples" in said for said in predicting._stages(context).values())


def test_people_see_names_strengths_the_stop_reason_and_the_disclaimer(iikea):
    ended = iikea("predict", *HISTORY, *SMALL)
    for words in (
        "Unspecified essential hypertension",
        "Causal graph",
        "strength",
        "stopped: ",
        "Not a medical",
    ):
        assert words in ended.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--history", "hypertension"), "visit 1, code 1"),
        (("--patient", "1"), "--records"),
        (("--history", "401.9", "--patient", "1"), "not both"),
        (("--history", "401.9", "--store", "/nowhere"), "store"),
        (("--history", "401.9", "--library", "/nowhere"), "library"),
        (("--history", "401.9", "--model", "gpt"), "provider:model"),
        (("--history", "401.9", "--model", "openai:gpt-4o-mini"), "OPENAI_API_KEY"),
        (("--history", "401.9", "--comment", "x" * 5000), "comment"),
        (("--history", "401.9", "--score", "likelihood"), "'noisy_or_bic'"),
    ],
)
def test_bad_input_ends_with_2_and_says_what_to_mend(arguments, named, iikea):
    ended = iikea("predict", *arguments, "--json")
    assert ended.code == 2
    assert ended.json["error"]["kind"] == "InputError"
    assert named in ended.json["error"]["message"]
    spoken = iikea("predict", *arguments)
    assert spoken.code == 2
    assert spoken.err.startswith("error")
    assert "Traceback" not in spoken.out + spoken.err


def served(monkeypatch, mind):
    server = ModelServer(mind)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    return server


def test_a_model_behind_any_openai_compatible_address_answers(iikea, monkeypatch):
    with served(monkeypatch, Mind()) as server:
        ended = iikea("predict", *HISTORY, *SMALL, "--model", "openai:scripted", "--json")
        assert ended.code == 0
        assert len(server.bodies) == ended.json["calls"]
    own = iikea("predict", *HISTORY, *SMALL, "--json").json
    assert [p["code"] for p in ended.json["predictions"]] == [p["code"] for p in own["predictions"]]


def test_a_model_without_tool_calling_answers_as_text(iikea, monkeypatch):
    with served(monkeypatch, Mind()) as server:
        ended = iikea(
            "predict", *HISTORY, *SMALL, "--model", "openai:scripted", "--answers-as", "text", "--json"
        )
        assert ended.code == 0
        assert all("tools" not in body for body in server.bodies)


@pytest.mark.parametrize(
    ("replies", "kind"),
    [([status(401)], "ProviderError"), ([text("nonsense")], "ModelOutputError")],
)
def test_a_failing_model_ends_with_3(replies, kind, iikea, monkeypatch):
    with served(monkeypatch, Mind({"write_query": replies})):
        ended = iikea("predict", *HISTORY, "--model", "openai:scripted", "--json")
    assert ended.code == 3
    assert ended.json["error"]["kind"] == kind
    assert "sk-canary" not in ended.out + ended.err
    assert "nonsense" not in ended.out + ended.err


def test_a_spent_budget_ends_with_4(iikea):
    ended = iikea("predict", *HISTORY, "--max-calls", 2, "--json")
    assert ended.code == 4
    assert ended.json["error"]["kind"] == "BudgetExceeded"


def test_the_report_is_written_beside_the_json(iikea, tmp_path):
    ended = iikea("predict", *HISTORY, *SMALL, "--report", tmp_path / "r.html", "--json")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert ended.json["predictions"][0]["display"] in page
    assert "Not a medical device" in page
    refused = iikea("predict", *HISTORY, *SMALL, "--report", tmp_path / "none" / "r.html")
    assert refused.code == 2


def test_open_tracing_is_refused_before_anything_runs(iikea, monkeypatch):
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    ended = iikea("predict", *HISTORY, "--json")
    assert ended.code == 2
    assert "LANGSMITH_TRACING" in ended.json["error"]["message"]


def test_the_output_is_one_json_document_even_on_a_terminal_that_is_narrow(iikea, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert json.loads(iikea("predict", *HISTORY, *SMALL, "--json").out)

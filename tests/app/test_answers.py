"""`iikea predict --record`, `--replay`, `--dry-run`: what is asked, kept, replayed and only shown."""

import json
import stat

import pytest

from tests.agents.service import KEY, MODEL, served
from tests.fakes.mind import Mind
from tests.fakes.replies import status
from tools.records.read import read_cohort
from tools.resources import DEMO_RECORDS

HISTORY = ("--history", "401.9 250.00; 585.6")
SMALL = ("--model", MODEL, "--max-iterations", 1, "--resamples", 0)
PRICES = ("--price-in", 1, "--price-out", 10)


def histories(n):
    cohort = read_cohort(DEMO_RECORDS)
    for patient in list(cohort)[:n]:
        yield "; ".join(" ".join(key.rpartition(":")[2] for key in visit.codes) for visit in patient.visits)


def test_twenty_recorded_runs_are_replayed_to_the_same_bytes_with_the_service_down(iikea, tmp_path):
    told = [("predict", "--history", one, *SMALL, *PRICES, "--json") for one in histories(20)]
    with served(Mind()) as server:
        recorded = [iikea(*one, "--record", tmp_path) for one in told]
        sent = len(server.requests)
        again = iikea(*told[0], "--record", tmp_path)
        assert len(server.requests) == sent
    replayed = [iikea(*one, "--replay", tmp_path, "--base-url", "http://127.0.0.1:9/v1") for one in told]
    assert {run.code for run in recorded} == {0}
    assert sum(run.json["cost"]["requests"] for run in recorded) == sent
    assert all(run.json["cost"]["seconds"] > 0 for run in recorded)
    assert again.out == recorded[0].out
    assert [run.out for run in replayed] == [run.out for run in recorded]


@pytest.mark.parametrize("fallback", ["openai:second", "statistical"])
def test_a_run_that_fell_back_is_replayed_to_the_same_bytes_and_asked_anew_otherwise(
    fallback, iikea, tmp_path
):
    mind, away = Mind(), status(503, {"Retry-After": "0"})
    told = ("predict", *HISTORY, *SMALL, *PRICES, "--fallback-model", fallback, "--json")
    with served(lambda body: away if body["model"] == "scripted" else mind(body)):
        recorded = iikea(*told, "--record", tmp_path)
    replayed = iikea(*told, "--replay", tmp_path, "--base-url", "http://127.0.0.1:9/v1")
    assert recorded.code == 0
    assert {(one["model"], one["fell_back"]) for one in recorded.json["answered"]} == {(fallback, True)}
    assert replayed.out == recorded.out
    with served(Mind()):
        mended = iikea(*told, "--record", tmp_path)
    again = iikea(*told, "--replay", tmp_path)
    assert {(one["model"], one["fell_back"]) for one in mended.json["answered"]} == {(MODEL, False)}
    assert again.out == mended.out


def test_a_folder_of_answers_is_private_and_holds_whole_files_only(iikea, tmp_path):
    with served(Mind()):
        assert iikea("predict", *HISTORY, *SMALL, "--record", tmp_path / "kept", "--json").code == 0
    files = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    for path in files:
        assert path.suffix == ".json"
        json.loads(path.read_text())
        assert KEY not in path.read_text()


def test_a_missing_answer_is_an_error_that_names_the_option(iikea, tmp_path):
    with served(Mind()) as server:
        assert iikea("predict", *HISTORY, *SMALL, "--record", tmp_path / "kept").code == 0
        sent = len(server.requests)
        ended = iikea("predict", *HISTORY, *SMALL, "--seed", 1, "--replay", tmp_path / "kept", "--json")
        assert len(server.requests) == sent
    assert ended.code == 2
    assert ended.json["error"]["field"] == "replay"
    absent = iikea("predict", *HISTORY, *SMALL, "--replay", tmp_path / "none", "--json")
    assert (absent.code, absent.json["error"]["field"]) == (2, "replay")


@pytest.mark.parametrize("more", [("--replay", "there"), ("--dry-run",)])
def test_answers_come_from_one_place(more, iikea, tmp_path):
    ended = iikea("predict", *HISTORY, *SMALL, "--record", tmp_path, *more, "--json")
    assert (ended.code, ended.json["error"]["field"]) == (2, "record")


def test_answers_that_cannot_be_kept_are_an_error_and_no_service_is_blamed(iikea, tmp_path):
    (tmp_path / "file").write_text("")
    with served(Mind()) as server:
        ended = iikea("predict", *HISTORY, *SMALL, "--record", tmp_path / "file" / "kept", "--json")
    assert ended.code == 2
    assert ended.json["error"]["field"] == "answers"
    assert not server.requests


def test_a_run_stopped_by_its_budget_goes_on_from_its_record_and_pays_nothing_twice(iikea, tmp_path):
    told = ("predict", *HISTORY, *SMALL, "--json")
    with served(Mind()) as server:
        whole = iikea(*told)
        alone = len(server.requests)
    with served(Mind()) as server:
        kept = ("--record", tmp_path / "kept")
        short = iikea(*told, *kept, "--max-tokens", 700)
        assert short.code == 4
        assert short.json["error"]["budget"] == "tokens"
        assert short.json["error"]["limit"] == 700
        done = iikea(*told, *kept)
        assert len(server.requests) == alone
    assert done.json["predictions"] == whole.json["predictions"]


def test_a_dry_run_shows_the_first_prompts_and_the_estimate_and_asks_nobody(iikea):
    with served(Mind()) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("OPENAI_API_KEY")
            found = iikea("predict", *HISTORY, *SMALL, *PRICES, "--dry-run", "--json").json
            shown = iikea("predict", *HISTORY, *SMALL, *PRICES, "--dry-run")
        assert server.requests == []
        real = iikea("predict", *HISTORY, *SMALL, *PRICES, "--json").json
    first, *reads = found["prompts"]
    assert (first["task"], first["certain"]) == ("write_query", True)
    assert {(p["task"], p["certain"]) for p in reads} == {("read_passage", False)}
    sent = [body["messages"] for body in server.bodies]
    assert [first["system"], first["case"]] == [sent[0][0]["content"], json.loads(sent[0][1]["content"])]
    estimate = found["estimate"]
    assert estimate["estimated"] is True
    assert estimate["requests"] == real["cost"]["requests"] == len(sent)
    assert estimate["tokens_in"] > sum(len(m[1]["content"]) for m in sent) / 4
    expected = (estimate["tokens_in"] * 1 + estimate["tokens_out"] * 10) / 1e6
    assert estimate["usd"] == pytest.approx(expected, abs=1e-5)
    for words in (
        "write_query",
        "read_passage",
        "Nothing was sent",
        f"{estimate['tokens_in']:,}",
        "as given",
    ):
        assert words in shown.out


def test_a_dry_run_says_which_budget_the_run_would_pass(iikea):
    with served(Mind()) as server:
        found = iikea("predict", *HISTORY, *SMALL, "--dry-run", "--max-tokens", 100, "--json")
        assert server.requests == []
    assert found.code == 0
    assert any("max_tokens" in notice for notice in found.json["notices"])


def test_a_dry_run_of_the_statistical_mind_asks_nothing(iikea):
    found = iikea("predict", *HISTORY, "--resamples", 0, "--max-iterations", 1, "--dry-run", "--json").json
    assert found["prompts"] == []
    assert (found["estimate"]["requests"], found["estimate"]["usd"]) == (0, 0.0)


def test_the_cost_is_shown_on_the_terminal_and_in_the_report_with_the_date_of_the_list(
    iikea, tmp_path, monkeypatch
):
    report = tmp_path / "r.html"
    with served(Mind()):
        kept = ("--record", tmp_path / "kept", "--max-iterations", 0, "--resamples", 0)
        told = ("predict", *HISTORY, *kept[2:], "--model", "openai:gpt-4o-mini")
        assert iikea(*told, *kept[:2]).code == 0
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")
    ended = iikea(*told, "--replay", tmp_path / "kept", "--report", report)
    assert ended.code == 0
    for text in (ended.out, report.read_text()):
        assert "list prices of 2026-03" in " ".join(text.split())
    found = iikea(*told, "--replay", tmp_path / "kept", "--json").json
    assert found["cost"]["prices"][0]["date"] == "2026-03"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example.org/v1")
    monkeypatch.setenv("IIKEA_MODEL_HOSTS", "elsewhere.example.org")
    unknown = iikea(*told, "--replay", tmp_path / "kept", "--json").json
    assert unknown["cost"]["usd"] is None

"""What belongs to a patient stays out of logs, traces, the audit log, addresses and errors (P4, P5)."""

import json
import logging
import os
import subprocess
import sys

import pytest
from langsmith import run_trees
from langsmith.utils import get_env_var
from typer.testing import CliRunner

from app.cli import app
from app.house import ROOT
from tests.fakes.mind import Mind
from tests.fakes.model_server import ModelServer
from tests.fakes.replies import status
from tests.fakes.scene import COMMENT, NAME, Scene, spilled
from tests.fakes.trace_server import TraceServer
from tools.safety.audit import audit_log
from tools.safety.audit_check import latest, verify


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


@pytest.fixture
def collector(monkeypatch):
    with TraceServer() as server:
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("IIKEA_TRACING", "anonymized")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", server.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2-test")
        monkeypatch.setattr(run_trees, "_CLIENT", None)
        get_env_var.cache_clear()
        yield server
        get_env_var.cache_clear()


def flushed():
    run_trees.get_cached_client().flush()


def run(*arguments):
    ended = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended


def test_a_patient_s_name_number_phone_and_birth_stay_out(scene, collector, monkeypatch, caplog):
    for logger in ("", "openai", "httpx", "httpx2", "httpcore", "httpcore2", "langchain_core"):
        caplog.set_level(logging.DEBUG, logger)
    mind = Mind()
    with ModelServer(mind) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-canary")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        ended = [run(*command) for command in scene.commands()]
        flushed()
    assert [one.exit_code for one in ended] == [0, 0, 0], ended[-1].output
    assert {case["task"] for case in mind.seen} >= {"write_query", "read_passage", "propose_graph", "decide"}
    told = {
        "log": caplog.text,
        "standard error": "".join(one.stderr for one in ended),
        "traces": b"".join(collector.bodies).decode(errors="replace"),
        "audit": audit_log().path.read_text(),
        "addresses": " ".join([request.path for request in server.requests] + collector.paths),
    }
    assert {record.name for record in caplog.records} >= {"openai._base_client", "langsmith.client"}
    assert not any(word in caplog.text for word in ("kidneys", "ypertension", "sk-test-canary"))
    assert len(collector.parts("run")) > 20
    assert {place: spilled(text) for place, text in told.items() if spilled(text)} == {}
    assert verify(audit_log().path).fault is None
    requests = [entry for entry in latest(audit_log().path, 1_000) if entry["event"] == "model request"]
    assert len(requests) == len(server.bodies)


def test_no_prompt_sees_whose_history_it_is_or_when_and_only_the_decision_the_comment(scene, monkeypatch):
    mind = Mind()
    with ModelServer(mind) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-canary")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        for command in scene.commands():
            assert run(*command).exit_code == 0
    tasks = {"write_query", "read_passage", "propose_graph", "amend_graph", "decide"}
    assert {case["task"] for case in mind.seen} == tasks
    for case in mind.seen:
        assert "2019-0" not in json.dumps(case)
        without = {name: value for name, value in case.items() if name not in {"comment", "passage"}}
        assert spilled(json.dumps(without)) == []
        assert ("comment" in case) == (case["task"] == "decide")


def test_a_trace_holds_structure_and_nothing_else(scene, collector, monkeypatch):
    with ModelServer(Mind()) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-canary")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        for command in scene.commands():
            assert run(*command).exit_code == 0
        flushed()
    runs = collector.parts("run")
    names = {one["name"] for one in runs}
    assert names >= {"run", "prepare", "propose", "decide", "ChatOpenAI"}
    allowed = {
        *("id", "trace_id", "parent_run_id", "dotted_order", "session_name", "run_type", "name", "tags"),
        *("start_time", "end_time"),
    }
    assert {key for one in runs for key in one if one[key]} <= allowed
    assert not any(collector.parts("inputs") + collector.parts("outputs"))
    assert {key for extra in collector.parts("extra") for key in extra} == {"metadata"}
    usages = [extra["metadata"].get("usage_metadata") for extra in collector.parts("extra")]
    assert any(usage and usage["input_tokens"] > 0 for usage in usages)
    words = b"".join(collector.bodies).decode()
    assert not any(word in words for word in ("4019", "ypertension", "kidneys", "sk-test-canary"))


def test_an_error_is_traced_by_its_class_alone(scene, collector, monkeypatch):
    run(*scene.commands()[0])
    run(*scene.commands()[1])
    with ModelServer(lambda body: status(400, message=f"no {NAME} {COMMENT}")) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-canary")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        ended = run(*scene.predict("--json"))
        flushed()
    assert ended.exit_code == 3
    assert spilled(ended.output) == []
    assert spilled(b"".join(collector.bodies).decode()) == []
    assert "ProviderError" in collector.parts("error")
    assert spilled(audit_log().path.read_text()) == []


def test_a_process_of_its_own_sends_its_traces_before_it_ends_and_logs_no_prompt(scene, collector):
    fit, add, predict = scene.commands()
    assert run(*fit).exit_code == run(*add).exit_code == 0
    with ModelServer(Mind()) as server:
        keys = {"OPENAI_API_KEY": "sk-test-canary", "OPENAI_BASE_URL": server.url}
        environment = os.environ | keys | {"OPENAI_LOG": "debug"}
        arguments = [sys.executable, "-m", "app.main", *map(str, predict)]
        ended = subprocess.run(
            arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 0, ended.stderr
    assert "openai._base_client" in ended.stderr
    assert spilled(ended.stderr) == []
    assert not any(word in ended.stderr for word in ("kidneys", "ypertension", "sk-test-canary"))
    words = b"".join(collector.bodies).decode()
    assert '"name":"decide"' in words.replace(" ", "")
    assert spilled(words) == []
    assert spilled(audit_log().path.read_text()) == []

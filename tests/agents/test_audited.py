"""Every request to a model service stands in the audit log before it is sent, and what came of it after."""

import json

import pytest

from agents.answers import Hypothesis
from agents.model import ask
from agents.recording import StoredAnswers, recording
from agents.settings import Settings
from tests.agents.cases import EDGE, amendment_case
from tests.agents.service import KEY, MODEL, served
from tests.fakes.model_server import Usage, status, text, tool_call
from tools.safety.audit import AuditError, audit_log
from tools.safety.audit_check import latest, verify

GOOD = tool_call("Hypothesis", {"edges": [{"cause": "4019", "effect": "5859"}]})


def propose(model=MODEL):
    return ask(amendment_case(EDGE), Hypothesis, Settings(model=model), admit=lambda answer: answer)


def logged(event=None):
    path = audit_log().path
    entries = latest(path, 1_000) if path.exists() else []
    return [entry for entry in entries if event in {None, entry["event"]}]


def test_a_request_and_its_answer_are_logged_without_a_word_of_them():
    with served([GOOD]) as server:
        propose()
    (request,), (answer,) = logged("model request"), logged("model answer")
    assert request["host"] == server.host
    assert (request["model"], request["task"]) == (MODEL, "amend_graph")
    assert answer["of"] == request["line"]
    usage = Usage()
    assert (answer["tokens_in"], answer["tokens_out"]) == (usage.prompt, usage.completion)
    words = json.dumps(logged())
    assert "hypertension" not in words
    assert KEY not in words
    assert verify(audit_log().path).fault is None


def test_equal_requests_have_equal_hashes_and_others_have_others():
    with served([GOOD, GOOD, text("lorem"), GOOD]):
        propose()
        propose()
        propose()
    first, again, third, repair = (entry["request"] for entry in logged("model request"))
    assert first == again == third != repair


def test_requests_that_fail_were_sent_too():
    with served([status(429, {"Retry-After": "0"}), GOOD]) as server:
        propose()
    assert len(server.bodies) == len(logged("model request")) == 2
    failed, answered = logged("model answer")
    assert failed["failed"] == "429"
    assert "failed" not in answered


def test_user_and_password_of_an_address_are_not_logged():
    with served([GOOD], user="someone:secret@") as server:
        propose()
    assert logged("model request")[0]["host"] == server.host
    assert "secret" not in audit_log().path.read_text()


def test_the_statistical_mind_sends_nothing_and_logs_nothing():
    propose("statistical")
    assert logged() == []


def test_stored_answers_are_logged_when_they_are_asked_for_and_not_again(tmp_path):
    with served([GOOD]), recording(StoredAnswers(tmp_path)):
        propose()
        propose()
    assert len(logged("model request")) == 1


def test_nothing_is_sent_that_cannot_be_logged(tmp_path, monkeypatch):
    monkeypatch.setenv("IIKEA_AUDIT_LOG", str(tmp_path))
    with served([GOOD]) as server, pytest.raises(AuditError, match="IIKEA_AUDIT_LOG"):
        propose()
    assert server.requests == []

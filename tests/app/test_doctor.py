"""`iikea doctor --model` says in which forms a model answers, how fast, and which to use."""

import json

import pytest

from tests.fakes.mind import in_form
from tests.fakes.model_server import ModelServer, late, refusal, status, text

MODEL = "openai:scripted"
FORMS = ["tool", "json_schema", "json_object", "text"]
READY = {"word": "ready"}


def form_of(body):
    if "tools" in body:
        return "tool"
    return (body.get("response_format") or {"type": "text"})["type"]


class Service:
    """Answers in the forms that it knows, and otherwise as it is told."""

    def __init__(self, known, otherwise):
        self.known, self.otherwise, self.asked = known, otherwise, []

    def __call__(self, body):
        form = form_of(body)
        self.asked.append(form)
        return in_form(body, "Ready", READY) if form in self.known else self.otherwise


def doctor(iikea, service):
    with ModelServer(service) as server:
        ended = iikea("doctor", "--model", MODEL, "--base-url", server.url, "--json")
    findings = {finding["what"]: finding for finding in json.loads(ended.out)}
    return ended.code, findings, len(server.requests)


@pytest.mark.parametrize("n_unknown", range(4))
def test_each_form_is_asked_for_thrice_and_the_best_of_those_known_is_named(iikea, n_unknown):
    service = Service(FORMS[n_unknown:], status(400))
    code, findings, n_requests = doctor(iikea, service)
    found = findings["forms of answers"]["found"]
    assert code == 0
    assert found.endswith(f"use --answers-as {FORMS[n_unknown]}")
    for form in FORMS[n_unknown:]:
        assert service.asked.count(form) == 3
        assert f"{form} in 0.0" in found
    for form in FORMS[:n_unknown]:
        assert service.asked.count(form) == 1
        assert f"{form}: refused with 400" in found
    assert n_requests == n_unknown + 3 * (4 - n_unknown)


@pytest.mark.parametrize(
    ("otherwise", "said"),
    [
        (text('{"word": "ready"}'), "the tool was not called"),
        (text("hello"), "the tool was not called"),
        (refusal(), "the answer was declined"),
    ],
)
def test_what_is_no_tool_call_does_not_count_as_one(iikea, otherwise, said):
    code, findings, _ = doctor(iikea, Service(FORMS[1:], otherwise))
    assert code == 0
    assert f"tool: {said}" in findings["forms of answers"]["found"]


def test_a_model_that_knows_no_form_is_of_no_use(iikea):
    code, findings, n_requests = doctor(iikea, Service([], text("hello")))
    assert code == 1
    assert not findings["forms of answers"]["ok"]
    assert n_requests == 4


def test_a_key_that_is_refused_is_said_after_one_request(iikea):
    code, findings, n_requests = doctor(iikea, Service([], status(401)))
    assert code == 1
    assert n_requests == 1
    assert "401" in findings[f"model {MODEL}"]["found"]
    assert "forms of answers" not in findings


def test_a_slow_model_is_asked_once_a_form(iikea, monkeypatch):
    monkeypatch.setattr("agents.probing._LONG_S", 0.05)
    service = Service(FORMS, text(""))
    _, findings, n_requests = doctor(iikea, lambda body: late(service(body), 0.06))
    assert n_requests == 4
    assert "text in 0." in findings["forms of answers"]["found"]


def test_each_model_of_a_run_is_looked_at_and_the_form_that_all_know_is_named(iikea):
    services = {"small": Service(FORMS, status(400)), "large": Service(FORMS[2:], status(400))}
    with ModelServer(lambda body: services[body["model"]](body)) as server:
        models = ("--model", "openai:small", "--reasoner-model", "openai:large")
        more = ("--fallback-model", "statistical", "--base-url", server.url, "--json")
        ended = iikea("doctor", *models, *more)
    findings = {finding["what"]: finding for finding in ended.json}
    assert ended.code == 0
    assert findings["model openai:small"]["ok"]
    assert findings["model openai:large"]["ok"]
    assert "built in" in findings["model statistical"]["found"]
    assert findings["forms of answers, openai:large"]["found"].endswith("use --answers-as json_object")
    assert findings["one form for all"]["found"] == "use --answers-as json_object"


def test_models_that_share_no_form_cannot_be_asked_in_one_run(iikea):
    services = {"small": Service(FORMS[:1], status(400)), "large": Service(FORMS[3:], status(400))}
    with ModelServer(lambda body: services[body["model"]](body)) as server:
        models = ("--model", "openai:small", "--decider-model", "openai:large")
        ended = iikea("doctor", *models, "--base-url", server.url, "--json")
    findings = {finding["what"]: finding for finding in ended.json}
    assert ended.code == 1
    assert not findings["one form for all"]["ok"]

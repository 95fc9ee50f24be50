"""What the command line asks, and what it refuses to: addresses, local-only runs, credentialed records."""

import json

import pytest

from tests.agents.service import KEY, MODEL, served
from tests.causal.cohorts import dataset
from tests.fakes.mind import Mind, in_form
from tests.fakes.model_server import ModelServer, status
from tools.records.read import read_cohort
from tools.reporting.result import DiagnosisResult
from tools.resources import DEMO_RECORDS

HISTORY = ("--history", "401.9 250.00; 585.6")
FAST = ("--resamples", 0, "--without-causal")


@pytest.fixture
def guarded(tmp_path):
    """A credentialed store."""
    data = dataset([[{"4019", "25000"}, {"5856"}], [{"4019"}, {"25000", "5856"}], [{"25000"}, {"4019"}]] * 4)
    data.credentialed = True
    data.save(tmp_path / "guarded")
    return tmp_path / "guarded"


@pytest.fixture
def away(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example.org/v1")


def test_a_server_of_this_machine_is_named_by_an_option_and_needs_no_key(iikea):
    with ModelServer(Mind()) as server:
        ended = iikea("predict", *HISTORY, *FAST, "--model", MODEL, "--base-url", server.url, "--json")
    assert ended.code == 0
    assert len(server.requests) == ended.json["calls"]


@pytest.mark.parametrize(
    "command", [("predict", *HISTORY), ("demo",), ("evaluate", "--records", DEMO_RECORDS)]
)
def test_every_command_refuses_an_address_that_is_not_listed_and_says_what_to_set(
    command, iikea, tmp_path, away
):
    place = ("--out", tmp_path / "out") if command[0] != "predict" else ()
    prices = ("--price-in", 1, "--price-out", 1) if command[0] == "evaluate" else ()
    url = ("--base-url", "http://gpu.example.org:8000/v1")
    ended = iikea(*command, *place, *prices, "--model", MODEL, *url, "--json")
    assert ended.code == 2
    assert ended.json["error"]["field"] == "base_url"
    assert "IIKEA_MODEL_HOSTS" in ended.json["error"]["message"]
    assert KEY not in ended.out


@pytest.mark.parametrize("how", ["option", "environment", "store"])
def test_a_run_that_must_stay_near_is_refused_with_the_reason(how, iikea, away, guarded, monkeypatch):
    more = {"option": ("--local-only",), "store": ("--store", guarded)}.get(how, ())
    if how == "environment":
        monkeypatch.setenv("IIKEA_LOCAL_ONLY", "1")
    ended = iikea("predict", *HISTORY, "--model", MODEL, *more, "--json")
    assert ended.code == 2
    message = ended.json["error"]["message"]
    reason = {"option": "the run is local-only", "environment": "IIKEA_LOCAL_ONLY", "store": "credentialed"}[
        how
    ]
    assert reason in message
    assert "api.example.org:443" in message


@pytest.mark.parametrize(
    ("said", "refused"), [((), True), (("--credentialed",), True), (("--no-credentialed",), False)]
)
def test_a_patient_of_credentialed_records_goes_to_no_stranger_whatever_the_store(
    said, refused, iikea, away, monkeypatch
):
    """The records are taken for credentialed as such of their format and size are; the store is the demo."""
    monkeypatch.setattr("tools.dataset.credentialed._UNDER_AGREEMENT", {read_cohort(DEMO_RECORDS).source})
    patient = read_cohort(DEMO_RECORDS).patient_ids[0]
    about = ("--records", DEMO_RECORDS, "--patient", patient, "--model", MODEL, "--json")
    if not refused:
        with ModelServer(Mind()) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            ended = iikea("predict", *about, *FAST, *said)
        assert ended.code == 0
        assert not [notice for notice in ended.json["notices"] if "local-only" in notice]
        return
    ended = iikea("predict", *about, *said)
    assert ended.code == 2
    assert "nothing was sent" in ended.json["error"]["message"]
    assert "--no-credentialed" in ended.err


def test_a_history_said_to_be_credentialed_goes_to_no_stranger(iikea, away):
    ended = iikea("predict", *HISTORY, "--credentialed", "--model", MODEL, "--json")
    assert ended.code == 2
    assert "local-only" in ended.json["error"]["message"]


def test_command_and_report_say_that_the_records_are_credentialed(iikea, guarded, tmp_path):
    ended = iikea("predict", *HISTORY, *FAST, "--store", guarded, "--report", tmp_path / "r.html")
    assert ended.code == 0
    assert "credentialed" in ended.out
    assert "Credentialed" in (tmp_path / "r.html").read_text()


def test_command_report_and_fhir_say_which_model_answered_which_role(iikea, tmp_path):
    away, mind = status(503, {"Retry-After": "3600"}), Mind()
    with served(lambda body: away if body["model"] == "first" else mind(body)) as server:
        models = ("--reader-model", "openai:first", "--decider-model", "openai:second")
        more = (
            "--fallback-model",
            "openai:third",
            "--report",
            tmp_path / "r.html",
            "--fhir",
            tmp_path / "f.json",
        )
        ended = iikea("predict", *HISTORY, *FAST, *models, *more, "--results", tmp_path / "kept")
    assert ended.code == 0
    assert {body["model"] for body in server.bodies} == {"first", "second", "third"}
    for shown in (ended.out, (tmp_path / "r.html").read_text()):
        assert "openai:second" in shown
        assert "in its place" in shown
    fhir = json.loads((tmp_path / "f.json").read_text())
    assert "model openai:second" in json.dumps(fhir)
    assert "probabilityDecimal" not in json.dumps(fhir)
    (kept,) = (tmp_path / "kept").glob("*.json")
    assert DiagnosisResult.model_validate_json(kept.read_bytes()).deciders == ("openai:second",)


def test_doctor_says_who_may_be_asked_and_what_a_store_is(iikea, guarded, away, monkeypatch):
    monkeypatch.setenv("IIKEA_MODEL_HOSTS", "gpu.example.org")
    ended = iikea("doctor", "--model", MODEL, "--store", guarded, "--json")
    assert ended.code == 1
    found = {finding["what"]: finding for finding in ended.json}
    assert "credentialed" in found["data set"]["found"]
    assert "credentialed" in found["who may be asked"]["found"]
    assert "gpu.example.org" in found["who may be asked"]["found"]
    assert "api.example.org" in found[f"model {MODEL}"]["found"]
    assert not found[f"model {MODEL}"]["ok"]


def test_doctor_asks_at_the_address_that_is_given(iikea):
    with ModelServer(lambda body: in_form(body, "Ready", {"word": "ready"})) as server:
        ended = iikea("doctor", "--model", MODEL, "--base-url", server.url, "--json")
    found = {finding["what"]: finding["found"] for finding in ended.json}
    assert found[f"model {MODEL}"] == f"answered, at {server.url.split('/')[2]}"


def test_an_evaluation_of_credentialed_records_asks_no_stranger(iikea, tmp_path, away):
    out = ("--out", tmp_path / "run", "--limit", 1, "--methods", "without_causal")
    prices = ("--price-in", 0, "--price-out", 0)
    asked = ("evaluate", "--records", DEMO_RECORDS, *out, *prices, "--model", MODEL, "--credentialed")
    ended = iikea(*asked, "--json")
    assert ended.code == 2
    assert "credentialed" in ended.json["error"]["message"]
    with ModelServer(Mind()) as server:
        ended = iikea(*asked, "--base-url", server.url, "--json")
    assert ended.code == 0
    assert server.requests
    assert ended.json["manifest"]["credentialed"]

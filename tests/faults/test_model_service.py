"""Whole runs against services that fail or must not be asked (FAULTS M4, M10, P6)."""

import json
import logging
import socket

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graph.context import DiagnosisContext
from graph.diagnosis import build
from tests.causal.cohorts import dataset
from tests.fakes.mind import Mind
from tests.fakes.model_server import ModelServer, status
from tools.safety.errors import InputError, ProviderError

KEY = "sk-test-canary"
HISTORY = [["4019", "25000"], ["5859"]]


@pytest.mark.parametrize("code", [400, 401, 403])
def test_m4_a_run_whose_key_or_model_is_wrong_ends_at_its_first_request(code, serve, run):
    refused = [status(code, message=f"no: {KEY}")]
    server = serve(Mind(dict.fromkeys(("write_query", "read_passage", "propose_graph"), refused)))
    with pytest.raises(ProviderError) as failed:
        run(fallback_model="openai:other")
    assert len(server.requests) == 1
    assert failed.value.status == code
    assert KEY not in str(failed.value)


def test_m10_no_server_at_all_names_the_host_and_the_setting(run, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    with pytest.raises(ProviderError) as failed:
        run(base_url=f"http://127.0.0.1:{port}/v1")
    for words in (f"127.0.0.1:{port}", "base_url", "OPENAI_BASE_URL"):
        assert words in str(failed.value)


def test_m10_a_run_goes_on_with_the_fallback_and_says_so(serve, run):
    away = status(503, {"Retry-After": "3600"})
    sensible = Mind()

    def some(body):
        return away if body["model"] == "first" else sensible(body)

    server = serve(some)
    result = run(model="openai:first", fallback_model="openai:second", decider_model="openai:third")
    told = {one["role"]: (one["model"], one["fell_back"]) for one in result["answered"]}
    assert told == {
        "reader": ("openai:second", True),
        "reasoner": ("openai:second", True),
        "decider": ("openai:third", False),
    }
    assert result["calls"] == len(server.requests)
    assert sum("openai:second answered in its place" in notice for notice in result["notices"]) == 2


def test_a_run_that_may_not_leave_sends_nothing_at_all(run, serve, monkeypatch):
    server = serve(Mind())
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://hospital.openai.azure.com/")
    with pytest.raises(InputError) as refused:
        run(decider_model="azure_openai:gpt", local_only=True)
    assert "hospital.openai.azure.com:443" in str(refused.value)
    assert server.requests == []


def test_credentialed_records_are_told_in_the_result_and_stay(run, serve, tmp_path, monkeypatch):
    data = dataset([[{"4019", "25000"}, {"5856"}], [{"4019"}, {"5856", "25000"}], [{"25000"}, {"4019"}]] * 4)
    data.credentialed = True
    data.save(tmp_path / "store")
    server = serve(Mind())
    result = run(store=str(tmp_path / "store"))
    assert result["data"]["credentialed"]
    assert any("credentialed" in notice for notice in result["notices"])
    sent = len(server.requests)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example.org/v1")
    with pytest.raises(InputError, match="credentialed"):
        run(store=str(tmp_path / "store"), local_only=False)
    assert len(server.requests) == sent


def test_p6_the_key_is_in_no_state_no_result_no_log_and_no_repr(serve, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    server = serve(Mind())
    context = DiagnosisContext(
        model="openai:scripted", base_url=server.url, max_candidates=8, passages=2, resamples=0
    )
    graph = build().compile(checkpointer=InMemorySaver())
    place = {"configurable": {"thread_id": "p6"}}
    result = graph.invoke({"history": HISTORY, "comment": ""}, place, context=context)["result"]
    kept = [state.values for state in graph.get_state_history(place)]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    seen = "".join(capfd.readouterr())
    for text in (json.dumps(result), repr(kept), repr(context), caplog.text, seen):
        assert KEY not in text


def test_p6_settings_have_no_place_for_a_key():
    assert not [name for name in DiagnosisContext.model_fields if "key" in name or "secret" in name]
    with ModelServer([]) as server, pytest.raises(InputError, match="password") as refused:
        build().compile().invoke(
            {"history": HISTORY},
            context={"model": "openai:x", "base_url": server.url.replace("://", f"://user:{KEY}@")},
        )
    assert KEY not in str(refused.value)
    assert server.requests == []


def test_who_answered_is_of_this_run_and_not_of_the_threads_last_patient(serve):
    serve(Mind())
    context = {"model": "openai:scripted", "max_candidates": 8, "passages": 2, "resamples": 0}
    graph = build().compile(checkpointer=InMemorySaver())
    place = {"configurable": {"thread_id": "twice"}}
    first, second = (
        graph.invoke({"history": HISTORY, "comment": ""}, place, context=context)["result"] for _ in range(2)
    )
    assert first["answered"] == second["answered"]
    assert {one["role"] for one in first["answered"]} == {"reader", "reasoner", "decider"}

"""Whole runs against services that fail, decline or must not be asked (FAULTS M1 to M11, P6)."""

import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from types import SimpleNamespace

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from agents.answers import Query
from agents.forms import FORMS
from agents.model import ask
from agents.settings import Settings
from graph.context import DiagnosisContext
from graph.diagnosis import build
from tests.agents.cases import query_case
from tests.causal.cohorts import dataset
from tests.fakes.mind import Mind
from tests.fakes.model_server import (
    ModelServer,
    drip,
    drop,
    finish,
    hang,
    html,
    late,
    no_choices,
    refusal,
    status,
    text,
    tool_call,
)
from tools.reporting.html import render
from tools.reporting.result import DiagnosisResult
from tools.safety.errors import InputError, ModelOutputError, ProviderError

KEY = "sk-test-canary"
HISTORY = [["4019", "25000"], ["5859"]]


TASKS = ("write_query", "read_passage", "propose_graph", "amend_graph", "decide")


def once(task, *faults):
    """A sensible mind whose first replies to a task are faults; after them the task is answered sensibly."""
    remaining = list(faults)
    sensible = Mind()

    def answer(body):
        case = json.loads(next(m["content"] for m in body["messages"] if m["role"] == "user"))
        return remaining.pop(0) if case["task"] == task and remaining else sensible(body)

    return answer


@pytest.fixture
def no_waits(monkeypatch):
    """Retries that do not wait."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)


def numbers(result):
    """What a run found, whatever it took."""
    return {name: result[name] for name in ("predictions", "graph", "scores", "explanation")}


def test_m1_a_run_waits_as_told_and_succeeds(serve, run):
    server = serve(once("write_query", status(429, {"Retry-After": "1"})))
    result = run()
    first, second, *_ = server.requests
    assert second.arrived_s - first.arrived_s >= 1
    assert len(server.requests) == result["calls"] + 1
    assert result["predictions"]


@pytest.mark.parametrize(
    ("fault", "n_requests"),
    [(status(429, {"Retry-After": "3600"}), 1), (status(500), 4)],
    ids=["m2_told_to_come_back_later", "m3_fails_for_ever"],
)
def test_m2_m3_a_run_whose_service_stays_away_is_resumed_where_it_stopped(fault, n_requests, serve, no_waits):
    faults = [fault] * n_requests
    server = serve(once("propose_graph", *faults))
    context = {"model": "openai:scripted", "max_candidates": 8, "passages": 2, "resamples": 0}
    given = {"history": HISTORY, "comment": ""}
    graph = build().compile(checkpointer=InMemorySaver())
    place = {"configurable": {"thread_id": "gone"}}
    with pytest.raises(ProviderError) as failed:
        graph.invoke(given, place, context=context)
    assert failed.value.status == fault.status
    assert len(server.requests) == 3 + n_requests
    resumed = graph.invoke(None, place, context=context)["result"]
    whole = build().compile().invoke(given, context=context)["result"]
    assert numbers(resumed) == numbers(whole)
    n_answers = whole["calls"]
    assert len(server.requests) == n_requests + 2 * n_answers


def own_threads():
    """Threads but for those of the scripted server."""
    return {
        thread
        for thread in threading.enumerate()
        if "process_request_thread" not in thread.name and "serve_forever" not in thread.name
    }


@pytest.mark.parametrize("fault", [hang(), drip(text("yes"), pause_s=0.1)], ids=["hang", "a_byte_at_a_time"])
def test_m5_a_run_is_stopped_by_the_clock_and_leaves_no_thread(fault, serve, run, no_waits, monkeypatch):
    monkeypatch.setenv("IIKEA_REQUEST_SECONDS", "0.5")
    run(model="statistical")
    before, begun = own_threads(), time.monotonic()
    server = serve(lambda body: fault)
    with pytest.raises(ProviderError, match=r"in 0\.5 s: .* or raise IIKEA_REQUEST_SECONDS") as failed:
        run()
    assert failed.value.stayed_away
    assert len(server.requests) == 4
    assert 4 * 0.5 <= time.monotonic() - begun < 4 * 0.5 + 5
    assert own_threads() <= before


def test_m5_a_service_that_hangs_is_not_asked_again_after_a_minute(serve, run, monkeypatch):
    """As with the usual limit of two minutes for one request."""
    clock = iter(range(0, 10_000, 61))
    monkeypatch.setattr("tenacity.time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    monkeypatch.setenv("IIKEA_REQUEST_SECONDS", "0.2")
    server = serve(lambda body: hang())
    with pytest.raises(ProviderError):
        run()
    assert len(server.requests) == 1


def test_m5_the_fallback_answers_in_the_place_of_a_service_that_hangs(serve, run, no_waits, monkeypatch):
    monkeypatch.setenv("IIKEA_REQUEST_SECONDS", "0.2")
    serve(lambda body: hang())
    result = run(fallback_model="statistical", passages=1)
    assert result["predictions"]
    assert {one["model"] for one in result["answered"]} == {"statistical"}


def ask_for_a_query(settings):
    return ask(query_case(), Query, settings, admit=lambda answer: answer.query).value


def test_m11_two_hundred_at_one_time_keep_to_four_in_flight_and_all_end(serve):
    four = threading.Barrier(4)

    def together(body):
        four.wait(60)
        return tool_call("Query", {"query": "gout"})

    server = serve(together)
    settings = Settings(model="openai:scripted")
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(ask_for_a_query, [settings] * 200))
    assert answers == ["gout"] * 200
    assert len(server.requests) == 200
    assert server.in_flight_peak == 4


def test_m11_runs_at_one_time_keep_to_the_operators_places(serve, run, monkeypatch):
    monkeypatch.setenv("IIKEA_MAX_IN_FLIGHT", "2")
    mind = Mind()
    server = serve(lambda body: late(mind(body), 0.005))
    with ThreadPoolExecutor(16) as pool:
        results = [future.result() for future in [pool.submit(run, max_iterations=0) for _ in range(16)]]
    assert len({json.dumps(numbers(result)) for result in results}) == 1
    assert server.in_flight_peak <= 2


def test_m11_requests_a_minute_are_held_to_as_well(serve, monkeypatch):
    monkeypatch.setenv("IIKEA_MAX_PER_MINUTE", "600")
    server = serve(lambda body: tool_call("Query", {"query": "gout"}))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask_for_a_query, [Settings(model="openai:scripted")] * 8))
    arrived = sorted(request.arrived_s for request in server.requests)
    assert arrived[-1] - arrived[0] >= 7 * 0.1 - 0.05


@pytest.mark.parametrize("fault", [drop(), drop(text("a long enough answer"), after=40)])
def test_m6_a_run_uses_no_part_of_a_dropped_answer(fault, serve, run, no_waits):
    server = serve(once("decide", fault))
    result = run()
    assert len(server.requests) == result["calls"] + 1
    assert result["predictions"]


@pytest.mark.parametrize("reply", [html(), no_choices()])
def test_m7_a_page_or_an_empty_completion_ends_a_run_at_its_first_request(reply, serve, run):
    server = serve(once("write_query", reply))
    with pytest.raises(ProviderError, match="not a chat completion"):
        run()
    assert len(server.requests) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("task", TASKS)
def test_m8_a_cut_answer_costs_one_request_more_and_two_end_the_run(task, form, serve, run):
    cut = finish("length", '{"edges": [{"cause": "40')
    server = serve(once(task, cut))
    result = run(answer_form=form, passages=1)
    assert len(server.requests) == result["calls"]
    assert result["predictions"]
    before = len(server.requests)
    server = serve(once(task, cut, cut))
    with pytest.raises(ModelOutputError, match="limit of length"):
        run(answer_form=form, passages=1)
    assert len(server.requests) <= before


@pytest.mark.parametrize("declining", [refusal(), finish("content_filter")])
@pytest.mark.parametrize("task", TASKS)
def test_m9_a_declined_answer_ends_the_run_with_a_refusal_and_no_repair(task, declining, serve, run):
    mind = Mind({task: [declining]})
    server = serve(mind)
    result = run(passages=1)
    assert mind.asked[task] == 1
    assert list(mind.asked)[-1] == task
    assert len(server.requests) == result["calls"]
    assert result["refusal"]["kind"] == "the model declined"
    assert task in result["refusal"]["reason"]
    assert result["predictions"] == []
    page = render(DiagnosisResult.model_validate(result))
    assert result["refusal"]["reason"] in unescape(page)


def test_m9_passages_that_are_all_declined_end_the_run_once(serve, run):
    mind = Mind({"read_passage": [refusal()]})
    serve(mind)
    result = run(passages=4)
    assert mind.asked == {"write_query": 1, "read_passage": 4}
    assert result["calls"] == 5
    assert result["refusal"]["kind"] == "the model declined"


def test_m9_the_threads_next_patient_is_not_refused_for_the_last_ones_sake(serve):
    serve(once("propose_graph", refusal()))
    context = {"model": "openai:scripted", "max_candidates": 8, "passages": 1, "resamples": 0}
    graph = build().compile(checkpointer=InMemorySaver())
    place = {"configurable": {"thread_id": "declined"}}
    first, second = (
        graph.invoke({"history": HISTORY, "comment": ""}, place, context=context)["result"] for _ in range(2)
    )
    assert first["refusal"] and not first["predictions"]
    assert second["predictions"] and not second["refusal"]


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
    for shown in (json.dumps(result), repr(kept), repr(context), caplog.text, seen):
        assert KEY not in shown


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

"""The graph as a client of `langgraph dev` meets it: one server, the SDK, loopback only, no key."""

import json
import sys

import pytest

from app.house import ROOT
from graph.context import DiagnosisContext
from graph.diagnosis import graph
from tests.fakes.mind import Mind
from tests.fakes.model_server import ModelServer, late, refusal
from tests.server.dev_server import DevServer, running
from tests.server.offline import hosts_reached_for
from tools.reporting.result import DiagnosisResult

_REASON = "the server is not installed: pip install -e '.[server]'"
pytest.importorskip("langgraph_api", reason=_REASON)
pytest.importorskip("langgraph_cli", reason=_REASON)
langgraph_sdk = pytest.importorskip("langgraph_sdk", reason=_REASON)

GIVEN = {"history": [["4019", "25000"], ["5859"]], "comment": "mostly concerned about the kidneys"}
CONTEXT = {"max_candidates": 8, "passages": 2, "resamples": 2}
SPELLING = "high blood pressure"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(autouse=True)
def log_of_the_test(server: DevServer):
    """What the server printed meanwhile, on standard output: pytest shows it where the test fails."""
    before = len(server.log.read_text())
    yield
    sys.stdout.write(server.log.read_text()[before:])


@pytest.fixture(scope="module")
def client(server):
    with langgraph_sdk.get_sync_client(url=server.url, api_key=None, timeout=60) as opened:
        yield opened


@pytest.fixture(scope="module")
def assistant(client):
    (only,) = client.assistants.search()
    return only


@pytest.fixture
def thread(client):
    return client.threads.create()["thread_id"]


@pytest.fixture(scope="module")
def expected():
    """The result of the same run in this process."""
    return json.loads(json.dumps(graph.invoke(GIVEN, context=CONTEXT)["result"]))


def test_the_graph_is_listed_with_its_schemas(client, assistant):
    assert assistant["graph_id"] == assistant["name"] == "diagnosis"
    schemas = client.assistants.get_schemas(assistant["assistant_id"])
    asked = schemas["input_schema"]["properties"]
    assert set(asked) == {"history", "comment", "comment_checked"}
    assert asked["history"]["items"]["items"] == {"type": "string"}
    assert set(schemas["output_schema"]["properties"]) == {"result"}


def test_every_setting_is_shown_beside_the_nodes_that_read_it(client, assistant):
    shown = client.assistants.get_schemas(assistant["assistant_id"])["context_schema"]["properties"]
    nodes = set(graph.nodes)
    defaults = DiagnosisContext().model_dump(mode="json")
    assert set(shown) == set(defaults)
    for name, setting in shown.items():
        assert setting["langgraph_nodes"], name
        assert set(setting["langgraph_nodes"]) <= nodes, name
        assert setting["default"] == defaults[name]


def test_the_drawing_shows_the_cycle_and_the_fan_out(client, assistant):
    drawn = client.assistants.get_graph(assistant["assistant_id"], xray=True)
    edges = {(edge["source"], edge["target"]): bool(edge.get("conditional")) for edge in drawn["edges"]}
    cycle = {("fit", "amend"): True, ("fit", "settle"): True, ("amend", "fit"): True}
    fan_out = {("retrieve", "read"): True, ("read", "gather"): False}
    assert edges.items() >= (cycle | fan_out).items()


def test_a_streamed_run_ends_with_the_result_of_a_run_in_this_process(client, thread, expected):
    events = list(
        client.runs.stream(
            thread, "diagnosis", input=GIVEN, context=CONTEXT, stream_mode=["updates", "values"]
        )
    )
    nodes = [node for event in events if event.event == "updates" for node in event.data]
    assert nodes[0] == "prepare"
    assert nodes[-1] == "conclude"
    assert nodes.count("read") == CONTEXT["passages"]
    assert nodes.count("fit") == nodes.count("amend") + 1 == expected["iterations"]
    last = [event.data for event in events if event.event == "values"][-1]
    assert set(last) == {"result"}
    assert DiagnosisResult.model_validate(last["result"]).predictions
    assert last["result"] == expected


def test_a_reviewed_run_waits_and_ends_when_approved_without_its_context(client, thread, expected):
    client.runs.wait(thread, "diagnosis", input=GIVEN, context=CONTEXT | {"review": True})
    waiting = client.threads.get_state(thread)
    assert waiting["next"] == ["review"]
    assert waiting["values"]["result"] is None
    (interrupt,) = waiting["interrupts"]
    (request,), (config,) = interrupt["value"]["action_requests"], interrupt["value"]["review_configs"]
    assert request["name"] == config["action_name"]
    assert "approve" in config["allowed_decisions"]
    assert [p["code"] for p in request["args"]["predictions"]] == [p["code"] for p in expected["predictions"]]
    approved = client.runs.wait(thread, "diagnosis", command={"resume": {"decisions": [{"type": "approve"}]}})
    assert approved["result"] == expected
    assert client.threads.get(thread)["status"] == "idle"


def test_bad_input_is_an_error_by_place_and_the_server_goes_on(server, client, thread, expected):
    bad = {"history": [[SPELLING]], "comment": ""}
    events = list(client.runs.stream(thread, "diagnosis", input=bad, context=CONTEXT))
    assert events[-1].event == "error"
    assert events[-1].data["error"] == "InputError"
    assert "visit 1, code 1" in events[-1].data["message"]
    assert [run["status"] for run in client.runs.list(thread)] == ["error"]
    assert SPELLING not in server.log.read_text()
    again = client.runs.wait(client.threads.create()["thread_id"], "diagnosis", input=GIVEN, context=CONTEXT)
    assert again["result"] == expected


@pytest.mark.parametrize("form", ["tool", "text"])
def test_a_model_service_on_this_machine_is_asked_by_runs_at_one_time(server, client, form):
    mind = Mind()
    with ModelServer(lambda body: late(mind(body), 0.01)) as service:
        context = CONTEXT | {"model": "openai:scripted", "base_url": service.url, "answer_form": form}
        threads = [client.threads.create()["thread_id"] for _ in range(6)]
        runs = [client.runs.create(id_, "diagnosis", input=GIVEN, context=context) for id_ in threads]
        results = [
            client.runs.join(id_, run["run_id"])["result"] for id_, run in zip(threads, runs, strict=True)
        ]
    assert len({json.dumps(result["predictions"]) for result in results}) == 1
    assert results[0]["predictions"]
    assert sum(result["calls"] for result in results) == len(service.requests)
    assert service.in_flight_peak <= 4


def test_a_model_that_declines_is_a_result_with_a_refusal(server, client, thread):
    with ModelServer([refusal()]) as service:
        context = CONTEXT | {"model": "openai:scripted", "base_url": service.url}
        result = client.runs.wait(thread, "diagnosis", input=GIVEN, context=context)["result"]
    assert result["refusal"]["kind"] == "the model declined"
    assert len(service.requests) == 1


def test_the_server_reaches_for_no_other_machine(server, client, thread):
    client.runs.wait(thread, "diagnosis", input=GIVEN, context=CONTEXT)
    assert hosts_reached_for(server.folder) == set()


def test_the_state_of_the_server_stays_out_of_the_repository(server):
    assert (server.folder / ".langgraph_api").is_dir()
    assert not (ROOT / ".langgraph_api").exists()

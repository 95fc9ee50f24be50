"""What belongs to a patient stays out of the logs, traces and errors of `langgraph dev` (P4, P5)."""

from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.fakes.mind import Mind
from tests.fakes.model_server import ModelServer, status
from tests.fakes.scene import CODES, COMMENT, NAME, Scene, spilled
from tests.fakes.trace_server import TraceServer
from tests.server.dev_server import running
from tests.server.offline import hosts_reached_for
from tools.safety.audit_check import latest, verify

_REASON = "the server is not installed: pip install -e '.[server]'"
pytest.importorskip("langgraph_api", reason=_REASON)
pytest.importorskip("langgraph_cli", reason=_REASON)
langgraph_sdk = pytest.importorskip("langgraph_sdk", reason=_REASON)

GIVEN = {"history": [[code] for code in CODES], "comment": COMMENT, "comment_checked": True}
SMALL = {"resamples": 0, "max_iterations": 1}
LOUD = {"LOG_LEVEL": "DEBUG", "OPENAI_LOG": "debug", "NUMBA_LOG_LEVEL": "WARNING"}


class Seen(NamedTuple):
    """What is left of a server after runs for the patient: one that ended well, and all that went wrong.

    Attributes:
        errors: data of the error events, by what was wrong.
        log: standard output and standard error, at DEBUG.
        holders: files in which the patient stands, the server's home and temporary files among them.
        traces: bodies at the collector.
        addresses: paths that the model service and the collector were asked.
        audit: file of the audit log.
        requests: how many the model service got.
        reached: other machines.
    """

    errors: dict[str, dict]
    log: str
    holders: set[Path]
    traces: str
    addresses: str
    audit: Path
    requests: int
    reached: set[str]


def wrong(context):
    """Runs that must end with an error: input and context by what is wrong with them."""
    return {
        "held": (GIVEN | {"comment_checked": False}, context),
        "no code": (GIVEN | {"history": [[NAME]]}, context),
        "no list": (GIVEN | {"history": NAME}, context),
        "no number": (GIVEN, context | {"top_k": NAME}),
        "no store": (GIVEN, context | {"store": f"/nowhere/{NAME}"}),
        "refused": (GIVEN, context | {"seed": 400}),
    }


def answer(mind):
    """A model service that refuses requests of seed 400, quoting the patient."""
    return lambda body: status(400, message=f"no {COMMENT}") if body.get("seed") == 400 else mind(body)


def ended(client, given, context):
    """The last event of a run in a thread of its own."""
    thread = client.threads.create()["thread_id"]
    return list(client.runs.stream(thread, "diagnosis", input=given, context=context))[-1]


def holders(folder):
    """The files in which the patient stands."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder) for file in files if spilled(file.read_bytes().decode("latin-1"))}


def made(folder):
    """A context with the patient's data set and library."""
    scene = Scene(folder)
    for command in scene.commands()[:2]:
        assert CliRunner().invoke(app, [str(argument) for argument in command]).exit_code == 0
    return {"store": str(scene.store), "libraries": [str(scene.library)], "model": "openai:scripted"}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    context = SMALL | made(tmp_path_factory.mktemp("scene"))
    audit = folder / "audit" / "audit.jsonl"
    with TraceServer() as traces, ModelServer(answer(Mind())) as service:
        more = {
            **LOUD,
            "OPENAI_API_KEY": "sk-test-canary",
            "OPENAI_BASE_URL": service.url,
            "LANGSMITH_TRACING": "true",
            "IIKEA_TRACING": "anonymized",
            "LANGSMITH_ENDPOINT": traces.url,
            "LANGSMITH_API_KEY": "lsv2-test",
            "IIKEA_AUDIT_LOG": str(audit),
        }
        with (
            running(folder, more) as server,
            langgraph_sdk.get_sync_client(url=server.url, api_key=None, timeout=60) as client,
        ):
            assert ended(client, GIVEN, context).data["result"]["predictions"]
            events = {what: ended(client, *case) for what, case in wrong(context).items()}
            assert {event.event for event in events.values()} == {"error"}
        addresses = [request.path for request in service.requests] + traces.paths
        return Seen(
            errors={what: event.data for what, event in events.items()},
            log=server.log.read_text(),
            holders=holders(folder),
            traces=b"".join(traces.bodies).decode(errors="replace"),
            addresses=" ".join(addresses),
            audit=audit,
            requests=len(service.bodies),
            reached=hosts_reached_for(folder),
        )


def test_a_patient_s_name_number_phone_and_birth_stay_out(seen):
    told = {
        "errors": str(seen.errors),
        "log": seen.log,
        "traces": seen.traces,
        "audit": seen.audit.read_text(),
        "addresses": seen.addresses,
    }
    assert {place: spilled(text) for place, text in told.items() if spilled(text)} == {}
    assert not any(word in seen.log for word in ("kidneys", "ypertension", "sk-test-canary"))
    assert '"name":"decide"' in seen.traces.replace(" ", "")
    assert "openai._base_client" in seen.log
    assert "Logging error" not in seen.log
    assert seen.reached == set()


def test_each_request_of_the_server_is_in_the_audit_log(seen):
    assert verify(seen.audit).fault is None
    requests = [entry for entry in latest(seen.audit, 1_000) if entry["event"] == "model request"]
    assert len(requests) == seen.requests > 5


def test_errors_name_the_place_and_the_next_step(seen):
    assert {what: data["error"] for what, data in seen.errors.items()} == {
        "held": "Held",
        "no code": "InputError",
        "no list": "InputError",
        "no number": "ValidationError",
        "no store": "InputError",
        "refused": "ProviderError",
    }
    assert "top_k" in seen.errors["no number"]["message"]
    assert "comment_checked" in seen.errors["held"]["message"]


def test_the_server_keeps_what_it_was_given_in_its_state_and_nowhere_else(seen):
    assert {file.parts[0] for file in seen.holders} == {".langgraph_api"}


def test_no_run_starts_whose_trace_would_hold_the_patient(tmp_path):
    with TraceServer() as traces, ModelServer(Mind()) as service:
        more = {
            "OPENAI_BASE_URL": service.url,
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_ENDPOINT": traces.url,
            "LANGSMITH_API_KEY": "lsv2-test",
        }
        with (
            running(tmp_path, more) as server,
            langgraph_sdk.get_sync_client(url=server.url, api_key=None, timeout=60) as client,
        ):
            last = ended(client, GIVEN, {"model": "openai:scripted"})
        assert last.event == "error"
        assert last.data["error"] == "InputError"
        assert "IIKEA_TRACING=anonymized" in last.data["message"]
        assert service.requests == []
        assert spilled(b"".join(traces.bodies).decode(errors="replace")) == []
        assert {file.parts[0] for file in holders(tmp_path)} == {".langgraph_api"}

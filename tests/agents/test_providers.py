"""Model services that fail: what is retried, how often, how long; and what the error tells."""

import json
import socket
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from agents.providers import open_model, request
from agents.recording import StoredAnswers, recording
from tests.agents.service import KEY, MODEL, served
from tests.fakes.model_server import Reply, drop, html, no_choices, status, text
from tools.safety.errors import InputError, ProviderError

ASKED = [HumanMessage("well?")]
TRANSIENT = (408, 409, 429, 500, 502, 503, 504, 520, 529)


class Clock:
    """Time that passes only while a retry waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def __enter__(self) -> "Clock":
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr("tenacity.time", SimpleNamespace(monotonic=self.monotonic))
        self._patch.setattr("tenacity.nap.time", SimpleNamespace(sleep=self.sleep))
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


def answered():
    return request(open_model(MODEL), ASKED, "scripted")


def failure() -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        answered()
    assert KEY not in repr(failed.value)
    assert failed.value.__suppress_context__
    return failed.value


def test_m1_too_many_requests_waits_as_told_and_succeeds():
    with served([status(429, {"Retry-After": "1"}), text("yes")]) as server:
        assert answered().text == "yes"
    first, second = server.requests
    assert second.arrived_s - first.arrived_s >= 1


def test_m2_a_wait_that_is_too_long_is_refused_at_once():
    with served([status(429, {"Retry-After": "3600"})]) as server, Clock() as clock:
        error = failure()
    assert (error.status, error.retry_after_s, clock.waits) == (429, 3600.0, [])
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", TRANSIENT)
def test_m3_a_service_that_fails_for_ever_gets_four_requests(code):
    with served(lambda body: status(code)) as server, Clock() as clock:
        error = failure()
    assert (error.status, error.stayed_away) == (code, True)
    assert "later, or name one to fall back on (fallback_model)" in str(error)
    assert len(server.requests) == 4
    assert clock.waits == sorted(clock.waits)


@pytest.mark.parametrize(
    ("code", "setting"),
    [
        *((400, "model's name"), (401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, "model")),
        *((402, "credit"), (405, "base_url"), (413, "longer"), (418, "base_url"), (422, "doctor")),
    ],
)
def test_m4_what_a_retry_cannot_mend_gets_one_request_and_names_the_setting(code, setting):
    echoed = status(code, message=f"Incorrect API key provided: {KEY}")
    with served([echoed]) as server, Clock():
        error = failure()
    assert len(server.requests) == 1
    assert error.status == code
    assert setting in str(error)
    assert server.url.split("/")[2] in str(error)


def test_m2_a_wait_without_end_is_a_number_that_json_can_hold():
    with served([status(429, {"Retry-After": "9" * 400})]), Clock():
        assert json.loads(json.dumps(failure().retry_after_s, allow_nan=False)) > 3600


@pytest.mark.parametrize("fault", [drop(), drop(text("a long enough answer"), after=40)])
def test_m6_a_dropped_answer_is_asked_for_again_and_no_part_is_used(fault):
    with served([fault, text("yes")]) as server, Clock():
        assert answered().text == "yes"
    assert len(server.requests) == 2


@pytest.mark.parametrize("reply", [html(), no_choices()])
def test_m7_what_is_no_chat_completion_is_an_error(reply):
    with served([reply]) as server, Clock():
        error = failure()
    assert "OPENAI_BASE_URL" in str(error)
    assert len(server.requests) == 1


def test_m10_where_nothing_listens_the_host_and_the_setting_are_named(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    with Clock():
        error = failure()
    assert f"127.0.0.1:{port}" in str(error)
    assert "OPENAI_BASE_URL" in str(error)
    assert error.status is None


def test_the_user_and_password_of_an_address_stay_out_of_the_error():
    with served([status(401)], user="ford:prefect@"):
        assert "prefect" not in str(failure())


seconds = st.integers(0, 90) | st.floats(0, 90).map(lambda s: round(s, 3))


@given(st.lists(st.tuples(st.sampled_from(TRANSIENT), st.none() | seconds), min_size=1, max_size=5))
@settings(max_examples=20)
def test_waits_are_at_least_what_was_asked_and_less_than_a_minute_in_all(faults):
    script = [status(code, {} if wait is None else {"Retry-After": str(wait)}) for code, wait in faults]
    with served([*script, text("yes")]) as server, Clock() as clock:
        try:
            assert answered().text == "yes"
            assert len(server.requests) == len(faults) + 1
        except ProviderError as error:
            assert error.status == faults[len(server.requests) - 1][0]
            wanted = faults[len(clock.waits)][1] or 0
            assert len(server.requests) == 4 or sum(clock.waits) + wanted >= 60
    assert len(server.requests) == len(clock.waits) + 1 <= 4
    assert sum(clock.waits) < 60
    assert all(done >= (wait or 0) for done, (_, wait) in zip(clock.waits, faults, strict=False))


@pytest.mark.parametrize(
    "wait", ["soon", "-5", "nan", "inf", "1e9", "\u00b2".encode("latin-1").decode("latin-1")]
)
def test_a_retry_after_that_says_nothing_is_passed_over(wait):
    with served([status(429, {"Retry-After": wait}), text("yes")]), Clock() as clock:
        assert answered().text == "yes"
    assert 0 < clock.waits[0] <= 8


def test_a_retry_after_may_be_a_date():
    past, future = formatdate(0, usegmt=True), formatdate(4e9, usegmt=True)
    with served([status(503, {"Retry-After": past}), text("yes")]), Clock() as clock:
        assert answered().text == "yes"
    assert clock.waits == [0.0]
    with served([status(503, {"Retry-After": future})]) as server, Clock():
        assert failure().retry_after_s > 3600
    assert len(server.requests) == 1


def test_the_key_goes_to_the_service_and_answers_are_not_streamed():
    with served([text("yes")]) as server:
        answered()
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert not server.bodies[0].get("stream")
    assert server.bodies[0]["temperature"] == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("openai:gpt-4o-mini", "OPENAI_API_KEY"),
        ("azure_openai:gpt", "AZURE_OPENAI"),
        ("zaphod:x", "the provider is unknown"),
        ("gpt-4o-mini", "statistical"),
        ("", "statistical"),
    ],
)
def test_a_model_that_cannot_be_opened_is_refused_with_the_setting(name, said):
    with pytest.raises(InputError) as refused:
        open_model(name)
    assert refused.value.field == "model"
    assert said in str(refused.value)
    assert "zaphod" not in str(refused.value)


def test_a_provider_whose_package_is_missing_names_the_package():
    with pytest.raises(InputError, match="langchain-anthropic"):
        open_model("anthropic:claude")


def test_the_key_is_not_in_what_a_model_prints():
    with served([]):
        assert KEY not in repr(open_model(MODEL))


def test_the_next_request_goes_with_the_key_that_the_environment_has_then():
    with served(lambda body: text("yes")) as server:
        for key in (KEY, "sk-another", KEY):
            # Undone before the service's own key is: the other way round, that one would stay for good.
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("OPENAI_API_KEY", key)
                answered()
    keys = [asked.headers["authorization"].removeprefix("Bearer ") for asked in server.requests]
    assert keys == [KEY, "sk-another", KEY]


def test_the_statistical_model_needs_no_setting():
    assert open_model("statistical").invoke(ASKED).text


@pytest.mark.parametrize("recorded", [False, True])
def test_what_a_stranger_says_is_no_answer_and_is_not_kept(recorded, tmp_path):
    """A service whose messages have a role that nobody knows: the client makes something else of them."""
    odd = Reply({"role": "Zebediah", "content": '{"query": "a"}'})
    to = StoredAnswers(tmp_path) if recorded else None
    with served([odd]) as server, recording(to), pytest.raises(ProviderError, match="not a chat") as failed:
        request(open_model(MODEL), [HumanMessage("q")], "host")
    assert len(server.bodies) == 1
    assert not failed.value.stayed_away
    assert "Zebediah" not in str(failed.value)
    assert not list(tmp_path.glob("*/*"))

"""The scripted service, through the client that the application uses."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI

from tests.fakes.model_server import (
    ModelServer,
    Usage,
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
    tool_calls,
)

printable = st.text(st.characters(codec="utf-8"), max_size=60)
arguments = st.dictionaries(printable, st.integers() | printable, max_size=3)


def client(server: ModelServer, **options) -> ChatOpenAI:
    defaults = {
        "model": "scripted",
        "api_key": "test",
        "max_retries": 0,
        "timeout": 10,
        "use_responses_api": False,
    }
    return ChatOpenAI(base_url=server.url, **{**defaults, **options})


def ask(server: ModelServer, streaming: bool = False, **options):
    return client(server, streaming=streaming, **options).invoke("well?")


def test_replies_come_in_the_order_of_the_script_and_then_500():
    with ModelServer([text("one"), text("two")]) as server:
        assert [ask(server).content, ask(server).content] == ["one", "two"]
        assert not server.exhausted
        with pytest.raises(openai.InternalServerError, match="no reply left"):
            ask(server)
        assert server.exhausted


def test_requests_are_recorded_as_they_arrived():
    before = time.monotonic()
    with ModelServer([text("yes")]) as server:
        ask(server, temperature=0.25)
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer test"
    assert request.body["temperature"] == 0.25
    assert request.body["messages"] == [{"role": "user", "content": "well?"}]
    assert before < request.arrived_s < time.monotonic()


def test_a_callable_script_answers_from_the_request():
    with ModelServer(lambda body: text(body["messages"][0]["content"][::-1])) as server:
        assert ask(server).content == "?llew"


def test_a_fault_of_the_script_itself_fails_the_test():
    def script(body):
        raise KeyError("no such prompt")

    with pytest.raises(KeyError, match="no such prompt"), ModelServer(script) as server:  # noqa: SIM117
        with pytest.raises(openai.APIConnectionError):
            ask(server)


@settings(max_examples=10)
@given(printable, st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_stream_says_what_the_single_answer_says(content, n_prompt, n_completion):
    reply = text(content, Usage(n_prompt, n_completion))
    with ModelServer([reply, reply]) as server:
        whole, streamed = ask(server), ask(server, streaming=True, stream_usage=True)
    assert whole.content == streamed.content == content
    assert (
        whole.usage_metadata["total_tokens"]
        == streamed.usage_metadata["total_tokens"]
        == n_prompt + n_completion
    )
    assert server.bodies[1]["stream"]


@settings(max_examples=10)
@given(st.lists(st.tuples(st.sampled_from(["score", "search"]), arguments), min_size=1, max_size=3))
def test_tool_calls_arrive_whole_either_way(calls):
    with ModelServer([tool_calls(calls)] * 2) as server:
        answers = [ask(server), ask(server, streaming=True)]
    for answer in answers:
        assert [(call["name"], call["args"]) for call in answer.tool_calls] == calls


@pytest.mark.parametrize("streaming", [False, True])
def test_broken_arguments_of_a_tool_reach_the_client_as_invalid(streaming):
    with ModelServer([tool_call("score", "edges: none")]) as server:
        answer = ask(server, streaming)
    assert [call["name"] for call in answer.invalid_tool_calls] == ["score"]


@pytest.mark.parametrize("streaming", [False, True])
def test_the_finish_reason_reaches_the_client(streaming):
    with ModelServer([finish("length", "half an"), finish("content_filter")]) as server:
        cut, filtered = ask(server, streaming), ask(server, streaming)
    assert (cut.content, cut.response_metadata["finish_reason"]) == ("half an", "length")
    assert filtered.response_metadata["finish_reason"] == "content_filter"


def test_a_refusal_arrives_in_its_own_field():
    with ModelServer([refusal("no, I will not")] * 2) as server:
        assert ask(server).additional_kwargs["refusal"] == "no, I will not"
        with openai.OpenAI(base_url=server.url, api_key="test") as raw:
            stream = raw.chat.completions.create(model="scripted", messages=[], stream=True)
            assert "".join(chunk.choices[0].delta.refusal or "" for chunk in stream) == "no, I will not"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_an_http_error_is_the_client_library_s_own(code, error):
    with ModelServer([status(code, {"Retry-After": "3600"})]) as server, pytest.raises(error) as caught:
        ask(server)
    assert caught.value.response.headers["retry-after"] == "3600"
    assert len(server.requests) == 1


def test_a_page_or_an_empty_completion_is_no_answer():
    with ModelServer([html(), no_choices()]) as server:
        with pytest.raises(ValueError, match="Unexpected response type"):
            ask(server)
        with pytest.raises(IndexError):
            ask(server)


def test_a_dropped_connection_and_half_a_body_are_told():
    whole = text("a long enough answer")
    with ModelServer([drop(), drop(whole, after=40)]) as server:
        for _ in range(2):
            with pytest.raises(openai.APIConnectionError):
                ask(server)


def test_a_cut_stream_is_told_unless_it_ends_like_a_whole_one():
    answer = text("a long enough answer")
    with ModelServer([drop(answer, after=500), drop(answer, after=500, announced=False)]) as server:
        with pytest.raises((httpx.RemoteProtocolError, openai.APIConnectionError)):
            ask(server, streaming=True)
        cut = ask(server, streaming=True)
    assert cut.content != "a long enough answer"
    assert "finish_reason" not in cut.response_metadata


def test_a_hang_lasts_until_the_client_gives_up_and_leaves_no_thread():
    with ModelServer([hang()]) as server, pytest.raises(openai.APITimeoutError):
        ask(server, timeout=0.2)
    assert not [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]


def test_a_drip_keeps_every_read_short_and_the_whole_long():
    body = text("x").content({})
    with ModelServer([drip(text("x"), pause_s=0.002)]) as server:
        started = time.monotonic()
        assert ask(server, timeout=0.5).content == "x"
    assert time.monotonic() - started >= 0.002 * (len(body) - 1)


@pytest.mark.parametrize("workers", [1, 4])
def test_in_flight_peak_is_the_number_that_wait_at_one_time(workers):
    together = threading.Barrier(workers)

    def script(body):
        together.wait(10)
        return late(text("yes"), 0.002)

    with ModelServer(script) as server:
        model = client(server)
        with ThreadPoolExecutor(workers) as pool:
            answers = list(pool.map(model.invoke, ["well?"] * (5 * workers)))
    assert [answer.content for answer in answers] == ["yes"] * (5 * workers)
    assert server.in_flight_peak == workers


def test_models_are_listed_and_other_paths_are_not_found():
    with ModelServer([]) as server:
        assert httpx.get(f"{server.url}/models").json()["data"][0]["id"] == "scripted"
        assert httpx.get(f"{server.url}/files").status_code == 404
        assert httpx.post(f"{server.url}/embeddings", json={}).status_code == 404
    assert not server.exhausted

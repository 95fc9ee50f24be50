"""A request ends when its time is up, whatever arrives, and nothing of it goes on."""

import threading
import time

import openai
import pytest

from tests.fakes.model_server import ModelServer, drip, hang, late, text
from tools.safety.timed_client import timed_client

LIMIT_S = 0.4


def post(server, seconds):
    client = timed_client(seconds, is_direct=True)
    with_it = openai.OpenAI(
        base_url=server.url, api_key="test", max_retries=0, timeout=30, http_client=client
    )
    return with_it.chat.completions.create(model="m", messages=[]).choices[0].message.content


@pytest.mark.parametrize("reply", [hang(), late(text("yes"), 20), drip(text("yes"), 0.05)])
def test_a_request_ends_when_its_time_is_up_and_leaves_no_thread(reply):
    threads = threading.active_count()
    with ModelServer([reply]) as server:
        begun = time.monotonic()
        with pytest.raises(openai.APIConnectionError):
            post(server, LIMIT_S)
        assert LIMIT_S <= time.monotonic() - begun < LIMIT_S + 2
    assert threading.active_count() == threads


def test_a_flood_that_never_pauses_ends_too():
    with ModelServer([drip(text("yes " * 100_000), 0.0001)]) as server:
        begun = time.monotonic()
        with pytest.raises(openai.APIConnectionError):
            post(server, LIMIT_S)
        assert time.monotonic() - begun < LIMIT_S + 2


def test_what_comes_in_time_comes_whole_and_the_next_request_has_its_own_time():
    with ModelServer([drip(text("x"), 0.0005)] * 3) as server:
        for _ in range(3):
            assert post(server, 5.0) == "x"
            time.sleep(0.1)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy"])
def test_the_next_client_goes_by_the_proxy_that_the_environment_names_then(variable, monkeypatch):
    far = "http://service.example.org/v1/models"
    with ModelServer([]) as proxy:
        timed_client(5.0, is_direct=False)
        monkeypatch.setenv(variable, proxy.url.removesuffix("/v1"))
        timed_client(5.0, is_direct=False).get(far)
        assert [request.path for request in proxy.requests] == [far]

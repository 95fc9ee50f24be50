"""Embeddings of a service: what is sent, what is refused, and how often it is asked."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import numpy as np
import pytest

from tools.knowledge.embeddings import embedding_id, is_service, open_embeddings
from tools.safety.errors import InputError, ProviderError

KEY = "sk-canary"
Answer = Callable[[list[str]], tuple[int, Any]]


class Service(NamedTuple):
    """An embedding service on loopback: the bodies and keys it was sent, and what it answers."""

    bodies: list[dict[str, Any]]
    keys: list[str]
    answers: list[Answer]


def vectors(texts: list[str]) -> tuple[int, Any]:
    """Each text's length and first letter."""
    data = [
        {"object": "embedding", "index": number, "embedding": [float(len(text)), float(ord(text[0]))]}
        for number, text in enumerate(texts)
    ]
    return 200, {
        "object": "list",
        "data": data,
        "model": "tiny",
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }


def answering(code: int, body: Any = None) -> Answer:
    return lambda texts: (code, {"error": {"message": f"no: {texts}"}} if body is None else body)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    state = Service([], [], [])

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keeps standard error for the tests."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.bodies.append({"path": self.path, **body})
            state.keys.append(self.headers["Authorization"])
            code, answer = state.answers[min(len(state.bodies), len(state.answers)) - 1](body["input"])
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Retry-After-Ms", "1")
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        yield state
        server.shutdown()
        thread.join()


def test_texts_are_sent_as_text_and_vectors_come_back(service: Service) -> None:
    service.answers.append(vectors)
    model = open_embeddings("openai:tiny")
    assert np.array_equal(model.embed_documents(["gout", "edema"]), [[4, ord("g")], [5, ord("e")]])
    assert model.embed_query("heart") == [5, ord("h")]
    assert [body["path"] for body in service.bodies] == ["/v1/embeddings"] * 2
    assert [body["input"] for body in service.bodies] == [["gout", "edema"], ["heart"]]
    assert {body["model"] for body in service.bodies} == {"tiny"}
    assert set(service.keys) == {f"Bearer {KEY}"}


@pytest.mark.parametrize(("code", "setting"), [(400, "name"), (401, "OPENAI_API_KEY"), (404, "BASE_URL")])
def test_a_refusal_is_final_and_names_the_setting(service: Service, code: int, setting: str) -> None:
    service.answers.append(answering(code))
    with pytest.raises(ProviderError, match=setting) as refused:
        open_embeddings("openai:tiny").embed_query("a patient's disease")
    assert refused.value.status == code
    assert len(service.bodies) == 1
    assert KEY not in str(refused.value)
    assert "disease" not in str(refused.value)


def test_a_service_that_stays_ill_is_asked_four_times_at_most(service: Service) -> None:
    service.answers.append(answering(503))
    with pytest.raises(ProviderError) as refused:
        open_embeddings("openai:tiny").embed_query("gout")
    assert refused.value.status == 503
    assert 1 < len(service.bodies) <= 4


def test_a_service_that_recovers_is_asked_again(service: Service) -> None:
    service.answers.extend([answering(429), vectors])
    assert open_embeddings("openai:tiny").embed_query("gout") == [4, ord("g")]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        {"object": "list", "data": []},
        {"object": "list", "data": [{"index": 0, "embedding": [float("nan"), 1.0]}]},
        {"object": "list", "data": [{"index": 0, "embedding": []}]},
        {"object": "list", "data": [{"index": n, "embedding": [1.0] * (n + 1)} for n in range(2)]},
        {},
    ],
)
def test_an_answer_without_vectors_is_refused(service: Service, body: Any) -> None:
    service.answers.append(answering(200, body))
    with pytest.raises(ProviderError, match="OPENAI_BASE_URL"):
        open_embeddings("openai:tiny").embed_documents(["gout", "edema"])


def test_no_server_at_all_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ProviderError, match="OPENAI_BASE_URL"):
        open_embeddings("openai:tiny").embed_query("gout")


def test_no_text_is_no_request(service: Service) -> None:
    assert open_embeddings("openai:tiny").embed_documents([]) == []
    assert service.bodies == []


def test_a_missing_key_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        open_embeddings("openai:tiny")


def test_the_key_is_in_no_text_of_the_model(service: Service) -> None:
    model = open_embeddings("openai:tiny")
    assert KEY not in f"{model!r} {vars(model)!r}"


def test_only_names_of_a_service_leave_the_machine() -> None:
    assert is_service("openai:text-embedding-3-small")
    assert not any(map(is_service, ("hashed", "sentence-transformers/all-mpnet-base-v2", "/models/openai")))
    assert embedding_id("openai:text-embedding-3-small") == "openai:text-embedding-3-small"


def test_a_server_on_this_machine_needs_no_key(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    service.answers.append(vectors)
    assert open_embeddings("openai:tiny").embed_query("gout") == [4, ord("g")]


def test_the_operator_has_texts_and_queries_stay_near(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IIKEA_LOCAL_ONLY", "1")
    assert open_embeddings("openai:tiny")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example.org/v1")
    with pytest.raises(InputError, match=r"api\.example\.org"):
        open_embeddings("openai:tiny")
    monkeypatch.setenv("IIKEA_MODEL_HOSTS", "api.example.org")
    assert open_embeddings("openai:tiny")


def test_a_query_goes_by_no_proxy_where_the_service_is_near(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers.append(vectors)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    assert open_embeddings("openai:tiny").embed_query("gout") == [4, ord("g")]

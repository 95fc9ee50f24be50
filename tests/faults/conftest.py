"""A diagnosis run against a scripted model service, through the real ChatOpenAI client."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from graph.diagnosis import graph
from tests.fakes.mind import Mind
from tests.fakes.model_server import ModelServer
from tools import resources

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Mind], ModelServer]]:
    """Starts the service for a mind and points the settings at it."""
    servers: list[ModelServer] = []

    def start(mind: Mind) -> ModelServer:
        server = ModelServer(mind)
        server.__enter__()
        servers.append(server)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-canary")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        return server

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def run() -> Run:
    """Predicts for a small history of the demo cohort and returns the result."""

    def predict(history: list[list[str]] | None = None, comment: str = "", **settings: Any) -> dict[str, Any]:
        context = {"model": "openai:scripted", "max_candidates": 8, "passages": 2, "resamples": 0} | settings
        given = {"history": history or [["4019", "25000"], ["5859"]], "comment": comment}
        return graph.invoke(given, context=context)["result"]

    return predict


@pytest.fixture(scope="session", autouse=True)
def demo_opened() -> None:
    """Opens the demo data once, so that a test's time is its own."""
    resources.open_dataset()
    resources.open_library()

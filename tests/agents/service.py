"""A scripted model service in place of a real one, for the minds' only door."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fakes.model_server import ModelServer, Script

KEY = "sk-test-canary"
MODEL = "openai:scripted"


@contextmanager
def served(script: Script, user: str = "") -> Iterator[ModelServer]:
    """The service, with the settings pointed at it; `user` may hold the `user:password@` of its address."""
    with ModelServer(script) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        patch.setenv("OPENAI_BASE_URL", server.url.replace("://", f"://{user}"))
        yield server

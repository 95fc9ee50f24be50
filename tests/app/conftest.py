"""The command line run in this process."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from app.cli import app


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Iikea = Callable[..., Ended]


@pytest.fixture
def iikea() -> Iikea:
    """Runs `iikea` with arguments; an unforeseen error fails the test."""

    def run(*arguments: object) -> Ended:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    return run

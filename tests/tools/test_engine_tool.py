from typing import Annotated, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tools import InjectedToolArg, tool
from pydantic import Field, ValidationError

from tools.engine_tool import engine_tool


def add(
    codes: Annotated[list[str], Field(max_length=2)],
    times: Annotated[int, Field(ge=1)] = 2,
    store: Annotated[str, InjectedToolArg] = "",
) -> dict[str, Any]:
    """Adds codes."""
    return {"codes": codes * times, "store": store}


class Watcher(BaseCallbackHandler):
    run_inline = True

    def __init__(self):
        self.seen = []

    def on_tool_start(self, serialized, input_str, *, inputs=None, **_):
        self.seen.append((serialized, input_str, inputs))


def both():
    return engine_tool(add), tool(add)


def test_an_engine_tool_is_described_as_langchain_s_own():
    ours, theirs = both()
    assert (ours.name, ours.description, ours.args) == (theirs.name, theirs.description, theirs.args)
    assert ours.tool_call_schema.model_json_schema() == theirs.tool_call_schema.model_json_schema()


@pytest.mark.parametrize(
    "given", [{"codes": ["a"]}, {"codes": ["a", "b"], "times": 3, "store": "/home/secret"}]
)
def test_it_answers_as_langchain_s_own_and_traces_show_as_little(given):
    watchers = Watcher(), Watcher()
    found = [
        one.invoke(dict(given), {"callbacks": [watcher]})
        for one, watcher in zip(both(), watchers, strict=True)
    ]
    assert found[0] == found[1] == add(**given)
    assert watchers[0].seen == watchers[1].seen
    assert "secret" not in repr(watchers[0].seen)


@pytest.mark.parametrize("given", [{"codes": ["a", "b", "c"]}, {"codes": ["a"], "times": 0}, {}])
def test_arguments_are_validated(given):
    for one in both():
        with pytest.raises(ValidationError):
            one.invoke(given)


async def test_it_runs_where_it_is_awaited():
    assert await engine_tool(add).ainvoke({"codes": ["a"]}) == add(["a"])

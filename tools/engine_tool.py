"""An engine as a tool that agents and chat front ends call."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from langchain_core.tools import StructuredTool
from langchain_core.utils.pydantic import get_fields


class EngineTool(StructuredTool):
    """A tool that looks at its signature once.

    `StructuredTool` works out at every run which arguments are injected, and so kept out of traces, and
    whether the function asks for the run's configuration, which none of ours does: half of what a run that
    answers from memory takes.
    """

    @cached_property
    def _injected(self) -> frozenset[str]:
        """Arguments that no mind sees."""
        return frozenset(get_fields(self.get_input_schema())) - frozenset(self.args)

    def _filter_injected_args(self, tool_input: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in tool_input.items() if name not in self._injected}

    def _run(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        function = cast("Callable[..., Any]", self.func)  # `engine_tool` gives it
        return function(*args, **kwargs)


def engine_tool(function: Callable[..., dict[str, Any]]) -> EngineTool:
    """A function as a tool of its name, described by its docstring; arguments as it annotates them."""
    return cast("EngineTool", EngineTool.from_function(function))

"""The tools that a mind may call while it thinks."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool
from pydantic import ValidationError

from agents.answers import Unreadable
from tools.safety.errors import InputError


class Toolbox(NamedTuple):
    """Tools, with the arguments that the mind neither sees nor sets."""

    tools: Sequence[BaseTool] = ()
    injected: Mapping[str, Any] = {}

    def run(self, response: AIMessage, room: int) -> tuple[BaseMessage, ...]:
        """The response and the result of each tool it calls.

        Raises:
            Unreadable: a tool that is not offered, or more calls than there is room for; then none is run.
        """
        known = {tool.name: tool for tool in self.tools}
        if any(call["name"] not in known for call in response.tool_calls):
            raise Unreadable([f"there is no such tool; there are {', '.join(known) or 'none'}"])
        if len(response.tool_calls) > room:
            raise Unreadable([f"too many tool calls, {room} are left; answer now"])
        results = (
            ToolMessage(self._result(known[call["name"]], call["args"]), tool_call_id=call["id"] or "")
            for call in response.tool_calls
        )
        return (response, *results)

    def _result(self, tool: BaseTool, arguments: dict[str, Any]) -> str:
        """A tool's result as JSON; what it refuses goes back to the mind.

        The mind sets the arguments it is shown (`tool.args`), the toolbox all others.
        """
        shown = tool.args
        given = {name: value for name, value in arguments.items() if name in shown}
        injected = {name: value for name, value in self.injected.items() if name not in shown}
        try:
            return json.dumps(tool.invoke({**injected, **given}))
        except InputError as error:
            return json.dumps({"refused": str(error)})
        except ValidationError as error:
            places = [".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False)]
            return json.dumps({"refused": f"arguments do not fit: {', '.join(places[:5])}"})

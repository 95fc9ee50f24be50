"""A scripted model service that answers cases sensibly, except where a test says otherwise."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents import thoughts
from tests.fakes.replies import Reply, text, tool_call

Answering = Callable[[dict[str, Any], int], Reply]


class Mind:
    """A script for `ModelServer`: per task a list of replies, the last of which repeats, or a function.

    Args:
        overrides: task (name of the prompt) to replies, or to a function of the case and of how often the
            task has been asked before. Other tasks are answered as the statistical reasoner would.

    Attributes:
        asked: how many requests there were for each task.
        seen: every case document, in order.
    """

    def __init__(self, overrides: Mapping[str, Sequence[Reply] | Answering] | None = None) -> None:
        self.overrides = dict(overrides or {})
        self.asked: Counter[str] = Counter()
        self.seen: list[dict[str, Any]] = []

    def __call__(self, body: dict[str, Any]) -> Reply:
        case = json.loads(next(m["content"] for m in body["messages"] if m["role"] == "user"))
        nth = self.asked[case["task"]]
        self.asked[case["task"]] += 1
        self.seen.append(case)
        override = self.overrides.get(case["task"])
        if override is None:
            return sensible(body, case)
        return override(case, nth) if callable(override) else override[min(nth, len(override) - 1)]


def sensible(body: dict[str, Any], case: dict[str, Any]) -> Reply:
    """What the statistical reasoner would answer to a request, in the form that it asks for."""
    offered = frozenset(tool["function"]["name"] for tool in body.get("tools", []))
    results = [json.loads(m["content"]) for m in body["messages"] if m["role"] == "tool"]
    thought = thoughts.think(json.dumps(case), offered, results)
    if isinstance(thought, thoughts.ToolRequest):
        return tool_call(thought.tool, thought.arguments)
    return in_form(body, type(thought).__name__, thought.model_dump(mode="json"))


def in_form(body: dict[str, Any], name: str, answer: dict[str, Any]) -> Reply:
    """An answer in the form that a request asks for: a call, JSON that the service sees to, or a text."""
    if any(tool["function"]["name"] == name for tool in body.get("tools", [])):
        return tool_call(name, answer)
    if "response_format" in body:
        return text(json.dumps(answer))
    if name == "Decision":
        return text(f"{json.dumps(answer['predictions'])}\n<SEP>\n{answer['explanation']}")
    return text(f"Here is my answer:\n```json\n{json.dumps(answer, indent=1)}\n```\nI hope that it helps.")

"""A model that declines to answer ends the run with a refusal in its result."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from agents.model import Declined

Node = TypeVar("Node", bound=Callable[[Any], dict[str, Any]])


def or_declined(node: Node) -> Node:
    """The node; where its model declines, it says so in the state instead, and the graph goes to the end."""

    @wraps(node)
    def asked(state: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            return node(state)
        except Declined as declined:
            return {"refusal": _refusal(declined.prompt), "calls": declined.calls, "spent": declined.spent}

    return cast("Node", asked)


def _refusal(prompt: str) -> dict[str, str]:
    return {
        "kind": "the model declined",
        "reason": f"the model, or a filter of its service, declined to answer the prompt '{prompt}'",
        "next_step": "name another model, for the whole run or for this role, or change the comment",
    }

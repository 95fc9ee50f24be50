"""A person's say before a result is final, in the form that Studio and chat front ends render."""

from typing import Annotated, Any, Literal

from langgraph.types import Command, interrupt
from pydantic import BaseModel, Field, ValidationError

from agents.model import most_requests
from graph.state import DiagnosisState
from tools.safety.audit import audit_log
from tools.safety.free_text import identifiers, told

_ACTION: Literal["accept_predictions"] = "accept_predictions"
_EXAMPLE = '{"decisions": [{"type": "approve"}]}'


class Approve(BaseModel):
    """The predictions stand."""

    type: Literal["approve"]


class Reject(BaseModel):
    """There shall be no result."""

    type: Literal["reject"]
    message: str = Field(default="the reviewer rejected the predictions", max_length=2_000)
    message_checked: bool = False


class EditedArguments(BaseModel):
    """What a reviewer may change: the comment; `comment_checked` where it was looked at for identifiers."""

    comment: str = Field(max_length=2_000)
    comment_checked: bool = False


class EditedAction(BaseModel):
    """The action as the reviewer wants it."""

    name: Literal["accept_predictions"] = _ACTION
    args: EditedArguments


class Edit(BaseModel):
    """Decide again with another comment."""

    type: Literal["edit"]
    edited_action: EditedAction


class Answer(BaseModel):
    """What a review is resumed with: one decision."""

    decisions: list[Annotated[Approve | Reject | Edit, Field(discriminator="type")]] = Field(
        min_length=1, max_length=1
    )


def review(state: DiagnosisState) -> Command[Literal["decide", "conclude"]]:
    """Waits for a person to approve, to reject, or to have it decided again with another comment."""
    if state.get("refusal") or not state.get("review"):
        return Command(goto="conclude")
    decision = _asked(state).decisions[0]
    audit_log().append("curation", action=f"review: {decision.type}")
    match decision:
        case Edit(edited_action=action):
            return Command(goto="decide", update={"focus": action.args.comment})
        case Reject(message=message):
            return Command(goto="conclude", update={"refusal": _rejected(message)})
        case Approve():
            return Command(goto="conclude")


def _asked(state: DiagnosisState) -> Answer:
    """The person's answer; what is no decision is asked for again, saying why."""
    problem = ""
    while True:
        given = interrupt(_request(state, problem), response_schema=Answer.model_json_schema())
        try:
            answer = Answer.model_validate(given)
        except ValidationError as error:
            places = sorted({".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False)})
            problem = f"Not a decision ({', '.join(places)}). Resume with {_EXAMPLE}. "
            continue
        problem = _problem(answer.decisions[0], state)
        if not problem:
            return answer


def _problem(decision: Approve | Reject | Edit, state: DiagnosisState) -> str:
    """Why a decision cannot be followed; empty where it can."""
    if isinstance(decision, Edit) and not _can_decide_again(state):
        return "Too few model calls are left to decide again. "
    match decision:
        case Edit(edited_action=action):
            field, text, checked = "comment", action.args.comment, action.args.comment_checked
        case Reject():
            field, text, checked = "message", decision.message, decision.message_checked
        case Approve():
            return ""
    found = () if checked else identifiers(text)
    if not found:
        return ""
    remedy = f"Remove it, or give `{field}_checked: true` once you have looked at it. "
    return f"The {field} may identify a person: {told(found)}. {remedy}"


def _can_decide_again(state: DiagnosisState) -> bool:
    falls_back = bool(state["settings"]["fallback_model"])
    return state.get("calls", 0) + most_requests(falls_back=falls_back) <= state["limits"]["max_calls"]


def _request(state: DiagnosisState, problem: str) -> dict[str, Any]:
    diseases = state["diseases"]
    predictions = [p | {"display": diseases[p["code"]]["display"]} for p in state["decision"]["predictions"]]
    shown = {"comment": state["focus"], "predictions": predictions}
    description = (
        f"{problem}Approve the predicted diagnoses, reject them, or edit the comment to decide again."
    )
    return {
        "action_requests": [{"name": _ACTION, "args": shown, "description": description}],
        "review_configs": [{"action_name": _ACTION, "allowed_decisions": ["approve", "edit", "reject"]}],
    }


def _rejected(message: str) -> dict[str, str]:
    return {
        "kind": "rejected in review",
        "reason": message,
        "next_step": "change the history, the comment or the library and run again",
    }

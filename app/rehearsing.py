"""What a prediction would ask a language model, and about how much of it, without asking."""

import json
from typing import Any

from agents.budget import require_priced
from agents.recording import Rehearsal
from agents.settings import ROLES
from app import predicting
from app.console import out, plain, print_json
from graph.context import DiagnosisContext
from tools.reporting.cost import Cost, money

_FIRST = ("write_query", "read_passage")
_UNLIMITED = {"max_tokens": None, "max_usd": None, "max_seconds": None}


def rehearse(
    history: list[list[str]], comment: str, comment_checked: bool, context: DiagnosisContext
) -> dict[str, Any]:
    """The first prompts and an estimate of the whole run, JSON; the statistical mind answers for the models.

    A prompt is `certain` where it depends on no answer. Which passages are read depends on the query: another
    mind may ask for others. What comes later depends on what was read, and is only counted.

    Raises:
        InputError: the run would be refused, by its settings or for want of a price.
        BudgetExceeded: it would make more requests than `max_calls`.
    """
    require_priced(context)
    rehearsal = Rehearsal()
    unlimited = context.model_copy(update=_UNLIMITED)
    result = predicting.run(history, comment, comment_checked, unlimited, rehearsal)
    asked = [_prompt(request) for request in rehearsal.requests if len(request["messages"]) == 2]
    first = [prompt for task in _FIRST for prompt in asked if prompt["task"] == task] or asked[:1]
    estimate = result.cost.model_copy(update={"estimated": result.cost.requests > 0})
    return {
        "dry_run": True,
        "prompts": [prompt | {"certain": place == 0} for place, prompt in enumerate(first)],
        "estimate": estimate.model_dump(mode="json", exclude={"seconds"}),
        "notices": [*result.notices, *_over(result.cost, context)],
        "refusal": result.refusal.model_dump(mode="json") if result.refusal else None,
    }


def _prompt(request: dict[str, Any]) -> dict[str, Any]:
    system, human = (message["data"]["content"] for message in request["messages"])
    case = json.loads(human)
    task = case["task"]
    return {"task": task, "role": ROLES[task], "model": request["model"], "system": system, "case": case}


def _over(cost: Cost, context: DiagnosisContext) -> list[str]:
    """Which budgets the estimate passes."""
    budgets = {
        "max_tokens": (cost.tokens_in + cost.tokens_out, context.max_tokens),
        "max_usd": (cost.usd, context.max_usd),
    }
    return [
        f"the estimate, {used:,.6g}, is over {name}, {limit:,.6g}: the run would stop there"
        for name, (used, limit) in budgets.items()
        if used is not None and limit is not None and used > limit
    ]


def show(rehearsed: dict[str, Any], as_json: bool) -> None:
    """A rehearsal for people, or as JSON."""
    if as_json:
        print_json(rehearsed)
        return
    for prompt in rehearsed["prompts"]:
        known = "as it would be sent" if prompt["certain"] else "if the query were the statistical mind's"
        out.print(f"[bold]{prompt['task']}[/], to {plain(prompt['model'])} ({prompt['role']}), {known}")
        out.print(plain(prompt["system"]))
        out.print(plain(json.dumps(prompt["case"], indent=2, ensure_ascii=False)), end="\n\n")
    for notice in rehearsed["notices"]:
        out.print(f"[yellow]notice[/] {plain(notice)}")
    out.print(_estimate(rehearsed))


def _estimate(rehearsed: dict[str, Any]) -> str:
    if rehearsed["refusal"]:
        return f"Nothing would be asked: {plain(rehearsed['refusal']['reason'])}."
    cost = Cost.model_validate(rehearsed["estimate"])
    if not cost.requests:
        return "Nothing would be asked: the statistical mind answers on this machine."
    return (
        f"[bold]About {cost.requests} requests[/], {cost.tokens_in:,} tokens in and {cost.tokens_out:,} out, "
        f"{plain(money(cost))}. A mind that looks up more, or is asked to mend an answer, takes more; what a "
        "reasoning model thinks comes on top. Nothing was sent."
    )

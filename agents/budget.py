"""What a run may use of its models, counted at the door to them: calls, tokens, money, seconds."""

import json
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, NamedTuple, TypedDict

from langchain_core.messages import AIMessage, BaseMessage
from pydantic import ValidationError

from agents.endpoints import STATISTICAL
from agents.prices import Price, price_of
from agents.settings import Role, Settings
from tools.reporting.cost import Cost, ShownPrice
from tools.safety.errors import BudgetExceeded, InputError

BUDGETS = frozenset({"max_calls", "max_tokens", "max_usd", "max_seconds", "price_in", "price_out"})
CHARACTERS_PER_TOKEN = 4
SECONDS = "seconds_taken"
_PAID = frozenset({"max_tokens", "max_usd"})
_TOLD_FROM = 0.8
_MOST_TOKENS = 10**9  # of one request
_STILL_TO_ASK = 3  # an amendment that looks something up, and the decision


class Use(TypedDict):
    """What one model took.

    Attributes:
        requests: that it answered.
        tokens_in: read.
        tokens_out: written.
        estimated: of the requests, those whose tokens its service did not tell.
        largest: tokens of the largest request, read and written.
        seconds: waited for its answers.
    """

    requests: int
    tokens_in: int
    tokens_out: int
    estimated: int
    largest: int
    seconds: float


Spent = dict[str, Use]  # by model


def joined(one: Spent, other: Spent) -> Spent:
    """What two parts of a run took together."""
    sums = dict(one)
    for model, use in other.items():
        sums[model] = _both(sums[model], use) if model in sums else use
    return sums


def _both(one: Use, other: Use) -> Use:
    return Use(
        requests=one["requests"] + other["requests"],
        tokens_in=one["tokens_in"] + other["tokens_in"],
        tokens_out=one["tokens_out"] + other["tokens_out"],
        estimated=one["estimated"] + other["estimated"],
        largest=max(one["largest"], other["largest"]),
        seconds=round(one["seconds"] + other["seconds"], 3),
    )


class Used(NamedTuple):
    """What a run has used so far.

    Attributes:
        calls: model requests, those of the statistical mind included.
        spent: by model, of services.
        ran_s: seconds that its nodes worked, one after another.
        ahead: requests of it that are under way at the same time and are to count before the next one.
        fell_back: roles whose model's service stayed away: it is not waited for again.
    """

    calls: int = 0
    spent: Spent | None = None
    ran_s: float = 0.0
    ahead: int = 0
    fell_back: tuple[Role, ...] = ()

    @classmethod
    def of(cls, state: Mapping[str, Any], ahead: int = 0) -> "Used":
        """What a state of the graph tells."""
        fell_back = tuple(one["role"] for one in state.get("answered") or () if one["fell_back"])
        return cls(state.get("calls", 0), state.get("spent"), state.get("ran_s", 0.0), ahead, fell_back)


NOTHING = Used()


class Measure(NamedTuple):
    """One budget of a run: what it is called, the setting behind it, what was used and what may be."""

    kind: str
    setting: str
    used: float
    limit: float


def measures(settings: Settings, used: Used) -> list[Measure]:
    """Every budget that a run has.

    Raises:
        InputError: money has a limit, and a model has no known price.
    """
    require_priced(settings)
    spent = used.spent or {}
    tokens = sum(use["tokens_in"] + use["tokens_out"] for use in spent.values())
    share = 1 + used.ahead / max(sum(use["requests"] for use in spent.values()), 1)
    usd = 0.0 if settings.max_usd is None else cost_of(spent, settings).usd or 0.0
    found = [
        ("model calls", "max_calls", used.calls, settings.max_calls),
        ("tokens", "max_tokens", tokens * share, settings.max_tokens),
        ("USD", "max_usd", usd * share, settings.max_usd),
        ("seconds", "max_seconds", used.ran_s, settings.max_seconds),
    ]
    return [Measure(kind, name, n, limit) for kind, name, n, limit in found if limit is not None]


def require_priced(settings: Settings) -> None:
    """Refuses a run whose money has a limit and one of whose models has no known price.

    Raises:
        InputError: such a model; or only one of the two prices is given.
    """
    if settings.max_usd is not None or (settings.price_in is None) != (settings.price_out is None):
        for model in settings.models.values():
            if model != STATISTICAL:
                _price(model, settings)


def _price(model: str, settings: Settings) -> Price:
    return price_of(model, settings.price_in, settings.price_out, settings.base_url)


def cost_of(spent: Spent, settings: Settings) -> Cost:
    """What was spent, with its price where that is known for every model."""
    prices: dict[str, Price] = {}
    for model in spent:
        try:
            prices[model] = _price(model, settings)
        except InputError:
            continue
    total = [
        prices[model].cost_usd(u["tokens_in"], u["tokens_out"])
        for model, u in spent.items()
        if model in prices
    ]
    return Cost(
        requests=sum(use["requests"] for use in spent.values()),
        tokens_in=sum(use["tokens_in"] for use in spent.values()),
        tokens_out=sum(use["tokens_out"] for use in spent.values()),
        estimated=any(use["estimated"] for use in spent.values()),
        usd=round(sum(total), 6) if len(prices) == len(spent) else None,
        prices=tuple(ShownPrice(model=model, **price._asdict()) for model, price in sorted(prices.items())),
        seconds=round(sum(use["seconds"] for use in spent.values()), 3),
    )


def is_nearly_spent(settings: Settings, used: Used) -> bool:
    """Whether an amendment and the decision after it would pass the budget of tokens, money or seconds.

    They are taken to need as many tokens each time as the run's largest request.
    """
    cost = cost_of(used.spent or {}, settings)
    if not cost.requests:
        return False
    largest = max(use["largest"] for use in (used.spent or {}).values())
    mean = (cost.tokens_in + cost.tokens_out) / cost.requests
    coming = {
        "max_tokens": _STILL_TO_ASK * largest,
        "max_usd": _STILL_TO_ASK * (cost.usd or 0.0) / cost.requests * largest / max(mean, 1.0),
        "max_seconds": _STILL_TO_ASK * cost.seconds / cost.requests,
    }
    return any(m.used + coming[m.setting] >= m.limit for m in measures(settings, used) if m.setting in coming)


def told(settings: Settings, used: Used) -> list[str]:
    """A notice of every budget of which four fifths are used."""
    return [
        f"{m.used / m.limit:.0%} of budget '{m.kind}' was used: {m.used:,.6g} of {m.limit:,.6g} ({m.setting})"
        for m in measures(settings, used)
        if m.limit and m.used >= _TOLD_FROM * m.limit
    ]


class Meter:
    """Counts what the questions of one node take, and lets none through when a budget is used up.

    Attributes:
        calls: requests so far.
        spent: what services took for them.
    """

    def __init__(self, settings: Settings, used: Used) -> None:
        self.calls = 0
        self.spent: Spent = {}
        self._settings, self._before, self._began = settings, used, monotonic()

    def admit(self, model: str) -> None:
        """Counts a request that is about to be sent; the statistical mind takes no tokens and no money.

        Raises:
            BudgetExceeded: a budget is used up.
            InputError: money has a limit, and a model has no known price.
        """
        before = self._before
        used = before._replace(
            calls=before.calls + self.calls,
            spent=joined(before.spent or {}, self.spent),
            ran_s=before.ran_s + monotonic() - self._began,
        )
        for measure in measures(self._settings, used):
            is_free = model == STATISTICAL and measure.setting in _PAID
            if measure.used >= measure.limit and not is_free:
                raise BudgetExceeded(measure.kind, measure.used, measure.limit, measure.setting)
        self.calls += 1

    def count(self, model: str, heard: Sequence[BaseMessage], ask: Callable[[], AIMessage]) -> AIMessage:
        """The answer of a service, counted; one that cannot be parsed was paid for all the same."""
        began = monotonic()
        try:
            said = ask()
        except (RecursionError, ValidationError):
            self._add(model, heard, None, 0.0)
            raise
        self._add(model, heard, said, said.response_metadata.get(SECONDS, monotonic() - began))
        return said

    def _add(self, model: str, heard: Sequence[BaseMessage], said: AIMessage | None, seconds: float) -> None:
        told = tokens_told(said)
        tokens_in, tokens_out = told or (tokens_in_text(heard), tokens_in_text([said] if said else []))
        use = Use(
            requests=1,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            estimated=int(told is None),
            largest=tokens_in + tokens_out,
            seconds=round(seconds, 3),
        )
        self.spent = joined(self.spent, {model: use})


def tokens_told(said: BaseMessage | None) -> tuple[int, int] | None:
    """Tokens read and written as a service tells them; None where it tells none, or what they cannot be.

    What it tells is its own text: a word there must reach no log, a number below nought no budget.
    """
    usage = getattr(said, "usage_metadata", None) or {}
    both = (usage.get("input_tokens"), usage.get("output_tokens"))
    counts = [n for n in both if type(n) is int and 0 <= n <= _MOST_TOKENS]
    return (counts[0], counts[1]) if len(counts) == len(both) and any(counts) else None


def tokens_in_text(messages: Sequence[BaseMessage]) -> int:
    """About how many tokens messages are: a quarter of their characters."""
    said = [[message.content, getattr(message, "tool_calls", [])] for message in messages]
    return len(json.dumps(said, default=str)) // CHARACTERS_PER_TOKEN

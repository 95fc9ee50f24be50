"""What a run took adds up whatever the order, and is priced only where every price is known."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from agents.answers import Query
from agents.budget import Meter, Use, Used, cost_of, is_nearly_spent, joined, measures, told
from agents.model import ask
from agents.recording import StoredAnswers, recording
from agents.settings import Settings
from tests.agents.cases import query_case
from tests.agents.service import MODEL, served
from tests.fakes.replies import Usage, finish, tool_call
from tools.safety.audit import audit_log
from tools.safety.audit_check import latest
from tools.safety.errors import BudgetExceeded

COUNT = st.integers(0, 10_000)
USES = st.builds(
    Use,
    requests=COUNT,
    tokens_in=COUNT,
    tokens_out=COUNT,
    estimated=COUNT,
    largest=COUNT,
    seconds=st.integers(0, 1000).map(float),
)
SPENT = st.dictionaries(st.sampled_from(["openai:a", "openai:b"]), USES)
PRICED = {"price_in": 1.0, "price_out": 2.0}


def use(requests=1, tokens=100):
    return Use(requests=requests, tokens_in=tokens, tokens_out=0, estimated=0, largest=tokens, seconds=1.0)


@given(SPENT, SPENT, SPENT)
def test_parts_of_a_run_add_up_in_any_order(one, two, three):
    assert joined(one, two) == joined(two, one)
    assert joined(joined(one, two), three) == joined(one, joined(two, three))
    assert joined(one, {}) == one


@given(SPENT)
def test_money_is_the_tokens_times_their_price(spent):
    cost = cost_of(spent, Settings(model="openai:a", **PRICED))
    assert cost.usd == pytest.approx((cost.tokens_in + 2 * cost.tokens_out) / 1e6, abs=1e-6)


@given(SPENT, COUNT, st.integers(0, 9))
def test_what_a_budget_measures_is_what_the_result_says_was_spent(spent, calls, ahead):
    settings = Settings(max_calls=1, max_tokens=1, max_usd=1.0, max_seconds=1.0, **PRICED)
    cost = cost_of(spent, settings)
    share = 1 + ahead / max(cost.requests, 1)
    used = {m.setting: m.used for m in measures(settings, Used(calls, spent, 2.0, ahead))}
    assert used == {
        "max_calls": calls,
        "max_tokens": (cost.tokens_in + cost.tokens_out) * share,
        "max_usd": cost.usd * share,
        "max_seconds": 2.0,
    }


def test_without_a_limit_of_money_no_price_is_looked_up(monkeypatch):
    asked = []
    monkeypatch.setattr("agents.budget.price_of", lambda *given: asked.append(given))
    limits = {"max_tokens": 1, "max_seconds": 1.0}
    measured = measures(Settings(model="openai:a", **limits), Used(spent={"openai:a": use()}))
    assert [m.setting for m in measured] == ["max_calls", *limits]
    assert not asked


def test_one_model_without_a_price_leaves_the_whole_unpriced():
    spent = {"openai:gpt-4o": use(), "cohere:some": use()}
    cost = cost_of(spent, Settings(base_url="https://api.openai.com/v1"))
    assert cost.usd is None
    assert [price.model for price in cost.prices] in ([], ["openai:gpt-4o"])
    assert cost.tokens_in == 200


@pytest.mark.parametrize(("limit", "refused"), [(300, True), (301, False)])
def test_the_door_closes_exactly_at_the_limit(limit, refused):
    meter = Meter(Settings(model="openai:a", max_tokens=limit), Used(spent={"openai:a": use(3, 300)}))
    if refused:
        with pytest.raises(BudgetExceeded):
            meter.admit("openai:a")
    else:
        meter.admit("openai:a")
    meter.admit("statistical")


def test_requests_of_the_same_node_count():
    meter = Meter(Settings(model="openai:a", max_tokens=8), Used())
    meter.admit("openai:a")
    said = AIMessage("x" * 40, usage_metadata={"input_tokens": 7, "output_tokens": 1, "total_tokens": 8})
    assert meter.count("openai:a", [HumanMessage("?")], lambda: said) is said
    with pytest.raises(BudgetExceeded):
        meter.admit("openai:a")


def test_an_answer_that_cannot_be_parsed_is_charged_by_its_question():
    meter = Meter(Settings(model="openai:a"), Used())

    def broken():
        raise RecursionError

    with pytest.raises(RecursionError):
        meter.count("openai:a", [HumanMessage("x" * 400)], broken)
    assert meter.spent["openai:a"]["tokens_in"] >= 100
    assert meter.spent["openai:a"]["estimated"] == 1


@pytest.mark.parametrize(("budget", "limit"), [("max_tokens", 600), ("max_usd", 0.0006), ("max_seconds", 15)])
def test_a_loop_goes_on_while_three_more_requests_have_room(budget, limit):
    spent = Used(calls=3, spent={"openai:a": use(3, 300) | {"largest": 100, "seconds": 15.0}})
    settings = Settings(model="openai:a", **PRICED)
    assert not is_nearly_spent(settings, spent)
    assert is_nearly_spent(settings.model_copy(update={budget: limit}), spent)
    more = limit + 1 if budget != "max_usd" else limit * 1.01
    assert not is_nearly_spent(settings.model_copy(update={budget: more}), spent)


def test_a_notice_names_every_budget_of_which_four_fifths_are_used():
    used = Used(calls=8, spent={"openai:a": use(8, 80)}, ran_s=79.0)
    limits = {"max_calls": 10, "max_tokens": 101, "max_seconds": 100.0, "max_usd": 0.0001}
    settings = Settings(model="openai:a", **PRICED, **limits)
    assert {measure.kind for measure in measures(settings, used)} == {
        "model calls",
        "tokens",
        "USD",
        "seconds",
    }
    notices = told(settings, used)
    assert len(notices) == 2
    assert "80% of budget 'model calls'" in notices[0]
    assert "'USD'" in notices[1]


@pytest.mark.parametrize("told_in", ["Zebediah", -5, 1.5, 10**400, [1]], ids=lambda told_in: str(told_in)[:8])
@pytest.mark.parametrize("kept", [False, True])
def test_tokens_that_are_no_count_are_estimated_and_stand_in_no_log(told_in, kept, tmp_path, recwarn):
    """Tokens are text of the service: taken as they are, a word of it was logged and -5 made room."""
    reply = finish("length", tool_call("Query", {"query": "a"}, Usage(told_in, told_in)))
    settings = Settings(model=MODEL, max_tokens=10_000)
    with served([reply, replace(reply, finish_reason="tool_calls")]), recording(kept_in(tmp_path, kept)):
        reply = ask(query_case(), Query, settings, admit=lambda answer: answer.query)
    (spent,) = reply.spent.values()
    assert (spent["requests"], spent["estimated"]) == (2, 2)
    assert 100 < spent["tokens_in"] < 10_000
    assert all(entry.get("tokens_in") is None for entry in latest(audit_log().path, 10))
    assert StoredAnswers(tmp_path).paid() == {}
    assert not recwarn.list


def kept_in(folder, kept):
    return StoredAnswers(folder) if kept else None

"""Budgets of a run: refused before the request, told at four fifths, and gone on from with more."""

from dataclasses import replace
from time import monotonic

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graph.diagnosis import build
from tests.agents.service import MODEL
from tests.fakes.mind import Mind
from tests.fakes.replies import Usage
from tools.safety.errors import BudgetExceeded, InputError

GIVEN = {"history": [["4019", "25000"], ["5859"]], "comment": ""}
CONTEXT = {"model": MODEL, "max_candidates": 8, "passages": 2, "resamples": 0}
PRICED = {"price_in": 1.0, "price_out": 10.0}


def thread(serve, mind, **context):
    """The service, and a function that begins or resumes a run with some budgets."""
    server = serve(mind)
    graph = build().compile(checkpointer=InMemorySaver())
    place = {"configurable": {"thread_id": "one"}}

    def go(given=None, **budgets):
        more = CONTEXT | context if given else {}
        return graph.invoke(given, place, context=(more | budgets) or None)["result"]

    return server, graph, place, go


def without_times(result):
    return result | {"cost": result["cost"] | {"seconds": 0}, "notices": []}


class Dear(Mind):
    """A mind of which the nth answer to a task costs a million tokens."""

    def __init__(self, task, nth=0):
        super().__init__()
        self.task, self.nth = task, nth

    def __call__(self, body):
        nth = self.asked.copy()
        reply = super().__call__(body)
        task = self.seen[-1]["task"]
        dear = task == self.task and nth[task] == self.nth
        return replace(reply, usage=Usage(999_000, 1000)) if dear else reply


@pytest.mark.parametrize(
    ("budget", "kind"),
    [
        ({"max_calls": 4}, "model calls"),
        ({"max_tokens": 480}, "tokens"),
        ({"max_usd": 0.0012} | PRICED, "USD"),
        ({"max_seconds": 1e-9}, "seconds"),
    ],
)
def test_a_budget_that_is_used_up_refuses_the_next_request_and_names_itself(serve, budget, kind):
    server, _, _, go = thread(serve, Mind())
    with pytest.raises(BudgetExceeded) as refused:
        go(GIVEN, **budget)
    name = next(iter(budget))
    assert refused.value.kind == kind
    assert refused.value.used >= refused.value.limit == budget[name]
    assert f"raise {name}" in str(refused.value)
    assert len(server.requests) == (0 if kind == "seconds" else 4)


@pytest.mark.parametrize("budget", [{"max_tokens": 1_100_000}, {"max_usd": 0.9} | PRICED])
def test_s1_a_run_stopped_by_its_budget_in_amend_goes_on_with_more_to_the_same_result(serve, budget):
    whole_server, _, _, whole = thread(serve, Dear("amend_graph"))
    expected = whole(GIVEN, **PRICED)
    server, graph, place, go = thread(serve, Dear("amend_graph"))
    with pytest.raises(BudgetExceeded):
        go(GIVEN, **(PRICED | budget | {"max_tokens": 900_000} if "max_tokens" in budget else budget))
    stopped = graph.get_state(place)
    assert stopped.next == ("amend",)
    assert len(stopped.values["trials"]) == 1
    fitted = stopped.values["trials"][0]
    raised = {name: 100 * value for name, value in budget.items() if name.startswith("max")}
    result = go(**raised)
    assert graph.get_state(place).values["trials"][0] == fitted
    assert result["predictions"] == expected["predictions"]
    assert result["graph"] == expected["graph"]
    assert result["scores"] == expected["scores"]
    assert len(server.requests) <= len(whole_server.requests) + 1


def test_a_resume_without_more_is_refused_again_and_asks_nothing(serve):
    server, _, _, go = thread(serve, Mind())
    with pytest.raises(BudgetExceeded):
        go(GIVEN, max_tokens=360)
    sent = len(server.requests)
    with pytest.raises(BudgetExceeded):
        go()
    assert len(server.requests) == sent
    assert go(max_tokens=10_000_000)["predictions"]


def test_a_larger_budget_stays_with_the_run_and_nothing_else_of_a_resume_does(serve):
    _, graph, place, go = thread(serve, Mind())
    with pytest.raises(BudgetExceeded):
        go(GIVEN, max_tokens=480)
    result = go(max_tokens=10_000_000, max_calls=70, top_k=1, model="statistical")
    values = graph.get_state(place).values
    assert values["settings"]["max_tokens"] == 10_000_000
    assert values["limits"]["max_calls"] == 70
    assert (values["settings"]["model"], result["model"]) == (MODEL, MODEL)
    assert len(result["predictions"]) > 1


def test_a_budget_that_runs_low_in_the_loop_ends_it_with_the_best_graph_so_far(serve):
    _, _, _, go = thread(serve, Dear("propose_graph"))
    result = go(GIVEN, max_tokens=3_000_000)
    assert result["stopped"] == "budget"
    assert result["iterations"] == 1
    assert result["predictions"]
    assert result["graph"]["edges"]


def test_four_fifths_of_a_budget_are_told_and_less_is_not(serve):
    _, _, _, go = thread(serve, Mind())
    cost = go(GIVEN)["cost"]
    tokens = cost["tokens_in"] + cost["tokens_out"]
    for share, told in ((0.85, 1), (0.5, 0)):
        _, _, _, go = thread(serve, Mind(), change_threshold=1, max_iterations=0)
        short = go(GIVEN)["cost"]
        used = short["tokens_in"] + short["tokens_out"]
        result = go(GIVEN, max_tokens=int(used / share))
        assert sum("budget 'tokens'" in notice for notice in result["notices"]) == told
    assert tokens >= used


def test_money_needs_a_price_and_says_which_options_give_it(serve, monkeypatch):
    server, _, _, go = thread(serve, Mind())
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")
    for budget in ({"max_usd": 1.0}, {"price_in": 1.0}):
        with pytest.raises(InputError, match="--price-in and --price-out"):
            go(GIVEN, **budget)
    assert server.requests == []


def test_what_a_patient_cost_is_told_with_its_price(serve):
    server, _, _, go = thread(serve, Mind())
    cost = go(GIVEN, **PRICED)["cost"]
    n = len(server.requests)
    assert (cost["requests"], cost["tokens_in"], cost["tokens_out"]) == (n, 100 * n, 20 * n)
    assert cost["usd"] == pytest.approx(n * (100 * 1 + 20 * 10) / 1e6)
    assert [(p["model"], p["source"]) for p in cost["prices"]] == [(MODEL, "as given")]
    assert cost["seconds"] > 0
    assert cost["estimated"] is False


def test_a_service_that_tells_no_tokens_is_estimated_and_said_to_be(serve):
    def silent(body):
        return replace(mind(body), usage=None)

    mind = Mind()
    server, _, _, go = thread(serve, silent)
    cost = go(GIVEN, **PRICED)["cost"]
    characters = sum(len(m["content"] or "") for body in server.bodies for m in body["messages"])
    assert cost["estimated"] is True
    assert cost["tokens_in"] == pytest.approx(characters / 4, rel=0.2)
    assert cost["tokens_out"] > 0


def test_the_statistical_mind_is_free(serve):
    server, _, _, go = thread(serve, Mind(), model="statistical")
    result = go(GIVEN, max_usd=0.0, max_tokens=1)
    assert result["cost"] == {
        "requests": 0,
        "tokens_in": 0,
        "tokens_out": 0,
        "estimated": False,
        "usd": 0.0,
        "prices": [],
        "seconds": 0.0,
    }
    assert result["calls"] > 0
    assert server.requests == []


def test_nothing_a_patient_took_is_charged_to_the_next_of_the_thread(serve):
    _, _, _, go = thread(serve, Mind())
    first, second = go(GIVEN), go(GIVEN)
    assert without_times(first) == without_times(second)


def test_passages_read_at_the_same_time_count_for_one_another(serve):
    server, _, _, go = thread(serve, Mind(), passages=8)
    with pytest.raises(BudgetExceeded):
        go(GIVEN, max_tokens=360)
    assert len(server.requests) == 3


def test_the_time_that_a_run_lay_still_is_not_charged(serve, monkeypatch):
    lay_still_s = 0.0
    for module in ("agents.budget", "graph.metering"):
        monkeypatch.setattr(f"{module}.monotonic", lambda: monotonic() + lay_still_s)
    _, graph, place, go = thread(serve, Mind())
    with pytest.raises(BudgetExceeded):
        go(GIVEN, max_tokens=360, max_seconds=500)
    lay_still_s = 1000.0
    assert go(max_tokens=1_000_000)["predictions"]
    assert 0 < graph.get_state(place).values["ran_s"] < 500


def test_a_resume_may_not_be_charged_to_a_model_without_a_price(serve, monkeypatch):
    server, _, _, go = thread(serve, Mind())
    with pytest.raises(BudgetExceeded):
        go(GIVEN, max_tokens=360)
    sent = len(server.requests)
    monkeypatch.setattr("agents.budget.price_of", _unknown)
    with pytest.raises(InputError, match="price"):
        go(max_tokens=1_000_000, max_usd=1.0)
    assert len(server.requests) == sent


def _unknown(*_):
    raise InputError("price", "not known")

"""What the reasoning mind looks up while it amends is read for it, and stands in the result."""

import json

import pytest

from graph.diagnosis import graph
from tests.agents.service import MODEL, served
from tests.fakes.mind import Mind
from tests.fakes.replies import tool_call
from tools.safety.errors import ModelOutputError

SETTINGS = {"model": MODEL, "max_candidates": 8, "passages": 1, "resamples": 0, "max_iterations": 1}
HISTORY = [["4019", "25000"], ["5859"]]
LOOK = tool_call("search_knowledge", {"query": "kidney disease and high blood pressure"})


class Curious(Mind):
    """A mind that looks something up before each amendment; `told` is what it was told."""

    def __init__(self, times=1, look=LOOK):
        super().__init__()
        self.times, self.look, self.told, self.offered = times, look, [], []

    def __call__(self, body):
        case = json.loads(next(m["content"] for m in body["messages"] if m["role"] == "user"))
        if case["task"] != "amend_graph":
            return super().__call__(body)
        self.asked["amend_graph"] += 1
        self.offered.append({tool["function"]["name"] for tool in body["tools"]})
        results = [json.loads(m["content"]) for m in body["messages"] if m["role"] == "tool"]
        if len(results) < self.times:
            return self.look
        self.told += results
        kept = [{"cause": edge["cause"], "effect": edge["effect"]} for edge in case["edges"]]
        return tool_call("Hypothesis", {"edges": kept, "no_edges_because": "none gains"})


def predicted(mind, **more):
    with served(mind) as server:
        result = graph.invoke({"history": HISTORY, "comment": ""}, context=SETTINGS | more)["result"]
    return result, server


def test_what_is_looked_up_comes_back_as_findings_and_stands_in_the_result():
    plain, _ = predicted(Mind())
    mind = Curious()
    result, server = predicted(mind)
    before = {passage["id"] for passage in plain["knowledge"]["passages"]}
    after = [passage["id"] for passage in result["knowledge"]["passages"]]
    assert set(after[: len(before)]) == before
    [told] = mind.told
    assert told["findings"]
    assert set(told["findings"][0]) == {
        "passage", "contradicted", "cause", "effect", "direction", "strength", "trust",
    }  # fmt: skip
    keys = {f"P{place}" for place in range(1, len(after) + 1)}
    assert {finding["passage"] for finding in told["findings"]} <= keys
    assert result["calls"] == len(server.bodies)


def test_a_further_passage_is_read_once_and_said_to_be():
    mind = Curious(times=2, look=tool_call("search_knowledge", {"query": "obesity and sleep apnea"}))
    result, _ = predicted(mind, passages=2)
    ids = [passage["id"] for passage in result["knowledge"]["passages"]]
    assert len(ids) == len(set(ids)) > 2
    assert mind.told[0] == mind.told[1]
    further = len(ids) - 2
    notice = f"the reasoning mind had {further} further passage"
    assert sum(notice in one for one in result["notices"]) == 1


def test_no_word_of_a_passage_reaches_the_mind_that_amends():
    mind = Curious()
    result, server = predicted(mind)
    amending = [
        m["content"] or ""
        for body in server.bodies
        for m in body["messages"]
        if any("amend_graph" in (n["content"] or "") for n in body["messages"] if n["role"] == "user")
    ]
    quotes = [finding["quote"] for finding in result["knowledge"]["findings"]]
    assert quotes
    assert any('"findings"' in said for said in amending)
    assert not any(quote in said for quote in quotes for said in amending)


def test_a_run_that_reads_nothing_offers_no_libraries():
    mind = Curious(times=0)
    predicted(mind, without_knowledge=True)
    assert mind.offered
    assert not any("search_knowledge" in offered for offered in mind.offered)


@pytest.mark.parametrize("arguments", [{"query": ""}, {"query": "x" * 501}, {}])
def test_a_query_that_is_none_goes_back_to_the_mind(arguments):
    mind = Curious(look=tool_call("search_knowledge", arguments))
    result, _ = predicted(mind)
    assert mind.told == [{"refused": "arguments do not fit: query"}]
    assert result["predictions"]


def test_looks_are_bounded_by_the_calls_of_tools():
    mind = Curious(times=99)
    with pytest.raises(ModelOutputError, match="too many tool calls"):
        predicted(mind, max_tool_calls=2)
    assert mind.asked["amend_graph"] == 2 + 3

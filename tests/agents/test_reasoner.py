"""The statistical reasoner is a chat model like any other, and answers every case deterministically."""

import json
from functools import reduce
from operator import add
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_tests.unit_tests import ChatModelUnitTests

from agents import answers
from agents.answers import Answer, read, validate
from agents.reasoner import StatisticalReasoner
from prompts import load
from tests.agents.cases import EDGE, amendment_case, change, every_case, proposal_case
from tools.causal_tools import score_edits, search_graph

MODEL = StatisticalReasoner()
CASES = every_case()
case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.task)


def answer_of(case) -> type[Answer]:
    return getattr(answers, load(case.task).answer)


def messages(case):
    return [SystemMessage("You are a mind."), HumanMessage(case.model_dump_json())]


class TestStandard(ChatModelUnitTests):
    """The checks that LangChain has for every chat model."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return StatisticalReasoner

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {}

    @pytest.mark.xfail(reason="a timing is a benchmark, never a test", run=False)
    def test_init_time(self) -> None:
        """Left out."""


@case
def test_the_answer_is_json_text_where_nothing_is_bound_and_a_tool_call_where_it_is(case):
    kind = answer_of(case)
    spoken = MODEL.invoke(messages(case))
    called = MODEL.bind_tools([kind]).invoke(messages(case))
    (call,) = called.tool_calls
    assert spoken.tool_calls == []
    assert call["name"] == kind.__name__
    assert read(spoken.text, kind) == validate(call["args"], kind)


@case
def test_the_structured_output_of_langchain_works(case):
    kind = answer_of(case)
    assert MODEL.with_structured_output(kind).invoke(messages(case)) == read(
        MODEL.invoke(messages(case)).text, kind
    )


def said(message):
    calls = [(call["name"], call["args"]) for call in message.tool_calls]
    return message.text, calls, message.usage_metadata


@case
@pytest.mark.parametrize("bound", [False, True])
def test_streaming_batching_and_asking_again_give_the_same(case, bound):
    model, again = (
        mind.bind_tools([answer_of(case)]) if bound else mind for mind in (MODEL, StatisticalReasoner())
    )
    whole = model.invoke(messages(case))
    streamed = reduce(add, model.stream(messages(case)))
    batched = model.batch([messages(case)] * 2)
    assert whole.usage_metadata == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert len(whole.tool_calls) == bound
    assert all(said(other) == said(whole) for other in (streamed, *batched, again.invoke(messages(case))))


async def test_it_answers_asynchronously():
    asked = messages(CASES[0])
    assert (await MODEL.ainvoke(asked)).text == MODEL.invoke(asked).text
    assert "".join([chunk.text async for chunk in MODEL.astream(asked)]) == MODEL.invoke(asked).text


@given(st.text(max_size=80) | st.just(json.dumps({"task": "decide"})) | st.just("[]"))
def test_what_is_no_case_gets_a_plain_sentence(words):
    for asked in (
        [HumanMessage(words)],
        [SystemMessage("x"), HumanMessage([{"type": "text", "text": words}])],
    ):
        reply = MODEL.invoke(asked)
        assert reply.text.startswith("I am the statistical reasoner")
        assert not reply.tool_calls


def test_no_message_of_a_person_gets_the_same_sentence():
    assert "choose a language model" in MODEL.invoke([SystemMessage("hello")]).text


def test_it_calls_the_search_once_and_answers_with_what_it_found():
    bound = MODEL.bind_tools([search_graph, score_edits, answers.Hypothesis])
    asked = messages(amendment_case(EDGE))
    call = bound.invoke(asked).tool_calls[0]
    assert (call["name"], call["args"]) == (
        "search_graph",
        {"start_edges": [list(EDGE)], "tabu": 10, "max_steps": 200},
    )
    found = ToolMessage(json.dumps({"edges": [["25000", "5859"]]}), tool_call_id=call["id"])
    answer = bound.invoke([*asked, AIMessage("", tool_calls=[call]), found]).tool_calls[0]
    assert answer["name"] == "Hypothesis"
    assert [(e["cause"], e["effect"]) for e in answer["args"]["edges"]] == [("25000", "5859")]


@pytest.mark.parametrize("failure", ["Error: timed out", "[1]", "3", '{"refused": "no"}', ""])
def test_a_tool_that_failed_is_not_called_again(failure):
    bound = MODEL.bind_tools([search_graph, answers.Hypothesis])
    call = {"name": "search_graph", "args": {}, "id": "1", "type": "tool_call"}
    failed = ToolMessage(failure, tool_call_id="1")
    (answer,) = bound.invoke(
        [*messages(amendment_case(EDGE)), AIMessage("", tool_calls=[call]), failed]
    ).tool_calls
    assert answer["name"] == "Hypothesis"
    assert [(e["cause"], e["effect"]) for e in answer["args"]["edges"]] == [EDGE]


def test_only_what_is_in_the_case_decides():
    associated = proposal_case(associations=[change("4019", "5859", 2.0)])
    first, second = (
        read(MODEL.invoke(messages(c)).text, answers.Hypothesis) for c in (associated, proposal_case())
    )
    assert [(e.cause, e.effect) for e in first.edges] == [("4019", "5859")]
    assert second.edges == []
    assert second.no_edges_because

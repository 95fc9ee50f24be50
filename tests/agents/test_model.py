"""The only door to a chat model: tools in bounds, answers admitted, repairs and requests counted."""

import json
import re
from dataclasses import replace
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.tools import InjectedToolArg, tool

from agents.answers import Decision, Hypothesis, ProposedModel, Query, Reading
from agents.budget import Used
from agents.forms import FORMS, response_format
from agents.model import Declined, Inadmissible, Reply, Toolbox, ask
from agents.settings import AnswerForm, Settings
from prompts import load
from tests.agents.cases import EDGE, amendment_case, decision_case, query_case
from tests.agents.service import KEY, MODEL, served
from tests.fakes.model_server import Usage, finish, refusal, status, text, tool_call, tool_calls
from tools.catalogue import CATALOGUE, search_knowledge, select_candidates
from tools.causal_tools import score_edits, search_graph
from tools.safety.errors import BudgetExceeded, InputError, ModelOutputError

NODES = ["4019", "5859"]
INJECTED = {"nodes": NODES, "history": ["4019"], "store": "", "max_parents": 3}
GOOD = tool_call("Hypothesis", {"edges": [{"cause": "4019", "effect": "5859"}]})
GARBAGE = text("lorem ipsum")


class Probe:
    """A tool that notes what it is called with."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

        @tool
        def probe(
            word: str,
            nodes: Annotated[list[str], InjectedToolArg],
            store: Annotated[str, InjectedToolArg] = "default",
        ) -> dict[str, Any]:
            """Notes its arguments."""
            self.calls.append({"word": word, "nodes": nodes, "store": store})
            return {"heard": word}

        self.box = Toolbox((probe,), {"nodes": NODES, "word": "not the toolbox's to set"})


def propose(toolbox=None, admit=lambda answer: answer, calls_used=0, case=None, **more) -> Reply:
    chosen = Settings(model=MODEL, **more)
    return ask(
        case or amendment_case(EDGE),
        Hypothesis,
        chosen,
        admit=admit,
        used=Used(calls_used),
        toolbox=toolbox,
    )


def tool_results(body):
    return [json.loads(m["content"]) for m in body["messages"] if m["role"] == "tool"]


def offered(body):
    return {t["function"]["name"]: t["function"]["parameters"]["properties"] for t in body["tools"]}


def test_the_prompt_goes_first_and_the_case_after_it_as_json():
    case = amendment_case(EDGE)
    with served([GOOD]) as server:
        propose(case=case)
    system, human = server.bodies[0]["messages"]
    assert system["content"].startswith(load("amend_graph").text)
    assert json.dumps(Hypothesis.model_json_schema()) in system["content"]
    assert type(case).model_validate_json(human["content"]) == case


def test_a_tool_runs_with_what_the_model_says_and_the_toolbox_adds():
    probe = Probe()
    with served([tool_call("probe", {"word": "hello"}), GOOD]) as server:
        reply = propose(probe.box)
    assert probe.calls == [{"word": "hello", "nodes": NODES, "store": "default"}]
    assert tool_results(server.bodies[1]) == [{"heard": "hello"}]
    assert reply.calls == len(server.requests) == 2
    assert [(e.cause, e.effect) for e in reply.value.edges] == [EDGE]


@pytest.mark.parametrize("toolbox", [(search_graph, score_edits, select_candidates), CATALOGUE])
def test_the_model_is_not_shown_what_the_application_sets(toolbox):
    with served([GOOD]) as server:
        propose(Toolbox(toolbox, INJECTED))
    shown = offered(server.bodies[0])
    assert set(shown) == {t.name for t in toolbox} | {"Hypothesis"}
    hidden = {
        "store",
        "nodes",
        "library",
        "max_parents",
        "max_edges",
        "by_burden",
        "ess",
        "resamples",
        "seed",
    }
    assert not any((hidden | {"score", "method"}) & set(fields) for fields in shown.values())
    assert [name for name, fields in shown.items() if "history" in fields] == ["select_candidates"]
    assert server.bodies[0]["tool_choice"] == "required"


@given(
    st.dictionaries(
        st.sampled_from(["nodes", "store", "library", "x"]),
        st.sampled_from(["/etc/passwd", ["evil"], None, 3]),
    )
)
@settings(max_examples=10)
def test_the_model_cannot_set_what_it_is_not_shown(forged):
    probe = Probe()
    with served([tool_call("probe", {"word": "w", **forged}), GOOD]):
        propose(probe.box)
    assert probe.calls == [{"word": "w", "nodes": NODES, "store": "default"}]


def test_what_the_model_is_shown_is_not_filled_in_for_it():
    probe = Probe()
    with served([tool_call("probe", {}), GOOD]) as server:
        propose(probe.box)
    assert probe.calls == []
    assert tool_results(server.bodies[1]) == [{"refused": "arguments do not fit: word"}]


def test_the_model_cannot_point_a_tool_of_the_catalogue_at_another_folder(tmp_path):
    forged = {"query": "gout", "k": 1, "library": str(tmp_path)}
    with served([tool_call("search_knowledge", forged), GOOD]) as server:
        propose(Toolbox((search_knowledge,)))
    (result,) = tool_results(server.bodies[1])
    assert len(result["passages"]) == 1


def test_the_model_asks_for_candidates_after_diseases_of_its_own_choice():
    with served([tool_call("select_candidates", {"history": ["5859"], "limit": 3}), GOOD]) as server:
        propose(Toolbox((select_candidates,), INJECTED))
    (result,) = tool_results(server.bodies[1])
    assert result == select_candidates.invoke({"history": ["5859"], "limit": 3})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"start_edges": [["4019", "99999"]]}, "not one of the given diseases"),
        ({"start_edges": [["4019", "5859"], ["5859", "4019"]]}, "cycle"),
        ({"start_edges": [], "max_steps": 0}, "arguments do not fit: max_steps"),
        ({"start_edges": [["4019"]]}, "arguments do not fit: start_edges"),
        ({}, "arguments do not fit: start_edges"),
    ],
)
def test_what_a_tool_refuses_goes_back_to_the_model(arguments, said):
    with served([tool_call("search_graph", arguments), GOOD]) as server:
        reply = propose(Toolbox((search_graph,), INJECTED))
    (result,) = tool_results(server.bodies[1])
    assert said in result["refused"]
    assert reply.calls == 2


@pytest.mark.parametrize("limit", [0, 1, 3])
@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_tools_run_than_the_settings_allow(limit, at_once):
    probe = Probe()
    with served(lambda body: tool_calls([("probe", {"word": "w"})] * at_once)) as server:
        with pytest.raises(ModelOutputError, match="too many tool calls"):
            propose(probe.box, max_tool_calls=limit)
        assert len(probe.calls) == limit // at_once * at_once
        assert len(server.requests) == limit // at_once + 3


def test_a_tool_that_is_not_offered_is_not_run_and_the_model_is_told():
    probe = Probe()
    both = tool_calls([("probe", {"word": "w"}), ("rm_rf", {})])
    with served([both, GOOD]) as server:
        propose(probe.box)
    assert probe.calls == []
    assert "there is no such tool; there are probe" in server.bodies[1]["messages"][-1]["content"]


def test_an_answer_beside_tool_calls_counts_and_the_tools_rest():
    probe = Probe()
    arguments = {"edges": [{"cause": "4019", "effect": "5859"}]}
    with served([tool_calls([("probe", {"word": "w"}), ("Hypothesis", arguments)])]):
        assert propose(probe.box).calls == 1
    assert probe.calls == []


UNUSABLE = {
    "garbage": (GARBAGE, "no JSON in the answer"),
    "two": (tool_calls([("Hypothesis", {"edges": []})] * 2), "more than one answer"),
    "a list": (tool_call("Hypothesis", "[1, 2]"), "no JSON object"),
    "a number": (tool_call("Hypothesis", "3"), "no JSON object"),
    "half": (tool_call("Hypothesis", '{"edges": [{"cau'), "not valid JSON"),
    "another tool's": (tool_call("probe", 'x {"edges": []}'), "arguments of a tool call are not valid JSON"),
    "one of two tools": (tool_calls([("probe", {"word": "w"}), ("probe", "w")]), "are not valid JSON"),
    "a tool and half": (tool_calls([("probe", {"word": "w"}), ("Hypothesis", "{")]), "not valid JSON"),
    "unknown field": (tool_call("Hypothesis", {"edges": [], "zaphod": 1}), "Extra inputs"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_answer_is_repaired_with_its_problems_shown(name):
    unusable, problem = UNUSABLE[name]
    probe = Probe()
    with served([unusable, GOOD]) as server:
        reply = propose(probe.box)
    assert probe.calls == []
    repair = server.bodies[1]["messages"][-1]
    assert repair["role"] == "user"
    assert problem in repair["content"]
    assert reply.calls == len(server.requests) == 2


def test_after_two_repairs_it_is_an_error_that_names_the_prompt_and_quotes_nothing():
    with served([GARBAGE] * 3) as server, pytest.raises(ModelOutputError) as refused:
        propose()
    assert len(server.requests) == 3
    assert refused.value.prompt == "amend_graph"
    assert not isinstance(refused.value, Inadmissible)
    assert "lorem" not in str(refused.value)
    assert KEY not in str(refused.value)


def test_what_is_not_admitted_is_repaired_and_then_refused_with_its_cost():
    def admit(answer):
        raise InputError("edges", "not today")

    with served([GOOD] * 3) as server, pytest.raises(Inadmissible, match="edges: not today") as refused:
        propose(admit=admit)
    assert refused.value.calls == len(server.requests) == 3
    assert all("edges: not today" in body["messages"][-1]["content"] for body in server.bodies[1:])


HALF = finish("length", '{"edges": [{"cause": "40')
CUT_CALL = finish("length", tool_call("Hypothesis", '{"edges": [{"cau'))


@pytest.mark.parametrize("reply", [HALF, CUT_CALL, finish("length"), finish("length", GOOD)])
def test_m8_a_cut_answer_is_asked_for_once_more_with_more_room_and_no_part_is_used(reply):
    with served([reply, GOOD]) as server:
        reply = propose()
    first, second = server.bodies
    assert reply.calls == len(server.requests) == 2
    assert second["messages"] == first["messages"]
    assert "max_completion_tokens" not in first
    assert second["max_completion_tokens"] >= 4096
    assert [(e.cause, e.effect) for e in reply.value.edges] == [EDGE]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("again", [HALF, CUT_CALL, status(400)])
def test_m8_an_answer_cut_twice_is_an_error_after_two_requests(again, form):
    with served([HALF, again]) as server, pytest.raises(ModelOutputError, match="limit of length"):
        propose(answer_form=form)
    assert len(server.requests) == 2


def test_m8_a_long_answer_gets_twice_its_length():
    long = replace(HALF, usage=Usage(100, 9_000))
    with served([long, GOOD]) as server:
        propose()
    assert server.bodies[1]["max_completion_tokens"] == 18_000


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "reply", [refusal(), finish("content_filter"), finish("content_filter", '{"edges": []}')]
)
def test_m9_a_declined_answer_is_not_repaired(reply, form):
    with served([reply]) as server, pytest.raises(Declined) as declined:
        propose(answer_form=form)
    assert len(server.requests) == declined.value.calls == 1
    assert declined.value.prompt == "amend_graph"


def test_m9_an_answer_declined_in_the_repair_ends_it():
    with served([GARBAGE, refusal()]) as server, pytest.raises(Declined) as declined:
        propose()
    assert len(server.requests) == declined.value.calls == 2


@given(used=st.integers(0, 8), limit=st.integers(1, 6))
@settings(max_examples=15)
def test_the_budget_of_the_run_counts_every_request(used, limit):
    with served(lambda body: GARBAGE) as server:
        error = BudgetExceeded if limit - used < 3 else ModelOutputError
        with pytest.raises(error):
            propose(calls_used=used, max_calls=limit)
        assert len(server.requests) == max(0, min(3, limit - used))


REPLIES = st.sampled_from(
    [GOOD, GARBAGE, tool_call("probe", {"word": "w"}), tool_calls([("probe", {"word": "w"})] * 3), refusal()]
)


@given(st.lists(REPLIES, min_size=1, max_size=6), st.integers(0, 4), st.integers(1, 8))
@settings(max_examples=25)
def test_any_model_is_bounded_and_every_tool_call_is_answered(script, max_tool_calls, max_calls):
    probe, remaining = Probe(), iter(script)
    with served(lambda body: next(remaining, GARBAGE)) as server:
        try:
            reply = propose(probe.box, max_tool_calls=max_tool_calls, max_calls=max_calls)
        except (ModelOutputError, BudgetExceeded, Declined):
            pass
        else:
            assert reply.calls == len(server.requests)
    assert len(probe.calls) <= max_tool_calls
    assert len(server.requests) <= min(max_calls, max_tool_calls + 3)
    for body in server.bodies:
        asked = [c["id"] for m in body["messages"] for c in m.get("tool_calls", [])]
        assert asked == [m["tool_call_id"] for m in body["messages"] if m["role"] == "tool"]


def decide(form: AnswerForm, *replies):
    """A decision in a form, and what the service was asked for it."""
    chosen = Settings(model=MODEL, answer_form=form)
    with served(list(replies)) as server:
        reply = ask(
            decision_case(),
            Decision,
            chosen,
            admit=lambda answer: answer.explanation,
            toolbox=Probe().box,
        )
    return reply, server.bodies


LISTED = [{"code": "5859", "probability": 0.4, "reason": "r"}]
WRITTEN = {
    "text": text(f"{json.dumps(LISTED)} <SEP> so"),
    "json_object": text(json.dumps({"predictions": LISTED, "explanation": "so"})),
    "json_schema": text(json.dumps({"predictions": LISTED, "explanation": "so"})),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_the_forms_without_tools_offer_none_and_read_what_the_model_writes(form):
    reply, (body,) = decide(form, WRITTEN[form])
    assert (reply.value, reply.calls) == ("so", 1)
    assert "tools" not in body and "tool_choice" not in body


def test_the_service_is_told_the_form_that_it_holds_the_model_to():
    (schema,) = decide("json_schema", WRITTEN["json_schema"])[1]
    (plain,) = decide("json_object", WRITTEN["json_object"])[1]
    (words,) = decide("text", WRITTEN["text"])[1]
    assert schema["response_format"]["json_schema"]["strict"]
    assert schema["response_format"]["json_schema"]["name"] == "Decision"
    assert plain["response_format"] == {"type": "json_object"}
    assert "JSON" in plain["messages"][0]["content"]
    assert "response_format" not in words


def objects(schema):
    """Every object of a schema, however deep."""
    if isinstance(schema, dict):
        yield from ([schema] if schema.get("type") == "object" else [])
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else []:
        yield from objects(part)


@pytest.mark.parametrize("answer", [Query, Reading, Hypothesis, Decision, ProposedModel])
def test_a_strict_schema_asks_for_every_field_and_no_other(answer):
    schema = response_format("json_schema", answer)["json_schema"]["schema"]
    found = list(objects(schema))
    assert set(schema["properties"]) == set(answer.model_fields)
    for one in found:
        assert one["required"] == list(one["properties"])
        assert one["additionalProperties"] is False
    assert not {"maxLength", "minLength", "default", "$ref", "oneOf", "discriminator"} & set(
        re.findall(r'"([^"]+)":', json.dumps(schema))
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_bad", [1, 2])
def test_every_form_has_the_same_repairs(form, n_bad):
    good = GOOD if form == "tool" else text(json.dumps({"edges": [{"cause": "4019", "effect": "5859"}]}))
    with served([GARBAGE] * n_bad + [good]) as server:
        assert propose(answer_form=form).calls == len(server.requests) == n_bad + 1
    assert "no JSON in the answer" in server.bodies[1]["messages"][-1]["content"]


@pytest.mark.parametrize("form", FORMS)
def test_in_every_form_two_repairs_are_the_end(form):
    with served([GARBAGE] * 3) as server, pytest.raises(ModelOutputError):
        propose(answer_form=form)
    assert len(server.requests) == 3


def test_the_prompt_must_ask_for_the_answer_s_type():
    with pytest.raises(ValueError, match="asks for Query, not Hypothesis"):
        ask(query_case(), Hypothesis, Settings(), admit=lambda answer: answer)


@pytest.mark.parametrize("form", FORMS)
def test_the_statistical_reasoner_comes_in_by_the_same_door(form):
    reply = ask(query_case(), Query, Settings(answer_form=form), admit=lambda answer: answer.query)
    assert reply.calls == 1
    assert "chronic kidney disease" in reply.value


def test_the_statistical_reasoner_uses_the_tools_it_is_offered():
    reply = ask(
        amendment_case(),
        Hypothesis,
        Settings(),
        admit=lambda answer: [[e.cause, e.effect] for e in answer.edges],
        toolbox=Toolbox((search_graph,), INJECTED),
    )
    assert reply.calls == 2
    assert reply.value == search_graph.invoke({"start_edges": [], **INJECTED})["edges"]

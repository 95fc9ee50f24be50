"""The diagnosis graph end to end on the demo cohort, with no key."""

import json
from hashlib import sha256

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graph.context import DiagnosisContext
from graph.diagnosis import build, graph
from tests.graph.runs import HISTORY, SMALL, run
from tools import resources
from tools.catalogue import CATALOGUE
from tools.causal_tools import next_visit_risks
from tools.reporting.result import DiagnosisResult
from tools.safety.errors import BudgetExceeded, InputError


@pytest.fixture(scope="module")
def result():
    return run()


def of_records(result):
    """What the records say of every disease of a result's graph, as they would list them."""
    nodes = [node.code for node in result.graph.nodes]
    edges = [[edge.cause, edge.effect] for edge in result.graph.edges]
    visits = [list(visit) for visit in result.history]
    return next_visit_risks.invoke({"nodes": nodes, "edges": edges, "visits": visits})["risks"]


def test_predictions_stand_as_the_records_list_them_the_ten_most_probable_first(result):
    risks = of_records(result)
    listed = [(risk["code"], risk["probability"], (risk["low"], risk["high"])) for risk in risks]
    shown = [(p.code, p.probability, p.interval) for p in result.predictions]
    assert shown == listed[: len(shown)]
    assert [p.rank for p in result.predictions] == list(range(1, 11))
    assert min(p.probability for p in result.predictions) >= max(risk["probability"] for risk in risks[10:])


def test_the_parts_of_every_probability_add_up_to_it(result):
    had = {code for visit in result.history for code in visit}
    edges = {(edge.cause, edge.effect) for edge in result.graph.edges}
    for prediction in result.predictions:
        parts = prediction.parts
        assert sum(part.value for part in parts) == pytest.approx(prediction.probability, abs=1e-9)
        assert all(part.low <= part.value <= part.high for part in parts)
        low, high = prediction.interval
        assert low <= prediction.probability <= high
        assert prediction.repeat == ("recurrence" in {part.name for part in parts})
        for part in parts:
            assert (part.source in had) == (part.name in {"cause", "association"})
            assert ((part.source, prediction.code) in edges) == (part.name == "cause")


def test_a_prediction_has_a_path_where_a_cause_adds_to_it_and_a_repeat_may_have_one():
    result = run(history=[["4019"], ["25000", "4280"]])
    causes = {p.code: {part.source for part in p.parts if part.name == "cause"} for p in result.predictions}
    assert {p.code for p in result.predictions if p.path} == {code for code in causes if causes[code]}
    assert all(p.path[-2] in causes[p.code] for p in result.predictions if p.path)
    (repeat,) = (p for p in result.predictions if p.code == "4280")
    assert repeat.repeat
    assert repeat.path == ("4019", "4280")


def test_every_path_runs_along_edges_from_the_history(result):
    edges = {(edge.cause, edge.effect) for edge in result.graph.edges}
    had = {code for visit in result.history for code in visit}
    assert any(p.path for p in result.predictions)
    for prediction in result.predictions:
        if prediction.path:
            assert prediction.path[0] in had
            assert prediction.path[-1] == prediction.code
            assert set(zip(prediction.path, prediction.path[1:], strict=False)) <= edges


def test_only_retrieved_passages_are_cited_and_every_quote_is_in_its_passage(result):
    passages = resources.open_library().passages
    texts = {passage.id: passages[passage.id].text for passage in result.knowledge.passages}
    assert result.knowledge.findings
    for finding in result.knowledge.findings:
        assert finding.quote in " ".join(texts[finding.passage].split())
    for passage in result.knowledge.passages:
        assert passage.text_sha256 == sha256(texts[passage.id].encode()).hexdigest()
        assert passage.text_sha256.startswith(passage.id.rpartition(".")[2])
    cited = {i for p in result.predictions for i in p.evidence}
    cited |= {i for edge in result.graph.edges for i in edge.evidence}
    assert cited <= set(texts)


def test_every_result_names_the_version_of_each_library_and_holds_no_passage(result):
    (library,) = result.knowledge.libraries
    assert library.version == resources.open_library().version
    assert library.trust == 1
    whole = result.model_dump_json()
    for passage in result.knowledge.passages:
        assert json.dumps(resources.open_library().passages[passage.id].text)[1:-1] not in whole
        assert "text" not in passage.model_dump()


def test_a_run_that_finds_nothing_still_names_what_it_searched(tmp_path):
    (tmp_path / "library.json").write_text('{"title": "Empty"}')
    empty = run(libraries=(str(tmp_path),))
    assert [library.title for library in empty.knowledge.libraries] == ["Empty"]
    assert len(empty.knowledge.libraries[0].version) == 64
    assert empty.knowledge.passages == ()
    assert any("nothing was read" in notice for notice in empty.notices)


def test_the_loop_returns_its_best_graph_and_says_why_it_stopped(result):
    best = max(result.scores, key=lambda score: score.accepted_score)
    assert len(result.graph.edges) == best.n_edges
    assert result.stopped == "unchanged"
    assert result.iterations == len(result.scores) >= 2
    assert result.scores[-1].accepted_score >= result.scores[0].accepted_score


def test_a_comment_puts_what_it_asks_about_first_and_changes_no_probability(result):
    focused = run(comment="mostly concerned about the kidneys", top_k=100)
    everything = {p.code: p.probability for p in run(top_k=100).predictions}
    kidney = ("kidney", "renal")
    asked = [any(word in p.display.lower() for word in kidney) for p in focused.predictions]
    assert asked[0]
    assert asked == sorted(asked, reverse=True)
    assert all(everything[p.code] == p.probability for p in focused.predictions)


def test_a_negated_comment_asks_about_nothing(result):
    assert [p.code for p in run(comment="not worried about the kidneys").predictions] == [
        p.code for p in result.predictions
    ]


def test_an_edge_against_time_is_turned_round_and_said(monkeypatch):
    from tests.fakes.mind import Mind
    from tests.fakes.model_server import ModelServer
    from tests.fakes.replies import tool_call

    backwards = tool_call("Hypothesis", {"edges": [{"cause": "5859", "effect": "4019"}]})
    mind = Mind({"propose_graph": [backwards], "amend_graph": [backwards]})
    with ModelServer(mind) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        result = run(model="openai:scripted")
    assert [(edge.cause, edge.effect) for edge in result.graph.edges] == [("4019", "5859")]
    assert result.graph.edges[0].direction.verdict == "backs"
    assert any("turned round" in notice and "5859 -> 4019" in notice for notice in result.notices)


def test_the_causal_graph_changes_no_probability_and_no_place_only_what_the_shares_are_called(result):
    without = run(without_causal=True)
    under, bare = ([(p.code, p.probability, p.interval) for p in r.predictions] for r in (result, without))
    assert under == bare
    called, uncalled = ({part.name for p in r.predictions for part in p.parts} for r in (result, without))
    assert "cause" in called
    assert "cause" not in uncalled
    assert not any(p.path for p in without.predictions)


def test_ablations_leave_their_part_out():
    without_causal = run(without_causal=True)
    assert without_causal.graph.edges == ()
    assert without_causal.stopped is None
    assert without_causal.predictions
    without_knowledge = run(without_knowledge=True)
    assert without_knowledge.knowledge is None
    assert without_knowledge.graph.edges
    assert run(without_knowledge=True, without_causal=True).predictions


def test_select_last_returns_the_last_graph():
    last = run(select="last", max_iterations=1)
    assert len(last.graph.edges) == last.scores[-1].n_edges


@pytest.mark.parametrize(("limit", "stopped", "fitted"), [(0, "limit", 1), (1, "seen", 2), (5, "seen", 2)])
def test_the_iteration_limit_holds_and_a_graph_that_comes_back_ends_the_loop(limit, stopped, fitted):
    result = run(max_iterations=limit, change_threshold=0.0)
    assert (result.stopped, result.iterations) == (stopped, fitted)


def test_the_budget_ends_the_loop_in_time_to_decide():
    result = run(max_calls=11)
    assert result.stopped == "budget"
    assert result.predictions
    assert result.calls <= 11


def test_a_budget_too_small_to_finish_is_an_error():
    with pytest.raises(BudgetExceeded):
        run(max_calls=2)


@pytest.mark.parametrize("history", [[], [["99999"]], [["00100"], ["99999"]]])
def test_without_a_known_code_there_is_a_refusal_not_a_prediction(history):
    result = run(history=history)
    assert result.refusal.kind == "not enough history"
    assert result.predictions == ()


def test_a_visit_without_codes_is_refused_by_place():
    with pytest.raises(InputError, match="visit 2: no code"):
        run(history=[["4019"], []])


def test_an_unknown_code_beside_a_known_one_is_said():
    result = run(history=[["4019", "99999"]])
    assert result.predictions
    assert any("1 code" in notice for notice in result.notices)


def test_a_malformed_code_is_refused_by_place():
    with pytest.raises(InputError, match="visit 2, code 1"):
        run(history=[["4019"], ["high blood pressure"]])


def test_five_hundred_codes_are_capped_with_a_notice():
    keys = resources.open_dataset().vocabulary.keys
    result = run(history=[list(keys)], max_history=20)
    assert sum(node.role == "history" for node in result.graph.nodes) == 20
    assert any("20 most recent" in notice for notice in result.notices)
    assert len(result.history[0]) == len(keys)


def test_what_is_left_out_of_the_graph_still_counts():
    keys = resources.open_dataset().vocabulary.keys
    older, recent = [key for key in keys if key != "4019"][:30], ["4019"]
    short, long = run(history=[recent]), run(history=[older, recent], max_history=1)
    assert {node.code for node in long.graph.nodes if node.role == "history"} == {"4019"}
    rest = {
        p.code: [part.value for part in p.parts if part.name == "rest of the history"]
        for p in long.predictions
    }
    assert all(value > 0 for values in rest.values() for value in values)
    assert sum(map(bool, rest.values())) > len(rest) / 2
    assert "rest of the history" not in {part.name for p in short.predictions for part in p.parts}
    by_records = {risk["code"]: risk["probability"] for risk in of_records(long)}
    assert all(p.probability == by_records[p.code] for p in long.predictions)


def reviewed():
    app = build().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    given = {"history": HISTORY, "comment": ""}
    stopped = app.invoke(given, config, context=SMALL | {"review": True})
    return app, config, stopped


def test_review_waits_for_a_person_and_survives_a_resume_without_context():
    app, config, stopped = reviewed()
    request = stopped["__interrupt__"][0].value
    assert request["review_configs"][0]["allowed_decisions"] == ["approve", "edit", "reject"]
    done = app.invoke(Command(resume={"decisions": [{"type": "approve"}]}), config)
    assert DiagnosisResult.model_validate(done["result"]).predictions


def test_review_can_reject_with_a_reason():
    app, config, _ = reviewed()
    decision = {"type": "reject", "message": "wrong patient"}
    done = app.invoke(Command(resume={"decisions": [decision]}), config)
    refusal = DiagnosisResult.model_validate(done["result"]).refusal
    assert (refusal.kind, refusal.reason) == ("rejected in review", "wrong patient")


def test_review_can_decide_again_with_a_comment():
    app, config, stopped = reviewed()
    action = stopped["__interrupt__"][0].value["action_requests"][0]
    edit = {"name": action["name"], "args": {"comment": "kidneys"}}
    again = app.invoke(Command(resume={"decisions": [{"type": "edit", "edited_action": edit}]}), config)
    assert "__interrupt__" in again
    done = app.invoke(Command(resume={"decisions": [{"type": "approve"}]}), config)
    result = DiagnosisResult.model_validate(done["result"])
    assert result.comment == "kidneys"
    assert "comment asks" in result.predictions[0].reason


def test_an_edit_that_the_budget_cannot_pay_is_asked_again_and_the_predictions_stay():
    app = build().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    app.invoke({"history": HISTORY}, config, context=SMALL | {"review": True, "max_calls": 8})
    edit = {"name": "accept_predictions", "args": {"comment": "kidneys"}}
    resume = {"decisions": [{"type": "edit", "edited_action": edit}]}
    again = app.invoke(Command(resume=resume), config)
    assert "Too few model calls" in again["__interrupt__"][0].value["action_requests"][0]["description"]
    done = app.invoke(Command(resume={"decisions": [{"type": "approve"}]}), config)
    assert done["result"]["predictions"]
    assert done["result"]["comment"] == ""


def test_a_malformed_resume_is_asked_again_and_can_be_mended():
    app, config, _ = reviewed()
    again = app.invoke(Command(resume={"yes": True}), config)
    description = again["__interrupt__"][0].value["action_requests"][0]["description"]
    assert description.startswith("Not a decision (decisions)")
    done = app.invoke(Command(resume={"decisions": [{"type": "approve"}]}), config)
    assert done["result"]["predictions"]


def test_the_state_is_json(result):
    app = build().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "json"}}
    app.invoke({"history": HISTORY}, config, context=SMALL)
    values = app.get_state(config).values
    assert json.loads(json.dumps(values)) == values


def test_the_drawing_shows_the_cycle_and_the_fan_out():
    edges = {(e.source, e.target) for e in graph.get_graph(xray=True).edges}
    assert {("fit", "amend"), ("amend", "fit"), ("fit", "settle")} <= edges
    assert {("retrieve", "read"), ("read", "gather")} <= edges


def test_settings_say_which_nodes_read_them():
    nodes = set(graph.nodes)
    for name, field in DiagnosisContext.model_json_schema()["properties"].items():
        assert set(field["langgraph_nodes"]) <= nodes, name


@pytest.mark.parametrize("switch", ["LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2"])
def test_no_run_starts_while_its_trace_would_carry_patients_away(switch, monkeypatch):
    monkeypatch.setenv(switch, "true")
    for start in (graph.invoke, lambda given: list(graph.stream(given))):
        with pytest.raises(InputError, match=switch):
            start({"history": HISTORY})


def test_tracing_turned_on_in_code_is_refused_too():
    from langsmith import Client
    from langsmith.run_helpers import tracing_context

    nowhere = Client(api_url="http://127.0.0.1:9", api_key="none", auto_batch_tracing=False)
    with tracing_context(enabled=True, client=nowhere), pytest.raises(InputError, match="tracing"):
        graph.invoke({"history": HISTORY})


def thread(**context):
    app = build().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "one"}}
    return lambda given: app.invoke(given, config, context=SMALL | context)["result"]


@pytest.mark.parametrize("ablation", [{}, {"without_causal": True}, {"without_knowledge": True}])
def test_a_second_patient_on_a_thread_inherits_nothing_of_the_first(ablation):
    run_next = thread(**ablation)
    run_next({"history": [["4019"]], "comment": "kidneys"})
    second = run_next({"history": [["4280"]]})
    assert second == graph.invoke({"history": [["4280"]]}, context=SMALL | ablation)["result"]


def test_a_refusal_does_not_outlive_its_run():
    run_next = thread()
    assert run_next({"history": []})["refusal"]
    assert run_next({"history": HISTORY})["refusal"] is None


def test_a_misspelt_setting_is_refused_not_ignored():
    with pytest.raises(ValueError, match="unheard_of"):
        graph.invoke({"history": HISTORY}, context={"unheard_of": True})


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"history": [[4019]]}, "history.0.0"),
        ({"history": "401.9"}, "history"),
        ({"history": {"a": 1}}, "history"),
        ({"history": HISTORY, "comment": ["SECRET"]}, "comment"),
        ({"history": HISTORY, "comment": "x" * 3000}, "comment"),
    ],
)
def test_input_of_the_wrong_type_is_refused_by_place_without_being_echoed(given, place):
    with pytest.raises(InputError) as refused:
        graph.invoke(given, context=SMALL)
    assert refused.value.field == place
    assert "SECRET" not in str(refused.value)


def test_a_trace_shows_every_tool_run_and_every_request_of_the_mind():
    class Trace(BaseCallbackHandler):
        def __init__(self):
            self.tools, self.tasks = [], []

        def on_tool_start(self, serialized, input_str, **kwargs):
            self.tools.append(serialized["name"])

        def on_chat_model_start(self, serialized, messages, **kwargs):
            self.tasks.append(json.loads(messages[0][1].content)["task"])

    trace = Trace()
    given = {"history": HISTORY}
    result = graph.invoke(given, {"callbacks": [trace]}, context=SMALL)["result"]
    everything_but_look_up = {tool.name for tool in CATALOGUE} - {"look_up_code"}
    assert set(trace.tools) == everything_but_look_up
    assert trace.tools.count("score_graph") == result["iterations"]
    assert len(trace.tasks) == result["calls"]
    assert trace.tasks.count("read_passage") == SMALL["passages"]

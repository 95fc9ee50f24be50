"""FAULTS C1 to C7: what a model says wrong ends in a repair or a typed error, never in an empty graph."""

import json
import resource

import pytest

from agents.model import Inadmissible
from tests.fakes.mind import Mind
from tests.fakes.replies import Reply, text, tool_call
from tools.safety.errors import ModelOutputError

GARBAGE = {
    "garbage": text("lorem ipsum"),
    "empty": text(""),
    "none": Reply(message={"role": "assistant", "content": None}),
    "prose_and_json": text('Sure! {"edges": 3} I hope this helps.'),
    "nan": text('{"edges": [], "no_edges_because": NaN}'),
    "duplicate_keys": text('{"edges": [{"cause": "4019", "effect": "5859"}], "edges": []}'),
    "deep": text("[" * 10_000 + "]" * 10_000),
    "deep_tool": tool_call("Hypothesis", '{"edges": ' + "[" * 10_000 + "]" * 10_000 + "}"),
    "flood_of_newlines": text("```\n" + "\n" * 100_000),
    "fenced_garbage": text("```json\nnot json\n```"),
    "no_arguments": tool_call("Hypothesis", ""),
    "cut_arguments": tool_call("Hypothesis", '{"edges": [{"cause": "40'),
    "empty_graph": tool_call("Hypothesis", {"edges": []}),
    "other_tool": tool_call("rm_rf", {}),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_c1_garbage_is_repaired_twice_then_a_typed_error(name, serve, run):
    mind = Mind({"propose_graph": [GARBAGE[name]]})
    serve(mind)
    with pytest.raises(ModelOutputError) as refused:
        run()
    assert mind.asked["propose_graph"] == 3
    assert "lorem" not in str(refused.value)
    assert "sk-test-canary" not in str(refused.value)


@pytest.mark.parametrize("task", ["write_query", "read_passage", "propose_graph", "amend_graph", "decide"])
def test_c1_every_task_has_the_same_bound(task, serve, run):
    mind = Mind({task: [text("lorem ipsum")]})
    serve(mind)
    with pytest.raises(ModelOutputError) as refused:
        run(passages=1)
    assert mind.asked[task] == 3
    assert refused.value.prompt == task


def test_c1_the_model_is_shown_what_was_wrong_and_a_good_second_answer_counts(serve, run):
    edges = {"edges": [{"cause": "4019", "effect": "5859"}]}
    mind = Mind({"propose_graph": [text("lorem ipsum"), tool_call("Hypothesis", edges)]})
    server = serve(mind)
    result = run(max_iterations=0)
    assert [(e["cause"], e["effect"]) for e in result["graph"]["edges"]] == [("4019", "5859")]
    repair = next(b for b in server.bodies if "could not be used" in str(b["messages"][-1]["content"]))
    assert "no JSON in the answer" in repair["messages"][-1]["content"]


@pytest.mark.parametrize("wrap", ["```json\n{}\n```", "Here it is:\n{}", "{}"])
def test_c1_json_as_text_in_its_usual_wrappings_is_read(wrap, serve, run):
    edges = json.dumps({"edges": [{"cause": "4019", "effect": "5859"}]})
    mind = Mind({"propose_graph": [text(wrap.replace("{}", edges))]})
    serve(mind)
    result = run(max_iterations=0)
    assert len(result["graph"]["edges"]) == 1


CYCLE = tool_call(
    "Hypothesis", {"edges": [{"cause": "4019", "effect": "5859"}, {"cause": "5859", "effect": "4019"}]}
)
SELF_LOOP = tool_call("Hypothesis", {"edges": [{"cause": "4019", "effect": "4019"}]})


@pytest.mark.parametrize(("reply", "named"), [(CYCLE, "cycle"), (SELF_LOOP, "self-loop 4019")])
def test_c2_a_cycle_is_refused_and_named(reply, named, serve, run):
    mind = Mind({"propose_graph": [reply]})
    serve(mind)
    with pytest.raises(Inadmissible, match=named):
        run()
    assert mind.asked["propose_graph"] == 3


def test_c2_the_last_good_graph_is_kept_when_every_amendment_is_a_cycle(serve, run):
    good = tool_call("Hypothesis", {"edges": [{"cause": "4019", "effect": "5859"}]})
    mind = Mind({"propose_graph": [good], "amend_graph": [CYCLE]})
    serve(mind)
    result = run()
    assert [(e["cause"], e["effect"]) for e in result["graph"]["edges"]] == [("4019", "5859")]
    assert mind.asked["amend_graph"] == 3
    assert any("cycle 5859 -> 4019 -> 5859" in notice for notice in result["notices"])
    assert result["stopped"] == "unchanged"


@pytest.mark.parametrize("spelling", ["401.9", "4019", " 4019 ", "ICD9CM:401.9", "icd9cm:4019"])
def test_c3_known_spellings_are_normalised(spelling, serve, run):
    edges = {"edges": [{"cause": spelling, "effect": "585.9"}]}
    mind = Mind({"propose_graph": [tool_call("Hypothesis", edges)]})
    serve(mind)
    result = run(max_iterations=0)
    assert mind.asked["propose_graph"] == 1
    assert [(e["cause"], e["effect"]) for e in result["graph"]["edges"]] == [("4019", "5859")]


@pytest.mark.parametrize("code", ["99999", "hypertension", "E11.9", "4019x", "\x1b[31m4019"])
def test_c3_unknown_codes_are_refused_without_being_echoed(code, serve, run):
    edges = {"edges": [{"cause": code, "effect": "5859"}]}
    mind = Mind({"propose_graph": [tool_call("Hypothesis", edges)]})
    serve(mind)
    with pytest.raises(Inadmissible) as refused:
        run()
    assert mind.asked["propose_graph"] == 3
    assert "edges.0.cause" in str(refused.value)
    assert code not in str(refused.value)


def complete(codes):
    return [{"cause": a, "effect": b} for i, a in enumerate(codes) for b in codes[i + 1 :]]


def crowd(case, _nth):
    codes = [disease["code"] for disease in case["diseases"]]
    return tool_call("Hypothesis", {"edges": [{"cause": c, "effect": codes[-1]} for c in codes[:-1]]})


def everything(case, _nth):
    return tool_call("Hypothesis", {"edges": complete([disease["code"] for disease in case["diseases"]])})


def hundred_thousand(case, _nth):
    return tool_call("Hypothesis", {"edges": [{"cause": "4019", "effect": "5859"}] * 100_000})


@pytest.mark.parametrize("flood", [crowd, everything, hundred_thousand])
def test_c4_a_flood_of_edges_is_refused_before_it_is_scored(flood, serve, run, monkeypatch):
    def scored(*_args, **_kwargs):
        raise AssertionError("a refused graph was scored")

    monkeypatch.setattr("agents.discovery.score_graph", scored)
    mind = Mind({"propose_graph": flood})
    serve(mind)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelOutputError):
        run(max_candidates=40)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 200_000
    assert mind.asked["propose_graph"] == 3


def decision(*predictions, **more):
    whole = [{"probability": 0.5, "reason": "because"} | p for p in predictions]
    return tool_call("Decision", {"predictions": whole, "explanation": "so"} | more)


BAD_DECISIONS = {
    "unlisted": decision({"code": "99999"}),
    "twice": decision({"code": "4019"}, {"code": "401.9"}),
    "none": decision(),
    "five_hundred": decision(*[{"code": "4019"}] * 500),
    "too_many": decision({"code": "4019"}, {"code": "25000"}, {"code": "5859"}),
    "probability": decision({"code": "4019", "probability": 1.5}),
    "nan": tool_call(
        "Decision",
        '{"predictions": [{"code": "4019", "probability": NaN, "reason": "r"}], "explanation": ""}',
    ),
    "false_path": decision({"code": "4019", "path": ["5859", "4019"]}),
}


@pytest.mark.parametrize("name", BAD_DECISIONS)
def test_c5_bad_predictions_end_in_an_error_never_in_silence(name, serve, run):
    mind = Mind({"decide": [BAD_DECISIONS[name]]})
    serve(mind)
    with pytest.raises(ModelOutputError):
        run(top_k=2, without_causal=True)
    assert mind.asked["decide"] == 3


def test_c5_a_repaired_decision_counts(serve, run):
    mind = Mind({"decide": [BAD_DECISIONS["twice"], decision({"code": "401.9"})]})
    serve(mind)
    assert [p["code"] for p in run()["predictions"]] == ["4019"]
    assert mind.asked["decide"] == 2


def test_c5_the_papers_text_form_is_read(serve, run):
    listed = json.dumps([{"code": "585.9", "probability": 0.4, "reason": "diabetes"}])
    mind = Mind({"decide": [text(f"{listed}\n<SEP>\nDiabetes harms the kidneys.")]})
    serve(mind)
    result = run(answer_form="text")
    assert mind.asked["decide"] == 1
    assert [p["code"] for p in result["predictions"]] == ["5859"]
    assert result["explanation"] == "Diabetes harms the kidneys."


@pytest.mark.parametrize(
    "cited", ["gout#prevention-99", "P99", "P0", "p1", "", "type-2-diabetes-mellitus#overview"]
)
def test_c6_a_passage_that_no_finding_is_from_cannot_be_cited(cited, serve, run):
    def cite(case, nth):
        known = case["findings"][0]["passage"]
        return decision({"code": "4019", "evidence": [cited, known] if nth == 0 else [known, known]})

    mind = Mind({"decide": cite})
    serve(mind)
    result = run()
    first, *_ = result["knowledge"]["findings"]
    assert mind.asked["decide"] == 2
    assert [p["evidence"] for p in result["predictions"]] == [[first["passage"]]]


@pytest.mark.parametrize("quote", ["Hypertension is harmless.", "   ", "the", "\n \t"])
def test_c6_a_quote_that_is_not_in_the_passage_or_says_nothing_is_refused(quote, serve, run):
    lie = {"quote": quote, "cause": "4019", "effect": "5859", "direction": "raises"}
    mind = Mind({"read_passage": [tool_call("Reading", {"findings": [lie]})]})
    serve(mind)
    with pytest.raises(Inadmissible, match=r"findings\.0\.quote"):
        run(passages=1)
    assert mind.asked["read_passage"] == 3


ONE = [{"cause": "4019", "effect": "5859"}]
OTHER = [{"cause": "25000", "effect": "5859"}]


def test_c7_a_graph_that_comes_back_stops_the_loop_with_the_best(serve, run):
    alternating = [tool_call("Hypothesis", {"edges": edges}) for edges in (OTHER, ONE, OTHER, ONE)]
    mind = Mind({"propose_graph": [tool_call("Hypothesis", {"edges": ONE})], "amend_graph": alternating})
    serve(mind)
    result = run(max_iterations=20)
    assert result["stopped"] == "seen"
    assert result["iterations"] == 3
    assert mind.asked["amend_graph"] == 2
    best = max(score["accepted_score"] for score in result["scores"])
    chosen = ONE if result["scores"][0]["accepted_score"] == best else OTHER
    assert [(e["cause"], e["effect"]) for e in result["graph"]["edges"]] == [
        (chosen[0]["cause"], chosen[0]["effect"])
    ]


def test_c7_worse_every_time_is_bounded_and_the_best_is_returned(serve, run):
    def worse(case, nth):
        codes = [disease["code"] for disease in case["diseases"]]
        extra = [{"cause": codes[i], "effect": codes[-1 - i]} for i in range(nth + 1)]
        return tool_call("Hypothesis", {"edges": extra})

    mind = Mind({"amend_graph": worse})
    serve(mind)
    result = run(max_iterations=3, max_candidates=20)
    scores = [score["accepted_score"] for score in result["scores"]]
    assert result["stopped"] == "limit"
    assert mind.asked["amend_graph"] == 3
    assert len(scores) == 4
    assert scores.index(max(scores)) == 0
    assert len(result["graph"]["edges"]) == result["scores"][0]["n_edges"]


@pytest.mark.parametrize("max_calls", range(6, 24))
def test_c7_the_costliest_amendment_leaves_room_to_decide(max_calls, serve, run):
    """Four tool calls and two repairs of a cycle, then two repairs of the decision."""

    def amend(_case, nth):
        return CYCLE if nth % 7 >= 4 else tool_call("score_edits", {"edges": []})

    good = tool_call("Hypothesis", {"edges": [{"cause": "4019", "effect": "5859"}]})
    decide = [BAD_DECISIONS["unlisted"], BAD_DECISIONS["unlisted"], decision({"code": "4019"})]
    mind = Mind({"propose_graph": [good], "amend_graph": amend, "decide": decide})
    serve(mind)
    result = run(max_calls=max_calls, passages=1)
    assert [p["code"] for p in result["predictions"]] == ["4019"]
    assert result["calls"] == mind.asked.total() <= max_calls

"""Every tool of the catalogue, invoked as a tool: JSON in, JSON out, typed, and true to its engine."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from tools import resources
from tools.catalogue import CATALOGUE, look_up_code, search_knowledge, select_candidates
from tools.causal import edits as engine_edits
from tools.causal import fitting, stability
from tools.causal.constraints import Constraints
from tools.causal.dag import CausalGraph
from tools.causal.scores import SCORES, Score
from tools.causal_tools import next_visit_risks, orient_graph, score_edits, score_graph, search_graph
from tools.safety.errors import InputError

NODES = ["4019", "25000", "5859", "4280", "41401", "5856"]
HISTORY = ["4019", "25000"]
CASE = {"nodes": NODES, "history": HISTORY}
METHODS = ("noisy_or_bic", "bic", "loglik")
ACCEPTED = ({}, {"score": "bic"}, {"score": "bic", "by_burden": True}, {"score": "bdeu", "ess": 10.0})
HIDDEN = {
    *("nodes", "visits", "store", "libraries", "max_parents", "max_edges"),
    *("score", "by_burden", "ess", "resamples", "seed", "method"),
}
RULES = Constraints(tiers={n: int(n not in HISTORY) for n in NODES}, max_parents=6)
INVOCATIONS = {
    "select_candidates": {"history": HISTORY},
    "orient_graph": {"edges": [["5859", "4019"]], **CASE},
    "score_graph": {"edges": [["4019", "5859"]], "resamples": 2, **CASE},
    "score_edits": {"edges": [["4019", "5859"]], "resamples": 2, **CASE},
    "search_graph": {"start_edges": [], **CASE},
    "next_visit_risks": {"edges": [["4019", "5859"]], "nodes": NODES, "visits": [HISTORY]},
    "search_knowledge": {"query": "kidney disease"},
    "look_up_code": {"text": "kidney"},
}
every_tool = pytest.mark.parametrize("tool", CATALOGUE, ids=lambda tool: tool.name)
methods = st.sampled_from(METHODS)
graphs = st.permutations(NODES).flatmap(
    lambda order: st.lists(
        st.sampled_from([[a, b] for i, a in enumerate(order) for b in order[i + 1 :]]),
        unique_by=tuple,
        max_size=7,
    )
)


def score(edges, method="noisy_or_bic", **more):
    return score_graph.invoke({"edges": edges, "score": method, **CASE, **more})


def edits(edges, method="noisy_or_bic", limit=500, **more):
    return score_edits.invoke({"edges": edges, "score": method, "limit": limit, **CASE, **more})["edits"]


def demo_matrix():
    return resources.open_matrix("", tuple(NODES))


def applied(edit, edges):
    edge = [edit["cause"], edit["effect"]]
    kept = [other for other in edges if other != edge]
    return kept + {"add": [edge], "remove": [], "reverse": [edge[::-1]]}[edit["kind"]]


def test_orienting_turns_an_edge_that_runs_against_time_and_nothing_else():
    found = orient_graph.invoke({"edges": [["5859", "4019"]], **CASE})
    assert found == {"edges": [["4019", "5859"]], "turned": [["5859", "4019"]], "dropped": []}
    again = orient_graph.invoke({"edges": found["edges"], **CASE})
    assert again == {"edges": found["edges"], "turned": [], "dropped": []}


@every_tool
def test_the_result_is_json_and_the_same_again(tool):
    result = tool.invoke(INVOCATIONS[tool.name])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert tool.invoke(INVOCATIONS[tool.name]) == result


@every_tool
def test_a_call_by_a_model_gives_a_message_with_the_result(tool):
    call = {"name": tool.name, "args": INVOCATIONS[tool.name], "id": "7", "type": "tool_call"}
    message = tool.invoke(call)
    assert message.tool_call_id == "7"
    assert json.loads(message.content) == tool.invoke(INVOCATIONS[tool.name])


@every_tool
def test_a_model_sees_neither_the_case_nor_any_folder(tool: BaseTool):
    shown = tool.tool_call_schema.model_json_schema()["properties"]
    hidden = set(tool.get_input_jsonschema()["properties"]) - set(shown)
    assert hidden
    assert not HIDDEN & set(shown)
    assert ("history" in shown) == (tool is select_candidates)
    assert set(convert_to_openai_tool(tool)["function"]["parameters"]["properties"]) == set(shown)
    assert tool.description


@pytest.mark.parametrize(
    ("tool", "argument"),
    [
        (select_candidates, {"limit": 0}),
        (select_candidates, {"limit": 101}),
        (select_candidates, {"mode": "best"}),
        (select_candidates, {"epsilon": 1.0}),
        (select_candidates, {"epsilon": float("nan")}),
        (select_candidates, {"history": []}),
        (select_candidates, {"history": "4019"}),
        (score_graph, {"edges": [["4019"]]}),
        (score_graph, {"edges": [["4019", "5859", "4280"]]}),
        (score_graph, {"edges": "4019->5859"}),
        (score_graph, {"edges": [["4019", "5859"]] * 2_001}),
        (score_graph, {"score": "likelihood"}),
        (score_graph, {"resamples": 201}),
        (score_graph, {"resamples": -1}),
        (score_edits, {"limit": 0}),
        (score_edits, {"limit": 501}),
        (search_graph, {"max_steps": 0}),
        (search_graph, {"tabu": -1}),
        (search_graph, {"tabu": 51}),
        (search_graph, {"start_edges": [[1, 2]]}),
        (next_visit_risks, {"edges": [[]]}),
        (next_visit_risks, {"visits": "4019"}),
        (next_visit_risks, {"visits": HISTORY}),
        (search_knowledge, {"k": 0}),
        (search_knowledge, {"k": 51}),
        (search_knowledge, {"query": ""}),
        (look_up_code, {"text": ""}),
        (look_up_code, {"text": "x" * 101}),
        (look_up_code, {"limit": 51}),
    ],
)
def test_arguments_of_another_type_or_size_are_refused(tool, argument):
    with pytest.raises(ValidationError) as refused:
        tool.invoke(INVOCATIONS[tool.name] | argument)
    assert {fault["loc"][0] for fault in refused.value.errors()} == set(argument)


@pytest.mark.parametrize(
    ("tool", "argument", "said"),
    [
        (select_candidates, {"history": ["zaphod"]}, "vocabulary"),
        (score_graph, {"edges": [["4019", "4019"]]}, "self-loop"),
        (score_edits, {"edges": [["4019", "5859"], ["5859", "4019"]]}, "cycle"),
        (search_graph, {"start_edges": [["4019", "486"]]}, "not one of the given diseases"),
        (next_visit_risks, {"edges": [["4019", "486"]]}, "not one of the given diseases"),
        (next_visit_risks, {"visits": [["4019"], ["zaphod"]]}, "vocabulary"),
        (next_visit_risks, {"nodes": [*NODES, "zaphod"]}, "vocabulary"),
        (next_visit_risks, {"visits": []}, "at least one visit"),
        (next_visit_risks, {"visits": [[], []]}, "at least one visit"),
        (search_knowledge, {"query": "  "}, "empty"),
        (score_graph, {"store": "/nowhere"}, "iikea records fit"),
        (score_graph, {"ess": 0.0}, "ess"),
    ],
)
def test_what_the_engine_refuses_is_an_input_error(tool, argument, said):
    with pytest.raises(InputError, match=said):
        tool.invoke(INVOCATIONS[tool.name] | argument)


@given(graphs, methods)
@settings(max_examples=15)
def test_the_gain_of_an_edit_is_the_difference_of_the_scores(edges, method):
    before = score(edges, method)["score"]
    for edit in edits(edges, method)[::4]:
        after = score(applied(edit, edges), method)
        assert edit["gain"] == pytest.approx(after["score"] - before, abs=1e-6)
        assert edit["gain_per_patient"] == pytest.approx(edit["gain"] / after["n_patients"])


@given(graphs)
@settings(max_examples=15)
def test_every_edit_keeps_the_graph_acyclic_best_first_and_within_its_limit(edges):
    found = edits(edges, max_parents=2)
    for edit in found:
        after = CausalGraph(NODES, applied(edit, edges))
        grown = {"add": edit["effect"], "remove": None, "reverse": edit["cause"]}[edit["kind"]]
        assert grown is None or len(after.parents(grown)) <= 2
        assert ([edit["cause"], edit["effect"]] in edges) == (edit["kind"] != "add")
    assert all(one["gain"] >= other["gain"] for one, other in pairwise(found))
    assert edits(edges, max_parents=2, limit=3) == found[:3]


@given(graphs, methods)
@settings(max_examples=10)
def test_the_search_never_lowers_the_score_and_ends_where_no_edit_improves(start, method):
    found = search_graph.invoke({"start_edges": start, "score": method, **CASE})["edges"]
    CausalGraph(NODES, found)
    assert score(found, method)["score"] >= score(start, method)["score"] - 1e-6
    assert all(edit["gain"] <= 1e-6 for edit in edits(found, method))


@given(graphs, st.sampled_from(ACCEPTED))
@settings(max_examples=10)
def test_a_fit_is_the_engine_s_by_the_score_that_the_run_accepts(edges, accepted):
    fitted = score(edges, accepted.get("score", "noisy_or_bic"), **accepted)
    by_hand = Score(**{"name" if key == "score" else key: value for key, value in accepted.items()})
    own = fitting.fit(CausalGraph(NODES, map(tuple, edges)), demo_matrix(), by_hand)
    assert (fitted["method"], fitted["by_burden"]) == (by_hand.name, by_hand.stratified)
    for field in ("score", "gain_per_patient", "held_out_gain_per_patient", "out_of_graph"):
        assert fitted[field] == getattr(own, field)
    for shown, edge in zip(fitted["edges"], own.edges, strict=True):
        for field in ("cause", "effect", "gain", "held_out_gain", "reversal", "identified_by"):
            assert shown[field] == getattr(edge, field)


def test_every_score_of_the_engine_can_be_the_accepted_one():
    per_patient = {name: score([["4019", "5859"]], name)["gain_per_patient"] for name in SCORES}
    assert len(set(per_patient.values())) == len(SCORES) - 1, "the noisy-OR is the better model of `auto`"
    assert per_patient["auto"] == per_patient["noisy_or_bic"]


@given(graphs, methods)
@settings(max_examples=10)
def test_what_an_edit_gains_on_patients_held_out_is_what_the_fits_differ_by(edges, method):
    before = score(edges, method)["held_out_gain_per_patient"]
    shown = edits(edges, method)
    graph = CausalGraph(NODES, map(tuple, edges))
    all_edits = engine_edits.edit_gains(graph, demo_matrix(), RULES, method)
    own = engine_edits.held_out_gains(graph, demo_matrix(), all_edits, method)
    n_patients = demo_matrix().n_patients
    assert [edit["held_out_gain_per_patient"] for edit in shown] == [gain / n_patients for gain in own]
    for edit in shown[::9]:
        after = score(applied(edit, edges), method)["held_out_gain_per_patient"]
        assert edit["held_out_gain_per_patient"] == pytest.approx(after - before, abs=1e-9)


@given(graphs)
@settings(max_examples=10)
def test_confidence_is_the_share_of_resamples_that_hold_the_edge_as_it_would_be(edges):
    drawn = {"resamples": 5, "seed": 3, "score": "aic"}
    shares = stability.edge_confidence(demo_matrix(), RULES, "aic", n_resamples=5, seed=3)
    share = {(a, b): shares[i, j] for i, a in enumerate(NODES) for j, b in enumerate(NODES)}
    assert set(shares.ravel()) - {0.0, 1.0}, "some edges are in some resamples only"
    for edge in score(edges, **drawn)["edges"]:
        assert edge["confidence"] == share[edge["cause"], edge["effect"]]
    for edit in edits(edges, **drawn):
        ends = (edit["cause"], edit["effect"])
        assert edit["confidence"] == share[ends[::-1] if edit["kind"] == "reverse" else ends]


def test_without_resamples_there_is_no_confidence_and_no_bootstrap(monkeypatch):
    monkeypatch.setattr(stability, "edge_confidence", None)
    edges = [["4019", "5859"], ["25000", "5859"]]
    assert {edge["confidence"] for edge in score(edges)["edges"]} == {None}
    assert {edit["confidence"] for edit in edits(edges)} == {None}


def test_the_tools_of_a_case_share_one_bootstrap_and_another_score_has_its_own(monkeypatch):
    climbs = []
    climb = stability.hill_climb
    monkeypatch.setattr(stability, "hill_climb", lambda *a, **k: climbs.append(k) or climb(*a, **k))
    case = {"resamples": 3, "seed": 11, "max_edges": 18}
    for edges in ([], [["4019", "5859"]], [["25000", "5859"]]):
        score(edges, **case)
        edits(edges, limit=7, **case)
    assert len(climbs) == 3
    score([], "bic", **case)
    assert len(climbs) == 6


@given(graphs)
@settings(max_examples=10)
def test_an_edit_or_a_search_leaves_no_more_edges_than_a_case_may_have(start):
    bounded = edits(start, "loglik", max_edges=4)
    assert any(edit["kind"] == "add" for edit in bounded) == (len(start) < 4)
    arguments = {"start_edges": start, "score": "loglik", "max_edges": 4, **CASE}
    if len(start) <= 4:
        assert len(search_graph.invoke(arguments)["edges"]) <= 4


@given(graphs, methods, st.integers(1, 8))
@settings(max_examples=10)
def test_with_a_memory_the_search_climbs_at_least_as_high(start, method, tabu):
    arguments = {"start_edges": start, "score": method, **CASE}
    greedy, onward = (search_graph.invoke({**arguments, "tabu": n})["edges"] for n in (0, tabu))
    assert score(onward, method)["score"] >= score(greedy, method)["score"] - 1e-6


def test_no_edge_runs_from_a_candidate_to_the_history_unless_time_says_so():
    def backward(had):
        found = edits([], history=had)
        return {
            (e["cause"], e["effect"]) for e in found if e["cause"] not in HISTORY and e["effect"] in HISTORY
        }

    free, tiered = backward(NODES), backward(HISTORY)
    directions = {pair: score([list(pair)])["edges"][0]["direction"] for pair in free}
    assert tiered == {pair for pair in free if directions[pair]["verdict"] == "backs"}
    assert tiered < free


def test_the_search_takes_at_most_the_steps_it_is_given():
    lengths = [len(search_graph.invoke({"start_edges": [], "max_steps": n, **CASE})["edges"]) for n in (1, 2)]
    assert lengths == [1, 2]


@given(graphs)
@settings(max_examples=10)
def test_a_fit_has_every_edge_with_its_strength_within_its_interval_and_its_gain(edges):
    fitted = score(edges)
    assert sorted([e["cause"], e["effect"]] for e in fitted["edges"]) == sorted(edges)
    removals = {(e["cause"], e["effect"]): e["gain"] for e in edits(edges) if e["kind"] == "remove"}
    for edge in fitted["edges"]:
        low, high = edge["interval"]
        assert 0 <= low <= edge["strength"] <= high <= 1
        assert edge["gain"] == pytest.approx(-removals[edge["cause"], edge["effect"]], abs=1e-6)
    assert fitted["log_likelihood"] >= fitted["empty_log_likelihood"] - 1e-6


@given(
    st.lists(st.sampled_from(NODES), min_size=1, unique=True),
    st.sampled_from(["noisy_or", "any", "all", "top_k"]),
)
@settings(max_examples=15)
def test_candidates_are_new_known_ranked_and_capped(history, mode):
    found = select_candidates.invoke({"history": history, "mode": mode, "limit": 7})["candidates"]
    codes = [candidate["code"] for candidate in found]
    assert len(set(codes)) == len(codes) <= 7
    assert not set(codes) & set(history)
    assert set(codes) <= set(resources.open_dataset().vocabulary.keys)
    assert all(one["score"] >= other["score"] for one, other in pairwise(found))


@given(st.text(max_size=60).filter(str.strip), st.integers(1, 50))
@settings(max_examples=15)
def test_a_search_of_the_library_gives_ranked_passages(query, k):
    found = search_knowledge.invoke({"query": query, "k": k})["passages"]
    assert len({passage["id"] for passage in found}) == len(found) <= k
    assert len(search_knowledge.invoke({"query": f"{query} disease", "k": k})["passages"]) == k
    assert all(one["score"] >= other["score"] for one, other in pairwise(found))
    assert all(passage["source"] and passage["text"] for passage in found)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("4019", ["4019"]),
        ("401.9", ["4019"]),
        (" 401.9 ", ["4019"]),
        ("ICD9CM:401.9", ["4019"]),
        ("icd9:4019", ["4019"]),
        ("stage RENAL", ["5856"]),
        ("zaphod", []),
        ("999.99", []),
        ("  ", []),
    ],
)
def test_a_code_is_looked_up_by_spelling_or_words(text, keys):
    assert [code["key"] for code in look_up_code.invoke({"text": text})["codes"]] == keys


@given(
    st.lists(st.sampled_from(["kidney", "disease", "acute", "un", "heart"]), min_size=1, max_size=3),
    st.integers(1, 9),
)
@settings(max_examples=15)
def test_words_find_the_codes_whose_names_hold_them_all(words, limit):
    found = look_up_code.invoke({"text": " ".join(words), "limit": limit})["codes"]
    concepts = resources.open_dataset().vocabulary.concepts
    fitting = [c.code for c in concepts if all(word in c.display.lower() for word in words)]
    assert [code["code"] for code in found] == fitting[:limit]


def test_the_names_in_a_vocabulary_lead_back_to_their_codes():
    vocabulary = resources.open_dataset().vocabulary
    for key in vocabulary.keys:
        shown = vocabulary.concept(key)
        by_name = look_up_code.invoke({"text": shown.display[:100], "limit": 50})["codes"]
        assert key in {code["key"] for code in by_name}
        assert look_up_code.invoke({"text": shown.dotted})["codes"][0]["display"] == shown.display

"""What the statistical reasoner reads, proposes and amends, as laws over random cases."""

import random
from itertools import permutations

import networkx as nx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agents import thoughts
from agents.cases import CaseDisease
from prompts import load
from tests.agents.cases import (
    DISEASES,
    EDGE,
    amendment_case,
    change,
    every_case,
    passage_case,
    proposal_case,
    query_case,
    remembered,
)

CODES = tuple("ABCDE")
CROWD = tuple(CaseDisease(code=c, name=f"disease {c.lower()}x", role="candidate") for c in CODES)
pairs = st.sampled_from(list(permutations(CODES, 2)))


def claims(text, **more):
    reading = thoughts.read_passage(passage_case(text, **more))
    return [(finding.cause, finding.effect) for finding in reading.findings]


@pytest.mark.parametrize(
    "text",
    [
        "Hypertension can lead to chronic kidney disease.",
        "Chronic kidney disease is caused by hypertension.",
        "Chronic kidney disease is caused most often by hypertension.",
        "Long-standing hypertension, if severe, is a further cause of CKD.",
        "Hypertension is a risk factor for chronic kidney disease.",
        "Chronic kidney disease is often due to hypertension.",
        "Chronic kidney disease is a complication of hypertension.",
        "Chronic kidney disease may result from hypertension.",
        "Because clots do not dissolve, in the end hypertension leads to chronic kidney disease.",
        "It is caused by hypertension, because injuries are not felt.",
        "This results from hypertension.",
        "Untreated hypertension leads to chronic kidney disease.",
    ],
)
def test_a_sentence_gives_the_cause_it_names(text):
    assert claims(text) == [("4019", "5859")]


@pytest.mark.parametrize(
    "text",
    [
        "Chronic kidney disease can lead to hypertension.",
        "It can lead to hypertension.",
        "Complications include hypertension.",
        "Untreated, it progresses to hypertension.",
        "Hypertension is a common complication of chronic kidney disease.",
        "Hypertension often results from chronic kidney disease.",
    ],
)
def test_a_sentence_gives_the_effect_it_names(text):
    assert claims(text) == [("5859", "4019")]


@pytest.mark.parametrize(
    "text",
    [
        "Hypertension and chronic kidney disease are common.",
        "Chronic kidney disease does not lead to hypertension.",
        "Chronic kidney disease is never caused by hypertension.",
        "Chronic kidney disease is not usually the cause of hypertension.",
        "Complications of hypertension include chronic kidney disease.",
        "Complications of hypertension are treated.",
        "The cause is treated and hypertension is watched.",
        "Prehypertensions lead to chronic kidney disease.",
    ],
)
def test_without_a_clear_cue_nothing_is_claimed(text):
    assert claims(text) == []


name = st.sampled_from([disease.short for disease in DISEASES] + ["gout", "because", "and", "with", "the"])


@given(st.lists(name, max_size=12), st.sampled_from(["Overview", "Treatment", "Epidemiology"]))
def test_no_claim_without_a_cue_outside_causes(words, section):
    assert claims(" ".join(words), section=section) == []


@given(st.lists(name, min_size=1, max_size=12).map(" ".join))
def test_in_causes_a_mention_is_a_cause(text):
    mentioned = [d.code for d in DISEASES if d.short in text and d.code != "5859"]
    assert claims(text, section="Causes") == [(code, "5859") for code in mentioned]


@given(st.lists(st.sampled_from([*DISEASES]), unique=True, max_size=3), st.text(max_size=80))
def test_every_quote_is_a_piece_of_the_passage_and_every_claim_touches_its_subject(mentioned, filler):
    text = f"{filler} {' leads to '.join(d.name for d in mentioned)}. It causes hypertension. {filler}"
    reading = thoughts.read_passage(passage_case(text))
    for finding in reading.findings:
        assert finding.quote in text
        assert "5859" in {finding.cause, finding.effect}
        assert finding.cause != finding.effect


def test_the_longest_name_counts_and_only_it():
    case = {"other_names": ("portal hypertension",)}
    assert claims("Portal hypertension leads to chronic kidney disease.", **case) == []
    assert claims("Portal hypertension leads to chronic kidney disease.") == [("4019", "5859")]
    case = {"other_names": ("hypertension of pregnancy",)}
    assert claims("Hypertension of pregnancy leads to chronic kidney disease.", **case) == []


def test_a_name_that_two_diseases_share_stands_for_both():
    stages = tuple(CaseDisease(code=c, name=c, role="history", aliases=("stage",)) for c in ("A1", "A2"))
    found = claims("Stage leads to chronic kidney disease.", diseases=(*DISEASES, *stages))
    assert found == [("A1", "5859"), ("A2", "5859")]


def test_a_name_that_ends_in_a_bracket_is_found():
    odd = CaseDisease(code="X", name="Diabetes (type II)", role="history")
    found = claims("Diabetes (type II) leads to chronic kidney disease.", diseases=(*DISEASES[2:], odd))
    assert found == [("X", "5859")]


def test_a_passage_without_the_case_s_diseases_says_nothing():
    reading = thoughts.read_passage(passage_case("Gout causes pain.", diseases=()))
    assert (reading.summary, reading.findings) == ("", [])


def test_the_query_names_the_leading_diseases_in_the_library_s_words():
    query = thoughts.write_query(query_case()).query
    assert all(disease.short in query for disease in DISEASES)
    crowd = tuple(CaseDisease(code=str(i), name="x" * 90, role="history") for i in range(40))
    assert len(thoughts.write_query(query_case(history=crowd)).query) <= 600


associations = st.dictionaries(pairs, st.floats(-5, 50), max_size=20)


@given(associations, st.lists(pairs, max_size=5), st.integers(1, 8), st.integers(1, 3))
def test_a_proposal_is_acyclic_within_limits_and_borne_out_by_the_records(
    gains, read, max_edges, max_parents
):
    case = proposal_case(
        diseases=CROWD,
        associations=[change(a, b, g) for (a, b), g in gains.items()],
        findings=[{"passage": "p", "claim": "c", "quote": "q", "cause": a, "effect": b} for a, b in read],
        limits={"max_edges": max_edges, "max_parents": max_parents},
    )
    answer = thoughts.propose_graph(case, frozenset(), [])
    graph = nx.DiGraph([(edge.cause, edge.effect) for edge in answer.edges])
    assert nx.is_directed_acyclic_graph(graph)
    assert len(answer.edges) == graph.number_of_edges() <= max_edges
    assert max((degree for _, degree in graph.in_degree), default=0) <= max_parents
    assert all(gains.get(edge, 0) > 0 for edge in graph.edges)
    assert bool(answer.edges) == any(gain > 0 for gain in gains.values())
    assert bool(answer.no_edges_because) != bool(answer.edges)
    if answer.edges:
        assert max(gains, key=lambda edge: (gains[edge], [-ord(c) for c in "".join(edge)])) in graph.edges


class Score:
    """A random decomposable score: each set of causes of each disease has its own value."""

    def __init__(self, seed):
        self.seed = seed

    def family(self, node, parents):
        return random.Random(f"{self.seed} {node} {sorted(parents)}").uniform(-1, 1)

    def __call__(self, edges):
        return sum(self.family(n, [a for a, b in edges if b == n]) for n in CODES)


def single_edits(edges):
    """Every single-edge edit that keeps a graph acyclic, slowly."""
    for a, b in permutations(CODES, 2):
        if (a, b) in edges:
            yield "remove", (a, b), edges - {(a, b)}
            yield "reverse", (a, b), edges - {(a, b)} | {(b, a)}
        elif (b, a) not in edges:
            yield "add", (a, b), edges | {(a, b)}


def fits(edges, limits):
    crowded = any(degree > limits["max_parents"] for _, degree in nx.DiGraph(list(edges)).in_degree)
    return len(edges) <= limits["max_edges"] and not crowded


@given(st.permutations(CODES), st.lists(pairs, max_size=7), st.integers(0, 10**6), st.integers(2, 4))
def test_amending_without_tools_only_improves_and_stays_admissible(order, drawn, seed, max_parents):
    start = {(a, b) for a, b in drawn if order.index(a) < order.index(b)}
    score = Score(seed)
    limits = {"max_edges": 8, "max_parents": max_parents}
    assume(fits(start, limits))
    edits = [
        (change(a, b, score(after) - score(start), kind=kind), after)
        for kind, (a, b), after in single_edits(start)
        if nx.is_directed_acyclic_graph(nx.DiGraph(list(after)))
    ]
    shown = [edit for edit, _ in edits]
    case = amendment_case(*sorted(start), diseases=CROWD, edits=shown, limits=limits)
    answer = thoughts.amend_graph(case, frozenset(), [])
    amended = {(edge.cause, edge.effect) for edge in answer.edges}
    assert nx.is_directed_acyclic_graph(nx.DiGraph(list(amended)))
    assert fits(amended, limits)
    open_gains = [e["gain"] for e, after in edits if fits(after, limits)]
    assert score(amended) >= score(start) + max([*open_gains, 0.0]) - 1e-9


def test_an_amendment_without_improving_edits_is_the_current_graph():
    edit = change("4019", "5859", -1.0, kind="remove")
    answer = thoughts.amend_graph(amendment_case(EDGE, edits=[edit]), frozenset(), [])
    assert [(edge.cause, edge.effect) for edge in answer.edges] == [EDGE]


def test_with_the_search_at_hand_it_climbs_once_from_the_best_graph():
    memory = {
        "current": remembered(),
        "previous": None,
        "best": remembered(EDGE, gain=1.0),
    }
    case = amendment_case(memory=memory)
    wanted = thoughts.amend_graph(case, frozenset({"search_graph"}), [])
    assert wanted == thoughts.ToolRequest("search_graph", {"start_edges": [list(EDGE)], "tabu": 10})
    found = {"edges": [["25000", "5859"]]}
    answer = thoughts.amend_graph(case, frozenset({"search_graph"}), [found])
    assert [(edge.cause, edge.effect) for edge in answer.edges] == [("25000", "5859")]
    refused = thoughts.amend_graph(case, frozenset({"search_graph"}), [{"refused": "no"}])
    assert refused.edges == []


def test_with_the_search_at_hand_it_proposes_what_a_climb_from_its_draft_reaches():
    case = proposal_case(associations=[change(*EDGE, 3.0)])
    draft = [[edge.cause, edge.effect] for edge in thoughts.propose_graph(case, frozenset(), []).edges]
    assert draft == [list(EDGE)]
    wanted = thoughts.propose_graph(case, frozenset({"search_graph"}), [])
    assert wanted == thoughts.ToolRequest("search_graph", {"start_edges": draft, "tabu": 0})
    for result, reached in (
        ({"edges": [["25000", "5859"]]}, [("25000", "5859")]),
        ({"refused": "no"}, [EDGE]),
    ):
        answer = thoughts.propose_graph(case, frozenset({"search_graph"}), [result])
        assert [(edge.cause, edge.effect) for edge in answer.edges] == reached


@pytest.mark.parametrize("case", every_case(), ids=lambda case: case.task)
def test_every_task_has_a_thought_of_its_answer_s_type(case):
    answer = thoughts.think(case.model_dump_json(), frozenset(), [])
    assert type(answer).__name__ == load(case.task).answer

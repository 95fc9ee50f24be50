"""What the statistical reasoner asks, proposes and amends, as laws over random cases."""

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
    finding,
    proposal_case,
    query_case,
    remembered,
)

CODES = tuple("ABCDE")
CROWD = tuple(CaseDisease(code=c, name=f"disease {c.lower()}x", role="candidate") for c in CODES)
pairs = st.sampled_from(list(permutations(CODES, 2)))


def test_the_query_names_the_leading_diseases_in_the_library_s_words():
    query = thoughts.write_query(query_case()).query
    assert all(disease.short in query for disease in DISEASES)
    crowd = tuple(CaseDisease(code=str(i), name="x" * 90, role="history") for i in range(40))
    assert len(thoughts.write_query(query_case(history=crowd)).query) <= 600


associations = st.dictionaries(pairs, st.floats(-5, 50), max_size=20)


directions = st.sampled_from(["raises", "lowers", "none"])


@given(associations, st.lists(st.tuples(pairs, directions), max_size=5), st.integers(1, 8), st.integers(1, 3))
def test_a_proposal_is_acyclic_within_limits_and_borne_out_by_the_records(
    gains, read, max_edges, max_parents
):
    case = proposal_case(
        diseases=CROWD,
        associations=[change(a, b, g) for (a, b), g in gains.items()],
        findings=[finding("P1", a, b, direction=direction) for (a, b), direction in read],
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


@given(associations, pairs, directions, st.booleans())
def test_only_a_raised_chance_drafts_an_edge_and_only_where_the_records_bear_it_out(
    gains, pair, direction, contradicted
):
    shown = [change(a, b, g) for (a, b), g in gains.items()]

    def proposed(*findings):
        case = proposal_case(diseases=CROWD, associations=shown, findings=findings)
        return {(edge.cause, edge.effect) for edge in thoughts.propose_graph(case, frozenset(), []).edges}

    told = proposed(finding("P1", *pair, direction=direction, contradicted=contradicted))
    assert told - proposed() <= ({pair} if direction == "raises" and gains.get(pair, 0) > 0 else set())


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


def slowly_acyclic(edges, max_edges, max_parents):
    kept = []
    for edge in edges:
        graph = nx.DiGraph([*kept, edge])
        crowded = len(kept) == max_edges or graph.in_degree(edge[1]) > max_parents
        if not crowded and nx.is_directed_acyclic_graph(graph):
            kept.append(edge)
    return sorted(kept)


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), unique=True),
    st.integers(1, 12),
    st.integers(1, 4),
)
def test_an_edge_of_the_draft_is_left_out_only_where_it_is_one_too_many_or_closes_a_circle(
    pairs, max_edges, max_parents
):
    edges = [pair for pair in pairs if pair[0] != pair[1]]
    found = thoughts._acyclic(edges, max_edges, max_parents)
    assert found == slowly_acyclic(edges, max_edges, max_parents)


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
    assert wanted == thoughts.ToolRequest(
        "search_graph", {"start_edges": [list(EDGE)], "tabu": 10, "max_steps": 200}
    )
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
    assert wanted == thoughts.ToolRequest("search_graph", {"start_edges": draft})
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

"""The risks of the next visit: shares that add up, named by the graph, which changes no number."""

from collections import Counter
from functools import cache
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools import resources
from tools.causal_tools import next_visit_risks
from tools.records.read import read_cohort

NAMES = ("recurrence", "cause", "association", "rest of the history", "base rate")


@cache
def histories():
    """The visits of the demo cohort's patients but for the last, where there are earlier ones."""
    cohort = read_cohort(resources.DEMO_RECORDS)
    return [[list(visit.codes) for visit in patient.visits] for patient in cohort if len(patient.visits) > 1]


@cache
def followed():
    """Every pair of codes of which the second stands in a visit after one with the first."""
    pairs = set()
    for visits in histories():
        had = set()
        for visit in visits:
            pairs |= {(a, b) for a in had for b in visit}
            had |= set(visit)
    return pairs


@st.composite
def cases(draw):
    """A patient of the demo cohort, up to 30 nodes, not always all of the history, and a graph over them."""
    *visits, _ = draw(st.sampled_from(histories()))
    had = sorted({code for visit in visits for code in visit})
    known = draw(st.lists(st.sampled_from(had), min_size=1, max_size=15, unique=True))
    others = draw(st.lists(st.sampled_from(resources.open_dataset().vocabulary.keys), max_size=15))
    nodes = draw(st.permutations(sorted({*known, *others})))
    pairs = list(combinations(nodes, 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=40)) if pairs else []
    return nodes, [list(pair) for pair in edges], visits


def risks(nodes, edges, visits):
    return next_visit_risks.invoke({"nodes": nodes, "edges": edges, "visits": visits})["risks"]


def sources(risk, name):
    return {part["source"]: part["value"] for part in risk["parts"] if part["name"] == name}


@given(cases())
@settings(max_examples=40)
def test_the_parts_of_a_risk_add_up_to_it_each_within_its_interval(case):
    nodes, _, visits = case
    found = risks(*case)
    assert sorted(risk["code"] for risk in found) == sorted(nodes)
    for risk in found:
        assert sum(part["value"] for part in risk["parts"]) == pytest.approx(risk["probability"], abs=1e-9)
        assert 0 <= risk["low"] <= risk["probability"] <= risk["high"] <= 1
        assert all(0 <= part["low"] <= part["value"] <= part["high"] <= 1 for part in risk["parts"])
        repeat = any(risk["code"] in visit for visit in visits)
        assert risk["kind"] == ("recurrence" if repeat else "onset")


@given(cases())
@settings(max_examples=40)
def test_the_graph_names_the_causes_and_at_most_three_others_of_the_history(case):
    nodes, edges, visits = case
    had = {code for visit in visits for code in visit}
    for risk in risks(*case):
        parts, code = risk["parts"], risk["code"]
        places = [(NAMES.index(part["name"]), -part["value"]) for part in parts]
        assert places == sorted(places)
        acting = {a for a in had - {code} if (a, code) in followed()}
        causes = {a for a, b in edges if b == code} & acting
        unlinked = (acting & set(nodes)) - causes
        named = sources(risk, "association")
        assert set(sources(risk, "cause")) == causes
        assert set(named) <= unlinked
        assert len(named) == min(3, len(unlinked))
        count = Counter(part["name"] for part in parts)
        assert count["recurrence"] == (code in had)
        assert count["base rate"] == 1
        assert count["rest of the history"] == bool(acting - causes - set(named))
        assert all((part["source"] is None) == (part["name"] in (NAMES[0], *NAMES[3:])) for part in parts)


@given(cases())
@settings(max_examples=40)
def test_the_graph_changes_no_probability_no_interval_and_no_order(case):
    nodes, edges, visits = case
    bare, drawn = risks(nodes, [], visits), risks(nodes, edges, visits)
    for without, under in zip(bare, drawn, strict=True):
        assert without | {"parts": []} == under | {"parts": []}
        assert not sources(without, "cause")
        named = sources(without, "association")
        again = sources(under, "association") | sources(under, "cause")
        assert {key: again[key] for key in named.keys() & again.keys()} == pytest.approx(
            {key: named[key] for key in named.keys() & again.keys()}, abs=1e-12
        )
        for name in ("recurrence", "base rate"):
            assert sources(without, name) == pytest.approx(sources(under, name), abs=1e-12)


@given(cases())
@settings(max_examples=40)
def test_the_ten_most_probable_come_first_and_the_next_ten_after_them(case):
    chances = [risk["probability"] for risk in risks(*case)]
    tens = [chances[place : place + 10] for place in range(0, len(chances), 10)]
    assert all(min(one) >= max(other) for one, other in pairwise(tens))


def test_an_edge_that_nothing_followed_has_no_part_and_the_disease_keeps_its_other_shares():
    codes = resources.open_dataset().vocabulary.keys
    cause, effect = next((a, b) for a in codes for b in codes if a != b and (a, b) not in followed())
    (risk,) = (r for r in risks([cause, effect], [[cause, effect]], [[cause]]) if r["code"] == effect)
    assert [part["name"] for part in risk["parts"]] == ["base rate"]
    assert risk["parts"][0]["value"] == pytest.approx(risk["probability"], abs=1e-12)


def test_what_was_seen_last_counts_more_than_what_was_seen_before():
    gout, failure = ["2749"], ["4280"]
    last, before = (
        {r["code"]: r for r in risks(["4280", "5119"], [["4280", "5119"]], visits)}["5119"]
        for visits in ([gout, failure], [failure, gout])
    )
    assert sources(last, "cause")["4280"] > sources(before, "cause")["4280"]
    assert last["probability"] > before["probability"]

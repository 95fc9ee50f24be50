"""The statistical decision: as the records list it, the comment's diseases first, each with its reasons."""

import re
from itertools import combinations, pairwise
from math import expm1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cases import CaseDisease
from agents.decision import _admit
from agents.ranking import decide
from tests.agents.cases import DISEASES, decision_case, edge, finding, part

CODES = tuple(f"{n}" for n in range(300, 312))
CROWD = tuple(
    CaseDisease(code=code, name=f"disease {'abcdefghijkl'[i]}", role="history" if i % 2 else "candidate")
    for i, code in enumerate(CODES)
)
HAD = {d.code for d in CROWD if d.role == "history"}
probability = st.floats(0, 1)


@st.composite
def risks_of(draw, code, causes):
    """A disease's risk: 1 - exp(-L), shared out in proportion to the terms of L."""
    followed = sorted(HAD - {code} - draw(st.sets(st.sampled_from(sorted(HAD)))))
    unlinked = [key for key in followed if key not in causes]
    sources = [("recurrence", None)] * (code in HAD)
    sources += [("cause", key) for key in followed if key in causes]
    sources += [("association", key) for key in unlinked[:3]]
    sources += [("rest of the history", None)] * bool(unlinked[3:])
    sources += [("base rate", None)]
    hazards = [draw(st.floats(1e-6, 1.0)) for _ in sources]
    chance = -expm1(-sum(hazards))
    low, high = draw(st.floats(0, chance)), draw(st.floats(chance, 1))
    return {
        "code": code,
        "kind": "recurrence" if code in HAD else "onset",
        "probability": chance,
        "low": low,
        "high": high,
        "parts": [
            part(name, chance * hazard / sum(hazards), source)
            for (name, source), hazard in zip(sources, hazards, strict=True)
        ],
    }


@st.composite
def decisions(draw):
    """Cases over a random acyclic graph, as `next_visit_risks` would describe it."""
    order = draw(st.permutations(CODES))
    edges = draw(st.lists(st.sampled_from(list(combinations(order, 2))), unique=True, max_size=30))
    strengths = {edge: draw(probability) for edge in edges}
    risks = [
        draw(risks_of(code, {a for a, b in edges if b == code})) for code in draw(st.permutations(CODES))
    ]
    return decision_case(
        history=[sorted(HAD)],
        diseases=CROWD,
        edges=[
            edge(
                *pair,
                strength,
                time=draw(st.sampled_from(["backs", "undecided", "against"])),
                confidence=draw(st.none() | probability),
            )
            for pair, strength in strengths.items()
        ],
        risks=risks,
        findings=[
            finding(
                f"P{i}",
                a,
                b,
                direction=draw(st.sampled_from(["raises", "lowers", "none"])),
                contradicted=draw(st.booleans()),
            )
            for i, (a, b) in enumerate(edges[:10])
        ],
        comment=draw(st.sampled_from(["", "303 and 305", "not 304", "kidneys"])),
        top_k=draw(st.integers(1, 15)),
    )


@given(decisions())
def test_the_order_is_that_of_the_records_but_for_what_is_asked_and_no_probability_changes(case):
    listed = [risk.code for risk in case.risks]
    asked = {"303", "305"} if case.comment.startswith("303") else set()
    first = [code for code in listed if code in asked]
    answer = decide(case)
    chances = {risk.code: risk.probability for risk in case.risks}
    found = [p.code for p in answer.predictions]
    assert found == [code for code in first + [c for c in listed if c not in asked] if code in found]
    assert len(found) == min(case.top_k, len(listed))
    assert set(found) >= set(first) or len(first) > case.top_k
    left_out = [chances[code] for code in set(listed) - set(found) - asked]
    assert all(chances[code] >= max(left_out, default=0) for code in set(found) - asked)
    assert all(p.probability == chances[p.code] for p in answer.predictions)


@given(decisions())
def test_the_decision_agent_admits_every_statistical_decision(case):
    _admit(decide(case), case, {f.passage: f"source of {f.passage}" for f in case.findings})


@given(decisions())
def test_a_path_comes_from_the_history_along_edges_exactly_where_a_cause_acts(case):
    edges = {(edge.cause, edge.effect) for edge in case.edges}
    parts = {risk.code: risk.parts for risk in case.risks}
    for prediction in decide(case).predictions:
        causes = {part.source: part.value for part in parts[prediction.code] if part.name == "cause"}
        assert bool(prediction.path) == bool(causes)
        if causes:
            assert set(pairwise(prediction.path)) <= edges
            assert set(prediction.path[:-1]) <= HAD
            assert prediction.path[-1] == prediction.code
            assert causes[prediction.path[-2]] == max(causes.values())


@given(decisions())
def test_the_reason_tells_what_makes_up_the_probability_and_a_repeat_says_so(case):
    of_code = {risk.code: risk for risk in case.risks}
    names = {disease.code: disease.short for disease in case.diseases}
    for prediction in decide(case).predictions:
        risk = of_code[prediction.code]
        assert ("The patient has had it." in prediction.reason) == (risk.code in HAD)
        sizeable = sorted((p for p in risk.parts if p.value >= 0.001), key=lambda p: -p.value)
        told = re.search(
            r"The (\S+)% is made up of (.*?%)(?:, and less than 0\.1% each of others)?\.(?: Of the steps|$)",
            prediction.reason,
        )
        assert bool(told) == bool(sizeable)
        if told:
            assert float(told[1]) == pytest.approx(100 * risk.probability, abs=0.051)
            for said, share in zip(told[2].split(", "), sizeable, strict=True):
                name, value = said.rsplit(" ", 1)
                assert float(value.rstrip("%")) == pytest.approx(100 * share.value, abs=0.051)
                assert name.removesuffix(" (by association)") == names.get(share.source, share.name)
                assert name.endswith("(by association)") == (share.name == "association")


@given(decisions())
def test_evidence_names_the_predicted_disease_as_effect_and_earlier_steps_stand_in_the_reason(case):
    said = {f.passage: (f.cause, f.effect) for f in case.findings if f.direction == "raises"}
    for prediction in decide(case).predictions:
        for passage in prediction.evidence:
            cause, effect = said[passage]
            assert effect == prediction.code
            assert cause in HAD or cause in prediction.path
        earlier = set(pairwise(prediction.path[:-1]))
        backing = {passage for passage, pair in said.items() if pair in earlier}
        assert set(re.findall(r"\bP\d+\b", prediction.reason)) == backing


def test_a_step_that_is_only_named_the_other_way_round_is_counter_evidence():
    turned = finding("P3", "5859", "4019")

    def against(*found):
        return {p.code: p.counter_evidence for p in decide(decision_case(findings=found)).predictions}["5859"]

    said = "P3 names hypertension \u2192 chronic kidney disease the other way round"
    assert said in against(turned)
    assert said not in against(turned, finding("P1", "4019", "5859"))
    assert said in against(turned, finding("P1", "4019", "5859", direction="none"))


@given(decisions())
def test_what_was_read_against_a_step_of_the_path_is_counter_evidence(case):
    against = {f.passage: (f.cause, f.effect) for f in case.findings if f.direction != "raises"}
    assert not {passage for p in decide(case).predictions for passage in p.evidence} & set(against)
    for prediction in decide(case).predictions:
        for passage, pair in against.items():
            if pair in pairwise(prediction.path):
                assert re.search(rf"\b{passage}\b", prediction.counter_evidence, re.IGNORECASE)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([finding("P1", "4019", "5859")], ""),
        ([finding("P1", "4019", "5859", direction="none")], "P1 says that hypertension does not raise"),
        ([finding("P2", "4019", "5859", direction="lowers")], "P2 says that hypertension does not raise"),
        ([finding("P1", "4019", "5859", contradicted=True)], "The libraries contradict each other"),
        (
            [
                finding("P1", "4019", "5859", contradicted=True),
                finding("P3", "4019", "5859", direction="none", contradicted=True),
            ],
            "but P1 that it does",
        ),
    ],
)
def test_denials_and_contradictions_are_told(found, told):
    predictions = {p.code: p for p in decide(decision_case(findings=found)).predictions}
    assert told in predictions["5859"].counter_evidence
    assert bool(told) == bool(predictions["5859"].counter_evidence)


@given(decisions())
def test_a_step_that_time_does_not_tell_is_counter_evidence(case):
    unsure = {(edge.cause, edge.effect) for edge in case.edges if edge.time != "backs"}
    for prediction in decide(case).predictions:
        doubted = any(step in unsure for step in pairwise(prediction.path))
        assert ("ime does not tell" in prediction.counter_evidence) == doubted


@given(decisions())
def test_a_step_that_most_resamples_lack_is_counter_evidence(case):
    rare = {
        (edge.cause, edge.effect)
        for edge in case.edges
        if edge.confidence is not None and edge.confidence < 0.5
    }
    for prediction in decide(case).predictions:
        doubted = any(step in rare for step in pairwise(prediction.path))
        assert ("of the resamples" in prediction.counter_evidence) == doubted


def test_a_long_chain_with_long_names_is_cut_to_what_an_answer_may_hold():
    chain = tuple(CaseDisease(code=str(n), name="n" * 200, role="history") for n in range(100, 140))
    last = CaseDisease(code="999", name="last", role="candidate")
    codes = [d.code for d in (*chain, last)]
    parts = [part("cause", 0.4, codes[-2]), part("base rate", 0.1)]
    case = decision_case(
        diseases=(*chain, last),
        edges=[edge(a, b, time="undecided") for a, b in pairwise(codes)],
        risks=[{"code": "999", "kind": "onset", "probability": 0.5, "parts": parts}],
    )
    (prediction,) = decide(case).predictions
    assert prediction.path == codes[-len(prediction.path) :]
    assert len(prediction.path) > 2


def test_a_circle_in_a_foreign_case_ends():
    circle = [("4019", "25000"), ("25000", "4019"), ("4019", "5859")]
    case = decision_case(edges=[edge(a, b) for a, b in circle])
    assert decide(case).predictions


def test_reasons_say_what_the_records_show():
    repeat, onset = sorted(decide(decision_case()).predictions, key=lambda p: p.code)
    shares = "recurrence 52.0%, diabetes (by association) 5.0%, base rate 3.0%"
    assert repeat.reason == f"The patient has had it. The 60.0% is made up of {shares}."
    shares = "hypertension 10.0%, base rate 5.0%, diabetes (by association) 4.0%"
    assert onset.reason == f"hypertension \u2192 chronic kidney disease. The 19.0% is made up of {shares}."
    asked = decide(decision_case(comment="kidneys"))
    assert asked.predictions[0].code == DISEASES[2].code
    assert asked.predictions[0].reason.startswith("Listed first because the comment asks about it.")
    assert "asks about 1 of them" in asked.explanation


def test_a_repeat_that_has_a_cause_tells_both():
    risk = {
        "code": "4019",
        "kind": "recurrence",
        "probability": 0.6,
        "parts": [part("recurrence", 0.5), part("cause", 0.08, "25000"), part("base rate", 0.02)],
    }
    (repeat,) = decide(decision_case(edges=[edge("25000", "4019")], risks=[risk])).predictions
    assert repeat.path == ["25000", "4019"]
    assert repeat.reason.startswith(
        "The patient has had it. In the graph: diabetes \u2192 hypertension. The 60.0% is made up of"
    )


def test_shares_below_a_tenth_of_a_percent_are_not_told():
    parts = [part("base rate", 0.0009), part("association", 0.0001, "25000")]
    risk = {"code": "5859", "kind": "onset", "probability": 0.001}
    (small,) = decide(decision_case(edges=[], risks=[risk | {"parts": parts}])).predictions
    assert small.reason == "The graph has no cause of it."
    parts.append(part("rest of the history", 0.019))
    (larger,) = decide(
        decision_case(edges=[], risks=[risk | {"probability": 0.02, "parts": parts}])
    ).predictions
    assert larger.reason.endswith(
        "The 2.0% is made up of rest of the history 1.9%, and less than 0.1% each of others."
    )


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ([], "The graph has no cause of it."),
        ([("25000", "5859")], "None of its causes in the graph is in the history."),
        ([("4019", "5859"), ("25000", "5859")], "By the records, its causes in the history add nothing."),
    ],
)
def test_without_a_cause_that_acts_the_reason_says_which_it_is(edges, said):
    roles = {"4019": "history"}
    case = decision_case(
        diseases=[d.model_copy(update={"role": roles.get(d.code, "candidate")}) for d in DISEASES],
        edges=[edge(a, b) for a, b in edges],
        risks=[{"code": "5859", "kind": "onset", "probability": 0.02, "parts": [part("base rate", 0.02)]}],
    )
    (prediction,) = decide(case).predictions
    assert prediction.path == []
    assert prediction.reason == f"{said} The 2.0% is made up of base rate 2.0%."


def test_the_explanation_does_not_credit_the_graph_with_a_probability():
    told = decide(decision_case()).explanation
    assert "the ten most probable first" in told
    assert "(edges: 1, diseases: 3)" in told
    assert "changes no probability" in told

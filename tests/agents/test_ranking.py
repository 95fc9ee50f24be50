"""The statistical decision: ranked by the records, the comment's diseases first, each with its reasons."""

import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cases import CaseDisease
from agents.decision import _admit
from agents.ranking import decide
from tests.agents.cases import DISEASES, decision_case, edge, finding

CODES = tuple(f"{n}" for n in range(300, 312))
CROWD = tuple(
    CaseDisease(code=code, name=f"disease {'abcdefghijkl'[i]}", role="history" if i % 2 else "candidate")
    for i, code in enumerate(CODES)
)
HAD = {d.code for d in CROWD if d.role == "history"}
probability = st.floats(0, 1)


@st.composite
def decisions(draw):
    """Cases over a random acyclic graph, as `next_visit_risks` would describe it."""
    order = draw(st.permutations(CODES))
    edges = draw(st.lists(st.sampled_from(list(combinations(order, 2))), unique=True, max_size=30))
    strengths = {edge: draw(probability) for edge in edges}
    risks = []
    for code in CODES:
        base = {
            "name": "recurrence" if code in HAD else "base rate",
            "value": draw(probability),
            "low": 0.0,
            "high": 1.0,
        }
        causes = [
            {"name": "cause", "cause": a, "value": strengths[a, b], "low": 0.0, "high": 1.0}
            for a, b in edges
            if b == code and a in HAD and code not in HAD
        ]
        kind = "recurrence" if code in HAD else "onset"
        low, high = sorted([draw(probability), draw(probability)])
        risk = {"code": code, "kind": kind, "probability": draw(probability), "low": low, "high": high}
        risks.append(risk | {"parts": [base, *causes]})
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
def test_what_is_asked_comes_first_then_the_probable_and_no_probability_changes(case):
    answer = decide(case)
    risks = {risk.code: risk.probability for risk in case.risks}
    asked = {"303", "305"} if case.comment.startswith("303") else set()
    ranked = [(p.code not in asked, -p.probability, p.code) for p in answer.predictions]
    assert ranked == sorted(ranked)
    assert all(p.probability == risks[p.code] for p in answer.predictions)
    left_out = [
        (c not in asked, -r, c) for c, r in risks.items() if c not in {p.code for p in answer.predictions}
    ]
    assert len(ranked) == min(case.top_k, len(risks))
    assert not left_out or ranked[-1] < min(left_out)


@given(decisions())
def test_the_decision_agent_admits_every_statistical_decision(case):
    _admit(decide(case), case, {f.passage: f"source of {f.passage}" for f in case.findings})


@given(decisions())
def test_a_path_comes_from_the_history_along_edges_exactly_where_a_cause_acts(case):
    edges = {(edge.cause, edge.effect) for edge in case.edges}
    parts = {risk.code: risk.parts for risk in case.risks}
    for prediction in decide(case).predictions:
        causes = [part.cause for part in parts[prediction.code] if part.cause]
        assert bool(prediction.path) == bool(causes)
        if causes:
            assert set(pairwise(prediction.path)) <= edges
            assert set(prediction.path[:-1]) <= HAD
            assert prediction.path[-1] == prediction.code
            values = {part.cause: part.value for part in parts[prediction.code] if part.cause}
            assert values[prediction.path[-2]] == max(values.values())


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
    parts = [
        {"name": "base rate", "value": 0.1, "low": 0.1, "high": 0.1},
        {"name": "cause", "cause": codes[-2], "value": 0.5, "low": 0.5, "high": 0.5},
    ]
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
    assert "60% of the visits after it" in repeat.reason
    assert "hypertension \u2192 chronic kidney disease" in onset.reason
    assert "hypertension 10.0%" in onset.reason
    asked = decide(decision_case(comment="kidneys"))
    assert asked.predictions[0].code == DISEASES[2].code
    assert asked.predictions[0].reason.startswith("Listed first because the comment asks about it.")
    assert "asks about 1 of them" in asked.explanation


@pytest.mark.parametrize(
    ("edges", "said"),
    [([], "The graph has no cause of it"), ([("25000", "5859")], "None of its causes in the graph")],
)
def test_without_a_cause_in_the_history_the_reason_says_which_it_is(edges, said):
    base = {"name": "base rate", "value": 0.02, "low": 0.01, "high": 0.03}
    roles = {"4019": "history"}
    case = decision_case(
        diseases=[d.model_copy(update={"role": roles.get(d.code, "candidate")}) for d in DISEASES],
        edges=[edge(a, b) for a, b in edges],
        risks=[{"code": "5859", "kind": "onset", "probability": 0.02, "parts": [base]}],
    )
    (prediction,) = decide(case).predictions
    assert said in prediction.reason
    assert "2.0%" in prediction.reason

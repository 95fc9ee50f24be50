"""What the engine knows of each edge reaches the minds and the result, by the score that a run asks for."""

import json

import pytest

from agents.toolbox import Toolbox
from tests.fakes.mind import Mind
from tests.fakes.model_server import ModelServer
from tests.fakes.replies import tool_call
from tests.graph.runs import run
from tools import resources
from tools.causal import stability
from tools.causal.constraints import Constraints
from tools.causal.dag import CausalGraph
from tools.causal.edits import edit_gains
from tools.causal.scores import Score, total_score


def cases_seen(monkeypatch, mind=None, **context):
    """The case documents that a scripted mind was shown in a run, and the result."""
    mind = mind or Mind()
    with ModelServer(mind) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        result = run(model="openai:scripted", **context)
    return {case["task"]: case for case in reversed(mind.seen)}, result


def test_the_minds_see_what_each_edge_and_edit_is_worth_and_how_sure_the_records_are(monkeypatch):
    seen, result = cases_seen(monkeypatch, resamples=4)
    n_patients = result.graph.scores.n_patients
    rests_on = {"accepted_by": "noisy_or_bic", "n_patients": n_patients, "resamples": 4}
    assert seen["propose_graph"]["basis"] == seen["amend_graph"]["basis"] == rests_on
    amendment, first = seen["amend_graph"], result.scores[0]
    remembered = amendment["memory"]["current"]
    assert remembered["gain_per_patient"] == first.gain_per_patient > 0
    assert remembered["held_out_gain_per_patient"] == first.held_out_gain_per_patient
    assert "accepted_score" not in remembered
    assert [[e["cause"], e["effect"]] for e in amendment["edges"]] == remembered["edges"]
    edits = [*seen["propose_graph"]["associations"], *amendment["edits"]]
    for told in (*edits, *amendment["edges"]):
        assert told["gain_per_patient"] == pytest.approx(told["gain"] / n_patients)
        assert told["confidence"] * 4 in range(5)
    assert {told["confidence"] for told in edits} >= {0.0, 1.0}
    assert len({told["held_out_gain_per_patient"] for told in edits}) > 10
    decided = {(e["cause"], e["effect"]): e for e in seen["decide"]["edges"]}
    for edge in result.graph.edges:
        shown = decided[edge.cause, edge.effect]
        assert (shown["confidence"], shown["identified_by"]) == (edge.confidence, edge.identified_by)


def test_a_run_draws_its_resamples_once(monkeypatch):
    climbs, climb = [], stability.hill_climb
    monkeypatch.setattr(stability, "hill_climb", lambda *a, **k: climbs.append(k) or climb(*a, **k))
    result = run(resamples=3, seed=99)
    assert len(climbs) == 3
    assert result.graph.scores.resamples == 3
    assert all(edge.confidence * 3 in range(4) for edge in result.graph.edges)
    assert run(resamples=3, seed=99) == result
    assert len(climbs) == 3
    assert any("not the probability that the edge is true" in text for text in result.assumptions)


def test_a_mind_that_scores_edits_itself_is_told_the_same_confidence_from_the_same_draws(monkeypatch):
    def amend(case, nth):
        edges = [[edge["cause"], edge["effect"]] for edge in case["edges"]]
        if nth == 0:
            return tool_call("score_edits", {"edges": edges})
        return tool_call("Hypothesis", {"edges": [{"cause": a, "effect": b} for a, b in edges]})

    climbs, climb, told = [], stability.hill_climb, []
    monkeypatch.setattr(stability, "hill_climb", lambda *a, **k: climbs.append(k) or climb(*a, **k))
    toolbox_result = Toolbox._result
    monkeypatch.setattr(Toolbox, "_result", lambda *given: told.append(toolbox_result(*given)) or told[-1])
    seen, _ = cases_seen(monkeypatch, Mind({"amend_graph": amend}), resamples=3, seed=98)
    scored = next(json.loads(result) for result in told if "edits" in result)
    assert scored["edits"] == seen["amend_graph"]["edits"]
    assert len(climbs) == 3


def test_without_resamples_no_confidence_is_told_and_nothing_is_drawn(monkeypatch):
    drawn = run()
    monkeypatch.setattr(stability, "edge_confidence", None)
    seen, served = cases_seen(monkeypatch, resamples=0)
    amendment = seen["amend_graph"]
    told = [*seen["propose_graph"]["associations"], *amendment["edges"], *amendment["edits"]]
    assert {item["confidence"] for item in (*told, *seen["decide"]["edges"])} == {None}
    own = run(resamples=0)
    assert {edge.confidence for edge in (*own.graph.edges, *served.graph.edges)} == {None}
    assert own.graph.scores.resamples == 0
    assert not any("confidence" in text for text in own.assumptions)
    assert not any("direction of an edge" in text for text in run(without_causal=True).assumptions)
    by_burden, alike = (run(resamples=0, score=score).assumptions[0] for score in ("noisy_or_bic", "bic"))
    assert "number of a patient's codes" in by_burden
    assert "number of a patient's codes" not in alike
    assert [p.code for p in own.predictions] == [p.code for p in drawn.predictions]


@pytest.mark.parametrize("context", [{"score": "bic"}, {"score": "bdeu", "by_burden": True, "ess": 5.0}])
def test_graphs_are_accepted_by_the_score_that_is_asked_for(context):
    result = run(**context)
    accepted = Score(context["score"], context.get("by_burden"), context.get("ess", 1.0))
    nodes = [node.code for node in result.graph.nodes]
    found = CausalGraph(nodes, [(edge.cause, edge.effect) for edge in result.graph.edges])
    matrix = resources.open_matrix("", tuple(nodes))
    assert {score.method for score in result.scores} == {accepted.name}
    best = max(score.accepted_score for score in result.scores)
    assert total_score(found, matrix, accepted) == pytest.approx(best)
    assert result.graph.scores.by_burden == accepted.stratified
    history = {node.code for node in result.graph.nodes if node.role == "history"}
    rules = Constraints(tiers={n: int(n not in history) for n in nodes}, max_parents=6)
    assert edit_gains(found, matrix, rules, accepted)[0].gain <= 1e-6


def test_accepting_by_the_bare_likelihood_is_possible_bounded_and_said():
    result = run(score="loglik", resamples=0)
    assert any("bare log-likelihood" in notice for notice in result.notices)
    most = 3 * len(result.graph.nodes)
    assert len(result.graph.edges) == most
    assert sum(f"has {most} edges, the most" in notice for notice in result.notices) == 1
    assert not any("bare log-likelihood" in n or "the most" in n for n in run(resamples=0).notices)

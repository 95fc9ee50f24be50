"""The whole graph through each form of answer, and against a model that talks nonsense now and then (C1)."""

import json
from hashlib import sha256
from random import Random

import pytest

from agents.forms import FORMS
from tests.fakes.mind import Mind
from tests.fakes.replies import Reply, finish, refusal, text, tool_call
from tools.reporting.result import DiagnosisResult
from tools.safety.errors import BudgetExceeded, ModelOutputError

FORMATS = {"json_schema": "json_schema", "json_object": "json_object", "tool": None, "text": None}
NONSENSE = [
    text("lorem ipsum"),
    text(""),
    Reply(message={"role": "assistant", "content": None}),
    text('{"edges": []}'),
    text('{"edges": [{"cause": "4019", "effect": "4019"}], "predictions": [], "findings": 3}'),
    text("[" * 5_000),
    text("```json\n{\n```"),
    tool_call("Hypothesis", '{"edges": [{"cau'),
    tool_call("rm_rf", {}),
    finish("length", '{"edges": [{"cause": "40'),
    refusal(),
]
FEWEST_SEEDS, MOST_SEEDS = 8, 40


@pytest.mark.parametrize("form", FORMS)
def test_every_mind_answers_in_every_form(form, serve, run):
    mind = Mind()
    server = serve(mind)
    result = DiagnosisResult.model_validate(run(answer_form=form))
    assert set(mind.asked) == {"write_query", "read_passage", "propose_graph", "amend_graph", "decide"}
    assert result.predictions and result.graph.edges and result.explanation
    assert result.calls == len(server.requests)
    for body in server.bodies:
        assert ("tools" in body) == (form == "tool")
        assert (body.get("response_format") or {}).get("type") == FORMATS[form]


class Babbling:
    """A sensible mind that talks nonsense in a share of its answers, the same ones for the same seed."""

    def __init__(self, seed, share):
        self.seed, self.share, self.sensible, self.n_nonsense = seed, share, Mind(), 0

    def __call__(self, body):
        random = Random(sha256(f"{self.seed} {json.dumps(body)}".encode()).digest())
        if random.random() < self.share:
            self.n_nonsense += 1
            return random.choice(NONSENSE)
        return self.sensible(body)


@pytest.mark.parametrize("form", FORMS)
def test_c1_nonsense_now_and_then_ends_in_predictions_or_is_said(form, serve, run):
    ended, n_nonsense = [], 0
    for seed in range(MOST_SEEDS):
        if seed >= FEWEST_SEEDS and len(set(ended)) > 1:
            break
        model = Babbling(seed, 0.3)
        server = serve(model)
        try:
            result = run(answer_form=form, max_iterations=2)
        except (ModelOutputError, BudgetExceeded) as error:
            ended.append(type(error))
            continue
        n_nonsense += model.n_nonsense
        assert result["calls"] == len(server.requests)
        ended.append("refusal" if result["refusal"] else "predictions")
        # What a refusal leaves open is no graph that was found empty.
        assert result["graph"]["edges"] or result["refusal"]
        assert bool(result["predictions"]) != bool(result["refusal"])
    assert n_nonsense
    assert "predictions" in ended
    assert len(set(ended)) > 1

"""`iikea evaluate` with a model a role and a fallback: who is asked, what it costs, what is gone on with."""

import json
import shutil
from dataclasses import replace

import pytest

from tests.agents.service import served
from tests.fakes.mind import Mind
from tests.fakes.replies import Usage, status
from tools.evaluation.ledger import Ledger
from tools.resources import DEMO_RECORDS

PRICES = ("--price-in", 1, "--price-out", 2)
PRICE_OF_ONE = (100 * 1 + 20 * 2) / 1e6
ROLES = ("--model", "openai:all", "--reader-model", "openai:reader", "--decider-model", "statistical")


def evaluate(out, *more):
    asked = ("--records", DEMO_RECORDS, "--methods", "default", "--limit", 2, "--out", out)
    return ("evaluate", *asked, *PRICES, *more)


def outcomes(out):
    return list(Ledger(out / "outcomes" / "default-0.jsonl").outcomes().values())


def away(name, mind):
    """A service of which one model stays away."""
    gone = status(503, {"Retry-After": "0"})
    return lambda body: gone if body["model"] == name else mind(body)


def test_each_role_asks_its_model_and_the_statistical_mind_decides_by_its_own_list(iikea, tmp_path):
    mind = Mind()
    with served(mind) as server:
        ended = iikea(*evaluate(tmp_path, *ROLES))
    assert ended.code == 0
    tasks = {"write_query": "reader", "read_passage": "reader", "propose_graph": "all", "amend_graph": "all"}
    asked = {(case["task"], body["model"]) for case, body in zip(mind.seen, server.bodies, strict=True)}
    assert asked == set(tasks.items())
    kept = outcomes(tmp_path)
    assert sum(outcome.cost_usd for outcome in kept) == pytest.approx(len(server.bodies) * PRICE_OF_ONE)
    assert all(outcome.length < len(outcome.codes) for outcome in kept)
    assert not any(outcome.fell_back for outcome in kept)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["model"] == "openai:all"
    assert set(manifest["prompts"]) == {*tasks, "decide"}
    assert manifest["roles"] == {"reader": "openai:reader", "decider": "statistical"}
    assert "reader openai:reader" in " ".join(ended.out.split())
    replayed = iikea(*evaluate(tmp_path, *ROLES, "--replay"))
    assert (replayed.code, replayed.err) == (0, "")
    assert (tmp_path / "replayed" / "table.json").read_bytes() == (tmp_path / "table.json").read_bytes()


def test_answers_of_another_model_that_were_copied_into_the_folder_cost_this_run_nothing(iikea, tmp_path):
    mind, dear = Mind(), Usage(prompt=10_000_000, completion=0)
    with served(
        lambda body: replace(mind(body), **{"usage": dear} if body["model"] == "one" else {})
    ) as server:
        assert iikea(*evaluate(tmp_path / "one", "--model", "openai:one")).code == 0
        shutil.copytree(tmp_path / "one" / "answers", tmp_path / "two" / "answers")
        n_before = len(server.bodies)
        ended = iikea(*evaluate(tmp_path / "two", "--model", "openai:two", "--limit", 1, "--max-cost", 1))
    assert ended.code == 0, ended.err
    (outcome,) = outcomes(tmp_path / "two")
    assert outcome.cost_usd == pytest.approx((len(server.bodies) - n_before) * PRICE_OF_ONE)


def test_a_run_that_fell_back_says_so_and_is_replayed_bit_for_bit(iikea, tmp_path):
    models = ("--model", "openai:first", "--fallback-model", "openai:second")
    with served(away("first", Mind())) as server:
        ended = iikea(*evaluate(tmp_path, *models))
    assert ended.code == 0
    assert {body["model"] for body in server.bodies} == {"first", "second"}
    assert "of 2 outcomes 2 rest on answers of the fallback" in " ".join(ended.err.split())
    assert all(outcome.fell_back for outcome in outcomes(tmp_path))
    assert iikea(*evaluate(tmp_path, *models, "--replay")).code == 0
    assert (tmp_path / "replayed" / "table.json").read_bytes() == (tmp_path / "table.json").read_bytes()


@pytest.mark.parametrize(
    ("more", "differs"),
    [
        (("--reader-model", "openai:reader", "--model", "openai:all"), "roles.decider"),
        ((*ROLES, "--fallback-model", "openai:second"), "roles.fallback"),
        (("--reader-model", "openai:other", *ROLES[:2], *ROLES[4:]), "roles.reader"),
    ],
)
def test_a_folder_is_not_gone_on_with_by_other_models(more, differs, iikea, tmp_path):
    with served(Mind()):
        assert iikea(*evaluate(tmp_path, *ROLES)).code == 0
        ended = iikea(*evaluate(tmp_path, *more))
        same = iikea(*evaluate(tmp_path, *ROLES, "--reasoner-model", "openai:all"))
    assert ended.code == 2
    assert f"another {differs}" in " ".join(ended.err.split())
    assert same.code == 0


def test_every_model_is_admitted_and_has_a_price_before_a_record_is_read(iikea, tmp_path):
    ended = iikea(*evaluate(tmp_path, "--fallback-model", "openai:far", "--local-only"))
    assert ended.code == 2
    assert "fallback_model" in ended.err
    asked = ("evaluate", "--records", tmp_path / "none", "--reader-model", "anthropic:claude")
    unknown = iikea(*asked, "--out", tmp_path)
    assert unknown.code == 2
    assert "--price-in" in " ".join(unknown.err.split())

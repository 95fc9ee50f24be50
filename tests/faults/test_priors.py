"""FAULTS C10: a prior that is none, or cannot be meant, is shown back and mended, or refused by its name."""

import json
import math

import pytest

from agents.forms import FORMS
from agents.model import Inadmissible
from agents.modelling import model_case, specify
from agents.settings import Settings
from agents.weak_priors import propose_model
from tests.fakes.mind import Mind
from tests.fakes.replies import text, tool_call
from tests.nof1.samples import series
from tools.safety.errors import ModelOutputError

PERSON = series()
QUESTION = "Does coffee shorten my sleep?"
CANARY = "zaphod-beeblebrox"
GOOD = propose_model(model_case(PERSON, QUESTION)).model_dump(mode="json")
MISSING = object()
SPREAD = PERSON.summaries[0].sd


def broken(value, part="level", prior="sd", number="scale"):
    """A whole answer with one number of one prior changed, and the mind's own words in its reason."""
    answer = json.loads(json.dumps(GOOD))
    told = answer["outcomes"][0][part][prior]
    told["because"] = CANARY
    del told[number]
    if value is not MISSING:
        told[number] = value
    return answer


def replied(answer, form):
    """A reply in a form; what is no JSON number is written as Python writes it."""
    return tool_call("ProposedModel", json.dumps(answer)) if form == "tool" else text(json.dumps(answer))


def asked(serve, replies, form="tool", person=PERSON):
    """The mind, the server and what came of it; asked for a model with these replies, the last for ever."""
    mind = Mind({"propose_model": [replied(answer, form) for answer in replies]})
    server = serve(mind)
    try:
        return mind, server, specify(person, QUESTION, Settings(model="openai:scripted", answer_form=form))
    except ModelOutputError as error:
        return mind, server, error


SCALE = "outcomes.0.level.sd.half_normal.scale"
NO_SCALES = {
    "zero": (0, "greater than 0"),
    "negative": (-1, "greater than 0"),
    "nan": (math.nan, "finite number"),
    "infinity": (math.inf, "finite number"),
    "minus infinity": (-math.inf, "finite number"),
    "huge": (1e308, "between 1e-24 and 1e+24"),
    "tiny": (1e-320, "between 1e-24 and 1e+24"),
    "a string": ("1", "valid number"),
    "true": (True, "valid number"),
    "null": (None, "valid number"),
    "a list": ([1], "valid number"),
    "missing": (MISSING, "required"),
}
bad = pytest.mark.parametrize("name", NO_SCALES)
in_every_form = pytest.mark.parametrize("form", FORMS)


@bad
def test_c10_no_scale_is_shown_back_by_place_and_rule_and_a_good_second_answer_counts(name, serve):
    value, rule = NO_SCALES[name]
    mind, server, reply = asked(serve, [broken(value), GOOD])
    assert mind.asked["propose_model"] == len(server.bodies) == reply.calls == 2
    repair = server.bodies[1]["messages"][-1]["content"]
    assert SCALE in repair
    assert rule in repair
    assert reply.value.spec.outcomes[0].level.sd.scale == GOOD["outcomes"][0]["level"]["sd"]["scale"]
    assert reply.value.implied.implausible == ()


@bad
def test_c10_no_scale_for_ever_is_refused_after_two_repairs_by_place_and_rule_alone(name, serve):
    value, rule = NO_SCALES[name]
    mind, server, error = asked(serve, [broken(value)])
    assert mind.asked["propose_model"] == len(server.bodies) == 3
    assert f"{SCALE}: " in str(error)
    assert rule in str(error)
    assert silent(error)


def silent(error):
    """Whether an error holds no word of the model's, none of the person's numbers and no key."""
    said = str(error)
    numbers = [f"{value:.4g}" for one in PERSON.summaries for value in (one.mean, one.sd)]
    return not any(word in said for word in (CANARY, "sk-test-canary", *numbers))


@in_every_form
@pytest.mark.parametrize("name", ["zero", "nan", "infinity", "huge", "tiny", "a string", "missing"])
def test_c10_no_scale_in_every_form_costs_a_repair_or_ends_in_two(name, form, serve):
    value, _ = NO_SCALES[name]
    mind, _, reply = asked(serve, [broken(value), GOOD], form)
    assert mind.asked["propose_model"] == reply.calls == 2
    mind, _, error = asked(serve, [broken(value)], form)
    assert mind.asked["propose_model"] == 3
    assert SCALE in str(error)
    assert silent(error)


IMPLAUSIBLE = {
    "a thousand spreads wide": (broken(1_000 * SPREAD), "outcomes.0.level.sd: the prior is too wide"),
    "a level a thousand spreads wide": (
        broken(1_000 * SPREAD, prior="initial", number="sd"),
        "outcomes.0.level.initial: the prior is too wide",
    ),
    "a level nowhere near": (
        broken(1_000 * SPREAD, prior="initial", number="mean"),
        "outcomes.0.level.initial: the prior is too high",
    ),
    "noise a thousand spreads wide": (
        broken(1_000 * SPREAD, part="law"),
        "outcomes.0.law.sd: the prior is too wide",
    ),
    "out of all proportion": (broken(1e7 * SPREAD), "outcomes.0.level.sd.scale: it is more than 1,000,000"),
    "next to nothing": (broken(1e-9 * SPREAD), "outcomes.0.level.sd.scale: it is less than a millionth"),
}


@in_every_form
@pytest.mark.parametrize("name", IMPLAUSIBLE)
def test_c10_what_cannot_be_meant_is_shown_back_and_mended(name, form, serve):
    answer, objection = IMPLAUSIBLE[name]
    mind, server, reply = asked(serve, [answer, GOOD], form)
    assert mind.asked["propose_model"] == reply.calls == 2
    assert objection in server.bodies[1]["messages"][-1]["content"]
    assert reply.value.implied.implausible == ()


@pytest.mark.parametrize("name", IMPLAUSIBLE)
def test_c10_what_cannot_be_meant_for_ever_is_refused_by_prior_and_direction(name, serve):
    answer, objection = IMPLAUSIBLE[name]
    mind, _, error = asked(serve, [answer])
    assert mind.asked["propose_model"] == 3
    assert isinstance(error, Inadmissible)
    assert error.calls == 3
    assert objection in str(error)
    assert silent(error)


@pytest.mark.parametrize("family", [CANARY, "cauchy", "", None, 3])
def test_c10_a_family_that_there_is_not_is_refused_without_an_echo(family, serve):
    answer = broken(1.0)
    answer["outcomes"][0]["level"]["sd"]["family"] = family
    mind, _, error = asked(serve, [answer])
    assert mind.asked["propose_model"] == 3
    assert "outcomes.0.level.sd: " in str(error)
    assert silent(error)
    assert "'half_normal', 'gamma', 'log_normal'" in str(error)


def with_edges(*edges):
    return GOOD | {"edges": [*GOOD["edges"], *({"cause": a, "effect": b, "lag": lag} for a, b, lag in edges)]}


@pytest.mark.parametrize(
    ("answer", "objection"),
    [
        (with_edges(("sleep", "coffee", 0)), "graph: cycle"),
        (with_edges((CANARY, "sleep", 0)), "edges.3.cause: is none of the variables"),
        (with_edges(("coffee", "sleep", 2)), "edges.3: the outcome's model has no effect"),
        (GOOD | {"edges": []}, "outcomes.0.effects.0: the graph has no edge"),
        (GOOD | {"outcomes": []}, "outcomes: "),
        (GOOD | {"outcomes": GOOD["outcomes"] * 2}, "outcomes.1.outcome: has a model already"),
        (GOOD | {"latents": [{"name": "sleep", "affects": ["coffee", "sleep"]}]}, "latents.0.name: is taken"),
        (GOOD | {CANARY: 1}, "ProposedModel: "),
    ],
)
def test_a_model_against_a_rule_is_refused_by_place_without_an_echo(answer, objection, serve):
    mind, _, error = asked(serve, [answer])
    assert mind.asked["propose_model"] == 3
    assert objection in str(error)
    assert silent(error)
    mind, _, reply = asked(serve, [answer, GOOD])
    assert mind.asked["propose_model"] == reply.calls == 2


def test_a_lag_longer_than_a_quarter_of_the_series_is_refused(serve):
    short = series(40)
    good = propose_model(model_case(short, QUESTION)).model_dump(mode="json")
    for lag, calls in ((10, 1), (11, 2)):
        answer = good | {"edges": [*good["edges"], {"cause": "sleep", "effect": "coffee", "lag": lag}]}
        _, server, reply = asked(serve, [answer, good], person=short)
        assert reply.calls == calls
        assert json.loads(server.bodies[0]["messages"][1]["content"])["limits"]["max_lag"] == 10
    assert (
        "edges.3.lag: longer than 10 steps, a quarter of the series or 30; shorten it"
        in server.bodies[1]["messages"][-1]["content"]
    )


@in_every_form
def test_a_sensible_mind_is_admitted_at_once_and_sees_no_series(form, serve):
    mind = Mind()
    server = serve(mind)
    reply = specify(PERSON, QUESTION, Settings(model="openai:scripted", answer_form=form))
    assert mind.asked["propose_model"] == len(server.bodies) == reply.calls == 1
    (case,) = mind.seen
    assert case["question"] == QUESTION
    assert "values" not in json.dumps(case)
    assert reply.told == {"role": "reasoner", "model": "openai:scripted", "fell_back": False}

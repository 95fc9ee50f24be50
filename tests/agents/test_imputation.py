"""The agent that proposes operators: what its case tells, and what the reasoner breeds without a model."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.answers import Recipes
from agents.breeding import propose_operators as bred
from agents.forms import FORMS, response_format
from agents.imputation import imputation_case, propose_operators
from agents.settings import Settings
from tests.agents.cases import imputation_case as small_case
from tests.agents.service import MODEL, served
from tests.fakes.mind import Mind
from tests.fakes.replies import tool_call
from tests.treatment.panels import OPERATORS, panel, recipe, simulated
from tools.evaluation.intervals import Interval
from tools.safety.errors import InputError
from tools.treatment.admission import admit
from tools.treatment.fitness import Fitness, Trials
from tools.treatment.mechanism import Mechanism

COHORT = simulated(0.5, 2.0, n_patients=120)


def fitness(error):
    at = Interval(error, error, error)
    return Fitness({"weight": at}, {"weight": at}, {"weight": at}, at, at)


def case_of(tried=(), wanted=6, seed=0):
    return imputation_case(COHORT.panel, COHORT.mechanisms, tried, wanted, seed)


def fits(made):
    return admit(made, COHORT.panel.variables, COHORT.panel.n_steps, COHORT.panel.incomplete)


def generation(seed, tried, wanted=6):
    return [each.recipe for each in bred(case_of(tried, wanted, seed)).recipes]


@given(st.integers(0, 10**6), st.integers(1, 20))
@settings(max_examples=15)
def test_generations_without_a_model_fit_the_panel_differ_and_depend_on_the_seed_alone(seed, wanted):
    tried = []
    for number in range(3):
        made = generation(seed + number, tried, wanted)
        prints = [each.fingerprint for each in made]
        known = {each.fingerprint for each, _ in tried}
        assert len(set(prints)) == len(prints) == wanted
        assert not known & set(prints)
        assert [fits(each) for each in made] == made
        assert made == generation(seed + number, tried, wanted)
        tried += [(each, fitness(0.1 * place)) for place, each in enumerate(made)]


def test_without_parents_the_declared_strength_is_tried_first():
    (first,) = generation(0, [], wanted=1)
    strengths = {mechanism.variable: mechanism.strength for mechanism in COHORT.mechanisms}
    for rule in first.rules:
        assert rule.operator.kind == "tilt"
        assert rule.operator.gamma == strengths[rule.variables[0]]


def test_other_seeds_breed_other_recipes_from_the_same_parents():
    tried = [(each, fitness(0.5)) for each in generation(0, [])]
    assert generation(1, tried) != generation(2, tried)


def test_parents_are_shown_best_first_and_at_most_twenty():
    made = generation(0, [], wanted=9)
    case = case_of([(each, fitness(1.0 - 0.1 * place)) for place, each in enumerate(made)])
    assert [parent.recipe for parent in case.parents] == made[::-1]
    assert len(case_of([(made[0], fitness(0.5))] * 30).parents) == 20


def test_a_case_tells_sums_and_no_cell_of_a_patient():
    said = json.loads(case_of().model_dump_json())
    assert len(json.dumps(said)) < 4000
    weight = said["variables"][-1]
    assert weight["mean"] == pytest.approx(COHORT.panel.mean("weight"))
    assert weight["sd"] == pytest.approx(COHORT.panel.spread("weight"))
    assert weight["missing"] == pytest.approx(0.5, abs=0.05)
    assert weight["strength"] == COHORT.mechanisms[-1].strength
    assert [v["strength"] for v in said["variables"] if v["missing"] == 0] == [None, None]


@pytest.mark.parametrize("wanted", [0, 21])
def test_the_number_wanted_is_bounded(wanted):
    with pytest.raises(InputError, match="wanted"):
        case_of(wanted=wanted)


def test_fitness_and_proposals_go_round_without_a_model():
    trials = Trials(COHORT.panel, COHORT.mechanisms, draws=1)
    tried = []
    for round_ in range(2):
        case = imputation_case(COHORT.panel, COHORT.mechanisms, tried, 3, round_)
        reply = propose_operators(case, COHORT.panel, Settings())
        assert reply.told["model"] == "statistical"
        tried += [(each, trials.judge(each)) for each in reply.value]
    assert len({each.fingerprint for each, _ in tried}) == 6
    assert case.parents[0].nrmse == min(judged.mean_nrmse.estimate for _, judged in tried[:3])


@pytest.mark.parametrize("form", FORMS)
def test_a_recipe_comes_through_every_form_of_answer(form):
    small = panel(n_patients=10)
    case = imputation_case(small, [Mechanism(variable="weight", strength=1.0)], [], 3)
    mind = Mind()
    with served(mind) as server:
        reply = propose_operators(case, small, Settings(model=MODEL, answer_form=form))
    assert len(reply.value) == 3
    assert mind.asked["propose_operators"] == 1
    assert len(json.dumps(server.bodies[0])) < 40_000


def test_what_was_tried_is_not_proposed_again():
    small = panel(n_patients=10)
    known = recipe(OPERATORS["carry"])
    case = imputation_case(small, [Mechanism(variable="weight", strength=1.0)], [(known, fitness(0.5))], 3)
    replies = [
        tool_call("Recipes", {"recipes": [{"recipe": each.model_dump(mode="json")}]})
        for each in (known, recipe(OPERATORS["tilt"]))
    ]
    with served(replies):
        reply = propose_operators(case, small, Settings(model=MODEL))
    assert reply.value == (recipe(OPERATORS["tilt"]),)
    assert reply.calls == 2


def test_a_service_is_told_a_schema_that_refers_to_itself_and_has_no_other_keywords_than_it_may():
    schema = response_format("json_schema", Recipes)["json_schema"]["schema"]
    whole = json.dumps(schema)
    assert schema["$defs"]["Tilt"]["properties"]["of"]["anyOf"]
    assert not [word for word in ("oneOf", "discriminator", '"ge"', '"le"', "default") if word in whole]
    for part in schema["$defs"].values():
        assert set(part["required"]) == set(part["properties"])
        assert part["additionalProperties"] is False


def test_the_small_case_is_answered_in_full():
    assert len(bred(small_case()).recipes) == 5


def test_many_incomplete_variables_are_proposed_for_too():
    made = small_case(wanted=9).variables[1]
    many = tuple(made.model_copy(update={"name": f"v{n}"}) for n in range(64))
    assert len(bred(small_case(variables=many, wanted=9)).recipes) == 9

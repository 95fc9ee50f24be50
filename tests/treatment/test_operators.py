"""The grammar: what a recipe may say, its fingerprint, its words."""

import json

import pytest
from pydantic import ValidationError

from tests.treatment.panels import OPERATORS, PAST, recipe
from tools.treatment.operators import KINDS, Recipe, depth, nodes
from tools.treatment.wording import describe

CARRY = {"kind": "carry"}


def nested(levels):
    operator = CARRY
    for _ in range(levels - 1):
        operator = {"kind": "tilt", "gamma": 1, "of": operator}
    return operator


def wide(parts):
    return {"kind": "mix", "parts": [{"weight": 1, "of": part} for part in parts]}


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_survives_json_and_is_told_in_one_line(name):
    made = recipe(OPERATORS[name])
    again = Recipe.model_validate_json(made.model_dump_json())
    assert again == made
    assert hash(again) == hash(made)
    assert again.fingerprint == made.fingerprint
    said = describe(made)
    assert said.startswith("weight: ")
    assert "\n" not in said


def test_the_examples_hold_every_kind():
    assert {operator["kind"] for operator in OPERATORS.values()} == {
        kind.model_fields["kind"].default for kind in KINDS
    }


def test_a_fingerprint_tells_recipes_apart_and_knows_neither_order_nor_spelling():
    prints = [recipe(operator).fingerprint for operator in OPERATORS.values()]
    assert len(set(prints)) == len(OPERATORS)
    one, other = (
        recipe(CARRY).model_dump()["rules"][0],
        recipe(nested(2), "glucose", "age").model_dump()["rules"][0],
    )
    assert (
        Recipe.model_validate({"rules": [one, other]}).fingerprint
        == Recipe.model_validate({"rules": [other, one]}).fingerprint
    )
    together, apart = recipe(CARRY, "b", "a"), of_variables(2, lambda _: CARRY)
    assert together.fingerprint == recipe(CARRY, "a", "b").fingerprint
    assert recipe(CARRY, "v0", "v1").fingerprint == apart.fingerprint
    zeros = [recipe({"kind": "shift", "delta": zero, "of": CARRY}).fingerprint for zero in (0, 0.0, -0.0)]
    assert len(set(zeros)) == 1


def test_words_name_the_parts():
    mended = {"kind": "tilt", "gamma": 1.5, "of": {"kind": "ridge", "covariates": PAST}}
    assert describe(recipe(mended)) == (
        "weight: (regression on weight 1 step before, glucose, age (penalty 1)) "
        "tilted by exp(+1.5 a standard deviation)"
    )


def test_depth_and_size_are_bounded():
    assert depth(recipe(nested(5)).rules[0].operator) == 5
    with pytest.raises(ValidationError, match="nested deeper than 5"):
        recipe(nested(6))
    broad = wide([wide([CARRY] * 4)] * 3)
    assert len(list(nodes(recipe(broad).rules[0].operator))) == 16
    with pytest.raises(ValidationError, match="more than 20 parts"):
        recipe(wide([wide([CARRY] * 4)] * 4))
    with pytest.raises(ValidationError, match="more than 3 of mice"):
        recipe(wide([{"kind": "mice"}] * 4))


def of_variables(n, make):
    return Recipe.model_validate({"rules": [{"variables": [f"v{m}"], "operator": make(m)} for m in range(n)]})


def test_what_a_recipe_costs_is_bounded_by_what_is_carried_out_and_not_by_how_it_is_written():
    near = {"kind": "neighbours", "covariates": [{"variable": "age"}]}
    assert of_variables(64, lambda _: near)
    names = [f"v{n}" for n in range(22)]
    assert recipe(wide([near] * 2), *names)
    with pytest.raises(ValidationError, match="more than 64 times"):
        recipe(wide([near] * 3), *names)
    assert of_variables(64, lambda n: {"kind": "tilt", "gamma": n / 20, "of": {"kind": "mice"}})

    def split(n):
        apart = {"kind": "split", "by": {"variable": "age"}, "above": n}
        return apart | {"then": {"kind": "mice"}, "otherwise": {"kind": "mice"}}

    assert of_variables(4, split)
    with pytest.raises(ValidationError, match="more than 8 different mice"):
        of_variables(5, split)


@pytest.mark.parametrize(
    "operator",
    [
        {"kind": "ridge", "covariates": [{"variable": "weight", "lag": 0}]},
        {"kind": "ridge", "covariates": [{"variable": "weight"}]},
        {"kind": "neighbours", "covariates": [{"variable": "glucose"}, {"variable": "weight"}]},
        {"kind": "split", "by": {"variable": "weight"}, "above": 1, "then": CARRY, "otherwise": CARRY},
        {"kind": "shift", "delta": 0, "of": {"kind": "ridge", "covariates": [{"variable": "weight"}]}},
    ],
)
def test_no_cell_is_its_own_covariate(operator):
    with pytest.raises(ValidationError, match="its own covariate at lag 0"):
        recipe(operator)
    assert recipe(operator, "glucose" if "glucose" not in json.dumps(operator) else "age")


@pytest.mark.parametrize("lag", [-1, 13, 1.5, "1", True, None])
def test_the_future_and_the_far_past_cannot_be_asked_for(lag):
    with pytest.raises(ValidationError, match="lag"):
        recipe({"kind": "ridge", "covariates": [{"variable": "glucose", "lag": lag}]})


def test_a_variable_has_one_rule():
    with pytest.raises(ValidationError, match="two rules"):
        recipe(CARRY, "weight", "weight")

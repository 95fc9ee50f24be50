"""How the statistical reasoner proposes recipes: sound first ones, then seeded mutations in the grammar."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agents.answers import ProposedRecipe, Recipes
from agents.imputation_cases import CaseVariable, ImputationCase, Parent
from tools.treatment.operators import (
    Carry,
    Covariate,
    Mice,
    Mix,
    Neighbours,
    Operator,
    Part,
    Recipe,
    Ridge,
    Rule,
    Shift,
    Split,
    Tilt,
    children,
    nodes,
)

_TRIES = 50
_LIMIT = 5.0
_OPERATORS: TypeAdapter[Operator] = TypeAdapter(Operator)


def propose_operators(case: ImputationCase) -> Recipes:
    """Different recipes, none of which was tried before; the same for the same case.

    Before any was tried: chained equations, neighbours and regressions, each plain and tilted by the declared
    strength. After that: mutations of one number or part of a parent, and crosses of two, the best parents
    most.
    """
    known = {parent.recipe.fingerprint for parent in case.parents}
    found: list[ProposedRecipe] = []
    for why, recipe in _candidates(case, Random(case.seed)):
        if recipe.fingerprint not in known:
            known.add(recipe.fingerprint)
            found.append(ProposedRecipe(recipe=recipe, because=why))
        if len(found) == case.wanted:
            break
    return Recipes(recipes=found)


def _candidates(case: ImputationCase, rng: Random) -> Iterator[tuple[str, Recipe]]:
    if not case.parents:
        yield from _firsts(case)
    for _ in range(_TRIES * case.wanted if case.parents else 0):
        try:
            yield _bred(case, rng)
        except ValidationError:
            continue  # too large or too deep: the types say no, another draw will do
    while True:
        yield (
            "a tilt drawn at random",
            _each(case, lambda target: Tilt(gamma=_bounded(rng.gauss(0, 1)), of=Carry())),
        )


def _firsts(case: ImputationCase) -> Iterator[tuple[str, Recipe]]:
    plain: dict[str, Callable[[CaseVariable], Operator]] = {
        "chained equations": lambda _: Mice(),
        "the nearest cells": lambda target: Neighbours(covariates=_covariates(case, target)),
        "a regression on all that is known": lambda target: Ridge(covariates=_covariates(case, target)),
        "the last seen value": lambda _: Carry(half_life=4.0),
    }
    for name, make in plain.items():
        yield f"{name}, tilted by the declared strength", _each(case, _tilting(make))
        yield name, _each(case, make)
    both = _tilting(lambda target: _both(case, target))
    yield "regression and neighbours together, tilted", _each(case, both)


def _each(case: ImputationCase, make: Callable[[CaseVariable], Operator]) -> Recipe:
    wanting = [variable for variable in case.variables if variable.missing > 0]
    return Recipe(rules=tuple(Rule(variables=(v.name,), operator=make(v)) for v in wanting))


def _covariates(case: ImputationCase, target: CaseVariable) -> tuple[Covariate, ...]:
    """The variable's own past, then each variable at the step, then the others' past; 24 at most."""
    others = [variable for variable in case.variables if variable.name != target.name]
    own = [] if target.kind == "static" else [Covariate(variable=target.name, lag=lag) for lag in (1, 2)]
    now = [Covariate(variable=variable.name) for variable in others]
    before = [Covariate(variable=v.name, lag=1) for v in others if v.kind != "static"]
    return tuple(c for c in [*own, *now, *before] if c.lag < case.n_steps)[:24]


def _tilting(make: Callable[[CaseVariable], Operator]) -> Callable[[CaseVariable], Operator]:
    return lambda target: Tilt(gamma=target.strength or 0.0, of=make(target))


def _both(case: ImputationCase, target: CaseVariable) -> Operator:
    covariates = _covariates(case, target)
    ridge, nearest = Ridge(covariates=covariates), Neighbours(covariates=covariates)
    return Mix(parts=(Part(weight=0.5, of=ridge), Part(weight=0.5, of=nearest)))


def _bred(case: ImputationCase, rng: Random) -> tuple[str, Recipe]:
    parent, other = (_chosen(case.parents, rng) for _ in range(2))
    if parent is not other and rng.random() < 0.3:
        return "a cross of two parents", _crossed(parent, other, rng)
    operators = {name: rule.operator for rule in parent.recipe.rules for name in rule.variables}
    name = rng.choice(list(operators))
    target = next(variable for variable in case.variables if variable.name == name)
    place = rng.randrange(sum(1 for _ in nodes(operators[name])))
    operators[name] = _at(operators[name], place, lambda node: _mutated(case, target, node, rng))
    rules = tuple(Rule(variables=(name,), operator=operator) for name, operator in operators.items())
    return f"a parent with another operator for {name}", Recipe(rules=rules)


def _chosen(parents: tuple[Parent, ...], rng: Random) -> Parent:
    """The better of two drawn."""
    return parents[min(rng.randrange(len(parents)), rng.randrange(len(parents)))]


def _crossed(one: Parent, other: Parent, rng: Random) -> Recipe:
    operators = [{name: r.operator for r in p.recipe.rules for name in r.variables} for p in (one, other)]
    taken = {name: rng.choice([each for each in operators if name in each])[name] for name in operators[0]}
    return Recipe(rules=tuple(Rule(variables=(name,), operator=operator) for name, operator in taken.items()))


def _at(operator: Operator, place: int, change: Callable[[Operator], Operator]) -> Operator:
    """The operator with one of its nodes changed, counted as `nodes` goes through them."""
    if place == 0:
        return change(operator)
    place -= 1
    replaced = []
    for child in children(operator):
        size = sum(1 for _ in nodes(child))
        replaced.append(_at(child, place, change) if 0 <= place < size else child)
        place -= size
    return _made_of(operator, replaced)


def _made_of(operator: Operator, parts: list[Operator]) -> Operator:
    match operator:
        case Mix():
            mixed = zip(operator.parts, parts, strict=True)
            return Mix(parts=tuple(Part(weight=part.weight, of=of) for part, of in mixed))
        case Split():
            return _with(operator, then=parts[0], otherwise=parts[1])
        case _:
            return _with(operator, of=parts[0])


def _with(operator: Operator, **fields: Any) -> Operator:  # noqa: ANN401
    """The operator with other fields, checked again."""
    return _OPERATORS.validate_python(dict(operator) | fields)


def _mutated(case: ImputationCase, target: CaseVariable, node: Operator, rng: Random) -> Operator:
    """Another number in the node, or another node around it or in its place."""
    changed = _renumbered(node, rng)
    if changed is not None and rng.random() < 0.5:
        return changed
    split = Covariate(variable=rng.choice(case.variables).name, lag=1)
    by = next(variable for variable in case.variables if variable.name == split.variable)
    choices: list[Callable[[], Operator]] = [
        lambda: Tilt(gamma=_bounded((target.strength or 0.0) + rng.gauss(0, 0.3)), of=node),
        lambda: Shift(delta=_bounded(rng.gauss(0, 0.2)), of=node),
        lambda: Mix(parts=(Part(weight=0.5, of=node), Part(weight=0.5, of=_leaf(case, target, rng)))),
        lambda: Split(by=split, above=by.mean, then=node, otherwise=_leaf(case, target, rng)),
        lambda: _leaf(case, target, rng),
    ]
    return rng.choice(choices)()


def _leaf(case: ImputationCase, target: CaseVariable, rng: Random) -> Operator:
    covariates = _covariates(case, target)
    kept = tuple(rng.sample(covariates, rng.randint(1, len(covariates))))
    leaves: list[Operator] = [
        Carry(half_life=rng.uniform(1, 10)),
        Ridge(covariates=kept, penalty=10 ** rng.uniform(-1, 3)),
        Neighbours(covariates=kept, neighbours=rng.randint(5, 60)),
        Mice(lags=rng.randint(0, 3)),
    ]
    return rng.choice(leaves)


def _renumbered(node: Operator, rng: Random) -> Operator | None:  # noqa: PLR0911
    """The node with one number moved; None where it has none to move."""
    factor = 2 ** rng.gauss(0, 1)
    match node:
        case Carry():
            return Carry(half_life=min(max((node.half_life or 10) * factor, 0.1), 1000))
        case Ridge():
            return _with(node, penalty=min(max(node.penalty * factor, 1e-3), 1e6))
        case Neighbours():
            return _with(node, neighbours=min(max(round(node.neighbours * factor), 2), 100))
        case Mice():
            return _with(node, lags=rng.randint(0, 3))
        case Tilt():
            return _with(node, gamma=_bounded(node.gamma + rng.gauss(0, 0.3)))
        case Shift():
            return _with(node, delta=_bounded(node.delta + rng.gauss(0, 0.1)))
        case _:
            return None


def _bounded(number: float) -> float:
    return min(max(number, -_LIMIT), _LIMIT)

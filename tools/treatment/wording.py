"""A recipe in words that a clinician reads."""

from collections.abc import Iterable

from tools.treatment.operators import (
    Carry,
    Clip,
    Covariate,
    Mice,
    Mix,
    Neighbours,
    Operator,
    Recipe,
    Ridge,
    Shift,
    Split,
    Tilt,
)


def describe(recipe: Recipe) -> str:
    """The recipe in one line, rule by rule."""
    return "; ".join(f"{', '.join(rule.variables)}: {told(rule.operator)}" for rule in recipe.rules)


def told(operator: Operator) -> str:  # noqa: PLR0911
    """One operator with all that it is made of."""
    match operator:
        case Carry(half_life=None):
            return "the last seen value"
        case Carry():
            return f"the last seen value, half way back to the mean after {operator.half_life:g} steps"
        case Ridge():
            return f"regression on {_listed(operator.covariates)} (penalty {operator.penalty:g})"
        case Neighbours():
            return f"mean of the {operator.neighbours} nearest by {_listed(operator.covariates)}"
        case Mice():
            return f"chained equations of {operator.rounds} rounds, {operator.lags} steps back"
        case Tilt():
            return f"({told(operator.of)}) tilted by exp({operator.gamma:+g} a standard deviation)"
        case Shift():
            return f"({told(operator.of)}) moved by {operator.delta:+g} standard deviations"
        case Clip():
            return f"({told(operator.of)}) kept within {operator.low:g} to {operator.high:g}"
        case Split():
            then, otherwise = told(operator.then), told(operator.otherwise)
            return f"where {_covariate(operator.by)} is above {operator.above:g} ({then}), else ({otherwise})"
        case Mix():
            total = sum(part.weight for part in operator.parts)
            return " + ".join(f"{part.weight / total:.0%} ({told(part.of)})" for part in operator.parts)


def _listed(covariates: Iterable[Covariate]) -> str:
    return ", ".join(map(_covariate, covariates))


def _covariate(covariate: Covariate) -> str:
    steps = "1 step" if covariate.lag == 1 else f"{covariate.lag} steps"
    return f"{covariate.variable} {steps} before" if covariate.lag else covariate.variable

"""Whether a recipe speaks of a panel: its names, its lags and its thresholds."""

from collections.abc import Collection, Sequence

from tools.safety.errors import InputError
from tools.treatment.operators import Clip, Recipe, Split, nodes, read_by
from tools.treatment.panel import Variable


def admit(recipe: Recipe, variables: Sequence[Variable], n_steps: int, incomplete: Collection[str]) -> Recipe:
    """The recipe, if it can be carried out on a panel.

    Args:
        recipe: of the right form.
        variables: of the panel.
        n_steps: of the panel.
        incomplete: names of the variables that have missing cells.

    Returns:
        The recipe as it is.

    Raises:
        InputError: it names a variable that the panel does not have, has no rule for an incomplete one or
            one for a treatment, reads further back than the panel goes, splits or clips where the variable
            cannot be. The message names the place, not the name that was given.
    """
    known = {variable.name: variable for variable in variables}
    for place, rule in enumerate(recipe.rules):
        at = f"rules.{place}"
        if not known.keys() >= set(rule.variables):
            raise InputError(
                f"{at}.variables", "not one of the variables of this panel; use a listed name exactly"
            )
        targets = [known[name] for name in rule.variables]
        if any(target.kind == "treatment" for target in targets):
            raise InputError(f"{at}.variables", "a treatment is never imputed; leave it out")
        for node in nodes(rule.operator):
            if not known.keys() >= {covariate.variable for covariate in read_by(node)}:
                rule_ = "reads what is not one of the variables of this panel; use a listed name exactly"
                raise InputError(f"{at}.operator", rule_)
            if any(covariate.lag >= n_steps for covariate in read_by(node)):
                raise InputError(f"{at}.operator", f"a lag reaches beyond the {n_steps} steps of this panel")
            if isinstance(node, Split) and not _inside(node.above, known[node.by.variable]):
                rule_ = (
                    "a split's threshold is outside the plausible range of its variable; choose one inside"
                )
                raise InputError(f"{at}.operator", rule_)
            if isinstance(node, Clip) and any(not _overlaps(node, target) for target in targets):
                rule_ = "a clip leaves nothing of the variable's plausible range; choose bounds inside"
                raise InputError(f"{at}.operator", rule_)
    if set(incomplete) - recipe.variables:
        raise InputError("rules", "a variable with missing cells has no rule; give each one")
    return recipe


def _inside(threshold: float, variable: Variable) -> bool:
    return variable.low < threshold < variable.high


def _overlaps(clip: Clip, variable: Variable) -> bool:
    return clip.low < variable.high and clip.high > variable.low

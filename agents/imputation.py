"""The agent that proposes how to impute: operators of a closed language, admitted against the panel."""

from collections.abc import Sequence

from agents.answers import Recipes
from agents.budget import NOTHING, Used
from agents.imputation_cases import CaseVariable, ImputationCase, Parent, VariableError
from agents.model import Reply, ask
from agents.settings import Settings
from tools.safety.errors import InputError
from tools.treatment.admission import admit
from tools.treatment.fitness import Fitness
from tools.treatment.mechanism import Mechanism
from tools.treatment.operators import Recipe
from tools.treatment.panel import Panel

MAX_WANTED = 20
MAX_PARENTS = 20


def imputation_case(
    panel: Panel,
    mechanisms: Sequence[Mechanism],
    tried: Sequence[tuple[Recipe, Fitness]],
    wanted: int,
    seed: int = 0,
) -> ImputationCase:
    """What a mind is told of a panel: sums over all patients, never a value of one.

    Args:
        panel: with its missing cells.
        mechanisms: declared, one for each incomplete variable.
        tried: recipes with what they came to; the best 20 are shown.
        wanted: how many proposals, 1 to 20.
        seed: by which the statistical reasoner draws.

    Raises:
        InputError: `wanted` is out of bounds.
    """
    if not 1 <= wanted <= MAX_WANTED:
        raise InputError("wanted", f"ask for 1 to {MAX_WANTED} recipes at once")
    strengths = {mechanism.variable: mechanism.strength for mechanism in mechanisms}
    missing = panel.missing.mean(axis=(0, 1))
    variables = tuple(
        CaseVariable(
            **variable.model_dump(),
            mean=panel.mean(variable.name),
            sd=panel.spread(variable.name),
            missing=float(share),
            strength=strengths.get(variable.name),
        )
        for variable, share in zip(panel.variables, missing, strict=True)
    )
    best = sorted(tried, key=lambda each: each[1].mean_nrmse.estimate)[:MAX_PARENTS]
    return ImputationCase(
        n_patients=panel.n_patients,
        n_steps=panel.n_steps,
        variables=variables,
        parents=tuple(_parent(recipe, fitness) for recipe, fitness in best),
        wanted=wanted,
        seed=seed,
    )


def _parent(recipe: Recipe, fitness: Fitness) -> Parent:
    errors = tuple(
        VariableError(
            variable=name,
            nrmse=found.estimate,
            lower=found.low,
            upper=found.high,
            over_mice=fitness.over_mice[name].estimate,
        )
        for name, found in fitness.nrmse.items()
    )
    whole, over_mice = fitness.mean_nrmse.estimate, fitness.mean_over_mice.estimate
    return Parent(recipe=recipe, nrmse=whole, over_mice=over_mice, errors=errors)


def propose_operators(
    case: ImputationCase, panel: Panel, settings: Settings, used: Used = NOTHING
) -> Reply[tuple[Recipe, ...]]:
    """Recipes that a mind proposes for a panel, each of which can be carried out on it.

    Args:
        case: see `imputation_case`.
        panel: that the case is of.
        settings: which model is asked, with which limits.
        used: by this run so far.

    Raises:
        ModelOutputError: no usable answer after two repairs.
        Inadmissible: after two repairs still more recipes than wanted, one given twice or tried before, or
            one that does not fit the panel.
        Declined, BudgetExceeded, ProviderError: as `agents.model.ask`.
    """

    def admitted(answer: Recipes) -> tuple[Recipe, ...]:
        proposed = [each.recipe for each in answer.recipes]
        if len(proposed) > case.wanted:
            raise InputError("recipes", f"more than {case.wanted}; keep the most promising")
        known = {parent.recipe.fingerprint for parent in case.parents}
        for place, recipe in enumerate(proposed):
            try:
                admit(recipe, panel.variables, panel.n_steps, panel.incomplete)
            except InputError as error:
                raise InputError(f"recipes.{place}.recipe.{error.field}", error.rule) from None
            if recipe.fingerprint in known:
                raise InputError(f"recipes.{place}.recipe", "given before; propose another one")
            known.add(recipe.fingerprint)
        return tuple(proposed)

    return ask(case, Recipes, settings, admit=admitted, used=used)

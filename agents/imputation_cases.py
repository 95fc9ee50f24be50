"""The document put before a mind that proposes how to impute."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.cases import Case
from tools.treatment.operators import Recipe
from tools.treatment.panel import Kind


class CaseVariable(BaseModel):
    """A variable of a panel as a mind sees it, in sums over all patients.

    Attributes:
        name: as recipes must name it.
        kind: a static is the same at every step.
        unit: of its values.
        low: the least plausible value.
        high: the largest plausible value.
        mean: of the observed cells.
        sd: standard deviation of the observed cells.
        missing: share of the cells.
        strength: of the declared mechanism, see `tools.treatment.mechanism`; None where nothing is missing.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    unit: str
    low: float
    high: float
    mean: float
    sd: float
    missing: float
    strength: float | None


class VariableError(BaseModel):
    """A recipe's error at held-out cells of one variable, see `tools.treatment.fitness`.

    Attributes:
        variable: its name.
        nrmse: in standard deviations, with its 95 % interval from `lower` to `upper`.
        over_mice: the same over that of MICE; below 1 is better.
    """

    model_config = ConfigDict(frozen=True)

    variable: str
    nrmse: float
    lower: float
    upper: float
    over_mice: float


class Parent(BaseModel):
    """A recipe that was tried.

    Attributes:
        recipe: as it was carried out.
        nrmse: mean over the variables.
        over_mice: the same over that of MICE.
        errors: by variable.
    """

    model_config = ConfigDict(frozen=True)

    recipe: Recipe
    nrmse: float
    over_mice: float
    errors: tuple[VariableError, ...]


class ImputationCase(Case):
    """Propose ways to impute a panel. `parents` are in the order of their error, the best first."""

    task: Literal["propose_operators"] = "propose_operators"
    n_patients: int
    n_steps: int
    variables: tuple[CaseVariable, ...]
    parents: tuple[Parent, ...]
    wanted: int
    seed: int

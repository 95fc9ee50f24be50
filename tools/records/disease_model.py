"""What a simulation knows about medicine: diseases, how often they arise, and what causes what.

The model of an internal-medicine ward stands in `disease_model.json`, written from general medical knowledge.
"""

from functools import cache, cached_property
from importlib import resources
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from tools.causal.dag import CausalGraph, Edge

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Disease(BaseModel):
    """A disease of the model.

    Attributes:
        code: dotless ICD-9-CM.
        display: its ICD-9-CM title.
        course: whether it stays once it has arisen.
        hazard: h_a, rate per visit at which it arises without any cause in the graph.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    display: str
    course: Literal["chronic", "acute"]
    hazard: float = Field(ge=0, allow_inf_nan=False)


class Influence(BaseModel):
    """An edge of the model: having had `cause` makes `effect` arise with probability `strength` a visit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cause: str
    effect: str
    strength: float = Field(gt=0, lt=1)


class DiseaseModel(BaseModel):
    """Diseases and what causes what: everything `simulate` needs to know about medicine.

    Attributes:
        diseases: in any order, unique by code; a column of every array below.
        influences: the edges of `graph`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    diseases: tuple[Disease, ...]
    influences: tuple[Influence, ...]

    @cached_property
    def graph(self) -> CausalGraph:
        """The true graph; nodes in the order of `diseases`."""
        return CausalGraph((d.code for d in self.diseases), ((i.cause, i.effect) for i in self.influences))

    @cached_property
    def strengths(self) -> dict[Edge, float]:
        """Strength lambda of each edge."""
        return {Edge(i.cause, i.effect): i.strength for i in self.influences}

    @cached_property
    def hazards(self) -> FloatArray:
        """h, shape (n_diseases,)."""
        return np.array([d.hazard for d in self.diseases])

    @cached_property
    def is_chronic(self) -> BoolArray:
        """Shape (n_diseases,)."""
        return np.array([d.course == "chronic" for d in self.diseases])

    @cached_property
    def strength_matrix(self) -> FloatArray:
        """lambda[cause, effect], 0 where there is no edge, shape (n_diseases, n_diseases)."""
        column = {d.code: j for j, d in enumerate(self.diseases)}
        matrix = np.zeros((len(column), len(column)))
        for (cause, effect), strength in self.strengths.items():
            matrix[column[cause], column[effect]] = strength
        return matrix

    @cached_property
    def causal_order(self) -> tuple[int, ...]:
        """Columns with every cause before its effects."""
        column = {d.code: j for j, d in enumerate(self.diseases)}
        return tuple(column[code] for code in self.graph.order)


@cache
def internal_medicine() -> DiseaseModel:
    """The disease model shipped with the package: the chronic and acute diseases of a medical ward."""
    text = resources.files("tools.records").joinpath("disease_model.json").read_text(encoding="utf-8")
    return DiseaseModel.model_validate_json(text)

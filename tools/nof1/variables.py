"""What is recorded of one person, and what its numbers look like: variables and their summaries."""

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Role = Literal["outcome", "exposure", "covariate"]
Kind = Literal["continuous", "binary", "count", "ordinal"]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_ -]{0,39}$")]
# No control, format, line or paragraph sign: a unit stands in prompts, terminals and pages.
Unit = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=r"^[^\p{C}\p{Zl}\p{Zp}]*$"),
]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]

MOST_LEVELS = 21
_FEWEST_LEVELS = 3


class Variable(BaseModel):
    """Something recorded of a person at every step, or at some.

    Attributes:
        name: unique in its series.
        unit: that its numbers are in, such as `h` or `0-10`; printable.
        role: `outcome` is what may change, `exposure` what may change it, `covariate` what else may matter.
        kind: binary is 0 or 1, a count is a whole number from 0 on, ordinal a whole number from `lowest` to
            `highest` of which only the order counts.
        lowest: the least value that is possible at all; None where there is none.
        highest: likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Name
    unit: Unit
    role: Role
    kind: Kind
    lowest: Finite | None = None
    highest: Finite | None = None

    @model_validator(mode="after")
    def _has_sound_bounds(self) -> Self:
        low, high = self.possible
        if not low < high:
            raise ValueError("`lowest` must be less than `highest`")
        if self.kind == "binary" and (low, high) != (0, 1):
            raise ValueError("a binary variable goes from 0 to 1; leave its bounds out")
        if self.kind == "count" and low < 0:
            raise ValueError("a count is never below 0; leave `lowest` out")
        if self.kind == "ordinal" and not self._has_levels():
            raise ValueError(
                f"an ordinal variable has {_FEWEST_LEVELS} to {MOST_LEVELS} levels, whole numbers from "
                "`lowest` to `highest`; give both"
            )
        return self

    def _has_levels(self) -> bool:
        low, high = self.possible
        whole = math.isfinite(high - low) and low == round(low) and high == round(high)
        return whole and _FEWEST_LEVELS <= self.n_levels <= MOST_LEVELS

    @property
    def possible(self) -> tuple[float, float]:
        """Least and greatest value that is possible, infinite where there is none."""
        least = {"binary": 0.0, "count": 0.0}.get(self.kind, -math.inf)
        greatest = 1.0 if self.kind == "binary" else math.inf
        return (
            least if self.lowest is None else self.lowest,
            greatest if self.highest is None else self.highest,
        )

    @property
    def n_levels(self) -> int:
        """Number of levels of an ordinal variable."""
        low, high = self.possible
        return round(high - low) + 1

    @property
    def n_cuts_below(self) -> int:
        """Of the cuts between an ordinal variable's levels, how many lie below the middle one.

        Of two in the middle, as levels of an odd number have, the lower counts as such.
        """
        return (self.n_levels - 2) // 2


class Summary(Variable):
    """A variable with what its numbers look like, and no single one of them but the least and the greatest.

    Attributes:
        n_observed: steps at which it was observed.
        share_missing: of all steps.
        longest_gap_steps: the longest run of steps without it.
        mean: of what was observed, in its unit.
        sd: likewise, above 0.
        least_seen: likewise.
        greatest_seen: likewise.
        autocorrelation_1: correlation with itself one step before; None where too few pairs were observed.
        autocorrelation_week: with itself seven days before, where that is a number of steps; likewise.
    """

    n_observed: Annotated[int, Field(ge=1)]
    share_missing: Annotated[float, Field(ge=0, lt=1)]
    longest_gap_steps: Annotated[int, Field(ge=0)]
    mean: Finite
    sd: Annotated[Finite, Field(gt=0)]
    least_seen: Finite
    greatest_seen: Finite
    autocorrelation_1: Annotated[float, Field(ge=-1, le=1)] | None
    autocorrelation_week: Annotated[float, Field(ge=-1, le=1)] | None

    @property
    def variable(self) -> Variable:
        """The variable alone."""
        return Variable.model_validate(self.model_dump(include=set(Variable.model_fields)))

    @property
    def centre(self) -> float:
        """Where its level is, on the scale that a model of it works on.

        That is the mean of a continuous variable, the logarithm of a count's mean, and of a binary or an
        ordinal one the log-odds of its mean's place between the lowest and the highest value. Half an
        observation is added on either side, so that it is finite.
        """
        if self.kind == "continuous":
            return self.mean
        if self.kind == "count":
            return math.log(self.mean + 0.5 / self.n_observed)
        low, high = self.possible
        hits = (self.mean - low) / (high - low) * self.n_observed
        return math.log((hits + 0.5) / (self.n_observed - hits + 0.5))

    @property
    def spread(self) -> float:
        """How far it typically goes from its centre on that scale, above 0.

        That is its sd where it is continuous; of a count the sd of a logarithm with its coefficient of
        variation, sqrt(log(1 + sd^2 / mean^2)), 1 at the most; 1 in log-odds.
        """
        if self.kind == "continuous":
            return self.sd
        if self.kind == "count":
            return min(1.0, math.sqrt(math.log1p((self.sd / self.mean) ** 2)))
        return 1.0

    @property
    def change(self) -> float:
        """A typical change of it as a cause, in its unit: from 0 to 1 where it is binary, else one sd."""
        return 1.0 if self.kind == "binary" else self.sd

"""A panel: patients by steps by variables, with the missing cells as NaN."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tools.safety.errors import Fault, InputError

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Kind = Literal["static", "confounder", "treatment", "outcome"]
Name = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Bound = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]

MAX_VARIABLES = 64
MAX_STEPS = 512
_LEAST_SPAN = 1e-6
_LEAST_SPREAD = 1e-9


class Variable(BaseModel):
    """One column of a panel.

    Attributes:
        name: letters, digits and underscores.
        kind: a static is the same at every step.
        unit: of its values; empty where there is none.
        low: the least plausible value.
        high: the largest plausible value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    kind: Kind
    unit: Annotated[str, StringConstraints(max_length=40)] = ""
    low: Bound
    high: Bound

    @model_validator(mode="after")
    def _spans(self) -> Self:
        if self.high - self.low < _LEAST_SPAN:
            raise ValueError("the plausible range is empty: give low below high")
        return self


@dataclass(frozen=True, eq=False)
class Panel:
    """What is known of a cohort over equally spaced steps.

    Attributes:
        values: shape (n_patients, n_steps, n_variables), in each variable's unit; NaN is missing. Kept as a
            copy that cannot be written to.
        variables: of the last axis. The cells of a static are equal at all steps, or all missing; a treatment
            has no missing cell, for what a strategy did cannot be made up.

    Raises:
        InputError: no numbers, another shape, less than two patients or steps, a name given twice, a value
            that is infinite or outside the plausible range, a column that is empty or constant. `faults` has
            each by patient and variable, never by value.
    """

    values: Float
    variables: tuple[Variable, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "variables", tuple(self.variables))
        try:
            values = np.array(self.values, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError("panel", "not numbers in one box; give floats, and NaN for missing") from None
        object.__setattr__(self, "values", values)
        self.values.flags.writeable = False
        self._refuse_shape()
        faults = tuple(fault for variable in self.variables for fault in _faults(self, variable))
        if faults:
            row, column, rule = faults[0]
            more = f" ({len(faults) - 1} more variables or rules are at fault)" if len(faults) > 1 else ""
            raise InputError(column, rule + more, row or None, faults)

    def _refuse_shape(self) -> None:
        if self.values.ndim != 3 or self.values.shape[2] != len(self.variables):
            rule = "not patients x steps x variables; give one column for each variable"
            raise InputError("panel", rule)
        if not 1 <= len(self.variables) <= MAX_VARIABLES:
            raise InputError("panel", f"needs 1 to {MAX_VARIABLES} variables")
        if self.n_patients < 2 or not 2 <= self.n_steps <= MAX_STEPS:
            rule = (
                f"needs two patients or more, and 2 to {MAX_STEPS} steps; one step has no past to learn from"
            )
            raise InputError("panel", rule)
        if len(set(self.names)) < len(self.names):
            raise InputError("panel", "two variables have one name; rename one")

    @property
    def n_patients(self) -> int:
        """Length of the first axis."""
        return int(self.values.shape[0])

    @property
    def n_steps(self) -> int:
        """Length of the second axis."""
        return int(self.values.shape[1])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the variables, in order."""
        return tuple(variable.name for variable in self.variables)

    @property
    def missing(self) -> Bool:
        """Which cells are missing, of the shape of `values`."""
        return np.isnan(self.values)

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Names of the variables with missing cells, in order."""
        return tuple(
            name for place, name in enumerate(self.names) if np.isnan(self.values[:, :, place]).any()
        )

    def place(self, name: str) -> int:
        """Where a variable stands.

        Raises:
            InputError: there is none of that name.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise InputError("variable", "not one of the panel's; use a listed name exactly") from None

    def column(self, name: str) -> Float:
        """A variable's values, shape (n_patients, n_steps).

        Raises:
            InputError: there is none of that name.
        """
        column: Float = self.values[:, :, self.place(name)]
        return column

    def mean(self, name: str) -> float:
        """Mean of a variable's observed cells, in its unit."""
        return float(np.nanmean(self.column(name)))

    def spread(self, name: str) -> float:
        """Standard deviation of a variable's observed cells, in its unit."""
        return float(np.nanstd(self.column(name)))

    def filled(self, values: Float) -> "Panel":
        """The same variables with other values.

        Raises:
            InputError: as for any panel.
        """
        return Panel(values, self.variables)

    def of(self, rows: Sequence[int] | npt.NDArray[np.integer]) -> "Panel":
        """Some of the patients, in the order given.

        Raises:
            InputError: as for any panel.
        """
        return Panel(self.values[np.asarray(rows)], self.variables)


def _faults(panel: Panel, variable: Variable) -> Iterator[Fault]:
    column = panel.column(variable.name)
    known = ~np.isnan(column)
    if not known.any():
        yield Fault(0, variable.name, "has no observed cell; leave the variable out")
        return
    outside = known & ~((column >= variable.low) & (column <= variable.high))
    if outside.any():
        row = int(np.flatnonzero(outside.any(axis=1))[0]) + 1
        rule = f"{outside.sum():,} cells are infinite or outside the plausible range; correct or empty them"
        yield Fault(row, variable.name, rule)
        return
    if np.ptp(column[known]) == 0 or np.std(column[known]) < _LEAST_SPREAD * (variable.high - variable.low):
        arm = "; one arm alone shows no effect" if variable.kind == "treatment" else ""
        yield Fault(0, variable.name, f"is constant{arm}; leave the variable out")
    if variable.kind == "treatment" and not known.all():
        row = int(np.flatnonzero(~known.all(axis=1))[0]) + 1
        yield Fault(row, variable.name, "a treatment has missing cells; say what was given at every step")
    if variable.kind == "static" and not np.array_equal(
        column, np.broadcast_to(column[:, :1], column.shape), equal_nan=True
    ):
        yield Fault(
            0, variable.name, "a static differs between steps; repeat it at every step, or change its kind"
        )

"""One person's series on a regular grid of time; NaN is what was not observed."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tools.nof1.variables import Summary, Variable
from tools.safety.errors import Fault, InputError

Float = npt.NDArray[np.float64]

FEWEST_STEPS = 10
MOST_STEPS = 20_000
MOST_VARIABLES = 40
GREATEST = 1e9
SHORTEST_STEP_DAYS = 1 / 1440
LONGEST_STEP_DAYS = 366.0
LEAST_SPREAD = 1e-6
_RELATIVE_SPREAD = 1e-9
_MOST_FAULTS = 50
_FEWEST_PAIRS = 10
_WEEK_DAYS = 7.0


@dataclass(frozen=True, eq=False)
class Series:
    """What was recorded of one person, a row a step of equal length.

    Args:
        variables: the columns; at least one outcome and one exposure.
        values: shape (n_steps, n_variables), each in its variable's unit; NaN, None and what a mask hides is
            not observed. Copied, and read-only from then on.
        step_days: length of a step, days.

    Raises:
        InputError: too few or too many steps or variables, no outcome or no exposure, a name twice, a value
            that is infinite, too large, or that its variable cannot have (by row and column), or a variable
            that was observed too rarely or never changed.
    """

    variables: tuple[Variable, ...]
    values: Float
    step_days: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "variables", tuple(self.variables))
        object.__setattr__(self, "values", _table(self.values, len(self.variables)))
        _require_columns(self.variables)
        if not SHORTEST_STEP_DAYS <= self.step_days <= LONGEST_STEP_DAYS:
            raise InputError("step_days", "must be between a minute (1/1440) and 366 days")
        faults = [fault for j, one in enumerate(self.variables) for fault in _faults(one, self.values[:, j])]
        if faults:
            first = faults[0]
            rule = f"column '{first.column}': {first.rule}"
            raise InputError("series", rule, row=first.row, faults=tuple(faults[:_MOST_FAULTS]))
        for j, one in enumerate(self.variables):
            _require_information(one, self.values[:, j])

    @property
    def n_steps(self) -> int:
        """Number of steps, observed or not."""
        return len(self.values)

    @property
    def week_steps(self) -> int | None:
        """Steps in seven days; None where seven days are no number of steps, or a single one."""
        return week_steps(self.step_days)

    def column(self, name: str) -> Float:
        """One variable's values, shape (n_steps,).

        Raises:
            InputError: there is none of that name.
        """
        for j, variable in enumerate(self.variables):
            if variable.name == name:
                return self.values[:, j]
        raise InputError("series", "there is no variable of that name")

    @cached_property
    def summaries(self) -> tuple[Summary, ...]:
        """What the numbers of each variable look like, in the order of `variables`."""
        return tuple(
            _summary(variable, self.values[:, j], self.week_steps)
            for j, variable in enumerate(self.variables)
        )


def week_steps(step_days: float) -> int | None:
    """Steps in seven days; None where seven days are no number of steps, or a single one."""
    steps = _WEEK_DAYS / step_days
    return round(steps) if abs(steps - round(steps)) < 1e-6 and round(steps) > 1 else None


def _table(given: npt.ArrayLike, n_variables: int) -> Float:
    try:
        table: np.ma.MaskedArray[Any, Any] = np.ma.asanyarray(given)
        # Text, times and complex numbers would become numbers that nobody gave; objects may hold None.
        if table.dtype.kind not in "biufO":
            raise TypeError
        values = np.array(np.ma.filled(table.astype(np.float64), np.nan), dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise InputError("series", "holds what is no number; give numbers, NaN where not observed") from None
    if values.ndim != 2 or values.shape[1] != n_variables:
        raise InputError("series", "must be a table with a row a step and a column a variable")
    if not FEWEST_STEPS <= len(values) <= MOST_STEPS:
        raise InputError("series", f"must have {FEWEST_STEPS} to {MOST_STEPS:,} steps; choose other steps")
    values.setflags(write=False)
    return values


def _require_columns(variables: tuple[Variable, ...]) -> None:
    if len(variables) > MOST_VARIABLES:
        raise InputError("variables", f"more than {MOST_VARIABLES}; keep those that matter")
    if len({variable.name for variable in variables}) != len(variables):
        raise InputError("variables", "a name is given twice; give each once")
    for role in ("outcome", "exposure"):
        if all(variable.role != role for variable in variables):
            raise InputError("variables", f"no {role}; say which variable it is")


def _faults(variable: Variable, values: Float) -> list[Fault]:
    """Values that a variable cannot have, by row (1-based) and rule."""
    low, high = variable.possible
    seen = ~np.isnan(values)
    rules = {
        f"beyond {GREATEST:,.0f} or infinite; choose another unit, leave empty what is not known": (
            np.abs(values) > GREATEST
        ),
        f"a {variable.kind} value must be a whole number": (
            (variable.kind != "continuous") & (values != np.round(values))
        ),
        "below the least or above the greatest possible value": (values < low) | (values > high),
    }
    first_rule = {
        int(row): rule for rule, broken in reversed(rules.items()) for row in np.flatnonzero(broken & seen)
    }
    return [Fault(row + 1, variable.name, rule) for row, rule in sorted(first_rule.items())]


def _require_information(variable: Variable, values: Float) -> None:
    seen = values[~np.isnan(values)]
    place = f"column '{variable.name}'"
    if len(seen) < FEWEST_STEPS:
        rule = f"{place}: observed at fewer than {FEWEST_STEPS} steps; leave it out, or record longer"
        raise InputError("series", rule)
    if np.all(seen == seen[0]):
        raise InputError(
            "series", f"{place}: it never changes, so nothing can be learned of it; leave it out"
        )
    if np.std(seen) < max(LEAST_SPREAD, _RELATIVE_SPREAD * float(np.max(np.abs(seen)))):
        rule = f"{place}: it hardly changes beside its size; subtract a constant, or choose a smaller unit"
        raise InputError("series", rule)


def _summary(variable: Variable, values: Float, week: int | None) -> Summary:
    seen = values[~np.isnan(values)]
    return Summary(
        **variable.model_dump(),
        n_observed=len(seen),
        share_missing=1 - len(seen) / len(values),
        longest_gap_steps=_longest_gap(values),
        mean=float(seen.mean()),
        sd=float(seen.std()),
        least_seen=float(seen.min()),
        greatest_seen=float(seen.max()),
        autocorrelation_1=autocorrelation(values, 1),
        autocorrelation_week=autocorrelation(values, week) if week else None,
    )


def _longest_gap(values: Float) -> int:
    seen = np.flatnonzero(~np.isnan(values))
    return int(np.max(np.diff(seen, prepend=-1, append=len(values)))) - 1


def autocorrelation(values: Float, lag: int) -> float | None:
    """Correlation of a series with itself `lag` steps before, over the pairs that were observed.

    r_k = mean((y_t - m)(y_{t-k} - m)) / mean((y_t - m)^2), cut to [-1, 1], as pairs may be few.

    Args:
        values: shape (n_steps,), NaN where not observed.
        lag: k, steps.

    Returns:
        r_k, or None where fewer than ten pairs were observed.
    """
    if lag >= len(values):
        return None
    centred = values - np.nanmean(values)
    products = centred[lag:] * centred[:-lag]
    if np.count_nonzero(~np.isnan(products)) < _FEWEST_PAIRS:
        return None
    r = float(np.nanmean(products) / np.nanmean(centred**2))
    return math.copysign(min(abs(r), 1.0), r)

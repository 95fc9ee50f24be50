"""The language of imputation: a closed, typed tree of operators, in which nothing can be run.

A recipe says for each variable by which operator its missing cells are estimated. Names are those of a
panel's variables, numbers are finite and bounded, trees are small. A lag counts steps into the past and is
0 or more, so that the future of a patient cannot be asked for; a variable's own lag is 1 or more, so that
no cell is its own estimate. Linear interpolation reads the visit after the gap, which the outcome analysis
must not know at that time: it is no operator, and stands in `benchmarks.imputation` as a baseline only.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from tools.treatment.panel import MAX_VARIABLES, Bound, Name

MAX_DEPTH = 5
MAX_NODES = 20
MAX_HEAVY = 3
MAX_SEARCHES = 64
MAX_CHAINS = 8
MAX_LAG = 12


def _plain_zero(number: float) -> float:
    return number + 0.0


def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Lag = Annotated[Whole, Field(ge=0, le=MAX_LAG)]
Signed = Annotated[Number, Field(ge=-5, le=5), AfterValidator(_plain_zero)]
Threshold = Annotated[Bound, Field(strict=True), AfterValidator(_plain_zero)]


class _Node(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Covariate(_Node):
    """A variable at some steps before: its value, or the one last seen, and whether it is missing.

    Attributes:
        variable: its name.
        lag: steps into the past; 0 is the same step.
    """

    variable: Name
    lag: Lag = 0


Covariates = Annotated[tuple[Covariate, ...], Field(min_length=1, max_length=24)]


class Carry(_Node):
    """Carries the last seen value forward, drawn back to the mean as time goes by.

    Attributes:
        half_life: steps in which its distance from the mean halves; null keeps it.
    """

    kind: Literal["carry"] = "carry"
    half_life: Annotated[Number, Field(ge=0.1, le=1000)] | None = None


class Ridge(_Node):
    """Ridge regression on named covariates.

    Attributes:
        covariates: what it reads.
        penalty: on the squared coefficients of standardised covariates, in patients' cells.
    """

    kind: Literal["ridge"] = "ridge"
    covariates: Covariates
    penalty: Annotated[Number, Field(ge=1e-3, le=1e6)] = 1.0


class Neighbours(_Node):
    """Mean of the cells that are nearest in named, standardised covariates (kNN), with all ties for the last.

    Attributes:
        covariates: what distance is measured in.
        neighbours: how many; two or more, for one tells nothing of what is uncertain.
    """

    kind: Literal["neighbours"] = "neighbours"
    covariates: Covariates
    neighbours: Annotated[Whole, Field(ge=2, le=100)] = 20


class Mice(_Node):
    """Chained equations (MICE) over all variables at the step, on what was last seen some steps before.

    Attributes:
        lags: how many steps before are read.
        rounds: of the chain.
    """

    kind: Literal["mice"] = "mice"
    lags: Annotated[Whole, Field(ge=0, le=3)] = 2
    rounds: Annotated[Whole, Field(ge=1, le=10)] = 5


class Tilt(_Node):
    """Tilts what is left uncertain by exp(gamma x / sd): the estimate moves by gamma times variance over sd.

    Where a variable is missing by its own value with log-odds s for each sd, gamma = s mends a sound
    estimate.

    Attributes:
        gamma: above 0 missing values are taken to be higher than they look. sd is that of the observed cells.
        of: what is tilted.
    """

    kind: Literal["tilt"] = "tilt"
    gamma: Signed
    of: "Operator"


class Shift(_Node):
    """Moves the estimate by a constant.

    Attributes:
        delta: in standard deviations of the observed cells.
        of: what is moved.
    """

    kind: Literal["shift"] = "shift"
    delta: Signed
    of: "Operator"


class Split(_Node):
    """Estimates two subgroups of patients' steps apart, each learned from its own cells where it has enough.

    Attributes:
        by: the variable that tells them apart, last seen at its lag.
        above: threshold in its unit; an unknown value counts as not above.
        then: for those above.
        otherwise: for the others.
    """

    kind: Literal["split"] = "split"
    by: Covariate
    above: Threshold
    then: "Operator"
    otherwise: "Operator"


class Part(_Node):
    """A share of a mixture.

    Attributes:
        weight: relative to the others.
        of: what it weighs.
    """

    weight: Annotated[Number, Field(ge=1e-3, le=1)]
    of: "Operator"


class Mix(_Node):
    """Weighted mean of several operators; their disagreement adds to what is uncertain.

    Attributes:
        parts: two to four.
    """

    kind: Literal["mix"] = "mix"
    parts: Annotated[tuple[Part, ...], Field(min_length=2, max_length=4)]


class Clip(_Node):
    """Keeps the estimate within bounds.

    Attributes:
        low: in the variable's unit.
        high: likewise, above `low`.
        of: what is kept within.
    """

    kind: Literal["clip"] = "clip"
    low: Threshold
    high: Threshold
    of: "Operator"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


KINDS = (Carry, Ridge, Neighbours, Mice, Tilt, Shift, Split, Mix, Clip)
_NAMES = tuple(kind.model_fields["kind"].default for kind in KINDS)
_HEAVY = (Neighbours, Mice)


def _kind(value: Any) -> Any:  # noqa: ANN401
    """The tag of a node, or None; a tag that is no text could not be looked up."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


# The message of pydantic's own discriminator would quote the tag, which is text of a model.
Operator = Annotated[
    Annotated[Carry, Tag("carry")]
    | Annotated[Ridge, Tag("ridge")]
    | Annotated[Neighbours, Tag("neighbours")]
    | Annotated[Mice, Tag("mice")]
    | Annotated[Tilt, Tag("tilt")]
    | Annotated[Shift, Tag("shift")]
    | Annotated[Split, Tag("split")]
    | Annotated[Mix, Tag("mix")]
    | Annotated[Clip, Tag("clip")],
    Discriminator(
        _kind,
        custom_error_type="operator_kind",
        custom_error_message=f"no operator; its kind must be one of {', '.join(_NAMES)}",
    ),
]
for _model in (Tilt, Shift, Split, Part, Mix, Clip):
    _model.model_rebuild()


class Rule(_Node):
    """The operator of some variables.

    Attributes:
        variables: whose missing cells it estimates, each once; kept sorted.
        operator: the tree.
    """

    variables: Annotated[
        tuple[Name, ...], Field(min_length=1, max_length=MAX_VARIABLES), AfterValidator(_sorted)
    ]
    operator: Operator

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if depth(self.operator) > MAX_DEPTH:
            raise ValueError(f"the operator is nested deeper than {MAX_DEPTH}")
        parts = list(nodes(self.operator))
        if len(parts) > MAX_NODES:
            raise ValueError(f"the operator has more than {MAX_NODES} parts")
        if sum(isinstance(part, _HEAVY) for part in parts) > MAX_HEAVY:
            raise ValueError(f"the operator has more than {MAX_HEAVY} of mice and neighbours")
        if any(c.lag == 0 and c.variable in self.variables for part in parts for c in read_by(part)):
            raise ValueError("a variable may not be its own covariate at lag 0; give a lag of 1 or more")
        return self


class Recipe(_Node):
    """How a panel is imputed: one rule a variable.

    Attributes:
        rules: no variable stands in two of them.
    """

    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=MAX_VARIABLES)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [name for rule in self.rules for name in rule.variables]
        if len(set(names)) < len(names):
            raise ValueError("a variable has two rules; give it one")
        placed = [(rule, *each) for rule in self.rules for each in _placed(rule.operator)]
        if (
            sum(len(rule.variables) for rule, node, _ in placed if isinstance(node, Neighbours))
            > MAX_SEARCHES
        ):
            raise ValueError(f"the recipe has neighbours more than {MAX_SEARCHES} times, counted by variable")
        if len({(node, side) for _, node, side in placed if isinstance(node, Mice)}) > MAX_CHAINS:
            raise ValueError(
                f"the recipe has more than {MAX_CHAINS} different mice, each side of a split apart"
            )
        return self

    @property
    def variables(self) -> frozenset[str]:
        """Names of all variables that have a rule."""
        return frozenset(name for rule in self.rules for name in rule.variables)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of each variable's operator as canonical JSON, in hexadecimal; grouping does not matter."""
        operators = {
            name: rule.operator.model_dump(mode="json") for rule in self.rules for name in rule.variables
        }
        return sha256(json.dumps(operators, sort_keys=True).encode()).hexdigest()


def children(operator: Operator) -> tuple[Operator, ...]:
    """The operators that one is made of."""
    match operator:
        case Tilt() | Shift() | Clip():
            return (operator.of,)
        case Split():
            return (operator.then, operator.otherwise)
        case Mix():
            return tuple(part.of for part in operator.parts)
        case _:
            return ()


def nodes(operator: Operator) -> Iterator[Operator]:
    """An operator and all that it is made of, parents first."""
    yield operator
    for child in children(operator):
        yield from nodes(child)


def _placed(operator: Operator, side: tuple[Any, ...] = ()) -> Iterator[tuple[Operator, tuple[Any, ...]]]:
    """An operator and all that it is made of, each with the sides of the splits that it stands on."""
    yield operator, side
    for place, child in enumerate(children(operator)):
        into = (operator.by, operator.above, place) if isinstance(operator, Split) else ()
        yield from _placed(child, side + into)


def depth(operator: Operator) -> int:
    """Operators on the longest way down; 1 for one that is made of no other."""
    return 1 + max(map(depth, children(operator)), default=0)


def read_by(operator: Operator) -> tuple[Covariate, ...]:
    """The covariates that one operator names itself."""
    match operator:
        case Ridge() | Neighbours():
            return operator.covariates
        case Split():
            return (operator.by,)
        case _:
            return ()

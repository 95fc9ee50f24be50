"""Priors of the parameters of one person's model: a closed set of families, each within stated bounds.

What a family cannot be (a scale of 0, no number, beyond 1e24) its type refuses; what it must not be beside
the size of what it is a prior of, `require_in_proportion` refuses.
"""

from abc import ABC, abstractmethod
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]

FARTHEST: Final = 1e24
LEAST: Final = 1e-24
OUT_OF_PROPORTION: Final = 1e6
HIGHEST_SHARE: Final = 0.99
_SIZES: Final = ("sd", "scale", "median")
_STRICT: Final = Field(strict=True, allow_inf_nan=False)


def _within_reach(value: float) -> float:
    if abs(value) > FARTHEST:
        raise ValueError(f"must lie between {-FARTHEST:g} and {FARTHEST:g}")
    return value


def _of_some_size(value: float) -> float:
    if not LEAST <= value <= FARTHEST:
        raise ValueError(f"must lie between {LEAST:g} and {FARTHEST:g}")
    return value


Place = Annotated[float, _STRICT, AfterValidator(_within_reach)]
Scale = Annotated[float, _STRICT, Field(gt=0), AfterValidator(_of_some_size)]
Shape = Annotated[float, _STRICT, Field(ge=0.5, le=1_000)]
DegreesOfFreedom = Annotated[float, _STRICT, Field(ge=2, le=1_000)]
LogSd = Annotated[float, _STRICT, Field(ge=0.01, le=3)]
Share = Annotated[float, _STRICT, Field(ge=-HIGHEST_SHARE, le=HIGHEST_SHARE)]


def ask_for_all(schema: dict[str, Any]) -> None:
    """Has a JSON schema ask for every field, the family too, and for null where a mind leaves one out."""
    schema["required"] = list(schema["properties"])


class _Family(BaseModel, ABC):
    """A distribution, and why it is the prior."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, json_schema_extra=ask_for_all
    )

    because: Reason

    def logpdf(self, x: Float | float) -> Float:
        """Logarithm of the density at `x`, -inf outside the support; of the shape of `x`."""
        return np.asarray(self.distribution().logpdf(x), dtype=np.float64)

    def sample(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> Float:
        """Independent draws, of the shape `size`."""
        return np.asarray(self.distribution().rvs(size=size, random_state=rng), dtype=np.float64)

    @property
    def told(self) -> str:
        """Family and parameters, in words: `normal(mean 7, sd 2)`."""
        numbers = self.model_dump(exclude={"family", "because"})
        inside = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        return f"{self.model_dump()['family']}({inside})"

    @property
    def sizes(self) -> dict[str, float]:
        """The numbers that are in the unit of the parameter and above 0, by field."""
        return {name: getattr(self, name) for name in _SIZES if name in type(self).model_fields}

    @property
    def location(self) -> float:
        """Its mean where that is a number of its own; 0 otherwise."""
        return float(getattr(self, "mean", 0.0))

    @abstractmethod
    def distribution(self) -> Any:  # noqa: ANN401
        """The distribution as `scipy.stats` has it, frozen."""


class Normal(_Family):
    """A normal distribution."""

    family: Literal["normal"] = "normal"
    mean: Place
    sd: Scale

    def distribution(self) -> Any:  # noqa: ANN401
        """See `_Family.distribution`."""
        return _frozen("norm", loc=self.mean, scale=self.sd)


class StudentT(_Family):
    """A Student-t distribution around `mean`, with heavier tails the fewer its degrees of freedom."""

    family: Literal["student_t"] = "student_t"
    df: DegreesOfFreedom
    mean: Place
    scale: Scale

    def distribution(self) -> Any:  # noqa: ANN401
        """See `_Family.distribution`."""
        return _frozen("t", self.df, loc=self.mean, scale=self.scale)


class HalfNormal(_Family):
    """The absolute value of a normal variable with mean 0 and sd `scale`."""

    family: Literal["half_normal"] = "half_normal"
    scale: Scale

    def distribution(self) -> Any:  # noqa: ANN401
        """See `_Family.distribution`."""
        return _frozen("halfnorm", scale=self.scale)


class Gamma(_Family):
    """A gamma distribution with mean `shape * scale`; with a shape above 1 it keeps off 0."""

    family: Literal["gamma"] = "gamma"
    shape: Shape
    scale: Scale

    def distribution(self) -> Any:  # noqa: ANN401
        """See `_Family.distribution`."""
        return _frozen("gamma", self.shape, scale=self.scale)


class LogNormal(_Family):
    """A variable whose logarithm is normal, with sd `log_sd`, around that of `median`."""

    family: Literal["log_normal"] = "log_normal"
    median: Scale
    log_sd: LogSd

    def distribution(self) -> Any:  # noqa: ANN401
        """See `_Family.distribution`."""
        return _frozen("lognorm", self.log_sd, scale=self.median)


class Beta(_Family):
    """A beta distribution stretched from (0, 1) to (low, high), which lie within [-0.99, 0.99]."""

    family: Literal["beta"] = "beta"
    a: Shape
    b: Shape
    low: Share
    high: Share

    @model_validator(mode="after")
    def _has_an_inside(self) -> Self:
        if self.high - self.low < 1e-3:
            raise ValueError("`high` must be at least 0.001 above `low`")
        return self

    def distribution(self) -> Any:  # noqa: ANN401
        """See `_Family.distribution`."""
        return _frozen("beta", self.a, self.b, loc=self.low, scale=self.high - self.low)


def _from_zero(prior: Beta) -> Beta:
    if prior.low < 0:
        raise ValueError("`low` must be 0 or more: this parameter is never negative")
    return prior


def _frozen(name: str, *shapes: float, **more: float) -> Any:  # noqa: ANN401
    """Imported late: the package takes a third of a second, and the types are read by every graph."""
    from scipy import stats

    return getattr(stats, name)(*shapes, **more)


AnywherePrior = Annotated[Normal | StudentT, Field(discriminator="family")]
PositivePrior = Annotated[HalfNormal | Gamma | LogNormal, Field(discriminator="family")]
SharePrior = Annotated[Beta, AfterValidator(_from_zero)]
SignedSharePrior = Beta
Prior = Annotated[Normal | StudentT | HalfNormal | Gamma | LogNormal | Beta, Field(discriminator="family")]


class Reference(NamedTuple):
    """What a parameter's prior is measured by.

    Attributes:
        size: a typical size of the parameter, in its unit, above 0.
        centre: where it is known to lie, in its unit.
    """

    size: float
    centre: float = 0.0


def require_in_proportion(place: str, prior: Prior, reference: Reference) -> None:
    """Refuses a prior a million times wider, narrower or farther off than what it is a prior of.

    Args:
        place: which prior, for the message.
        prior: of the parameter.
        reference: what the person's data say of its size.

    Raises:
        InputError: naming the prior and the rule, without a number of the person's.
    """
    if abs(prior.location - reference.centre) > OUT_OF_PROPORTION * reference.size:
        rule = f"it lies more than {OUT_OF_PROPORTION:,.0f} times the observed spread away; move it there"
        raise InputError(f"{place}.mean", rule)
    for field, size in prior.sizes.items():
        if not 1 / OUT_OF_PROPORTION <= size / reference.size <= OUT_OF_PROPORTION:
            way = "more" if size > reference.size else "less"
            times = f"{OUT_OF_PROPORTION:,.0f} times" if way == "more" else "a millionth of"
            rule = f"it is {way} than {times} what was observed of such a size; bring it into proportion"
            raise InputError(f"{place}.{field}", rule)

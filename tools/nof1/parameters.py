"""The parameters of a model, each with its prior and what the size of that is measured by."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from tools.nof1.components import AutoRegression, Law, OutcomeModel
from tools.nof1.priors import Prior, Reference
from tools.nof1.variables import Summary, Variable

Measure = Literal["level", "spread", "slope", "effect", "log-odds", "degrees", "share"]
DAYS = 7
_DEGREES = 10.0


class Parameter(NamedTuple):
    """A parameter of a model, or several of one kind under one prior.

    Attributes:
        place: where it stands in the specification, such as `outcomes.0.level.sd`; unique.
        prior: of each.
        n: how many there are.
        outcome: name of the outcome whose model it belongs to.
        measure: what its size goes by.
        source: the exposure or covariate whose effect it is; empty for others.
    """

    place: str
    prior: Prior
    n: int
    outcome: str
    measure: Measure
    source: str

    def reference(self, summaries: Mapping[str, Summary], n_steps: int) -> Reference | None:
        """What its prior is measured by; None for a share, which is bounded as it is.

        Args:
            summaries: of the variables, by name.
            n_steps: of the series.
        """
        seen = summaries[self.outcome]
        if self.measure == "share":
            return None
        if self.measure == "effect":
            return Reference(seen.spread / summaries[self.source].change)
        sizes = {"slope": seen.spread / n_steps, "log-odds": 1.0, "degrees": _DEGREES}
        centre = seen.centre if self.measure == "level" else 0.0
        return Reference(sizes.get(self.measure, seen.spread), centre)


class _Found(NamedTuple):
    place: str
    prior: Prior | None
    measure: Measure
    n: int = 1
    source: str = ""


def parameters_of(model: OutcomeModel, i: int, outcome: Variable) -> Iterator[Parameter]:
    """Every parameter of one outcome's model, in the order of its components.

    Args:
        model: of the outcome.
        i: its place among the models of the specification, from 0.
        outcome: the variable.
    """
    for place, prior, measure, n, source in (*_courses(model), *_effects(model), *_noise(model.law, outcome)):
        if prior is not None:
            yield Parameter(f"outcomes.{i}.{place}", prior, n, model.outcome, measure, source)


def _courses(model: OutcomeModel) -> Iterator[_Found]:
    yield _Found("level.initial", model.level.initial, "level")
    yield _Found("level.sd", model.level.sd, "spread")
    if model.trend:
        yield _Found("trend.initial", model.trend.initial, "slope")
        yield _Found("trend.sd", model.trend.sd, "slope")
    if model.autoregression:
        yield from _autoregression(model.autoregression)
    if model.season:
        yield _Found("season.effect", model.season.effect, "spread", DAYS)
        yield _Found("season.sd", model.season.sd, "spread")


def _autoregression(part: AutoRegression) -> Iterator[_Found]:
    for k, partial in enumerate(part.partial):
        yield _Found(f"autoregression.partial.{k}", partial, "share")
    yield _Found("autoregression.sd", part.sd, "spread")


def _effects(model: OutcomeModel) -> Iterator[_Found]:
    for j, effect in enumerate(model.effects):
        yield _Found(f"effects.{j}.size", effect.size, "effect", source=effect.exposure)
        yield _Found(f"effects.{j}.carry_over", effect.carry_over, "share")
    for j, other in enumerate(model.covariates):
        yield _Found(f"covariates.{j}.size", other.size, "effect", source=other.covariate)


def _noise(law: Law, outcome: Variable) -> Iterator[_Found]:
    match law.law:
        case "gaussian":
            yield _Found("law.sd", law.sd, "spread")
        case "student_t":
            yield _Found("law.scale", law.scale, "spread")
            yield _Found("law.df_above_2", law.df_above_2, "degrees")
        case "ordinal":
            yield _Found("law.gap", law.gap, "log-odds", outcome.n_levels - 2)

"""The specification of one person's model: components with priors, and the causal graph they stand on."""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.causal.dag import CausalGraph
from tools.nof1.components import (
    LAWS,
    MOST_EDGES,
    MOST_LATENTS,
    MOST_OUTCOMES,
    LaggedEdge,
    Latent,
    OutcomeModel,
)
from tools.nof1.parameters import DAYS, Parameter, parameters_of
from tools.nof1.priors import require_in_proportion
from tools.nof1.series import LONGEST_STEP_DAYS, SHORTEST_STEP_DAYS, week_steps
from tools.nof1.variables import Finite, Role, Summary, Variable
from tools.safety.errors import InputError


class ModelSpec(BaseModel):
    """A model of one person's outcomes, admitted.

    Attributes:
        variables: of the series.
        step_days: length of a step, days.
        outcomes: a model for each outcome.
        edges: the causal graph over the variables; what acts within a step (lag 0) is acyclic, feedback takes
            a lag.
        latents: confounders that are not recorded.

    Raises:
        InputError: a name that is none, an outcome without a model or with two, a law that does not fit its
            kind, a season without days, an effect without its edge or an edge into an outcome without its
            effect, an edge or a latent twice, or a cycle within a step; by place, without model text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    variables: tuple[Variable, ...]
    step_days: Annotated[Finite, Field(ge=SHORTEST_STEP_DAYS, le=LONGEST_STEP_DAYS)]
    outcomes: Annotated[tuple[OutcomeModel, ...], Field(min_length=1, max_length=MOST_OUTCOMES)]
    edges: Annotated[tuple[LaggedEdge, ...], Field(max_length=MOST_EDGES)]
    latents: Annotated[tuple[Latent, ...], Field(max_length=MOST_LATENTS)] = ()

    @model_validator(mode="after")
    def _is_admissible(self) -> Self:
        _require_outcomes(self)
        for i, model in enumerate(self.outcomes):
            _require_law(self, i, model)
            _require_sources(self, i, model)
        _require_edges(self)
        _require_latents(self)
        _ = self.contemporaneous
        _require_agreement(self)
        return self

    @property
    def roles(self) -> dict[str, Role]:
        """The role of each variable, by name."""
        return {variable.name: variable.role for variable in self.variables}

    @property
    def contemporaneous(self) -> CausalGraph:
        """What acts within a step, acyclic.

        Raises:
            InputError: there is a cycle; named.
        """
        return CausalGraph(self.roles, ((edge.cause, edge.effect) for edge in self.edges if edge.lag == 0))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every parameter with its prior, in the order of the specification."""
        variables = {variable.name: variable for variable in self.variables}
        return tuple(
            found
            for i, model in enumerate(self.outcomes)
            for found in parameters_of(model, i, variables[model.outcome])
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the model is, whatever order and reasons it was written in."""
        return sha256(json.dumps(_bare(self.model_dump(mode="json")), sort_keys=True).encode()).hexdigest()

    def describe(self) -> str:
        """The whole model in plain words, a line a part; reasons are as given, so escape before showing."""
        units = {variable.name: variable.unit for variable in self.variables}
        lines = []
        for i, model in enumerate(self.outcomes):
            lines.append(f"{model.outcome} ({units[model.outcome]}): {', '.join(_told(model))}.")
            lines += [
                f"  {found.place} ~ {found.prior.told}: {found.prior.because}"
                for found in self.parameters
                if found.place.startswith(f"outcomes.{i}.")
            ]
        lines += [f"{edge.cause} acts on {edge.effect} {_when(edge.lag)}." for edge in self.edges]
        lines += [f"{one.name} (not recorded) acts on {', '.join(one.affects)}." for one in self.latents]
        return "\n".join(lines)


def require_proportion(spec: ModelSpec, summaries: Iterable[Summary], n_steps: int) -> None:
    """Refuses priors that are a million times out of proportion to what was observed.

    Args:
        spec: the model.
        summaries: of its variables.
        n_steps: of the series.

    Raises:
        InputError: the variables are others, or a prior is out of proportion; by place.
    """
    seen = {summary.name: summary for summary in summaries}
    if tuple(summary.variable for summary in seen.values()) != spec.variables:
        raise InputError("variables", "are not those of the series; specify the model anew")
    for parameter in spec.parameters:
        reference = parameter.reference(seen, n_steps)
        if reference is not None:
            require_in_proportion(parameter.place, parameter.prior, reference)


def _require_outcomes(spec: ModelSpec) -> None:
    if len(spec.roles) != len(spec.variables):
        raise InputError("variables", "a name is given twice; give each once")
    given = [model.outcome for model in spec.outcomes]
    for i, name in enumerate(given):
        if spec.roles.get(name) != "outcome":
            raise InputError(f"outcomes.{i}.outcome", "is none of the outcomes; use a name as it is given")
        if name in given[:i]:
            raise InputError(f"outcomes.{i}.outcome", "has a model already; give each outcome one")
    if set(given) != {name for name, role in spec.roles.items() if role == "outcome"}:
        raise InputError("outcomes", "an outcome has no model; give each outcome one")


def _require_law(spec: ModelSpec, i: int, model: OutcomeModel) -> None:
    kind = next(variable.kind for variable in spec.variables if variable.name == model.outcome)
    if model.law.law not in LAWS[kind]:
        fitting = " or ".join(LAWS[kind])
        raise InputError(f"outcomes.{i}.law", f"does not fit a {kind} outcome; use {fitting}")
    if model.season is not None and week_steps(spec.step_days) != DAYS:
        raise InputError(f"outcomes.{i}.season", "days of the week need steps of a day; leave it out")


def _require_sources(spec: ModelSpec, i: int, model: OutcomeModel) -> None:
    exposures = [effect.exposure for effect in model.effects]
    for j, name in enumerate(exposures):
        place = f"outcomes.{i}.effects.{j}.exposure"
        if spec.roles.get(name) != "exposure":
            raise InputError(place, "is none of the exposures; use a name as it is given")
        if name in exposures[:j]:
            raise InputError(place, "has an effect already; give each exposure one")
    covariates = [(effect.covariate, effect.lag) for effect in model.covariates]
    for j, (name, lag) in enumerate(covariates):
        place = f"outcomes.{i}.covariates.{j}.covariate"
        if spec.roles.get(name) != "covariate":
            raise InputError(place, "is none of the covariates; use a name as it is given")
        if (name, lag) in covariates[:j]:
            raise InputError(place, "is given twice with one lag; give it once")


def _require_edges(spec: ModelSpec) -> None:
    seen: set[tuple[str, str, int]] = set()
    for i, edge in enumerate(spec.edges):
        for end in ("cause", "effect"):
            if getattr(edge, end) not in spec.roles:
                raise InputError(f"edges.{i}.{end}", "is none of the variables; use a name as it is given")
        if edge.cause == edge.effect and edge.lag == 0:
            raise InputError(f"edges.{i}", "nothing acts on itself within a step; give a lag, or remove it")
        if (edge.cause, edge.effect, edge.lag) in seen:
            raise InputError(f"edges.{i}", "is given twice; give it once")
        seen.add((edge.cause, edge.effect, edge.lag))


def _require_latents(spec: ModelSpec) -> None:
    names = [latent.name for latent in spec.latents]
    for i, latent in enumerate(spec.latents):
        if latent.name in spec.roles or latent.name in names[:i]:
            raise InputError(f"latents.{i}.name", "is taken; give what is not recorded a name of its own")
        if len(set(latent.affects)) != len(latent.affects):
            raise InputError(f"latents.{i}.affects", "names a variable twice; name each once")
        if not set(latent.affects) <= set(spec.roles):
            raise InputError(
                f"latents.{i}.affects", "names what is none of the variables; use names as given"
            )


def _require_agreement(spec: ModelSpec) -> None:
    """What exposures and covariates do to outcomes is what the graph's edges say, no more and no less.

    An edge from an outcome has no component: it tells what confounds.
    """
    drawn = {(edge.cause, edge.effect, edge.lag) for edge in spec.edges}
    modelled = {
        place: (source, model.outcome, lag)
        for i, model in enumerate(spec.outcomes)
        for place, source, lag in _effects(i, model)
    }
    for place, edge in modelled.items():
        if edge not in drawn:
            raise InputError(place, "the graph has no edge of that lag for it; add the edge, or leave it out")
    for i, one in enumerate(spec.edges):
        acts = spec.roles[one.cause] != "outcome" and spec.roles[one.effect] == "outcome"
        if acts and (one.cause, one.effect, one.lag) not in modelled.values():
            rule = "the outcome's model has no effect of that lag for it; add one, or remove the edge"
            raise InputError(f"edges.{i}", rule)


def _effects(i: int, model: OutcomeModel) -> Iterator[tuple[str, str, int]]:
    for j, effect in enumerate(model.effects):
        yield f"outcomes.{i}.effects.{j}", effect.exposure, effect.delay
    for j, other in enumerate(model.covariates):
        yield f"outcomes.{i}.covariates.{j}", other.covariate, other.lag


def _bare(dumped: Any) -> Any:  # noqa: ANN401
    """Without reasons, and with lists in an order of their own, but for partial autocorrelations."""
    if isinstance(dumped, dict):
        return {
            key: list(map(_bare, value)) if key == "partial" else _bare(value)
            for key, value in dumped.items()
            if key != "because"
        }
    if isinstance(dumped, list):
        return sorted(map(_bare, dumped), key=lambda one: json.dumps(one, sort_keys=True))
    return dumped


def _told(model: OutcomeModel) -> Iterator[str]:
    yield "a level that wanders" if model.level.sd else "a level that stays"
    if model.trend:
        yield "a trend that bends" if model.trend.sd else "a straight trend"
    if model.autoregression:
        yield f"autoregression of order {len(model.autoregression.partial)}"
    if model.season:
        yield "days of the week that change" if model.season.sd else "days of the week"
    for effect in model.effects:
        carried = ", carried over" if effect.carry_over else ""
        yield f"an effect of {effect.exposure} {_when(effect.delay)}{carried}"
    for other in model.covariates:
        yield f"an effect of {other.covariate} {_when(other.lag)}"
    yield f"observed by the law {model.law.law}"


def _when(lag: int) -> str:
    if lag == 0:
        return "within the step"
    return f"{lag} step{'s' if lag > 1 else ''} later"

"""The modelling agent: has one person's model specified, and admits it only with priors that can be meant."""

from typing import NamedTuple

from agents.answers import ProposedModel
from agents.budget import NOTHING, Used
from agents.cases import ModelCase, ModelLimits
from agents.model import Reply, ask
from agents.settings import Settings
from tools.nof1.components import MOST_EDGES, MOST_LAG, MOST_LATENTS, MOST_ORDER, MOST_OUTCOMES
from tools.nof1.prior_predictive import PriorPredictive, prior_predictive
from tools.nof1.series import Series
from tools.nof1.spec import ModelSpec
from tools.safety.errors import InputError
from tools.safety.free_text import hold

_LONGEST_QUESTION = 2_000
_STEPS_PER_LAG = 4
_CHECKED = "remove it, or give `checked` once you have looked at it"


class Specified(NamedTuple):
    """An admitted model.

    Attributes:
        spec: the model.
        implied: what its priors imply; nothing of it is implausible.
        explanation: why this model, in the mind's words: escape before showing.
    """

    spec: ModelSpec
    implied: PriorPredictive
    explanation: str


def specify(
    series: Series,
    question: str,
    settings: Settings,
    *,
    used: Used = NOTHING,
    checked: bool = False,
) -> Reply[Specified]:
    """Has a model of one person's outcomes specified, with a prior for every parameter.

    The mind sees what was recorded and summaries of it, never the series. A model that breaks a rule, or with
    a prior that leads to outcomes nobody has, is shown back with what is wrong, at most twice.

    Args:
        series: of the person; it stays on this machine.
        question: what the person asks.
        settings: which model answers; the seed is that of the draws too.
        used: by this run so far.
        checked: whether somebody says that the question, names and units may go out as they are.

    Raises:
        Held: the question, a name or a unit may identify a person, and nobody says that it was looked at.
        InputError: the question is longer than 2,000 characters, or the outcomes are more than a model holds.
        Inadmissible: still against a rule, or implausible, after two repairs; by place and rule.
        ModelOutputError: still unreadable after two repairs, or cut short twice.
        Declined: the model, or a filter of its service, declined.
        BudgetExceeded: a budget of the run is used up.
        ProviderError: the model service failed.
    """
    if len(question) > _LONGEST_QUESTION:
        raise InputError("question", f"longer than {_LONGEST_QUESTION:,} characters; shorten it")
    hold("question", question, checked, _CHECKED)
    for i, variable in enumerate(series.variables):
        hold(f"variables.{i}", f"{variable.name} ({variable.unit})", checked, _CHECKED)
    case = model_case(series, question)

    def admit(answer: ProposedModel) -> Specified:
        return _admit(answer, series, case.limits, settings.seed)

    return ask(case, ProposedModel, settings, admit=admit, used=used)


def model_case(series: Series, question: str) -> ModelCase:
    """What a mind sees of a person: summaries and a question.

    Args:
        series: of the person.
        question: as asked.

    Raises:
        InputError: there are more outcomes than a model holds.
    """
    if sum(variable.role == "outcome" for variable in series.variables) > MOST_OUTCOMES:
        raise InputError(
            "variables", f"more than {MOST_OUTCOMES} outcomes; keep those that the question is of"
        )
    limits = ModelLimits(
        max_order=MOST_ORDER,
        max_lag=min(MOST_LAG, series.n_steps // _STEPS_PER_LAG),
        max_edges=MOST_EDGES,
        max_latents=MOST_LATENTS,
    )
    return ModelCase(
        question=question,
        step_days=series.step_days,
        n_steps=series.n_steps,
        variables=series.summaries,
        limits=limits,
    )


def _admit(answer: ProposedModel, series: Series, limits: ModelLimits, seed: int) -> Specified:
    """The model, where it keeps every rule and its priors can be meant.

    Raises:
        InputError: by place and rule.
    """
    spec = ModelSpec(
        variables=series.variables,
        step_days=series.step_days,
        outcomes=tuple(answer.outcomes),
        edges=tuple(answer.edges),
        latents=tuple(answer.latents),
    )
    for i, edge in enumerate(spec.edges):
        if edge.lag > limits.max_lag:
            rule = f"longer than {limits.max_lag} steps, a quarter of the series or {MOST_LAG}; shorten it"
            raise InputError(f"edges.{i}.lag", rule)
    implied = prior_predictive(spec, series, seed)
    if implied.implausible:
        first, *others = implied.implausible
        rest = (f"{check.place}: {check.objection}" for check in others)
        raise InputError(first.place, "; ".join([first.objection, *rest]))
    return Specified(spec, implied, answer.explanation)

"""The documents put before a mind: one JSON object each, with every number it may reason from."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter

from tools.nof1.variables import Summary
from tools.reporting.result import EffectDirection, PartName, Strength

Role = Literal["history", "candidate"]


class CaseDisease(BaseModel):
    """A disease as a mind sees it: code, name, other names, and its role in the case."""

    model_config = ConfigDict(frozen=True)

    code: str
    name: str
    role: Role
    aliases: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """The shorter of its usual names."""
        return self.aliases[0] if self.aliases else self.name


class Case(BaseModel):
    """One task. `task` is the prompt's name."""

    model_config = ConfigDict(frozen=True)

    task: str


class QueryCase(Case):
    """What to look up."""

    task: Literal["write_query"] = "write_query"
    history: tuple[CaseDisease, ...]
    candidates: tuple[CaseDisease, ...]
    library: dict[str, Any]


class CasePassage(BaseModel):
    """A passage as a mind sees it: its words marked and fenced, see `tools.knowledge.quarantine`.

    Attributes:
        fence: the name of the fences of this case.
        title: of the document, fenced.
        section: its heading, fenced.
        text: fenced.
        about: the case's codes that its document is about.
        other_names: diseases outside the case that the passage names, each marked.
    """

    model_config = ConfigDict(frozen=True)

    fence: str
    title: str
    section: str
    text: str
    about: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()


class PassageCase(Case):
    """One passage to read."""

    task: Literal["read_passage"] = "read_passage"
    passage: CasePassage
    diseases: tuple[CaseDisease, ...]


class Basis(BaseModel):
    """What the numbers of a case rest on.

    Attributes:
        accepted_by: name of the score that graphs are accepted by.
        n_patients: in the records.
        resamples: of the patients, behind every confidence; 0 where there is none.
    """

    model_config = ConfigDict(frozen=True)

    accepted_by: str
    n_patients: int
    resamples: int


class Association(BaseModel):
    """What the records show of a pair: what the one edge, added to the empty graph, changes.

    Attributes:
        gain: change of the accepted score, nats over all patients.
        gain_per_patient: the same, nats a patient.
        held_out_gain_per_patient: change of the cross-validated log-likelihood, nats a patient.
        confidence: share of resamples whose graph has the edge; None where none were drawn.
    """

    model_config = ConfigDict(frozen=True)

    cause: str
    effect: str
    gain: float
    gain_per_patient: float
    held_out_gain_per_patient: float
    confidence: float | None = None


class CaseFinding(BaseModel):
    """A finding as a mind sees it that must see no word of a document.

    Attributes:
        passage: short key of the passage, by which it is cited.
        direction: what the cause does to the chance of the effect.
        strength: how much, in the passage's judgement.
        trust: place of its library among those searched; 1 is the most trusted.
        contradicted: whether another finding says otherwise.
    """

    model_config = ConfigDict(frozen=True)

    passage: str
    cause: str | None = None
    effect: str | None = None
    direction: EffectDirection
    strength: Strength
    trust: int
    contradicted: bool


class Limits(BaseModel):
    """Bounds of an admissible graph."""

    model_config = ConfigDict(frozen=True)

    max_edges: int
    max_parents: int


class ProposalCase(Case):
    """Propose a first graph."""

    task: Literal["propose_graph"] = "propose_graph"
    diseases: tuple[CaseDisease, ...]
    basis: Basis
    associations: tuple[Association, ...]
    findings: tuple[CaseFinding, ...]
    limits: Limits


class RememberedGraph(BaseModel):
    """A graph of the memory with what it gains over the graph without edges, nats a patient.

    Attributes:
        gain_per_patient: in the accepted score.
        held_out_gain_per_patient: in the cross-validated log-likelihood, given its edges.
    """

    model_config = ConfigDict(frozen=True)

    edges: tuple[tuple[str, str], ...]
    gain_per_patient: float
    held_out_gain_per_patient: float


class Memory(BaseModel):
    """Current, previous and best graph (algorithm 2)."""

    model_config = ConfigDict(frozen=True)

    current: RememberedGraph
    previous: RememberedGraph | None
    best: RememberedGraph


class CaseEdge(BaseModel):
    """An edge of a fitted graph.

    Attributes:
        strength: lambda of the noisy-OR, with its 95 % interval from `low` to `high`.
        confidence: share of resamples whose graph has the edge; None where none were drawn.
        time: what onsets say of the direction.
        identified_by: what tells the direction from the other.
    """

    model_config = ConfigDict(frozen=True)

    cause: str
    effect: str
    strength: float
    low: float
    high: float
    confidence: float | None = None
    time: Literal["backs", "undecided", "against"]
    identified_by: Literal["time", "score", "nothing"]

    @classmethod
    def read(cls, edge: Mapping[str, Any], **more: float) -> Self:
        """An edge as the tool `score_graph` gives it, and what a subclass knows besides."""
        low, high = edge["interval"]
        time = edge["direction"]["verdict"]
        return cls.model_validate({**edge, "low": low, "high": high, "time": time, **more})


class FittedEdge(CaseEdge):
    """An edge of the current graph, with what the graph would lose without it.

    Attributes:
        gain: loss of the accepted score, nats over all patients.
        gain_per_patient: the same, nats a patient.
        held_out_gain_per_patient: loss in the cross-validated log-likelihood, nats a patient.
        reversal: change of the accepted score if the edge were turned, nats; None where it cannot be.
    """

    gain: float
    gain_per_patient: float
    held_out_gain_per_patient: float
    reversal: float | None


class CaseEdit(Association):
    """One single-edge edit of the current graph and what it changes; see `Association`.

    The confidence is that of the edge concerned; where the edit reverses it, that of the turned edge.
    """

    kind: Literal["add", "remove", "reverse"]


# All of a case at one time: one by one, they take longer than the rest of it.
ASSOCIATIONS: TypeAdapter[tuple[Association, ...]] = TypeAdapter(tuple[Association, ...])
EDITS: TypeAdapter[tuple[CaseEdit, ...]] = TypeAdapter(tuple[CaseEdit, ...])


class AmendmentCase(Case):
    """Amend the current graph."""

    task: Literal["amend_graph"] = "amend_graph"
    diseases: tuple[CaseDisease, ...]
    basis: Basis
    memory: Memory
    edges: tuple[FittedEdge, ...]
    edits: tuple[CaseEdit, ...]
    findings: tuple[CaseFinding, ...]
    limits: Limits


class CasePart(BaseModel):
    """One share of a risk.

    Attributes:
        name: recurrence of the disease itself, a cause in the graph, a disease of the history that it tends
            to follow and of which the graph makes no cause, the rest of the history, or the base rate.
        source: the cause or the associated disease; None for the others.
        value: the shares of a risk add up to its probability.
        low: of the 95 % interval.
        high: likewise.
    """

    model_config = ConfigDict(frozen=True)

    name: PartName
    source: str | None = None
    value: float
    low: float
    high: float


class CaseRisk(BaseModel):
    """The records' probability that the next visit carries a disease, with its 95 % interval and shares."""

    model_config = ConfigDict(frozen=True)

    code: str
    kind: Literal["recurrence", "onset"]
    probability: float
    low: float | None = None
    high: float | None = None
    parts: tuple[CasePart, ...]


class DecisionCase(Case):
    """Predict the next visit. `risks` are in the order in which the records would list them."""

    task: Literal["decide"] = "decide"
    history: tuple[tuple[str, ...], ...]
    diseases: tuple[CaseDisease, ...]
    edges: tuple[CaseEdge, ...]
    risks: tuple[CaseRisk, ...]
    findings: tuple[CaseFinding, ...]
    comment: str
    top_k: int


class ModelLimits(BaseModel):
    """Bounds of an admissible model.

    Attributes:
        max_order: of an autoregression.
        max_lag: of an effect, of its delay and of an edge, steps.
        max_edges: of the causal graph.
        max_latents: confounders that are not recorded.
    """

    model_config = ConfigDict(frozen=True)

    max_order: int
    max_lag: int
    max_edges: int
    max_latents: int


class ModelCase(Case):
    """Specify a model of one person's outcomes.

    Attributes:
        question: what the person asks.
        step_days: length of a step, days.
        n_steps: of the series.
        variables: what was recorded, each with a summary of its numbers.
        limits: of the model.
    """

    task: Literal["propose_model"] = "propose_model"
    question: str
    step_days: float
    n_steps: int
    variables: tuple[Summary, ...]
    limits: ModelLimits

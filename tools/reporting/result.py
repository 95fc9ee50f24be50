"""The one JSON object that a prediction ends with: what the report shows and `--json` prints."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

StopReason = Literal["unchanged", "limit", "seen", "budget"]
Interval = tuple[float, float]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Disease(_Frozen):
    """A node of the case. `code` is the vocabulary key, `dotted` the same for people."""

    code: str
    dotted: str
    system: str
    display: str


class Part(_Frozen):
    """One named term of a probability: recurrence, base rate, or a cause; per visit, with a 95 % interval."""

    name: Literal["recurrence", "base rate", "cause"]
    cause: str | None = None
    value: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class Prediction(_Frozen):
    """One predicted diagnosis of the next visit.

    Attributes:
        rank: from 1.
        probability: that the code stands in the next visit.
        interval: 95 % interval of the probability, where the mind could give one.
        repeat: whether the patient has had the code before.
        reason: why, in words.
        path: vocabulary keys from a history disease to this one along edges of the graph, or empty.
        parts: the noisy-OR terms that make up the probability.
        evidence: ids of retrieved passages.
        counter_evidence: what speaks against it, or empty.
    """

    rank: int = Field(ge=1)
    code: str
    dotted: str
    system: str
    display: str
    probability: float = Field(ge=0, le=1)
    interval: Interval | None = None
    repeat: bool
    reason: str
    path: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    evidence: tuple[str, ...] = ()
    counter_evidence: str = ""


class GraphNode(_Frozen):
    """A disease in the causal graph: in the patient's history, or a candidate for the next visit."""

    code: str
    dotted: str
    display: str
    role: Literal["history", "candidate"]


class Direction(_Frozen):
    """What time says about an edge.

    Attributes:
        cause_first: patients whose first visit with the cause is before their first with the effect.
        effect_first: patients the other way round.
        p_value: two-sided binomial test of the two counts.
        lagged_gain: log-likelihood of new effects after the cause, less that of new causes after
            the effect, nats; positive speaks for the edge as drawn.
        verdict: what the lagged gain says of the edge as drawn, 2 nats deciding; the counts decide nothing.
    """

    cause_first: int
    effect_first: int
    p_value: float
    lagged_gain: float
    verdict: Literal["backs", "undecided", "against"]


class GraphEdge(_Frozen):
    """One causal edge.

    Attributes:
        strength: lambda of the leaky noisy-OR: chance that the cause alone brings the effect.
        interval: 95 % interval of the strength, given the graph (the same patients chose the edge).
        gain: what the accepted score loses without the edge, nats.
        direction: evidence for its direction.
        evidence: ids of passages with a finding for it.
    """

    cause: str
    effect: str
    strength: float = Field(ge=0, le=1)
    interval: Interval
    gain: float
    direction: Direction
    evidence: tuple[str, ...] = ()


class Graph(_Frozen):
    """The best accepted causal graph."""

    nodes: tuple[GraphNode, ...] = ()
    edges: tuple[GraphEdge, ...] = ()


class IterationScore(_Frozen):
    """One turn of the loop. `accepted_score` (higher is better) is what graphs are accepted by."""

    iteration: int
    method: str
    accepted_score: float
    log_likelihood: float
    n_edges: int
    change: float | None = None


class CitedPassage(_Frozen):
    """A retrieved passage, in the order of retrieval."""

    id: str
    title: str
    section: str
    text: str
    source: str
    licence: str
    score: float


class Finding(_Frozen):
    """What one passage says about one or two of the case's diseases, with its words."""

    passage: str
    claim: str
    quote: str
    cause: str | None = None
    effect: str | None = None


class Knowledge(_Frozen):
    """What was looked up: library title, version hash, embedding in force, query, passages, findings."""

    library: str
    version: str
    embedding: str
    query: str
    passages: tuple[CitedPassage, ...] = ()
    findings: tuple[Finding, ...] = ()


class Candidate(_Frozen):
    """A disease that may come next.

    Attributes:
        score: noisy-OR of the history's rows of transition probabilities.
        base_rate: share of all next visits that carry the code.
        lift: of the strongest history row over the base rate.
    """

    code: str
    dotted: str
    display: str
    score: float
    base_rate: float
    lift: float


class DataSource(_Frozen):
    """The data set that every number comes from: format of the records, hash of the counts, size."""

    source: str
    hash: str
    patients: int
    visits: int


class Refusal(_Frozen):
    """Why there is no prediction, as a value."""

    kind: str
    reason: str
    next_step: str


class DiagnosisResult(_Frozen):
    """A prediction with everything that led to it.

    Attributes:
        history: visits oldest first, each the vocabulary keys of its codes.
        diseases: every disease named anywhere in the result, by key.
        predictions: ranked.
        data: where the numbers come from.
        stopped: why the hypothesis-fit-amend loop ended; None when it did not run.
        notices: what was changed, capped, refused or left out on the way.
        assumptions: what the estimate assumes and what would refute it.
        versions: of the application and the packages that shape the numbers.
        seed: what models that take one were given.
    """

    history: tuple[tuple[str, ...], ...]
    diseases: dict[str, Disease]
    comment: str = ""
    predictions: tuple[Prediction, ...] = ()
    graph: Graph = Graph()
    scores: tuple[IterationScore, ...] = ()
    stopped: StopReason | None = None
    iterations: int = 0
    candidates: tuple[Candidate, ...] = ()
    knowledge: Knowledge | None = None
    data: DataSource
    model: str
    calls: int = 0
    versions: dict[str, str]
    seed: int
    notices: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    explanation: str = ""
    refusal: Refusal | None = None

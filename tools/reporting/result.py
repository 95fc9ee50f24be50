"""The one JSON object that a prediction ends with: what the report shows and `--json` prints."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.reporting.cost import Cost

StopReason = Literal["unchanged", "limit", "seen", "budget"]
IdentifiedBy = Literal["time", "score", "nothing"]
EffectDirection = Literal["raises", "lowers", "none"]
Strength = Literal["strong", "moderate", "weak", "unstated"]
PartName = Literal["recurrence", "cause", "association", "rest of the history", "base rate"]
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
    """One named share of a probability, with a 95 % interval.

    Attributes:
        name: recurrence of the disease itself, a cause in the graph, a disease of the history that it tends
            to follow and of which the graph makes no cause, the rest of the history, or the base rate: what
            comes without these.
        source: the cause or the associated disease; None for the others.
        value: a probability; the parts of a prediction add up to its probability.
        low: of the 95 % interval, the other parts held.
        high: likewise.
    """

    name: PartName
    source: str | None = None
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
        parts: what makes up the probability; empty where the mind gave another than the records.
        evidence: ids of retrieved passages about the disease itself; an edge has those about it.
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
        confidence: share of resamples, random halves of the patients, that find the edge; None
            where none were drawn. Not the probability that the edge is true.
        gain: what the accepted score loses without the edge, nats.
        held_out_gain: what the cross-validated log-likelihood loses without the edge, given the others, nats.
        reversal: what turning the edge round would change the accepted score by, nats; None where it cannot
            be turned.
        identified_by: what tells this direction from the other: time, only the score, or nothing.
        direction: evidence of time for its direction.
        evidence: ids of passages with a finding that the cause raises the chance of the effect.
    """

    cause: str
    effect: str
    strength: float = Field(ge=0, le=1)
    interval: Interval
    confidence: float | None = Field(default=None, ge=0, le=1)
    gain: float
    held_out_gain: float
    reversal: float | None = None
    identified_by: IdentifiedBy
    direction: Direction
    evidence: tuple[str, ...] = ()


class GraphScores(_Frozen):
    """How well a graph fits the records, and what its numbers rest on.

    Attributes:
        method: name of the score that graphs are accepted by.
        by_burden: whether it compares patients of like burden (number of codes) only.
        ess: equivalent sample size, patients; only `bdeu` reads it.
        gain_per_patient: accepted score over that of the graph without edges, nats a patient.
        held_out_gain_per_patient: the same for the cross-validated log-likelihood, given the edges.
        log_likelihood: of the paper's eq. 5, summed over the patients and the graph's diseases, nats.
        out_of_graph: what the data set's other codes add to it, the same for every graph, nats.
        n_patients: in the records.
        resamples: of the patients, behind the confidence of each edge; 0 where there is none.
    """

    method: str
    by_burden: bool
    ess: float
    gain_per_patient: float
    held_out_gain_per_patient: float
    log_likelihood: float
    out_of_graph: float
    n_patients: int
    resamples: int = Field(ge=0)


class Graph(_Frozen):
    """The best accepted causal graph; without scores where none was fitted."""

    nodes: tuple[GraphNode, ...] = ()
    edges: tuple[GraphEdge, ...] = ()
    scores: GraphScores | None = None


class IterationScore(_Frozen):
    """One turn of the loop.

    Attributes:
        accepted_score: what graphs are accepted by, nats; higher is better.
        gain_per_patient: the same over that of the graph without edges, nats a patient.
        held_out_gain_per_patient: likewise, in the cross-validated log-likelihood, given the edges.
        log_likelihood: of the paper's eq. 5; more edges never lower it.
        change: share of the edges that changed since the turn before.
    """

    iteration: int
    method: str
    accepted_score: float
    gain_per_patient: float
    held_out_gain_per_patient: float
    log_likelihood: float
    n_edges: int
    change: float | None = None


class CitedPassage(_Frozen):
    """A retrieved passage, in the order of retrieval: where its text stands, not the text.

    A passage can hold words that are meant to mislead who reads them; the library shows it by its id.

    Attributes:
        id: of the passage; ends with a hash of its text.
        doc_id: of its document.
        title: of the document.
        section: the heading it stands under, or empty.
        page: 1-based, where the document has pages.
        start: where it begins in the document's plain text, characters.
        end: where it ends, exclusive.
        text_sha256: of the passage's text.
        source: who published the document.
        licence: of the document.
        url: where the document was fetched from.
        revision: the publisher's mark of the revision.
        library: title of the library.
        trust: place of the library among those searched; 1 is the most trusted.
        score: of the library's retrieval; comparable within the library only.
    """

    id: str
    doc_id: str
    title: str
    section: str
    page: int | None = None
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    text_sha256: str
    source: str
    licence: str
    url: str | None = None
    revision: str | None = None
    library: str
    trust: int = Field(ge=1)
    score: float


class Finding(_Frozen):
    """What one passage says that a disease does to the chance of another, with its words.

    Attributes:
        passage: id.
        claim: the finding in a sentence that no model and no document wrote.
        quote: the passage's words, white space folded.
        cause: vocabulary key, or None where it is no disease of the case.
        effect: likewise.
        direction: what the cause does to the chance of the effect.
        strength: how much, in the passage's judgement.
        library: title of the library.
        trust: place of the library among those searched; 1 is the most trusted.
        contradicts: places of the findings that say otherwise, from 0.
    """

    passage: str
    claim: str
    quote: str
    cause: str | None = None
    effect: str | None = None
    direction: EffectDirection
    strength: Strength
    library: str
    trust: int = Field(ge=1)
    contradicts: tuple[int, ...] = ()


class SearchedLibrary(_Frozen):
    """A library that was searched.

    Attributes:
        title: of the library.
        version: SHA-256 over its documents, reader and embedding.
        embedding: name and dimension, or `none`.
        retrieval: what a search goes by, in words.
        trust: its place in the order of trust, from 1.
    """

    title: str
    version: str
    embedding: str
    retrieval: str
    trust: int = Field(ge=1)


class Knowledge(_Frozen):
    """What was looked up: the libraries, also where nothing was found; query, passages and findings."""

    libraries: tuple[SearchedLibrary, ...] = Field(min_length=1)
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
    """The data set that every number comes from: format of the records, hash of the counts, size.

    Attributes:
        credentialed: whether third parties must not see the records: then no model was asked but on this
            machine or a host that the operator lists.
    """

    source: str
    hash: str
    patients: int
    visits: int
    credentialed: bool = False


class Answered(_Frozen):
    """Who gave answers in a role.

    Attributes:
        model: as the settings name it.
        fell_back: whether it was asked in the place of one whose service stayed away.
        answers: how many of its answers were admitted.
    """

    role: Literal["reader", "reasoner", "decider"]
    model: str
    fell_back: bool
    answers: int = Field(ge=1)


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
        expected_codes: how many codes the records expect at the next visit, those outside the graph included;
            None without predictions.
        data: where the numbers come from.
        model: that is asked in every role without one of its own.
        answered: who gave the answers, by role; empty where no model was asked.
        cost: what model services took.
        stopped: why the hypothesis-fit-amend loop ended; None when it did not run.
        notices: what was changed, capped, refused or left out on the way.
        assumptions: what the estimate assumes and what would refute it.
        versions: of the application and the packages that shape the numbers.
        seed: of the resamples, and what models that take one were given.
    """

    history: tuple[tuple[str, ...], ...]
    diseases: dict[str, Disease]
    comment: str = ""
    predictions: tuple[Prediction, ...] = ()
    expected_codes: float | None = Field(default=None, ge=0)
    graph: Graph = Graph()
    scores: tuple[IterationScore, ...] = ()
    stopped: StopReason | None = None
    iterations: int = 0
    candidates: tuple[Candidate, ...] = ()
    knowledge: Knowledge | None = None
    data: DataSource
    model: str
    answered: tuple[Answered, ...] = ()
    calls: int = 0
    cost: Cost = Cost()
    versions: dict[str, str]
    seed: int
    notices: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    explanation: str = ""
    refusal: Refusal | None = None

    @property
    def deciders(self) -> tuple[str, ...]:
        """The models that made the predictions: one, unless it was decided more than once."""
        of_role = (one.model for one in self.answered if one.role == "decider")
        return tuple(dict.fromkeys(of_role)) or (self.model,)

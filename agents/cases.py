"""The documents put before a mind: one JSON object each, with every number it may reason from."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

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
    """A passage as a mind sees it.

    Attributes:
        about: the case's codes that its document is about.
        other_names: diseases outside the case that the passage names.
    """

    model_config = ConfigDict(frozen=True)

    id: str
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


class Association(BaseModel):
    """What the records show of a pair: gain of the one edge over the empty graph, in nats."""

    model_config = ConfigDict(frozen=True)

    cause: str
    effect: str
    gain: float


class CaseFinding(BaseModel):
    """A finding of the library as a mind sees it."""

    model_config = ConfigDict(frozen=True)

    passage: str
    claim: str
    quote: str
    cause: str | None = None
    effect: str | None = None


class Limits(BaseModel):
    """Bounds of an admissible graph."""

    model_config = ConfigDict(frozen=True)

    max_edges: int
    max_parents: int


class ProposalCase(Case):
    """Propose a first graph."""

    task: Literal["propose_graph"] = "propose_graph"
    diseases: tuple[CaseDisease, ...]
    associations: tuple[Association, ...]
    findings: tuple[CaseFinding, ...]
    limits: Limits


class RememberedGraph(BaseModel):
    """A graph of the memory with its scores, nats; higher is better."""

    model_config = ConfigDict(frozen=True)

    edges: tuple[tuple[str, str], ...]
    accepted_score: float
    log_likelihood: float


class Memory(BaseModel):
    """Current, previous and best graph (algorithm 2)."""

    model_config = ConfigDict(frozen=True)

    current: RememberedGraph
    previous: RememberedGraph | None
    best: RememberedGraph


class CaseEdit(BaseModel):
    """One single-edge edit of the current graph and the change of the accepted score, nats."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["add", "remove", "reverse"]
    cause: str
    effect: str
    gain: float
    gain_per_patient: float


class AmendmentCase(Case):
    """Amend the current graph."""

    task: Literal["amend_graph"] = "amend_graph"
    diseases: tuple[CaseDisease, ...]
    memory: Memory
    edits: tuple[CaseEdit, ...]
    findings: tuple[CaseFinding, ...]
    limits: Limits


class CaseEdge(BaseModel):
    """An edge of the best graph, with its noisy-OR strength and what time says about its direction."""

    model_config = ConfigDict(frozen=True)

    cause: str
    effect: str
    strength: float
    low: float
    high: float
    time: Literal["backs", "undecided", "against"]


class CasePart(BaseModel):
    """One term of a risk: a cause's chance to bring the disease by the next visit, or the rest (no cause)."""

    model_config = ConfigDict(frozen=True)

    name: Literal["recurrence", "base rate", "cause"]
    cause: str | None = None
    value: float
    low: float
    high: float


class CaseRisk(BaseModel):
    """The records' probability that the next visit carries a disease, with its 95 % interval and terms."""

    model_config = ConfigDict(frozen=True)

    code: str
    kind: Literal["recurrence", "onset"]
    probability: float
    low: float | None = None
    high: float | None = None
    parts: tuple[CasePart, ...]


class DecisionCase(Case):
    """Predict the next visit."""

    task: Literal["decide"] = "decide"
    history: tuple[tuple[str, ...], ...]
    diseases: tuple[CaseDisease, ...]
    edges: tuple[CaseEdge, ...]
    risks: tuple[CaseRisk, ...]
    findings: tuple[CaseFinding, ...]
    comment: str
    top_k: int

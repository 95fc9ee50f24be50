"""How the agents of the diagnosis graph are run. Copied into the state, so that a resumed run keeps it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.causal.scores import ScoreName

CandidateMode = Literal["noisy_or", "any", "all", "top_k"]
AnswerForm = Literal["tool", "json_schema", "json_object", "text"]
Role = Literal["reader", "reasoner", "decider"]
Folder = Annotated[str, Field(min_length=1, max_length=4096)]
ROLES: Mapping[str, Role] = {
    "write_query": "reader",
    "read_passage": "reader",
    "propose_graph": "reasoner",
    "amend_graph": "reasoner",
    "propose_operators": "reasoner",
    "decide": "decider",
    "propose_model": "reasoner",
}
_MINDS = ("query", "read", "propose", "amend", "decide")


def shown_at(*nodes: str, kind: str | None = None) -> dict[str, Any]:
    """Metadata by which LangGraph Studio shows a setting beside the nodes that read it."""
    return {"langgraph_nodes": list(nodes), **({"langgraph_type": kind} if kind else {})}


class Settings(BaseModel):
    """What the agents read.

    Attributes:
        model: `statistical` (no key, answers from the numbers) or `provider:model`.
        base_url: of the OpenAI-compatible server of models `openai:NAME`, on this machine or listed by the
            operator; empty means the one of the environment. Keys stand in the environment alone.
        local_only: refuse whatever would send a question about the patient beyond this machine and the hosts
            that the operator lists.
        reader_model: writes the query and reads; empty means `model`. Likewise `reasoner_model`, which
            proposes and amends graphs and ways to impute, and `decider_model`.
        fallback_model: asked where the service of a role's model stays away; empty means none.
        answer_form: `tool` asks through tool calling; for models without it, `json_schema` and `json_object`
            have the service hold the answer to its form, `text` asks for words alone, see `agents.forms`.
        store: folder of a clinical dataset; empty means the demo cohort.
        libraries: folders of knowledge libraries, the most trusted first; none means the demo library.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    model: str = Field(
        default="statistical",
        max_length=200,
        description="statistical, or provider:model such as openai:gpt-4o-mini",
        json_schema_extra=shown_at(*_MINDS),
    )
    base_url: str = Field(
        default="",
        max_length=2_000,
        description="address of an OpenAI-compatible server for openai:NAME; empty: the environment's",
        json_schema_extra=shown_at(*_MINDS),
    )
    local_only: bool = Field(
        default=False,
        description="ask models and embeddings of this machine and of listed hosts only",
        json_schema_extra=shown_at(*_MINDS, "retrieve"),
    )
    reader_model: str = Field(
        default="",
        max_length=200,
        description="writes the query and reads; empty: model",
        json_schema_extra=shown_at("query", "read"),
    )
    reasoner_model: str = Field(
        default="",
        max_length=200,
        description="proposes and amends the graph; empty: model",
        json_schema_extra=shown_at("propose", "amend"),
    )
    decider_model: str = Field(
        default="",
        max_length=200,
        description="makes the predictions; empty: model",
        json_schema_extra=shown_at("decide"),
    )
    fallback_model: str = Field(
        default="",
        max_length=200,
        description="asked where the service of another stays away; empty: none",
        json_schema_extra=shown_at(*_MINDS),
    )
    answer_form: AnswerForm = Field(
        default="tool",
        description="how models are asked to answer; `iikea doctor --model` tells which forms one knows",
        json_schema_extra=shown_at(*_MINDS),
    )
    store: str = Field(
        default="",
        max_length=4096,
        description="folder made by `iikea records fit`; empty: the demo cohort",
        json_schema_extra=shown_at("prepare", "select", "fit"),
    )
    libraries: tuple[Folder, ...] = Field(
        default=(),
        max_length=20,
        description="folders of knowledge libraries, the most trusted first; empty: the demo library",
        json_schema_extra=shown_at("query", "retrieve"),
    )
    candidate_mode: CandidateMode = Field(default="noisy_or", json_schema_extra=shown_at("select"))
    epsilon: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="least transition probability of a candidate (eq. 4)",
        json_schema_extra=shown_at("select"),
    )
    max_candidates: int = Field(default=30, ge=1, le=100, json_schema_extra=shown_at("select"))
    max_history: int = Field(
        default=40,
        ge=1,
        le=100,
        description="history diseases that enter the graph, most recent first",
        json_schema_extra=shown_at("prepare"),
    )
    passages: int = Field(
        default=5, ge=1, le=50, description="passages read", json_schema_extra=shown_at("retrieve")
    )
    max_parents: int = Field(default=6, ge=1, le=8, json_schema_extra=shown_at("propose", "fit", "amend"))
    score: ScoreName = Field(
        default="noisy_or_bic",
        description="what graphs are accepted by; by loglik no edge can lose",
        json_schema_extra=shown_at("propose", "fit", "amend"),
    )
    by_burden: bool | None = Field(
        default=None,
        description="compare patients with like numbers of codes; empty: as the score does by default",
        json_schema_extra=shown_at("propose", "fit", "amend"),
    )
    ess: float = Field(
        default=1.0,
        gt=0,
        le=1e6,
        allow_inf_nan=False,
        description="equivalent sample size of bdeu, patients",
        json_schema_extra=shown_at("propose", "fit", "amend"),
    )
    resamples: int = Field(
        default=20,
        ge=0,
        le=200,
        description="random halves of the patients behind the confidence of each edge; 0: none",
        json_schema_extra=shown_at("propose", "fit", "amend"),
    )
    max_tool_calls: int = Field(
        default=4,
        ge=0,
        le=20,
        description="tool calls a mind may make in one answer",
        json_schema_extra=shown_at("propose", "amend"),
    )
    max_calls: int = Field(
        default=60,
        ge=1,
        le=10_000,
        description="model requests in a whole run",
        json_schema_extra=shown_at(*_MINDS),
    )
    max_tokens: int | None = Field(
        default=None,
        ge=1,
        description="tokens of model services in a whole run, read and written; empty: no limit",
        json_schema_extra=shown_at(*_MINDS),
    )
    max_usd: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="cost of model services in a whole run, USD; empty: no limit",
        json_schema_extra=shown_at(*_MINDS),
    )
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="time that a whole run may work; waiting for a person is none; empty: no limit",
        json_schema_extra=shown_at(*_MINDS),
    )
    price_in: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="USD a million tokens read, of every model; empty: the list's, where it has the model",
        json_schema_extra=shown_at(*_MINDS),
    )
    price_out: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="USD a million tokens written, likewise",
        json_schema_extra=shown_at(*_MINDS),
    )
    top_k: int = Field(
        default=10, ge=1, le=100, description="predictions", json_schema_extra=shown_at("decide")
    )
    without_knowledge: bool = Field(
        default=False, description="ablation: read nothing", json_schema_extra=shown_at("query")
    )
    without_causal: bool = Field(
        default=False, description="ablation: no causal graph", json_schema_extra=shown_at("propose")
    )
    seed: int = Field(
        default=0,
        ge=0,
        description="of the resamples, and given to models that take one",
        json_schema_extra=shown_at("query", "read", "propose", "fit", "amend", "decide"),
    )

    def model_of(self, role: Role) -> str:
        """The model that a role's questions go to."""
        name: str = getattr(self, f"{role}_model")
        return name or self.model

    @property
    def models(self) -> dict[str, str]:
        """Every model that may be asked, by the setting that names it."""
        of_roles = {
            f"{role}_model" if getattr(self, f"{role}_model") else "model": self.model_of(role)
            for role in dict.fromkeys(ROLES.values())
        }
        return of_roles | ({"fallback_model": self.fallback_model} if self.fallback_model else {})

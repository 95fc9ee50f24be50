"""Run configuration of the diagnosis graph, as a server's clients and Studio see it."""

from typing import Literal

from pydantic import ConfigDict, Field

from agents.settings import Settings, shown_at

PROMPTS = ("write_query", "read_passage", "propose_graph", "amend_graph", "decide")


class DiagnosisContext(Settings):
    """The agents' settings, and the gates of the graph itself. A misspelt setting is refused, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_iterations: int = Field(
        default=5, ge=0, le=50, description="amendments at most", json_schema_extra=shown_at("fit")
    )
    change_threshold: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="stop when a smaller share of the edges changed",
        json_schema_extra=shown_at("fit"),
    )
    select: Literal["best", "last"] = Field(
        default="best",
        description="which graph of the loop counts; `last` is the paper's algorithm 2",
        json_schema_extra=shown_at("settle"),
    )
    review: bool = Field(
        default=False,
        description="ask a person before the result is final",
        json_schema_extra=shown_at("review"),
    )

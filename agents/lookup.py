"""What the reasoning mind looks up in libraries while it amends: it gets findings, no word of a passage."""

from collections.abc import Mapping
from typing import Annotated, Any

from langchain_core.tools import InjectedToolArg
from pydantic import Field

from agents import knowledge
from agents.endpoints import STATISTICAL
from agents.findings import case_findings, gathered, passage_keys
from agents.settings import Settings
from tools.engine_tool import engine_tool
from tools.records.faults import counted


class Lookup:
    """The passages of a run, and those that a mind's own queries add to them.

    What is found is read by the statistical mind, each passage alone and through the same gate as the
    others, so that a look costs no request and no word of a document reaches the mind that amends.

    Args:
        state: of the run: `diseases`, `settings`, and what was read so far.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._diseases = state["diseases"]
        self._settings = Settings.model_validate(state["settings"])
        self._passages: list[dict[str, Any]] = list(state.get("passages") or [])
        self._readings: list[dict[str, Any]] = list(state.get("readings") or [])
        self._notices: list[str] = []
        self._n_before = len(self._passages), len(self._readings)

    @property
    def is_open(self) -> bool:
        """Whether the run reads libraries at all."""
        return not self._settings.without_knowledge

    def search(self, query: str) -> dict[str, Any]:
        """The findings of the passages nearest to a query, as later minds see them; JSON."""
        asked = knowledge.QuerySlice(
            diseases=self._diseases, settings=self._settings.model_dump(mode="json"), query=query
        )
        found = [passage["id"] for passage in self._added(knowledge.retrieve(asked)["passages"])]
        every = case_findings(gathered(self._readings), self._passages)
        keys = passage_keys(self._passages)
        near = {keys[passage] for passage in found}
        return {"findings": [one.model_dump(mode="json") for one in every if one.passage in near]}

    @property
    def update(self) -> dict[str, Any]:
        """What was added, as an update of the run's state."""
        passages, readings = self._n_before
        added = len(self._passages) - passages
        if not added:
            return {}
        notice = f"while it amended, the reasoning mind had {counted(added, 'further passage')} read"
        return {
            "passages": self._passages,
            "readings": self._readings[readings:],
            "findings": gathered(self._readings),
            "notices": [notice, *self._notices],
        }

    def _added(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The passages, those that are new to the run read."""
        known = {passage["id"] for passage in self._passages}
        nobody = dict.fromkeys(self._settings.models, "") | {"model": STATISTICAL, "base_url": ""}
        quiet = self._settings.model_copy(update=nobody)
        for passage in found:
            if passage["id"] not in known:
                one = knowledge.PassageSlice(
                    passage=passage,
                    order=len(self._passages),
                    diseases=self._diseases,
                    settings=quiet.model_dump(mode="json"),
                    calls=0,
                    spent={},
                    ran_s=0.0,
                    answered=[],
                )
                reading = knowledge.read(one)
                self._passages.append(passage)
                self._readings += reading["readings"]
                self._notices += reading["notices"]
        return found


@engine_tool
def search_knowledge(
    query: Annotated[
        str, Field(min_length=1, max_length=500, description="diseases, and how they are related")
    ],
    lookup: Annotated[Lookup, InjectedToolArg],
) -> dict[str, Any]:
    """Further findings of the knowledge libraries on diseases of the case, by a query in plain words."""
    return lookup.search(query)

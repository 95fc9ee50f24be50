"""Every tool there is: what agents, chat front ends and traces see.

A mind sees and sets only the arguments that are not injected; codes go in and out as vocabulary keys.
Every result is JSON.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from langchain_core.tools import InjectedToolArg
from pydantic import Field

from tools import resources
from tools.causal_tools import (
    Store,
    next_visit_risks,
    orient_graph,
    score_edits,
    score_graph,
    search_graph,
)
from tools.engine_tool import engine_tool
from tools.prediction import candidates

if TYPE_CHECKING:
    from tools.knowledge.shelf import Shelf, ShelfHit

Mode = Literal["noisy_or", "any", "all", "top_k"]


@engine_tool
def select_candidates(
    history: Annotated[list[str], Field(description="codes the patient has had", min_length=1)],
    mode: Annotated[Mode, Field(description="which diseases count as candidates")] = "noisy_or",
    epsilon: Annotated[float, Field(ge=0, lt=1, description="least transition probability")] = 0.01,
    limit: Annotated[int, Field(ge=1, le=100)] = 40,
    store: Store = "",
) -> dict[str, Any]:
    """Diseases that often follow the given ones in the records, best first, with their base rates."""
    found = candidates.select_candidates(resources.open_dataset(store), history, mode, epsilon, limit)
    return {
        "candidates": [
            {"code": c.key, "score": c.score, "base_rate": c.base_rate, "lift": c.lift} for c in found
        ],
    }


@engine_tool
def search_knowledge(
    query: Annotated[str, Field(min_length=1, max_length=2_000)],
    k: Annotated[int, Field(ge=1, le=50, description="passages")] = 5,
    libraries: Annotated[tuple[str, ...], InjectedToolArg] = (),
    stay_near: Annotated[str, InjectedToolArg] = "",
) -> dict[str, Any]:
    """Passages of the knowledge libraries nearest to a query, each with its source; and what was searched."""
    shelf = resources.open_shelf(libraries, stay_near)
    passages = [_cited(hit, shelf) for hit in shelf.search(query, k)]
    return {"passages": passages, "libraries": shelf.described, "notices": list(shelf.notices())}


def _cited(hit: "ShelfHit", shelf: "Shelf") -> dict[str, Any]:
    of_document = hit.entry.model_dump(mode="json", include={"codes", "source", "licence", "url", "revision"})
    library = shelf.libraries[hit.trust - 1]
    of_hit = {"library": hit.library, "trust": hit.trust, "score": hit.score, "ranks": hit.ranks}
    of_hit |= {"version": library.version, "code_system": library.manifest.code_system}
    return hit.passage.model_dump(mode="json") | of_document | of_hit


@engine_tool
def look_up_code(
    text: Annotated[str, Field(min_length=1, max_length=100, description="a code, or words of its name")],
    limit: Annotated[int, Field(ge=1, le=50)] = 10,
    store: Store = "",
) -> dict[str, Any]:
    """Codes of the data set's vocabulary by spelling or by words of their names."""
    vocabulary = resources.open_dataset(store).vocabulary
    words = text.lower().split()
    exact = vocabulary.find(text)
    names = ((key, vocabulary.concept(key).display.lower()) for key in vocabulary.keys if words)
    keys = [exact] if exact else [key for key, name in names if all(word in name for word in words)][:limit]
    return {"codes": [{"key": key, **vocabulary.concept(key).model_dump(mode="json")} for key in keys]}


CATALOGUE = (
    select_candidates,
    orient_graph,
    score_graph,
    score_edits,
    search_graph,
    next_visit_risks,
    search_knowledge,
    look_up_code,
)

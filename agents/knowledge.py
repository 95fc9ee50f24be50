"""The Knowledge Synthesis Agent (algorithm 1): asks the libraries, reads each passage alone, keeps quotes.

The words of a passage are seen by the one call that reads it. What leaves that call are codes, typed values
and quotes that were checked; no later prompt holds a word of a passage.
"""

from typing import Any, TypedDict

from agents.answers import Query, Reading
from agents.budget import Spent, Used
from agents.cases import CaseDisease, CasePassage, PassageCase, QueryCase
from agents.endpoints import why_near
from agents.findings import PassageGate, gathered
from agents.intake import case_diseases
from agents.model import Inadmissible, ask
from agents.settings import Settings
from tools.catalogue import search_knowledge
from tools.knowledge.quarantine import fenced, marked, nonce
from tools.resources import open_shelf
from tools.safety.errors import ModelOutputError

_MAX_TOPICS = 200


class QuerySlice(TypedDict, total=False):
    """What `write_query` and `retrieve` read."""

    diseases: dict[str, dict[str, Any]]
    settings: dict[str, Any]
    calls: int
    spent: Spent
    ran_s: float
    answered: list[dict[str, Any]]
    query: str


class PassageSlice(TypedDict):
    """What `read` gets for its one passage; `order` is the passage's place in the retrieval."""

    passage: dict[str, Any]
    order: int
    diseases: dict[str, dict[str, Any]]
    settings: dict[str, Any]
    calls: int
    spent: Spent
    ran_s: float
    answered: list[dict[str, Any]]


class ReadingsSlice(TypedDict, total=False):
    """What `gather` reads."""

    readings: list[dict[str, Any]]


def write_query(state: QuerySlice) -> dict[str, Any]:
    """Asks the mind for a query that suits the libraries."""
    settings = Settings.model_validate(state["settings"])
    shelf = open_shelf(settings.libraries, why_near(settings))
    diseases = case_diseases(state["diseases"])
    metadata = shelf.metadata
    case = QueryCase(
        history=tuple(d for d in diseases if d.role == "history"),
        candidates=tuple(d for d in diseases if d.role == "candidate"),
        library=metadata | {"topics": metadata["topics"][:_MAX_TOPICS]},
    )
    reply = ask(case, Query, settings, admit=lambda answer: answer.query, used=Used.of(state))
    return {"query": reply.value, **reply.accounts}


def retrieve(state: QuerySlice) -> dict[str, Any]:
    """Retrieves the passages nearest to the query, with the tool, and what reading them needs.

    Nothing is looked up later but by a mind that amends (see `agents.lookup`), so that a library that
    changes during a run changes nothing that was read.
    """
    settings = Settings.model_validate(state["settings"])
    found = search_knowledge.invoke(
        {
            "query": state["query"],
            "k": settings.passages,
            "libraries": settings.libraries,
            "stay_near": why_near(settings),
        }
    )
    known = {name.lower() for d in case_diseases(state["diseases"]) for name in (*d.aliases, d.name) if name}
    others = [name for name in open_shelf(settings.libraries).names if name not in known]
    passages = [
        passage
        | {
            "about": [key for key, disease in state["diseases"].items() if _is_about(passage, disease)],
            "other_names": [name for name in others if name in lowered],
        }
        for passage in found["passages"]
        for lowered in [passage["text"].lower()]
    ]
    nothing = [] if passages else ["the libraries hold no passage for the query: nothing was read"]
    return {
        "passages": passages,
        "knowledge": {"libraries": found["libraries"]},
        "notices": [*found["notices"], *nothing],
    }


def _is_about(passage: dict[str, Any], disease: dict[str, Any]) -> bool:
    """Whether a passage's document is about a disease: one of its codes is a prefix of the disease's."""
    code = disease["code"].rpartition(":")[2]
    return bool(disease["system"] == passage["code_system"] and code.startswith(tuple(passage["codes"])))


def read(state: PassageSlice) -> dict[str, Any]:
    """Reads one passage, in quarantine from all others and from what comes after.

    Raises:
        ModelOutputError: the model's reading stayed unusable; names the passage.
    """
    settings = Settings.model_validate(state["settings"])
    passage, diseases = state["passage"], case_diseases(state["diseases"])
    about = tuple(d.code for d in diseases if d.code in passage["about"])
    shown = _quarantined(passage, diseases, about, settings.seed)
    case = PassageCase(passage=shown, diseases=diseases)
    admit = PassageGate(passage, diseases, about).admit
    try:
        reply = ask(case, Reading, settings, admit=admit, used=Used.of(state, ahead=state["order"]))
    except ModelOutputError as error:
        raise _naming(error, passage["id"]) from error
    reading = {"order": state["order"], "findings": reply.value.findings}
    return {
        "readings": [reading],
        "notices": reply.value.notices,
        **reply.accounts,
    }


def _naming(error: ModelOutputError, passage_id: str) -> ModelOutputError:
    """The error with the passage at fault: its document may be what made the model answer so."""
    problems = [f"passage {passage_id}", *error.problems]
    if isinstance(error, Inadmissible):
        return Inadmissible(error.prompt, problems, error.calls, error.spent)
    return ModelOutputError(error.prompt, problems)


def gather(state: ReadingsSlice) -> dict[str, Any]:
    """Joins the findings of all passages, the most trusted first; marks those that contradict each other."""
    return {"findings": gathered(state.get("readings", []))}


def _quarantined(
    passage: dict[str, Any], diseases: tuple[CaseDisease, ...], about: tuple[str, ...], seed: int
) -> CasePassage:
    fence = nonce(passage["text"], passage["version"], *(d.code for d in diseases), str(seed))
    return CasePassage(
        fence=fence,
        title=fenced(passage["title"], fence),
        section=fenced(passage["section"], fence),
        text=fenced(passage["text"], fence),
        about=about,
        other_names=tuple(map(marked, passage["other_names"])),
    )

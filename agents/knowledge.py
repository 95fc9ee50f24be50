"""The Knowledge Synthesis Agent (algorithm 1): asks the library, reads each passage alone, keeps quotes."""

import re
from typing import Any, TypedDict

from agents.answers import Query, QuotedClaim, Reading
from agents.cases import CaseDisease, CasePassage, PassageCase, QueryCase
from agents.codes import CodeList
from agents.intake import case_diseases
from agents.model import ask
from agents.settings import Settings
from tools.catalogue import search_knowledge
from tools.knowledge.library import KnowledgeLibrary
from tools.resources import open_library
from tools.safety.errors import InputError

_MAX_TOPICS = 200
_QUOTED_WORDS = 3


class QuerySlice(TypedDict, total=False):
    """What `write_query` and `retrieve` read."""

    diseases: dict[str, dict[str, Any]]
    settings: dict[str, Any]
    calls: int
    query: str


class PassageSlice(TypedDict):
    """What `read` gets for its one passage; `order` is the passage's place in the retrieval."""

    passage: dict[str, Any]
    order: int
    diseases: dict[str, dict[str, Any]]
    settings: dict[str, Any]
    calls: int


class ReadingsSlice(TypedDict, total=False):
    """What `gather` reads."""

    readings: list[dict[str, Any]]


def write_query(state: QuerySlice) -> dict[str, Any]:
    """Asks the mind for a query that suits the library."""
    settings = Settings.model_validate(state["settings"])
    library = open_library(settings.library)
    diseases = case_diseases(state["diseases"])
    metadata = dict(library.metadata)
    metadata["topics"] = library.metadata["topics"][:_MAX_TOPICS]
    case = QueryCase(
        history=tuple(d for d in diseases if d.role == "history"),
        candidates=tuple(d for d in diseases if d.role == "candidate"),
        library=metadata,
    )
    reply = ask(case, Query, settings, admit=lambda answer: answer.query, calls_used=state.get("calls", 0))
    described = {"library": library.title, "version": library.version, "embedding": library.embedding}
    return {"query": reply.value, "calls": reply.calls, "knowledge": described}


def retrieve(state: QuerySlice) -> dict[str, Any]:
    """Retrieves the passages nearest to the query, with the tool."""
    settings = Settings.model_validate(state["settings"])
    found = search_knowledge.invoke(
        {"query": state["query"], "k": settings.passages, "library": settings.library}
    )
    notices = [] if found["passages"] else ["the library holds no passage: nothing was read"]
    return {"passages": found["passages"], "notices": notices}


def read(state: PassageSlice) -> dict[str, Any]:
    """Reads one passage, in quarantine from all others."""
    settings = Settings.model_validate(state["settings"])
    passage, diseases = state["passage"], case_diseases(state["diseases"])
    codes = CodeList(d.code for d in diseases)
    library = open_library(settings.library)
    source = library.passage(passage["id"])
    about = tuple(
        d.code
        for d in diseases
        if library.is_about(source, d.code.rpartition(":")[2], state["diseases"][d.code]["system"])
    )
    shown = CasePassage(
        id=passage["id"],
        title=passage["title"],
        section=passage["section"],
        text=passage["text"],
        about=about,
        other_names=_other_names(passage["text"], diseases, library),
    )

    def admit(reading: Reading) -> list[dict[str, Any]]:
        return [_finding(claim, passage, codes) for claim in reading.findings]

    reply = ask(
        PassageCase(passage=shown, diseases=diseases),
        Reading,
        settings,
        admit=admit,
        calls_used=state["calls"],
    )
    return {"readings": [{"order": state["order"], "findings": reply.value}], "calls": reply.calls}


def gather(state: ReadingsSlice) -> dict[str, Any]:
    """Joins the findings of all passages, in the order of the passages, each once."""
    ordered = sorted(state.get("readings", []), key=lambda reading: reading["order"])
    findings = [finding for reading in ordered for finding in reading["findings"]]
    return {"findings": [f for i, f in enumerate(findings) if f not in findings[:i]]}


def _other_names(text: str, diseases: tuple[CaseDisease, ...], library: KnowledgeLibrary) -> tuple[str, ...]:
    known = {name.lower() for disease in diseases for name in (*disease.aliases, disease.name)}
    documents = library.documents
    names = sorted({name.lower() for document in documents for name in (document.title, *document.aliases)})
    return tuple(name for name in names if name not in known and name in text.lower())


def _finding(claim: QuotedClaim, passage: dict[str, Any], codes: CodeList) -> dict[str, Any]:
    quote = _plain(claim.quote)
    if len(quote.split()) < _QUOTED_WORDS:
        raise InputError("findings.quote", f"fewer than {_QUOTED_WORDS} words; quote what carries the claim")
    if quote not in _plain(passage["text"]):
        raise InputError("findings.quote", "not copied from the passage letter by letter; quote it exactly")
    return {
        "passage": passage["id"],
        "claim": claim.claim,
        "quote": claim.quote,
        "cause": codes.resolve("findings.cause", claim.cause) if claim.cause else None,
        "effect": codes.resolve("findings.effect", claim.effect) if claim.effect else None,
    }


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()

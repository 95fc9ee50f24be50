"""The patient comes in: codes are admitted, the diseases that may come next are selected."""

from collections.abc import Iterable
from typing import Any, TypedDict

from agents.settings import Settings
from tools.catalogue import select_candidates
from tools.records.faults import counted
from tools.records.history import Place, read_history
from tools.resources import open_dataset, open_library
from tools.safety.errors import InputError

_MAX_COMMENT = 2_000
_PLACES_SHOWN = 5


class Arrival(TypedDict, total=False):
    """What `admit` reads."""

    history: list[list[str]]
    comment: str
    settings: dict[str, Any]


class Admitted(TypedDict):
    """What `select` reads."""

    visits: list[list[str]]
    diseases: dict[str, dict[str, Any]]
    settings: dict[str, Any]


def admit(state: Arrival) -> dict[str, Any]:
    """Turns the caller's codes into vocabulary keys; refuses a history without a known code.

    Raises:
        InputError: a spelling that is no code, by visit and position; or too long a comment.
    """
    settings = Settings.model_validate(state["settings"])
    if len(state.get("comment") or "") > _MAX_COMMENT:
        raise InputError("comment", f"at most {_MAX_COMMENT} characters; shorten it")
    dataset = open_dataset(settings.store)
    history = read_history(state.get("history") or [], dataset.vocabulary)
    visits = [list(visit) for visit in history.visits if visit]
    notices = list(history.notices)
    if history.unknown:
        codes = counted(len(history.unknown), "code")
        notices.append(f"{codes} not in the data set's vocabulary, left out: {_places(history.unknown)}")
    if not visits:
        return {"refusal": _not_enough_history(len(history.unknown)), "notices": notices}
    visits, capped = _cap(visits, settings.max_history)
    return {
        "visits": visits,
        "diseases": _diseases(_codes(visits), "history", settings),
        "notices": [*notices, *capped],
    }


def select(state: Admitted) -> dict[str, Any]:
    """Selects the diseases that may come next (eq. 4), with the tool of that name."""
    settings = Settings.model_validate(state["settings"])
    found = select_candidates.invoke(
        {
            "history": _codes(state["visits"]),
            "mode": settings.candidate_mode,
            "epsilon": settings.epsilon,
            "limit": settings.max_candidates,
            "store": settings.store,
        }
    )
    candidates = found["candidates"]
    chosen = _diseases((c["code"] for c in candidates), "candidate", settings)
    return {"candidates": candidates, "diseases": state["diseases"] | chosen}


def _places(unknown: tuple[Place, ...]) -> str:
    shown = ", ".join(f"visit {place.visit} code {place.code}" for place in unknown[:_PLACES_SHOWN])
    return shown + (", ..." if len(unknown) > _PLACES_SHOWN else "")


def _not_enough_history(unknown: int) -> dict[str, str]:
    reason = "no code of the history is in the data set's vocabulary" if unknown else "the history is empty"
    return {
        "kind": "not enough history",
        "reason": reason,
        "next_step": "give at least one visit with a code that the data set knows; see `iikea records check`",
    }


def _cap(visits: list[list[str]], limit: int) -> tuple[list[list[str]], list[str]]:
    recent_first = list(dict.fromkeys(key for visit in reversed(visits) for key in visit))
    if len(recent_first) <= limit:
        return visits, []
    kept = set(recent_first[:limit])
    capped = [kept_visit for visit in visits if (kept_visit := [key for key in visit if key in kept])]
    left_out = len(recent_first) - limit
    return capped, [f"the {limit} most recent history diseases are used; {left_out} older ones were left out"]


def _codes(visits: list[list[str]]) -> list[str]:
    """Every code once, the most recent first."""
    return list(dict.fromkeys(key for visit in reversed(visits) for key in visit))


def _diseases(keys: Iterable[str], role: str, settings: Settings) -> dict[str, dict[str, Any]]:
    vocabulary = open_dataset(settings.store).vocabulary
    library = None if settings.without_knowledge else open_library(settings.library)
    diseases = {}
    for key in keys:
        concept = vocabulary.concept(key)
        diseases[key] = {
            "code": key,
            "dotted": concept.dotted,
            "system": concept.system,
            "display": concept.display,
            "role": role,
            "aliases": list(library.aliases(concept.code)) if library else [],
        }
    return diseases

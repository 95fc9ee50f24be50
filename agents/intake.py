"""The patient comes in: codes are admitted, the diseases that may come next are selected."""

from collections.abc import Iterable
from typing import Annotated, Any, TypedDict

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from agents.budget import require_priced
from agents.cases import CaseDisease
from agents.endpoints import why_near
from agents.providers import require_admissible
from agents.settings import Settings
from tools.catalogue import select_candidates
from tools.knowledge.shelf import Shelf
from tools.records.faults import counted
from tools.records.history import Place, read_history
from tools.resources import open_dataset, open_shelf
from tools.safety.errors import InputError
from tools.safety.free_text import hold

_PLACES_SHOWN = 5
LEFT_OUT = "left out"
_NEAR = "models and embeddings were asked on this machine or on listed hosts only, for {why}"
_CHECKED = "remove it, or give `comment_checked: true` once you have looked at it"
_DEMO = "no store was named: every number comes from the simulated demo cohort, not from real records"


class Arrival(BaseModel):
    """What a caller may give."""

    model_config = ConfigDict(strict=True, extra="ignore")

    history: list[list[str]] = []
    comment: Annotated[str, StringConstraints(max_length=2_000)] = ""
    comment_checked: bool = False


class Admitted(TypedDict):
    """What `select` reads."""

    visits: list[list[str]]
    diseases: dict[str, dict[str, Any]]
    settings: dict[str, Any]


def admit(given: dict[str, Any], run_settings: dict[str, Any]) -> dict[str, Any]:
    """Turns the caller's codes into vocabulary keys; refuses a history without a known code.

    Raises:
        InputError: not of the form of `Arrival`, or a spelling that is no code; by place, never the value.
            Or one of the run's models, or of its libraries, is where it must not be.
        Held: the comment may identify a person, and nobody says that it was looked at.
    """
    settings = Settings.model_validate(run_settings)
    why = require_admissible(settings)
    require_priced(settings)
    arrival = _arrival(given)
    hold("comment", arrival.comment, arrival.comment_checked, _CHECKED)
    dataset = open_dataset(settings.store)
    history = read_history(arrival.history, dataset.vocabulary)
    visits = [list(visit) for visit in history.visits if visit]
    near = [_NEAR.format(why=why)] if why else []
    notices = [*([] if settings.store else [_DEMO]), *near, *history.notices]
    if history.unknown:
        unknown = counted(len(history.unknown), "code")
        notices.append(f"{unknown} not in the data set's vocabulary, left out: {_places(history.unknown)}")
    if not visits:
        refusal = _not_enough_history(len(history.unknown))
        return {"refusal": refusal, "notices": notices, "focus": arrival.comment}
    codes = _codes(visits)
    used, left_out = codes[: settings.max_history], codes[settings.max_history :]
    if left_out:
        count = counted(len(left_out), "older one")
        notices.append(f"the {len(used)} most recent history diseases enter the graph; {count} left out")
    diseases = _diseases(used, "history", settings) | _diseases(left_out, LEFT_OUT, settings)
    return {"visits": visits, "diseases": diseases, "notices": notices, "focus": arrival.comment}


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


def _arrival(given: dict[str, Any]) -> Arrival:
    try:
        return Arrival.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise InputError(
            place, f"{fault['msg']}; give `history` as a list of visits, each a list of codes"
        ) from None


def case_diseases(diseases: dict[str, dict[str, Any]]) -> tuple[CaseDisease, ...]:
    """The diseases of the case as a mind sees them; history that was left out is not among them."""
    return tuple(
        CaseDisease(code=d["code"], name=d["display"], role=d["role"], aliases=tuple(d["aliases"]))
        for d in diseases.values()
        if d["role"] != LEFT_OUT
    )


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


def _codes(visits: list[list[str]]) -> list[str]:
    """Every code once, the most recent first."""
    return list(dict.fromkeys(key for visit in reversed(visits) for key in visit))


def _shelves(settings: Settings) -> list[Shelf]:
    """The run's libraries, then the one that ships with us; none for a run that reads nothing."""
    if settings.without_knowledge:
        return []
    own = open_shelf(settings.libraries, why_near(settings))
    return [own, open_shelf()] if settings.libraries else [own]


def _names(libraries: Iterable[Shelf], code: str, system: str) -> list[str]:
    """What a disease is called in text: by the run's libraries, then by the one that ships with us."""
    return list(dict.fromkeys(name for shelf in libraries for name in shelf.aliases(code, system)))


def _diseases(keys: Iterable[str], role: str, settings: Settings) -> dict[str, dict[str, Any]]:
    vocabulary = open_dataset(settings.store).vocabulary
    libraries = _shelves(settings)
    diseases = {}
    for key in keys:
        concept = vocabulary.concept(key)
        diseases[key] = {
            "code": key,
            "dotted": concept.dotted,
            "system": concept.system,
            "display": concept.display,
            "role": role,
            "aliases": _names(libraries, concept.code, concept.system),
        }
    return diseases

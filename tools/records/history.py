"""One patient's history, typed by hand or taken from the records."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tools.records.cohort import Vocabulary
from tools.records.concepts.codes import category, is_well_spelled, normalise, system_name
from tools.records.faults import FAULTS_KEPT, counted
from tools.safety.errors import Fault, InputError

MOST_VISITS = 1_000
MOST_CODES = 500
LONGEST_TEXT = 100_000
_SHAPE = '[["250.00", "401.9"], ["428.0"]]'
_HEADINGS_SHOWN = 5
_BETWEEN_CODES = re.compile(r"[\s,]+")


class Place(NamedTuple):
    """A place in a typed history, counted from 1 (visit 1 is the oldest)."""

    visit: int
    code: int


class History(NamedTuple):
    """What is known of a patient before the visit to be predicted.

    Attributes:
        visits: vocabulary keys of each visit, sorted, each once; oldest first. A visit is empty when the
            data set knows none of its codes.
        unknown: places of well-spelled codes of which the data set knows neither the code nor a heading.
        notices: where a heading stands for a code, and what was left out to stay within the limits.
    """

    visits: tuple[tuple[str, ...], ...]
    unknown: tuple[Place, ...] = ()
    notices: tuple[str, ...] = ()


def split_history(text: str) -> list[list[str]]:
    """The spellings of a typed history, visit by visit.

    Args:
        text: visits oldest first, separated by `;`, their codes by spaces or commas. Blank text is no visit.

    Raises:
        InputError: text of over 100,000 characters.
    """
    if len(text) > LONGEST_TEXT:
        raise InputError("history", f"longer than {LONGEST_TEXT:,} characters; give the recent visits")
    body = text.strip().rstrip(";").rstrip()
    return [[s for s in _BETWEEN_CODES.split(part) if s] for part in body.split(";")] if body else []


def read_history(visits: Sequence[Sequence[str]], vocabulary: Vocabulary) -> History:
    """Look up the codes of a history.

    Args:
        visits: oldest first; codes with or without dots, `SYSTEM:code` where the data set holds several
            code systems.
        vocabulary: the codes of the data set. For an ICD code that is not among them the longest heading
            that is counts (`250` for `250.00`), with a notice.

    Returns:
        The history, cut to the last 1,000 visits and the 500 latest codes.

    Raises:
        InputError: no list of visits, a visit that is no list or has no codes, or a code that is no text or
            is spelled as no code of the data set's systems can be; `faults` gives the visit as row and
            `code N` as column.
    """
    if not isinstance(visits, list | tuple):
        raise InputError("history", f"not a list of visits; write it as {_SHAPE}")
    read: list[tuple[str, ...]] = []
    unknown: list[Place] = []
    headings: list[str] = []
    faults: list[Fault] = []
    for number, spellings in enumerate(visits, start=1):
        rule = _broken_by_visit(spellings)
        if rule is not None:
            faults.append(Fault(number, "visit", rule))
            continue
        keys: set[str] = set()
        for position, spelling in enumerate(spellings, start=1):
            found = _look_up(spelling, vocabulary)
            if isinstance(found, _Found):
                keys.add(found.key)
                if found.is_heading:
                    headings.append(f"visit {number} code {position} ({found.key})")
            elif found is None:
                unknown.append(Place(number, position))
            else:
                faults.append(Fault(number, f"code {position}", found.rule))
        read.append(tuple(sorted(keys)))
    _refuse(faults)
    return _within_limits(History(tuple(read), tuple(unknown), _stood_for(headings)))


def _stood_for(headings: list[str]) -> tuple[str, ...]:
    if not headings:
        return ()
    shown = ", ".join(headings[:_HEADINGS_SHOWN]) + (", ..." if len(headings) > _HEADINGS_SHOWN else "")
    codes = counted(len(headings), "code")
    return (f"{codes} not in the data set, whose heading was used instead: {shown}",)


class _Found(NamedTuple):
    key: str
    is_heading: bool = False


class _Misspelt(NamedTuple):
    rule: str


def _broken_by_visit(spellings: object) -> str | None:
    if not isinstance(spellings, list | tuple):
        return f"not a list of codes; write the history as {_SHAPE}"
    return None if spellings else "no code in it; give one, or leave the visit out"


def _look_up(spelling: object, vocabulary: Vocabulary) -> _Found | _Misspelt | None:
    """The key of a spelling, None where the data set does not know it, or the rule that it breaks."""
    if not isinstance(spelling, str):
        return _Misspelt('not text; put the code in quotes, as in "250.00"')
    named, colon, code = spelling.strip().rpartition(":")
    systems = (system_name(named),) if colon else vocabulary.systems
    possible = [s for s in systems if s in vocabulary.systems and is_well_spelled(s, code)]
    if not possible:
        wanted = " or ".join(vocabulary.systems)
        return _Misspelt(f"no {wanted} code is spelled like this; write codes as in 250.00 401.9; 428.0")
    holding = [system for system in possible if vocabulary.find(code, system)]
    if len(holding) > 1:
        return _Misspelt(f"is in {' and '.join(holding)}; write it as SYSTEM:code")
    if not holding:
        headed = [key for system in possible if (key := _heading(code, system, vocabulary))]
        return _Found(headed[0], is_heading=True) if len(headed) == 1 else None
    key = vocabulary.find(code, holding[0])
    return _Found(key) if key else None


def _heading(code: str, system: str, vocabulary: Vocabulary) -> str | None:
    """The longest heading of a code that the data set has."""
    whole = normalise(system, code)
    shortest = len(category(system, whole))
    lengths = range(len(whole) - 1, shortest - 1, -1)
    return next((key for n in lengths if (key := vocabulary.find(whole[:n], system))), None)


def _refuse(faults: list[Fault]) -> None:
    if faults:
        first = faults[0]
        place = f"visit {first.row}" if first.column == "visit" else f"visit {first.row}, {first.column}"
        more = f" ({len(faults)} such places in all)" if len(faults) > 1 else ""
        raise InputError("history", f"{place}: {first.rule}{more}", faults=tuple(faults[:FAULTS_KEPT]))


def _within_limits(history: History) -> History:
    notices = list(history.notices)
    dropped_visits = max(0, len(history.visits) - MOST_VISITS)
    if dropped_visits:
        notices.append(
            f"{counted(dropped_visits, 'oldest visit')} left out: at most {MOST_VISITS:,} are used"
        )
    visits = history.visits[dropped_visits:]
    latest = tuple(dict.fromkeys(key for visit in reversed(visits) for key in visit))
    if len(latest) > MOST_CODES:
        kept = frozenset(latest[:MOST_CODES])
        visits = tuple(tuple(key for key in visit if key in kept) for visit in visits)
        left_out = counted(len(latest) - MOST_CODES, "code")
        notices.append(f"{left_out} seen longest ago left out: at most {MOST_CODES} are used")
    return History(visits, history.unknown, tuple(notices))

"""Elements of FHIR resources, whatever their version or their vendor made of them."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from tools.records.concepts.codes import ICD9CM, ICD10CM, SNOMED, is_system, system_name
from tools.records.formats.fhir.places import Json, Named
from tools.records.formats.long_csv import NO_SYSTEM

_PREFERRED = (ICD10CM, ICD9CM, SNOMED)
_LONGEST_ID = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})([T ].*)?)?)?", re.ASCII)
_CLOCK = re.compile(r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_RESTFUL = re.compile(r"(?:[^#?]*/)?([A-Za-z]+)/([^/#?]+)(?:/_history/[^/#?]+)?")
_UUID = "urn:uuid:"
_named = lru_cache(maxsize=1024)(system_name)


class ElementFault(ValueError):
    """An element that breaks a rule. Args: its path (`Condition.code`), and the rule."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path}: {rule}")
        self.path = path
        self.rule = rule


class Moment(NamedTuple):
    """A date or time.

    Attributes:
        seconds: since 1970, UTC where there is no offset; of the day's begin where there is no time.
        day: since 1970, as written: where it happened, not in UTC.
        is_partial: whether month or day are missing; then it is the first.
    """

    seconds: int
    day: int
    is_partial: bool


class Coded(NamedTuple):
    """A diagnosis: system as `system_name` gives it, code as it was written, display or an empty text."""

    system: str
    code: str
    display: str


def text_of(holder: Json, name: str, path: str) -> str:
    """Text without outer spaces; empty where there is none.

    Args:
        holder: an object.
        name: of its element.
        path: of the holder.

    Raises:
        ElementFault: it is no text.
    """
    value = holder.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ElementFault(f"{path}.{name}", "not text")
    return value.strip()


def object_of(holder: Json, name: str, path: str) -> Json:
    """An object; empty where there is none. Raises ElementFault, see `text_of`."""
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ElementFault(f"{path}.{name}", "not an object")
    return value


def objects_of(holder: Json, name: str, path: str) -> list[Json]:
    """A list of objects; empty where there is none. Raises ElementFault, see `text_of`."""
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ElementFault(f"{path}.{name}", "not a list of objects")
    return value


def usable_id(text: str, path: str) -> str:
    """An id as it is. Raises ElementFault where it is empty, long or not printable."""
    if not text:
        raise ElementFault(path, "empty; every resource needs an id")
    if len(text) > _LONGEST_ID or not text.isprintable():
        raise ElementFault(path, f"not an id: 1 to {_LONGEST_ID} printable characters")
    return text


def moment(text: str, path: str) -> Moment:
    """A FHIR date or dateTime such as `2019`, `2019-05` or `2019-05-31T08:30:00-05:00`.

    Raises:
        ElementFault: it is neither.
    """
    shaped = _DATE.fullmatch(text)
    if shaped is None or (shaped[4] and not _CLOCK.fullmatch(shaped[4])):
        raise ElementFault(path, _NO_DATE)
    try:
        day = date(int(shaped[1]), int(shaped[2] or 1), int(shaped[3] or 1))
        at = datetime.fromisoformat(text) if shaped[4] else datetime(day.year, day.month, day.day)
    except ValueError:
        raise ElementFault(path, _NO_DATE) from None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return Moment((aware - _EPOCH) // _SECOND, (day - _EPOCH.date()).days, shaped[3] is None)


_NO_DATE = "not a date such as 2019, 2019-05, 2019-05-31 or 2019-05-31T08:30:00-05:00"


def target(text: str, wanted: str, full_urls: Mapping[str, Named]) -> str | None:
    """The id that a reference leads to; None where it leads to no resource of the wanted type.

    Args:
        text: `Patient/1`, `Patient/1/_history/2`, a URL that ends so, `urn:uuid:...`, or any fullUrl.
        wanted: the type.
        full_urls: of the bundle.
    """
    named = full_urls.get(text)
    if named is None and (shaped := _RESTFUL.fullmatch(text)):
        named = Named(shaped[1], shaped[2])
    if named is not None:
        return named.id if named.type == wanted else None
    return text.removeprefix(_UUID) if text.startswith(_UUID) else None


def id_in_url(full_url: str) -> str:
    """The id that a fullUrl ends with."""
    return full_url.rpartition("/" if "/" in full_url else ":")[2]


def referenced(holder: Json, name: str, wanted: str, full_urls: Mapping[str, Named]) -> str | None:
    """The id that an element refers to; None where it has no reference.

    Args:
        holder: the resource.
        name: of the element.
        wanted: type of what it must refer to.
        full_urls: of the bundle.

    Raises:
        ElementFault: the reference cannot lead to such a resource.
    """
    path = f"{holder['resourceType']}.{name}"
    text = text_of(object_of(holder, name, holder["resourceType"]), "reference", path)
    if not text:
        return None
    found = target(text, wanted, full_urls)
    if not found:
        raise ElementFault(path, f"leads to no {wanted}; give {wanted}/ID, or the fullUrl of an entry")
    return found


def coded(condition: Json) -> Coded | None:
    """The diagnosis: its first coding of ICD-10-CM, else ICD-9-CM, else SNOMED CT, else of any system.

    Returns:
        None where no coding has both a system and a code.

    Raises:
        ElementFault: an element has another shape, or the system is no name.
    """
    concept = object_of(condition, "code", "Condition")
    best: tuple[int, Coded] | None = None
    for coding in objects_of(concept, "coding", "Condition.code"):
        code, system, display = (text_of(coding, name, _CODING) for name in ("code", "system", "display"))
        if code and system:
            named = _named(system)
            order = _PREFERRED.index(named) if named in _PREFERRED else len(_PREFERRED)
            if best is None or order < best[0]:
                best = (order, Coded(named, code, display))
    if best is None:
        return None
    found = best[1]
    if not is_system(found.system):
        raise ElementFault(f"{_CODING}.system", NO_SYSTEM)
    display = found.display or text_of(concept, "text", "Condition.code")
    return found._replace(display="".join(c if c.isprintable() else " " for c in display))


_CODING = "Condition.code.coding"


def statuses(resource: Json, name: str) -> set[str]:
    """Codes of a status, which older versions write as plain text and newer ones as codings."""
    path = resource["resourceType"]
    if isinstance(resource.get(name), str):
        return {text_of(resource, name, path).lower()}
    codings = objects_of(object_of(resource, name, path), "coding", f"{path}.{name}")
    return {text_of(coding, "code", f"{path}.{name}.coding").lower() for coding in codings}

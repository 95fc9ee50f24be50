"""FHIR bundles: a file of resources that refer to each other by fullUrl, read one file at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.records.formats.fhir.bulk import TYPES
from tools.records.formats.fhir.elements import id_in_url
from tools.records.formats.fhir.places import Found, Json, Named, Reading

BUNDLE = "Bundle"
_LONGEST_BUNDLE = 1 << 28


def resources(files: Sequence[Path], reading: Reading) -> Iterator[Found]:
    """The resources of the bundles, of the types that are read.

    Faults tell a bundle by its place among the files in the order of their names, since exporters put the
    patient's name into that of the file. Files that are no bundle are left out and counted.

    Raises:
        InputError: a file cannot be opened.
    """
    for number, path in enumerate(files, start=1):
        file = reading.begin(f"bundle {number}" if len(files) > 1 else "bundle")
        bundle = _read(path, file, reading)
        if bundle is not None:
            yield from _entries(bundle, file, reading)


def _read(path: Path, file: int, reading: Reading) -> Json | None:
    before = reading.faults.count
    step = "export it as bulk data, a resource a line"
    text = "".join(reading.pieces(path, file, longest=_LONGEST_BUNDLE, by_line=False, step=step))
    if reading.faults.count > before:
        return None
    found = reading.parse(text, file, 1)
    if found is not None and found["resourceType"] != BUNDLE:
        reading.count("file", "that is a resource but no Bundle, left out")
        return None
    return found


def _entries(bundle: Json, file: int, reading: Reading) -> Iterator[Found]:
    entries = bundle.get("entry") or []
    if not isinstance(entries, list):
        reading.note(file, 1, "Bundle.entry", "not a list")
        return
    full_urls: dict[str, Named] = {}
    found: list[Found] = []
    for row, entry in enumerate(entries, start=1):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if resource is None and isinstance(entry, dict):
            reading.count("part", "of a bundle without a resource, left out")
            continue
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            reading.note(file, row, "Bundle.entry.resource", "not an object with a resourceType")
        elif resource["resourceType"] == BUNDLE:
            reading.note(file, row, "Bundle.entry.resource", "a Bundle itself; save it as a file of its own")
        elif resource["resourceType"] in TYPES:
            full_url, id_ = _identity(entry, resource)
            if full_url:
                full_urls[full_url] = Named(resource["resourceType"], id_)
            found.append(Found(file, row, resource, id_, full_urls))
    yield from found


def _identity(entry: Json, resource: Json) -> tuple[str, str]:
    """The fullUrl of an entry and the id of its resource; a new resource may have but the former."""
    texts = (entry.get("fullUrl"), resource.get("id"))
    full_url, id_ = (text.strip() if isinstance(text, str) else "" for text in texts)
    return full_url, id_ or id_in_url(full_url)

"""FHIR R4: bundles, as Synthea and servers write them, or a folder of bulk data; read as plain JSON.

Only Patient, Encounter and Condition are read. Real files break the standard in places that do not matter
here, so no model of the whole standard checks them.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.records.cohort import Cohort
from tools.records.files.opening import UNREADABLE, open_text
from tools.records.formats.fhir import bulk as fhir_bulk
from tools.records.formats.fhir import bundle as fhir_bundle
from tools.records.formats.fhir.collected import Collected
from tools.records.formats.fhir.encounters import cohort
from tools.records.formats.fhir.places import Found, Reading
from tools.safety.errors import InputError

NAME = "fhir"
NEEDS = (
    "a Bundle in a .json file, a folder of them, or a folder with Patient, Encounter and Condition*.ndjson"
)
_JSON = re.compile(r"[^.].*\.json(?:\.gz|\.zst)?", re.IGNORECASE)
_SNIFFED_FILES, _SNIFFED_CHARACTERS = 5, 1 << 16


def matches(path: Path) -> bool:
    """Whether a path is such a file or folder, told by names and the first characters of a few files."""
    files = _files(path)
    bundles = _bundles(files)[:_SNIFFED_FILES]
    return bool(path.is_dir() and fhir_bulk.bulk_files(files)) or any(_is_fhir(file) for file in bundles)


def read(path: Path) -> Cohort:
    """Read a file, or all of a folder as one; bulk data is read where there is any, line by line.

    Raises:
        InputError: no such file, or resources break rules (`RecordFaults`).
    """
    reading = Reading()
    found = Collected(reading)
    for resource in resources(path, reading):
        found.add(resource)
    if path.is_dir():
        deeper = sum(entry.is_dir() for entry in path.iterdir())
        reading.count("folder", "in the folder, not looked into", deeper)
    return cohort(NAME, found)


def resources(path: Path, reading: Reading, types: Sequence[str] = fhir_bulk.TYPES) -> Iterator[Found]:
    """The resources that are read of a file or folder.

    Args:
        path: of it.
        reading: where faults are noted.
        types: of these.

    Raises:
        InputError: no such file, or one cannot be opened.
    """
    files = _files(path)
    bulk = fhir_bulk.bulk_files(files) if path.is_dir() else ()
    bundles = _bundles(files)
    if not (bulk or bundles):
        raise InputError("records", f"{NAME} needs {NEEDS}")
    if not bulk:
        found = fhir_bundle.resources(bundles, reading)
        return (each for each in found if each.resource["resourceType"] in types)
    fhir_bulk.require_types(bulk)
    return fhir_bulk.resources([file for file in bulk if file.type in types], reading)


def _files(path: Path) -> list[Path]:
    try:
        entries = sorted(path.iterdir()) if path.is_dir() else [path]
        return [entry for entry in entries if entry.is_file()]
    except OSError as error:
        rule = f"the folder cannot be read ({error.strerror}); check its rights"
        raise InputError("records", rule) from None


def _bundles(files: Sequence[Path]) -> list[Path]:
    return [file for file in files if _JSON.fullmatch(file.name)]


def _is_fhir(file: Path) -> bool:
    try:
        with open_text(file, "records") as stream:
            return '"resourceType"' in stream.read(_SNIFFED_CHARACTERS)
    except UNREADABLE:
        return False

"""FHIR bulk data: one resource a line, in files by type, read line by line."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.records.formats.fhir.places import Found, Reading
from tools.safety.errors import InputError

TYPES = ("Patient", "Encounter", "Condition")
_NAME = re.compile(
    r"(?:.*[._-]|mimic)?(patient|encounter|condition).*\.ndjson(?:\.gz|\.zst)?", re.ASCII | re.IGNORECASE
)
_LONGEST_LINE = 1 << 24  # a photograph in a Patient fits


class BulkFile(NamedTuple):
    """A file and the type that its name tells."""

    type: str
    path: Path


def bulk_files(files: Sequence[Path]) -> tuple[BulkFile, ...]:
    """Those of the files that are bulk data of a type that is read, by type and then name."""
    found = [(_NAME.fullmatch(file.name), file) for file in files]
    named = [BulkFile(shaped[1].capitalize(), file) for shaped, file in found if shaped]
    return tuple(sorted(named, key=lambda file: (TYPES.index(file.type), file.path.name)))


def require_types(files: Sequence[BulkFile]) -> None:
    """Refuse files of which none is of Patients, or none of Conditions.

    Raises:
        InputError: naming the type.
    """
    for type_ in ("Patient", "Condition"):
        if type_ not in {file.type for file in files}:
            raise InputError("records", f"there is no {type_}*.ndjson in the folder; export that type too")


def resources(files: Sequence[BulkFile], reading: Reading) -> Iterator[Found]:
    """The resources of the files; lines of another type than the file's are left out and counted.

    Raises:
        InputError: a file cannot be opened.
    """
    for type_, path in files:
        file = reading.begin(path.name)
        lines = reading.pieces(path, file, longest=_LONGEST_LINE, by_line=True, step="is this a bulk export?")
        for row, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            resource = reading.parse(line, file, row)
            if resource is None:
                continue
            if resource["resourceType"] != type_:
                reading.count("line", "of another resourceType than the file is named for, left out")
                continue
            id_ = resource.get("id")
            yield Found(file, row, resource, id_.strip() if isinstance(id_, str) else "", {})

"""Stored results: one private JSON file a prediction, and which of them cite a document."""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from tools.reporting.result import DiagnosisResult
from tools.safety.errors import InputError
from tools.safety.files import write_private


class Citing(NamedTuple):
    """A stored result and the passages of a document that it cites."""

    path: Path
    passages: tuple[str, ...]


def store(result: DiagnosisResult, folder: Path) -> Path:
    """Writes a result into a folder of results, readable by its owner only; says where.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    text = result.model_dump_json(indent=2) + "\n"
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{sha256(text.encode()).hexdigest()[:12]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(folder / name, text.encode())
    except OSError as error:
        raise InputError("results", f"cannot be written to ({error.strerror}); name another folder") from None
    return folder / name


def citing(folder: Path, doc_id: str) -> list[Citing]:
    """The results of a folder that cite passages of a document.

    Raises:
        InputError: no such folder, or a JSON file in it that is no result; names the file.
    """
    if not folder.is_dir():
        raise InputError("results", "no such folder; `iikea predict --results FOLDER` makes one")
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            result = DiagnosisResult.model_validate_json(path.read_bytes())
        except ValidationError:
            raise InputError(path.name, "not a stored result; move it out of the folder of results") from None
        passages = dict.fromkeys(key for key in _cited(result) if key.partition("#")[0] == doc_id)
        if passages:
            found.append(Citing(path, tuple(passages)))
    return found


def _cited(result: DiagnosisResult) -> Iterator[str]:
    for prediction in result.predictions:
        yield from prediction.evidence
    for edge in result.graph.edges:
        yield from edge.evidence
    if result.knowledge:
        yield from (finding.passage for finding in result.knowledge.findings)

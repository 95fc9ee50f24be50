"""Stored results: one private JSON file a prediction, and which of them cite a document."""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from tools.reporting.result import DiagnosisResult
from tools.safety.errors import InputError
from tools.safety.files import write_whole


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
        write_whole(folder / name, text.encode())
    except OSError as error:
        raise InputError("results", f"cannot be written to ({error.strerror}); name another folder") from None
    return folder / name


def passages_of(library: Path, doc_id: str) -> frozenset[str]:
    """Ids of every passage that a document of a library has ever had.

    Raises:
        InputError: no library there, or a source that is missing or was changed.
    """
    from tools.knowledge.archive import held_documents
    from tools.knowledge.manifest import read_manifest

    read_manifest(library)
    held = held_documents(library, doc_id, datetime.now(UTC).date())
    return frozenset(passage.id for one in held for passage in one.passages)


def citing(folder: Path, passages: frozenset[str]) -> tuple[list[Citing], list[Path]]:
    """The results of a folder that cite some passages; and the JSON files in it that are no results.

    Raises:
        InputError: no such folder.
    """
    if not folder.is_dir():
        raise InputError("results", "no such folder; `iikea predict --results FOLDER` makes one")
    found: list[Citing] = []
    unreadable: list[Path] = []
    for path in sorted(folder.glob("*.json")):
        try:
            result = DiagnosisResult.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            unreadable.append(path)
            continue
        cited = dict.fromkeys(key for key in _cited(result) if key in passages)
        if cited:
            found.append(Citing(path, tuple(cited)))
    return found, unreadable


def _cited(result: DiagnosisResult) -> Iterator[str]:
    for prediction in result.predictions:
        yield from prediction.evidence
    for edge in result.graph.edges:
        yield from edge.evidence
    if result.knowledge:
        yield from (finding.passage for finding in result.knowledge.findings)

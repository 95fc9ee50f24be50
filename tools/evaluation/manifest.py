"""What a run of an evaluation was: all that its numbers depend on, so that no other run is mixed in."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from tools.records.cohort import Cohort
from tools.safety.errors import InputError
from tools.safety.files import write_whole

MANIFEST = "manifest.json"
_PACKAGES = (
    *("langchain", "langchain-core", "langchain-openai", "langgraph", "networkx", "numba", "numpy"),
    *("pydantic", "scikit-learn", "scipy"),
)
_MAY_DIFFER = frozenset({"methods", "limit", "seeds", "stores"})


class LibraryRecord(BaseModel):
    """A knowledge library as it was read."""

    model_config = ConfigDict(frozen=True)

    title: str
    version: str
    retrieval: str


class RunManifest(BaseModel):
    """Everything that decides the numbers of a run.

    Attributes:
        data: sha256 of the cohort, see `cohort_hash`.
        format: that the records came in.
        credentialed: whether third parties must not see the records.
        split: kind of split.
        vocabulary: `full` or `category`.
        model: that the graph's agents ask.
        roles: other models that they ask, by role; and the `fallback`.
        settings: sha256 of the graph's settings.
        prompts: sha256 of each prompt of the diagnosis graph, by name.
        libraries: that were searched, the most trusted first.
        versions: of the packages that compute.
        code: sha256 of this program's own files.
        methods: rows of the table.
        seeds: of the splits.
        limit: of test patients a split; None for all.
        stores: hash of the training data of each seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    format: str
    credentialed: bool = False
    split: str
    vocabulary: str
    model: str
    roles: dict[str, str] = {}
    settings: str
    prompts: dict[str, str]
    libraries: tuple[LibraryRecord, ...]
    versions: dict[str, str]
    code: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    limit: int | None
    stores: dict[int, str]

    def differences(self, other: "RunManifest") -> tuple[str, ...]:
        """Names of what differs so that outcomes of the one are none of the other's; inner names dotted."""
        found: list[str] = []
        for field in type(self).model_fields:
            mine, theirs = getattr(self, field), getattr(other, field)
            if field in _MAY_DIFFER or mine == theirs:
                continue
            if isinstance(mine, dict):
                names = sorted(name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name))
                found += [f"{field}.{name}" for name in names]
            else:
                found.append(field)
        return tuple(found)


def settle(manifest: RunManifest, folder: Path) -> None:
    """Writes a run's manifest, unless the folder holds outcomes of another run.

    Methods, seeds and the limit may differ from the last run's: outcomes are kept by method, seed and
    patient.

    Raises:
        InputError: the folder is another run's; the message names what differs.
    """
    path = folder / MANIFEST
    if path.exists():
        try:
            earlier = RunManifest.model_validate_json(path.read_bytes())
        except ValidationError:
            raise InputError("out", f"its {MANIFEST} is damaged; name another folder") from None
        if differing := manifest.differences(earlier):
            rule = f"holds a run with another {', '.join(differing)}; name another folder, or run as then"
            raise InputError("out", rule)
    write_whole(path, (manifest.model_dump_json(indent=2) + "\n").encode())


def cohort_hash(cohort: Cohort) -> str:
    """Sha256 of the codes of all visits in order, hexadecimal; names and patient ids are no part of it."""
    digest = hashlib.sha256()
    for system, code in zip(cohort.vocabulary.columns.system, cohort.vocabulary.columns.code, strict=True):
        digest.update(f"{system}\0{code}\0".encode())
    for array in (cohort.visit_offsets, cohort.code_offsets, cohort.codes):
        digest.update(f"{len(array)}\0".encode())
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    return digest.hexdigest()


def joint_hash(parts: Iterable[str]) -> str:
    """Sha256 of texts in order, hexadecimal; of a single one that is a hash, itself."""
    texts = list(parts)
    if len(texts) == 1:
        return texts[0]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of the packages that numbers depend on."""
    return {name: _version(name) for name in _PACKAGES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


@cache
def code_hash(*folders: Path) -> str:
    """Sha256 of all files of some folders with their places, hexadecimal; byte code is left out.

    Taken once a process, which goes on running the code that it has loaded.
    """
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(folder.parent).as_posix()}\0{content}\0".encode())
    return digest.hexdigest()

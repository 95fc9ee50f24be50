"""What the tools work on, opened once a process: data sets, their diagnosis matrices, libraries."""

import gc
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tools.safety.destinations import why_operator
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from tools.causal.matrix import DiagnosisMatrix
    from tools.dataset.clinical import ClinicalDataset
    from tools.knowledge.library import KnowledgeLibrary
    from tools.knowledge.shelf import Shelf
    from tools.prediction.forecast import NextVisitModel

_Stamp = tuple[int, ...]

_LEARNING = Lock()  # threads that ask at once wait for one to learn

DATA = Path(__file__).parents[1] / "data"
DEMO_RECORDS = DATA / "demo" / "cohort.csv.gz"
DEMO_LIBRARY = DATA / "knowledge"


def open_dataset(store: str = "") -> "ClinicalDataset":
    """The clinical dataset of a store folder; of the demo cohort when `store` is empty.

    Raises:
        InputError: no such store, or a broken one.
    """
    if not store:
        _refuse_missing(DEMO_RECORDS)
        return _demo_dataset(DEMO_RECORDS)
    return _dataset(*_place(store))


def _place(store: str) -> tuple[Path, _Stamp]:
    """Where a store lies, and what differs whenever another one does, or it was written."""
    folder = Path(store).absolute()
    try:
        found = (folder / "manifest.json").stat()
        stamp: _Stamp = (found.st_mtime_ns, found.st_dev, found.st_ino)
    except OSError:
        stamp = ()
    return _resolved(folder, stamp), stamp


@lru_cache(maxsize=64)
def _resolved(folder: Path, _stamp: _Stamp) -> Path:
    """To follow the links of a path takes long, and tools ask many times a patient."""
    return folder.resolve()


@lru_cache(maxsize=4)
def _dataset(folder: Path, stamp: _Stamp) -> "ClinicalDataset":
    from tools.dataset.clinical import ClinicalDataset

    dataset = ClinicalDataset.open(folder)
    _set_aside_what_stays()
    return dataset


@cache
def _set_aside_what_stays() -> None:
    """Once a process, by when most is imported: else each full collection of garbage visits every module.

    These collections took a twentieth of the time of many cases. What is set aside is freed all the same
    where nothing refers to it; only circles among it would stay.
    """
    gc.collect()
    gc.freeze()


@lru_cache(maxsize=1)
def _demo_dataset(records: Path) -> "ClinicalDataset":
    from tools.dataset.clinical import ClinicalDataset
    from tools.records.read import read_cohort

    return ClinicalDataset.build(read_cohort(records))


def open_matrix(store: str, nodes: tuple[str, ...]) -> "DiagnosisMatrix":
    """The diagnosis matrix of some diseases of a store; the last few are kept.

    Families recur in many cases of a store, so their counts and scores are kept with its data set.
    """
    return _matrix(open_dataset(store), nodes)


@lru_cache(maxsize=4)
def _matrix(dataset: "ClinicalDataset", nodes: tuple[str, ...]) -> "DiagnosisMatrix":
    return dataset.matrix(nodes).shared_in(dataset.memory, map(dataset.vocabulary.column, nodes))


def open_next_visit_model(store: str) -> "NextVisitModel":
    """What a store's records say of next visits, learned when it is first asked for and kept in the store.

    Raises:
        InputError: see `open_dataset`; or no patient has a second visit.
    """
    with _LEARNING:
        return _next_visit_model(open_dataset(store), _place(store)[0] if store else None)


@lru_cache(maxsize=4)
def _next_visit_model(dataset: "ClinicalDataset", folder: Path | None) -> "NextVisitModel":
    from tools.prediction.forecast import NextVisitModel
    from tools.prediction.kept import open_or_learn

    return NextVisitModel.fit(dataset) if folder is None else open_or_learn(dataset, folder)


def open_library(folder: str = "", stay_near: str = "") -> "KnowledgeLibrary":
    """The knowledge library of a folder as of today; the demo library when `folder` is empty.

    Args:
        folder: of the library.
        stay_near: why no query may leave this machine and the hosts that the operator lists; empty: it may.

    Raises:
        InputError: no such folder, a library that breaks a rule, or one whose queries would leave.
    """
    if not folder:
        _refuse_missing(DEMO_LIBRARY)
    path = Path(folder).resolve() if folder else DEMO_LIBRARY
    if stay_near := stay_near or why_operator():
        from tools.knowledge.manifest import read_manifest
        from tools.knowledge.opening import require_near_library

        require_near_library(read_manifest(path), stay_near)
    return _library(path, _stamp(path), datetime.now(UTC).date())


def open_shelf(folders: Sequence[str] = (), stay_near: str = "") -> "Shelf":
    """Several knowledge libraries as one, the most trusted first; the demo library when none is named.

    Raises:
        InputError: see `open_library`; or one is named twice.
    """
    from tools.knowledge.shelf import Shelf

    return Shelf([open_library(folder, stay_near) for folder in folders or ("",)])


@lru_cache(maxsize=8)
def _library(folder: Path, stamp: int, today: date) -> "KnowledgeLibrary":
    from tools.knowledge.library import KnowledgeLibrary

    return KnowledgeLibrary(folder, today)


def _stamp(folder: Path) -> int:
    """Differs whenever the library, its manifest of documents or its index was written."""
    files = [folder / "library.json", folder / "documents.jsonl", folder / "index" / "CURRENT"]
    found = [file.lstat() if file.exists() else None for file in files]
    return hash(tuple(state and (state.st_mtime_ns, state.st_size) for state in found))


def _refuse_missing(path: Path) -> None:
    if not path.exists():
        rule = f"{path.name} is not beside the code; install with `pip install -e .` from a checkout"
        raise InputError("demo data", rule)

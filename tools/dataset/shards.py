"""A data set from patient-disjoint parquet shards: each is counted by itself, then the counts are joined."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tools.dataset import store
from tools.dataset.clinical import ClinicalDataset
from tools.dataset.merge import merge
from tools.records.cohort import Cohort
from tools.records.faults import FAULTS_KEPT, RecordFaults
from tools.records.formats import parquet
from tools.safety.errors import Fault, InputError

Marks = npt.NDArray[np.uint64]
Progress = Callable[[int, int], None]
Count = Callable[[Path], "Counted"]
Runner = Callable[[Count, Sequence[Path]], Iterable["Counted"]]

_STORE, _MARKS = "store", "patients.npy"
_KEYS = ("ii-kea shards: 1", "ii-kea shards: 2")  # 16 characters each
_READER = 1  # of the rules by which a shard is read: parts counted by other ones are not used again


class Refused(NamedTuple):
    """An `InputError` as a value, which can go from a process to another; `n_faults` is 0 but for faults."""

    field: str
    rule: str
    n_faults: int
    faults: tuple[Fault, ...]


class Counted(NamedTuple):
    """A shard that has been counted, or why it has not been.

    Attributes:
        shard: the file.
        part: folder of what was counted.
        refused: None where there is a part.
    """

    shard: Path
    part: Path
    refused: Refused | None = None


def in_turn(count: Count, shards: Sequence[Path]) -> Iterable[Counted]:
    """The `Runner` that counts one shard after the other in this process."""
    return map(count, shards)


def fit_shards(
    path: Path | str,
    folder: Path | str,
    system: str | None = None,
    run: Runner = in_turn,
    progress: Progress = lambda done, total: None,
    credentialed: bool = False,
) -> ClinicalDataset:
    """Count a folder of parquet shards into a store; each shard is read once and by itself.

    The store equals that of all records read at once, but that patients are numbered by shard first, by id
    within it. Until the store is there, what has been counted stays in `.NAME.parts` beside it; a second run
    after an interruption goes on from there with the shards that have not changed.

    Args:
        path: folder of the shards, see `tools.records.formats.parquet`.
        folder: where the store goes, see `store.replacing`.
        system: the code system of shards without a system column.
        run: counts the shards, in any order, here or in other processes that see the same disk.
        progress: told how many shards of how many are done.
        credentialed: whether the records may not be shown to third parties.

    Returns:
        The store, opened.

    Raises:
        InputError: a shard cannot be read or breaks rules (`RecordFaults`, over all shards), a patient is in
            two shards, or the disk refuses.
    """
    target, shards = Path(folder), parquet.shards(Path(path))
    store.refuse_other_files(target)
    work = target.parent / f".{target.name}.parts"
    done: dict[Path, Counted] = {}
    progress(0, len(shards))
    for counted in run(partial(count_shard, work=work, system=system), shards):
        done[counted.shard] = counted
        progress(len(done), len(shards))
    in_order = [done[shard] for shard in shards]
    _refuse([counted.refused for counted in in_order if counted.refused])
    _refuse_shared_patients(in_order)
    # Each part has just been written, or verified before it was used again.
    dataset = merge(
        [counted.part / _STORE for counted in in_order], target, verify=False, credentialed=credentialed
    )
    shutil.rmtree(work, ignore_errors=True)
    return dataset


def count_shard(shard: Path, work: Path, system: str | None) -> Counted:
    """Count one shard into a part, or find the part of an earlier run.

    Args:
        shard: a parquet file.
        work: folder of the parts.
        system: the code system of a shard without a system column.
    """
    part = work
    try:
        part = work / _key(shard, system)
        if not _is_whole(part):
            _write(parquet.read(shard, system), part)
    except RecordFaults as error:
        return Counted(shard, part, Refused(error.field, error.rule, error.count, error.faults))
    except InputError as error:
        return Counted(shard, part, Refused(error.field, error.rule, 0, ()))
    return Counted(shard, part)


def _key(shard: Path, system: str | None) -> str:
    """Name of the part of a shard: by its contents, how they are read and how counts are kept."""
    try:
        with shard.open("rb") as stream:
            contents = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            shard.name, f"the file cannot be opened ({error.strerror}); check its rights"
        ) from None
    rules = f"{contents}\0{system}\0{_READER}\0{store.FORMAT_VERSION}"
    return hashlib.sha256(rules.encode()).hexdigest()[:32]


def _is_whole(part: Path) -> bool:
    if not part.exists():
        return False
    try:
        dataset = ClinicalDataset.open(part / _STORE, verify=True)
        if _marks(part).shape == (2, dataset.n_patients):
            return True
    except (InputError, OSError, ValueError):
        pass
    shutil.rmtree(part, ignore_errors=True)
    return False


def _write(cohort: Cohort, part: Path) -> None:
    """Write a part in one step."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=part.parent))
        try:
            ClinicalDataset.build(cohort).save(staging / _STORE)
            np.save(staging / _MARKS, _mark(cohort.patient_ids), allow_pickle=False)
            staging.rename(part)
        except OSError:
            # Another process may have counted a file of the same contents meanwhile.
            if not _is_whole(part):
                raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        rule = f"not written ({error.strerror}); free space or name another folder"
        raise InputError("store", rule) from None


def _mark(patient_ids: Sequence[str]) -> Marks:
    """128 bits that stand for each patient, shape (2, n_patients); the ids are not kept."""
    ids = np.array(patient_ids, dtype=object)
    return np.stack([pd.util.hash_array(ids, hash_key=key, categorize=False) for key in _KEYS])


def _marks(part: Path) -> Marks:
    marks: Marks = np.load(part / _MARKS, allow_pickle=False)
    return marks


def _refuse(refused: Sequence[Refused]) -> None:
    if not refused:
        return
    for one in refused:
        if not one.n_faults:
            raise InputError(one.field, one.rule)
    faults = [fault for one in refused for fault in one.faults]
    raise RecordFaults("records", sum(one.n_faults for one in refused), tuple(faults[:FAULTS_KEPT]))


def _refuse_shared_patients(counted: Sequence[Counted]) -> None:
    marks = [_marks(one.part) for one in counted]
    shard = np.repeat(np.arange(len(marks)), [part.shape[1] for part in marks])
    first, second = np.concatenate(marks, axis=1)
    in_order = np.argsort(first, kind="stable")
    one, other = in_order[:-1], in_order[1:]
    shared = np.flatnonzero((first[one] == first[other]) & (second[one] == second[other]))
    if len(shared):
        names = (counted[shard[row[shared[0]]]].shard.name for row in (one, other))
        rule = f"{' and '.join(names)} hold visits of one patient; put all visits of a patient into one shard"
        raise InputError("records", rule)

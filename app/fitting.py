"""What `iikea records fit` and `iikea records merge` do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from app import auditing, console
from tools.records.faults import counted
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from tools.dataset.clinical import ClinicalDataset
    from tools.dataset.shards import Progress
    from tools.records.mapping import Loss, VocabularyName

_CREDENTIALED = (
    "[yellow]Credentialed[/]: runs on this store ask models and embeddings on this machine or hosts of "
    "IIKEA_MODEL_HOSTS only. If anybody may see the records, fit them with --no-credentialed."
)


def fit(
    path: Path,
    store: Path,
    format: str | None,  # noqa: A002
    system: str | None,
    vocabulary: "VocabularyName",
    workers: int,
    credentialed: bool | None,
    as_json: bool,
) -> None:
    """Counts records into a store; a folder of parquet files shard by shard, unless codes are mapped."""
    from tools.dataset.clinical import ClinicalDataset
    from tools.dataset.credentialed import is_credentialed
    from tools.records.formats import parquet
    from tools.records.mapping import to_vocabulary
    from tools.records.read import known_format, read_cohort, sniff

    auditing.record_command("records fit", path, vocabulary=vocabulary)
    name = sniff(path) if format is None else known_format(format)
    if name == parquet.NAME and path.is_dir() and vocabulary == "full":
        dataset = _fit_shards(path, store, system, workers, bool(credentialed))
        _tell(dataset, store, dataset.notices, as_json)
        return
    if workers > 1:
        raise InputError("workers", "more than one count the shards of a folder of parquet files only")
    with console.busy("reading records"):
        mapped = to_vocabulary(read_cohort(path, name, system), vocabulary)
    with console.busy("counting"):
        cohort = mapped.cohort
        guarded = is_credentialed(credentialed, name, cohort.n_patients)
        dataset = ClinicalDataset.build(cohort, guarded)
        dataset.save(store)
    _tell(dataset, store, mapped.cohort.notices, as_json, losses=mapped.losses)


def merge(stores: list[Path], store: Path, as_json: bool) -> None:
    """Joins stores into one."""
    from tools.dataset.merge import merge as merge_stores

    _refuse_twice(stores, store)
    with console.busy("joining"):
        dataset = merge_stores(stores, store)
    _tell(dataset, store, dataset.notices, as_json, "Joined")


def _refuse_twice(stores: list[Path], target: Path) -> None:
    """Refuse a store that would be counted twice, or overwritten by what it becomes a part of."""
    from tools.dataset.store import read_manifest

    if target.resolve() in {path.resolve() for path in stores}:
        raise InputError("store", "is one of those to be joined and would be lost; name another folder")
    hashes = [read_manifest(path).hash for path in stores]
    if len(set(hashes)) < len(hashes):
        raise InputError(
            "stores", "two of them are the same, and everybody would count twice; name each once"
        )


def _fit_shards(
    path: Path, store: Path, system: str | None, workers: int, credentialed: bool
) -> "ClinicalDataset":
    from tools.dataset.shards import fit_shards

    if workers == 1:
        with _bar() as progress:
            return fit_shards(path, store, system, progress=progress, credentialed=credentialed)
    from tools.dataset.cluster import fit_on_cluster, local_client

    with local_client(workers) as client, _bar() as progress:
        return fit_on_cluster(path, store, client, system, progress, credentialed)


@contextmanager
def _bar() -> "Iterator[Progress]":
    """A bar on standard error while the block runs, where that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("counting shards"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console.err, disable=not console.err.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell(
    dataset: "ClinicalDataset",
    store: Path,
    notices: tuple[str, ...],
    as_json: bool,
    done: str = "Fitted",
    losses: "Sequence[Loss]" = (),
) -> None:
    summary: dict[str, Any] = {
        "store": str(store),
        "hash": dataset.hash,
        "patients": dataset.n_patients,
        "visits": dataset.n_visits,
        "transitions": dataset.n_transitions,
        "codes": dataset.n_codes,
        "credentialed": dataset.credentialed,
        "notices": list(notices),
        "mapping": [loss._asdict() for loss in losses],
    }
    if as_json:
        console.print_json(summary)
        return
    console.out.print(
        f"{done} {counted(dataset.n_patients, 'patient')}, {counted(dataset.n_visits, 'visit')}, "
        f"{counted(dataset.n_codes, 'code')}, {counted(dataset.n_transitions, 'visit')} with a successor."
    )
    if losses:
        console.out.print(_mapping(losses))
    for notice in notices:
        console.out.print(f"[yellow]notice[/] {console.plain(notice)}")
    if dataset.credentialed:
        console.out.print(_CREDENTIALED)
    place = console.plain(str(store))
    console.out.print(f"Store: {place}. Next: iikea predict --store {place} --history CODES")


def _mapping(losses: "Sequence[Loss]") -> Table:
    """How many codes and diagnoses were mapped in each way."""
    table = Table(title="Mapped", box=box.SIMPLE)
    table.add_column("target")
    for heading in ("codes", "diagnosis rows"):
        table.add_column(heading, justify="right")
    for loss in losses:
        table.add_row(loss.kind, f"{loss.codes:,}", f"{loss.rows:,}")
    return table

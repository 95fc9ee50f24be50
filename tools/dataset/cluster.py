"""Shards counted by the workers of a Dask cluster, on this machine or on others that see the same disk."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tools.dataset.clinical import ClinicalDataset
from tools.dataset.shards import Count, Counted, Progress, fit_shards
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

_MISSING = "several workers need Dask; install it with `pip install -e '.[cluster]'`, or leave --workers out"


def fit_on_cluster(
    path: Path | str,
    folder: Path | str,
    client: "Client",
    system: str | None = None,
    progress: Progress = lambda done, total: None,
    credentialed: bool = False,
) -> ClinicalDataset:
    """`fit_shards` with each shard counted by a worker; the store is the same, bit for bit.

    Args:
        path: see `fit_shards`; the workers read it.
        folder: see `fit_shards`; the workers write parts beside it.
        client: of the cluster.
        system: see `fit_shards`.
        progress: see `fit_shards`.
        credentialed: see `fit_shards`.

    Raises:
        InputError: see `fit_shards`; or workers were lost.
    """

    def run(count: Count, shards: Sequence[Path]) -> Iterable[Counted]:
        from distributed import KilledWorker, as_completed

        futures = client.map(count, shards, pure=False)
        try:
            for future in as_completed(futures):  # type: ignore[no-untyped-call]
                yield future.result()
        except KilledWorker:
            rule = "some were lost with a shard, for want of memory perhaps; use fewer, or smaller shards"
            raise InputError("workers", rule) from None
        finally:
            client.cancel(futures)  # type: ignore[no-untyped-call]

    return fit_shards(Path(path).absolute(), Path(folder).absolute(), system, run, progress, credentialed)


@contextmanager
def local_client(n_workers: int) -> "Iterator[Client]":
    """A cluster of processes on this machine that listens to this machine only, for the time of the block.

    Args:
        n_workers: processes, of one thread each.

    Raises:
        InputError: Dask is not installed, or `n_workers` is less than 1.
    """
    if n_workers < 1:
        raise InputError("workers", "1 or more")
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise InputError("workers", _MISSING) from None
    # A limit would have workers killed for memory that others do not use.
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=n_workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=None,
            # Whoever reaches a worker's port can run code there: only holders of these keys do.
            protocol="tls://",
            security=True,
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        yield client

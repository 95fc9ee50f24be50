"""Where patients are computed: threads of this process, processes of this machine, or a cluster's workers."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tools.safety.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
TIMEOUT = "10s"
_MISSING = "a scheduler needs Dask; install it with `pip install -e '.[cluster]'`, or leave it out"


class Workers(NamedTuple):
    """An executor, and how many tasks it should hold at a time."""

    executor: Executor
    in_flight: int


@contextmanager
def opened(workers: int, scheduler: str | None, requests: int) -> Iterator[Workers]:
    """Workers for the time of the block.

    Args:
        workers: processes; 1 computes in this one.
        scheduler: address of a Dask scheduler whose workers compute instead.
        requests: patients in flight at a time in this process: several where a service is waited for.

    Raises:
        InputError: Dask is not installed, or nobody answers at the address.
    """
    if scheduler is not None:
        with _cluster(scheduler) as found:
            yield found
    elif workers > 1:
        with _processes(workers) as pool:
            yield Workers(pool, 2 * workers)
    else:
        with ThreadPoolExecutor(requests) as pool:
            yield Workers(pool, requests)


@contextmanager
def _processes(workers: int) -> Iterator[Executor]:
    """Fresh processes whose libraries compute in one thread each, as many cores are asked for."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin) as pool:
            yield pool
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin() -> None:
    """An interrupt is the parent's to handle; a worker whose parent was killed ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _cluster(address: str) -> Iterator[Workers]:
    try:
        from distributed import Client
    except ImportError:
        raise InputError("scheduler", _MISSING) from None
    try:
        client = Client(address, timeout=TIMEOUT)  # type: ignore[no-untyped-call]
    except (OSError, ValueError):
        raise InputError(
            "scheduler", "nobody answers there; check the address, such as tcp://HOST:8786"
        ) from None
    with client:
        yield on_cluster(client)


def on_cluster(client: "Client") -> Workers:
    """The workers of a Dask cluster, which must see the same disk under the same paths.

    Raises:
        InputError: it has no worker.
    """
    threads = sum(client.ncores().values())  # type: ignore[no-untyped-call]
    if not threads:
        raise InputError("scheduler", "has no worker; start one with `dask worker ADDRESS`")
    return Workers(client.get_executor(), 2 * threads)  # type: ignore[no-untyped-call]

"""One writer a library: two processes that write one index lose passages without an error."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.safety.errors import InputError

LOCK = ".lock"
_STEP_S = 0.1


@contextmanager
def writing(
    folder: Path, wait_s: float = 60.0, on_wait: Callable[[str], None] = lambda holder: None
) -> Iterator[None]:
    """Holds a library for writing; the system lets go of it when the process ends, however it ends.

    Args:
        folder: of the library; it exists.
        wait_s: how long to wait for another writer, seconds.
        on_wait: told once, with the other writer's process number, when there is one.

    Raises:
        InputError: another process is still writing after `wait_s`, or the folder cannot be written to.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise InputError("knowledge library", f"cannot be written to ({error.strerror})") from None
    try:
        _acquire(descriptor, wait_s, on_wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, wait_s: float, on_wait: Callable[[str], None]) -> None:
    end = time.monotonic() + wait_s
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "ignore") or "unknown"
        if not told:
            on_wait(holder)
            told = True
        if time.monotonic() >= end:
            rule = f"process {holder} is writing to it; wait until it is done, or give a longer --wait"
            raise InputError("knowledge library", rule)
        time.sleep(_STEP_S)

"""How the engine's benchmarks measure: CPU seconds of one thread, memory from the kernel, and goals."""

import gc
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)


class Goal(NamedTuple):
    """One measured figure against its goal, as a line of the table."""

    name: str
    passed: bool
    said: str


def ratio(name: str, found: float, goal: float) -> Goal:
    """A goal of at least `goal` times a peer."""
    return Goal(name, found >= goal, f"{found:.3g}x (goal >= {goal:g}x)")


def at_least(name: str, found: float, goal: float, unit: str = "") -> Goal:
    """A goal of at least a number."""
    return Goal(name, found >= goal, f"{found:.3g}{unit} (goal >= {goal:g}{unit})")


def at_most(name: str, found: float, goal: float, unit: str = "") -> Goal:
    """A goal of at most a number."""
    return Goal(name, found <= goal, f"{found:.3g}{unit} (goal <= {goal:g}{unit})")


def cpu_seconds(work: Callable[[], object], runs: int = 5, least_s: float = 0.05) -> float:
    """Least CPU seconds (all threads of the process) of one call over some runs, after a warm-up.

    A run repeats short work until it takes `least_s`. The least, not the mean: other load can only add.
    """
    work()
    best, repeats = float("inf"), 1
    gc.collect()
    for _ in range(runs):
        while True:
            begun = time.process_time()
            for _ in range(repeats):
                work()
            spent = time.process_time() - begun
            if spent >= least_s or repeats >= 1 << 20:
                break
            repeats *= 4
        best = min(best, spent / repeats)
    return best


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What some long work returns, run once, with its CPU seconds."""
    begun = time.process_time()
    found = work()
    return found, time.process_time() - begun


def resident_bytes(kind: str = "Rss") -> int:
    """Memory of this process from /proc/self/smaps_rollup.

    Args:
        kind: `Rss` counts every resident page; `Private` those that no other process shares (Private_Clean
            and Private_Dirty).
    """
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(kind))


def peak_bytes() -> int:
    """Highest resident memory of this process so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def pin_threads() -> None:
    """Start this program again with one thread for every maths library, unless it already runs so."""
    if all(os.environ.get(name) == "1" for name in ONE_THREAD):
        return
    os.environ.update(ONE_THREAD)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606

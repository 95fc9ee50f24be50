"""B7: what each of many processes adds in memory that work on one store of a million patients.

Memory is private where no other process has the page. A page of the store that one process alone has read
counts too, though it is the disk's cache and no copy; so the server has served many patients before.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.engine.alone import answer, started
from benchmarks.engine.measure import Goal, at_most, resident_bytes
from benchmarks.engine.synthetic import dataset, draw
from tools.dataset.clinical import ClinicalDataset

MB = 1e6
N_WORKERS = 8
N_HISTORIES = 20
SERVED = 1_500
KEPT: list[object] = []  # what a process has opened stays open until it ends
N_NODES = 50


def goals(quick: bool = False) -> list[Goal]:
    """A server and eight workers, all alive at once; `quick` uses a small store."""
    n_patients, n_codes = (2_000, 500) if quick else (1_000_000, 10_000)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        store = Path(folder) / "store"
        dataset(draw(0, n_patients, n_codes, visits=3.0, per_visit=8.6), n_codes).save(store)
        os.sync()  # a page that has not been written to the disk yet counts as one that a reader wrote to
        server = stack.enter_context(started("benchmarks.engine.sharing:work", str(store), 0, SERVED))
        answer(server)
        running = [
            stack.enter_context(started("benchmarks.engine.sharing:work", str(store), seed, N_HISTORIES))
            for seed in range(1, N_WORKERS + 1)
        ]
        workers = [answer(process) for process in running]
    return [
        at_most(f"B7 {what}", max(worker[key] for worker in workers), 15.0, " MB")
        for key, what in (
            ("counts_mb", "private memory a worker adds"),
            ("counts_dirty_mb", "of which written to"),
            ("matrix_mb", "private memory with a diagnosis matrix of 50 nodes"),
            ("matrix_dirty_mb", "of which written to, with the matrix"),
        )
    ]


def work(store: str, seed: int, n_histories: int) -> dict[str, float]:
    """What one process does with a store, for patients of its own.

    Returns:
        Growth of private memory in megabytes, and of that part of it that was written to: after candidates
        and rows of A_T of some patients, and after a diagnosis matrix too.
    """
    from tools.numerics import counting_kernels  # noqa: F401 - imported before memory is looked at
    from tools.prediction.candidates import select_candidates

    before = _private()
    data = ClinicalDataset.open(store)
    keys, columns = data.vocabulary.keys, data.columns
    visits = np.random.default_rng(seed).integers(0, data.n_visits - 4 * N_NODES, n_histories)
    for first, last in zip(columns.code_offsets[visits], columns.code_offsets[visits + 1], strict=True):
        history = [keys[code] for code in columns.codes[first : max(last, first + 1)]]
        select_candidates(data, history)
        data.transition_rows(history)
    counts = _private()
    begin = columns.code_offsets[visits[0]]
    nodes = np.unique(columns.codes[begin : begin + 4 * N_NODES])[:N_NODES]
    matrix = data.matrix([keys[code] for code in nodes])
    held = matrix.packed
    with_matrix = _private()
    KEPT.extend((matrix, held, data))
    return {
        "counts_mb": counts[0] - before[0],
        "counts_dirty_mb": counts[1] - before[1],
        "matrix_mb": with_matrix[0] - before[0],
        "matrix_dirty_mb": with_matrix[1] - before[1],
    }


def _private() -> tuple[float, float]:
    return resident_bytes("Private") / MB, resident_bytes("Private_Dirty") / MB

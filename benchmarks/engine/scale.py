"""B4 and B5: counting a large cohort, opening its store, candidates of many patients.

Every figure is CPU seconds of one thread in one run with its peer, on equal values. There are 10,000 codes,
and 85,000 patients of two and a half visits, about as many as in MIMIC-IV, or a million.
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from benchmarks.engine import counting_peers
from benchmarks.engine.alone import alone
from benchmarks.engine.counting_peers import Sums
from benchmarks.engine.measure import Goal, at_most, cpu_seconds, peak_bytes, ratio, resident_bytes, timed
from benchmarks.engine.synthetic import Int64, Visits, dataset, draw, names, write_shards
from tools.dataset.clinical import ClinicalDataset
from tools.dataset.transitions import Transitions, count_transitions

MB = 1e6


class Size(NamedTuple):
    """How large the data are.

    Attributes:
        patients: of the cohort counted in memory.
        codes: of every vocabulary.
        histories: patients whose candidates are found at once.
        shards: parquet files.
        patients_a_shard: in each.
    """

    patients: int = 85_000
    codes: int = 10_000
    histories: int = 1_000
    shards: int = 8
    patients_a_shard: int = 125_000


QUICK = Size(patients=2_000, codes=500, histories=50, shards=2, patients_a_shard=1_000)


def goals(quick: bool = False) -> list[Goal]:
    """All goals of B4 and B5; `quick` uses sizes at which the figures mean nothing, to try the programs."""
    size = QUICK if quick else Size()
    visits = draw(0, size.patients, size.codes)
    return [*_counting(visits, size), *_candidates(visits, size), *_a_million(size)]


def _counting(visits: Visits, size: Size) -> list[Goal]:
    source = with_successor(visits.visit_offsets)
    ones = np.ones(len(visits.codes), dtype=np.int32)
    held = (ones, visits.codes, visits.code_offsets.astype(np.int32))
    rows = sparse.csr_array(held, shape=(len(visits.code_offsets) - 1, size.codes))
    x, w = rows[source], rows[source] + rows[source + 1]
    w.data[:] = 1
    ours = _count(visits, source, size.codes)
    product = (x.T @ w).tocsr()
    product.sort_indices()
    _refuse_different(ours, product)
    loops, by_loops = timed(lambda: counting_peers.by_loops(visits))
    if loops != _as_dictionary(ours):
        raise ValueError("loops count something else")
    mine = cpu_seconds(lambda: _count(visits, source, size.codes))
    bare = cpu_seconds(lambda: x.T @ w)
    return [
        at_most("B4 union counts / bare product", mine / bare, 1.6, "x"),
        ratio("B4 loops / union counts", by_loops / mine, 10.0),
        ratio("B4 DuckDB / union counts", _duckdb(visits, ours) / mine, 4.0),
        at_most("B4 memory added by counting", _added_memory(visits, size), 250.0, " MB"),
    ]


def with_successor(visit_offsets: Int64) -> Int64:
    """Visits that are not their patient's last; every patient has one."""
    last = np.zeros(int(visit_offsets[-1]), dtype=np.bool_)
    last[visit_offsets[1:] - 1] = True
    return np.flatnonzero(~last)


def _count(visits: Visits, source: Int64, n_codes: int) -> Transitions:
    """From the visits to canonical counts: denominators, X and W included, and the next-only counts too."""
    held = np.zeros(len(visits.code_offsets) - 1, dtype=np.bool_)
    held[source] = True
    entries = visits.codes[np.repeat(held, np.diff(visits.code_offsets))]
    return count_transitions(*visits, np.bincount(entries, minlength=n_codes))


def _refuse_different(ours: Transitions, product: "sparse.csr_array[np.int32]") -> None:
    np.testing.assert_array_equal(ours.union_offsets, product.indptr)
    np.testing.assert_array_equal(ours.union_columns, product.indices)
    np.testing.assert_array_equal(ours.union_counts, product.data)


def _as_dictionary(ours: Transitions) -> dict[tuple[int, int], int]:
    rows = np.repeat(np.arange(len(ours.union_offsets) - 1), np.diff(ours.union_offsets))
    pairs = zip(rows.tolist(), ours.union_columns.tolist(), strict=True)
    return dict(zip(pairs, ours.union_counts.tolist(), strict=True))


def _duckdb(visits: Visits, ours: Transitions) -> float:
    import pyarrow as pa

    visit = np.repeat(np.arange(len(visits.code_offsets) - 1), np.diff(visits.code_offsets))
    patient = np.repeat(np.arange(len(visits.visit_offsets) - 1), np.diff(visits.visit_offsets))[visit]
    columns = {"p": patient, "v": visit - visits.visit_offsets[patient] + 1, "c": visits.codes}
    connection = counting_peers.connect()
    connection.register("given", pa.table(columns))
    connection.execute("CREATE TEMP TABLE entries AS SELECT * FROM given")
    _, spent = timed(lambda: counting_peers.count_unions(connection))
    found = connection.execute("SELECT * FROM unions ORDER BY a, b").fetchnumpy()
    np.testing.assert_array_equal(found["b"], ours.union_columns)
    np.testing.assert_array_equal(found["n"], ours.union_counts)
    return spent


def _added_memory(visits: Visits, size: Size) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "visits.npz"
        np.savez(file, **visits._asdict())
        return float(alone("benchmarks.engine.scale:added_memory", str(file), size.codes))


def added_memory(file: str, n_codes: int) -> float:
    """Megabytes by which counting raises the peak of a process that holds the visits of a file."""
    with np.load(file) as arrays:
        visits = Visits(*(arrays[name] for name in Visits._fields))
    small = draw(0, 10, n_codes)
    _count(small, with_successor(small.visit_offsets), n_codes)
    before = peak_bytes()
    _count(visits, with_successor(visits.visit_offsets), n_codes)
    return (peak_bytes() - before) / MB


def _candidates(visits: Visits, size: Size) -> list[Goal]:
    from tools.prediction.candidate_matrix import candidate_matrix

    data, keys = dataset(visits, size.codes), names(size.codes)
    many = [[keys[code] for code in visits.history(patient)] for patient in range(size.histories)]
    chances = data.transition()
    likely = {
        key: {keys[b] for b in chances.indices[begin:end][chances.data[begin:end] > 0.01]}
        for key, begin, end in zip(keys, chances.indptr[:-1], chances.indptr[1:], strict=True)
    }

    def by_loops() -> list[set[str]]:
        found = []
        for history in many:
            passes: set[str] = set()
            for code in history:
                passes |= likely[code]
            found.append(passes.difference(history))
        return found

    def ours() -> object:
        return candidate_matrix(data, many, "any", epsilon=0.01, next_only=False, shrink=0.0)

    for row, expected in zip(np.asarray(ours()), by_loops(), strict=True):
        if {keys[column] for column in np.flatnonzero(row)} != expected:
            raise ValueError("loops find other candidates")
    found = cpu_seconds(by_loops) / cpu_seconds(ours)
    return [ratio("B5 set loops / candidates of 1,000 patients", found, 15.0)]


def _a_million(size: Size) -> list[Goal]:
    with tempfile.TemporaryDirectory() as folder:
        shards, store = Path(folder) / "shards", Path(folder) / "store"
        write_shards(shards, size.shards, size.patients_a_shard, size.codes)
        ours = alone("benchmarks.engine.scale:fit", str(shards), str(store))
        peer = alone("benchmarks.engine.scale:fit_by_duckdb", str(shards))
        if ours["sums"] != peer["sums"]:
            raise ValueError("DuckDB counts something else")
        opened = [alone("benchmarks.engine.scale:open_store", str(store)) for _ in range(5)]
    return [
        at_most("B4 peak memory, a million patients from shards", ours["peak_mb"] / 1e3, 1.5, " GB"),
        ratio("B4 DuckDB / a million patients from shards", peer["cpu_s"] / ours["cpu_s"], 3.0),
        at_most("B5 opening a store of a million patients", min(o["ms"] for o in opened), 20.0, " ms"),
        at_most("B5 memory added by opening it", max(o["added_mb"] for o in opened), 30.0, " MB"),
    ]


def fit(shards: str, store: str) -> dict[str, object]:
    """Counts shards into a store, after a small fit that loads what is imported late."""
    from tools.dataset.shards import fit_shards

    with tempfile.TemporaryDirectory() as folder:
        write_shards(Path(folder) / "small", 1, 10, 100)
        fit_shards(Path(folder) / "small", Path(folder) / "store", "MADE UP")
    data, spent = timed(lambda: fit_shards(shards, store, "MADE UP"))
    peak = peak_bytes()
    counts = np.asarray(data.columns.union_counts, dtype=np.int64)
    sums = Sums(
        pairs=len(counts),
        total=int(counts.sum()),
        squares=int((counts**2).sum()),
        diagnoses=len(data.columns.diagnosis_patients),
        first_visits=int(np.asarray(data.columns.diagnosis_visits, dtype=np.int64).sum()),
    )
    return {"cpu_s": spent, "peak_mb": peak / MB, "sums": sums._asdict()}


def fit_by_duckdb(shards: str) -> dict[str, object]:
    """The same counts by DuckDB, which keeps them in memory."""
    sums, spent = timed(lambda: counting_peers.count_shards(f"{shards}/*.parquet"))
    return {"cpu_s": spent, "peak_mb": peak_bytes() / MB, "sums": sums._asdict()}


def open_store(store: str) -> dict[str, float]:
    """Wall-clock milliseconds and megabytes of the first opening of a process."""
    before, begun = resident_bytes(), time.perf_counter()
    data = ClinicalDataset.open(store)
    spent = time.perf_counter() - begun
    added = resident_bytes() - before
    return {"ms": 1e3 * spent, "added_mb": added / MB, "patients": data.n_patients}

"""How fast the readers read a million visits, and in how much memory, beside pandas and polars: J2.

    python -m benchmarks.readers [--visits 1000000]

The same simulated visits (three diagnoses each in the mean) are written in the layouts of MIMIC-IV, MEDS and
OMOP: delimited, parquet and DuckDB. Each is read in a process of its own: by `read_cohort`, which checks
every row, and, all but DuckDB, by pandas and polars, which read the columns they need, join them where there
are two tables and group codes by visit, but check nothing. Speed is in CPU seconds of one thread, which other
load changes little, and after the libraries and the published names of codes were loaded, which take 3
seconds once, whatever is read. Memory is the highest resident size of the process; its goal is that of a
million visits.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.engine.alone import alone
from benchmarks.engine.measure import peak_bytes, pin_threads
from benchmarks.record_layouts import LAYOUTS

LEAST_ROWS_A_SECOND, MOST_BYTES = 100_000, 1.5e9
_PEERS = ("pandas", "polars")


class Source(NamedTuple):
    """Where a peer finds visits and codes: file, columns (visit, code), and the table of visits' times."""

    codes: str
    columns: tuple[str, str]
    visits: tuple[str, tuple[str, str, str]] | None


_SOURCES = {
    "mimic4": Source(
        "hosp/diagnoses_icd.csv",
        ("hadm_id", "icd_code"),
        ("hosp/admissions.csv", ("hadm_id", "subject_id", "admittime")),
    ),
    "meds": Source("data/train", ("hadm_id", "code"), None),
    **{
        f"omop-{kind}": Source(
            f"condition_occurrence.{kind}",
            ("visit_occurrence_id", "condition_source_value"),
            (f"visit_occurrence.{kind}", ("visit_occurrence_id", "person_id", "visit_start_datetime")),
        )
        for kind in ("csv", "parquet")
    },
}


def read_ours(folder: str) -> dict[str, float]:
    """Visits, entries, CPU seconds and highest memory of reading a folder by `read_cohort`."""
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: F401

    from tools.records.concepts.codes import ICD9CM, ICD10CM
    from tools.records.concepts.names import name
    from tools.records.read import read_cohort

    for system in (ICD9CM, ICD10CM):
        name(system, "")
    begun = time.process_time()
    cohort = read_cohort(folder)
    return _measured(begun, cohort.n_visits, len(cohort.codes))


def read_by_pandas(folder: str, layout: str) -> dict[str, float]:
    """The same of reading and grouping by pandas."""
    import pandas as pd
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: F401

    begun = time.process_time()
    source, (visit, code) = _SOURCES[layout], _SOURCES[layout].columns

    def table(name: str, columns: Sequence[str]) -> pd.DataFrame:
        path = Path(folder) / name
        if path.suffix == ".csv":
            return pd.read_csv(path, usecols=list(columns), dtype=str)
        return pd.read_parquet(path, columns=list(columns))

    rows = table(source.codes, source.columns)
    if source.visits is None:
        rows = rows[rows[code].str.startswith("DIAGNOSIS//ICD//")]
    else:
        file, columns = source.visits
        rows = rows.merge(table(file, columns), on=visit)
    entries = rows.drop_duplicates([visit, code])
    codes = entries.groupby(visit)[code].agg(list)
    return _measured(begun, len(codes), len(entries))


def read_by_polars(folder: str, layout: str) -> dict[str, float]:
    """The same of reading and grouping by polars."""
    pl: Any = import_module("polars")
    begun = time.process_time()
    source, (visit, code) = _SOURCES[layout], _SOURCES[layout].columns

    def table(name: str, columns: Sequence[str]) -> Any:  # noqa: ANN401
        path = Path(folder) / name
        if path.suffix == ".csv":
            return pl.read_csv(path, columns=list(columns), infer_schema=False)
        return pl.read_parquet(path / "*.parquet" if path.is_dir() else path, columns=list(columns))

    rows = table(source.codes, source.columns)
    if source.visits is None:
        rows = rows.filter(pl.col(code).str.starts_with("DIAGNOSIS//ICD//"))
    else:
        file, columns = source.visits
        rows = rows.join(table(file, columns), on=visit)
    codes = rows.group_by(visit).agg(pl.col(code).unique())
    return _measured(begun, len(codes), int(codes[code].list.len().sum()))


def _measured(begun: float, visits: int, entries: int) -> dict[str, float]:
    spent = time.process_time() - begun
    return {"visits": visits, "entries": entries, "seconds": spent, "bytes": peak_bytes()}


def _line(layout: str, reader: str, found: dict[str, float], n_rows: int) -> str:
    rate = f"{n_rows / found['seconds']:>9,.0f} rows/s"
    return f"{layout:<13} {reader:<7} {found['seconds']:7.2f} s {rate} {found['bytes'] / 1e6:7,.0f} MB"


def judged(layout: str, found: dict[str, float], n_rows: int, n_visits: int) -> tuple[bool, str]:
    """Whether a reader meets the goals, and the line that says so."""
    rate = n_rows / found["seconds"]
    passed = rate >= LEAST_ROWS_A_SECOND and found["bytes"] <= MOST_BYTES and found["visits"] == n_visits
    said = f"{rate:,.0f} diagnosis rows/s (goal {LEAST_ROWS_A_SECOND:,}), {found['bytes'] / 1e6:,.0f} MB"
    of = f"(goal <= {MOST_BYTES / 1e6:,.0f} for 1,000,000 visits), {found['visits']:,} of {n_visits:,} visits"
    return passed, f"J2 {'PASS' if passed else 'FAIL'} {layout}: {said} {of}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures all; 0 where each reader meets the goals, 1 where one does not."""
    about = "How fast the readers read, and in how much memory, beside pandas and polars."
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers", description=about)
    parser.add_argument("--visits", type=int, default=1_000_000, help="that are written and read")
    chosen = parser.parse_args(arguments)
    if chosen.visits < 1:
        parser.error("--visits is 1 or more")
    verdicts = []
    peers = [peer for peer in _PEERS if find_spec(peer)]
    for peer in set(_PEERS) - set(peers):
        print(f"{peer} is not installed, so it is left out")
    with TemporaryDirectory() as folder:
        n_rows = alone("benchmarks.record_layouts:write", folder, chosen.visits)
        print(f"{chosen.visits:,} visits with {n_rows:,} diagnosis rows")
        for layout in LAYOUTS:
            place = f"{folder}/{layout}"
            ours = alone("benchmarks.readers:read_ours", place)
            print(_line(layout, "ours", ours, n_rows), flush=True)
            for peer in peers if layout in _SOURCES else ():
                found = alone(f"benchmarks.readers:read_by_{peer}", place, layout)
                same = "" if found["visits"] == ours["visits"] else "  (other visits)"
                print(_line(layout, peer, found, n_rows) + same, flush=True)
            verdicts.append(judged(layout, ours, n_rows, chosen.visits))
    for _, line in verdicts:
        print(line)
    return 0 if all(passed for passed, _ in verdicts) else 1


if __name__ == "__main__":
    pin_threads()
    sys.exit(main())

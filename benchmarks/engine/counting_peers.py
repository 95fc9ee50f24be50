"""The same counts by other means: Python loops and DuckDB."""

from itertools import pairwise
from typing import NamedTuple

import duckdb

from benchmarks.engine.synthetic import Visits


class Sums(NamedTuple):
    """What equal counts agree on.

    Attributes:
        pairs: number of pairs of codes with a count.
        total: of all counts.
        squares: sum of their squares.
        diagnoses: number of (patient, code) pairs.
        first_visits: sum of the visits of first diagnosis, from 0.
    """

    pairs: int
    total: int
    squares: int
    diagnoses: int
    first_visits: int


def by_loops(visits: Visits) -> dict[tuple[int, int], int]:
    """Union counts N[a,b] with sets and a dictionary (II-KEA eq. 1)."""
    counts: dict[tuple[int, int], int] = {}
    codes = [set(visits.codes[begin:end].tolist()) for begin, end in pairwise(visits.code_offsets.tolist())]
    for begin, end in pairwise(visits.visit_offsets.tolist()):
        for visit, after in pairwise(codes[begin:end]):
            either = visit | after
            for a in visit:
                for b in either:
                    counts[a, b] = counts.get((a, b), 0) + 1
    return counts


def connect() -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, on one thread."""
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    return connection


def count_unions(connection: duckdb.DuckDBPyConnection, entries: str = "entries") -> None:
    """Table `unions` (a, b, n) from a table of distinct (p, v, c): patient, visit from 1, code."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE sources AS SELECT e.* FROM {entries} e "  # noqa: S608
        f"JOIN (SELECT p, max(v) AS last FROM {entries} GROUP BY p) USING (p) WHERE v < last"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE unions AS "  # noqa: S608
        "SELECT x.c AS a, w.c AS b, count(*)::INTEGER AS n FROM sources x JOIN "
        f"(SELECT p, v, c FROM sources UNION SELECT p, v - 1, c FROM {entries} WHERE v > 1) w "
        "USING (p, v) GROUP BY 1, 2"
    )


def count_shards(files: str) -> Sums:
    """A_T and A_D of parquet shards by DuckDB.

    Args:
        files: glob of the shards, columns subject_id, time, code.
    """
    connection = connect()
    connection.execute(
        "CREATE TEMP TABLE entries AS SELECT DISTINCT p, v, c FROM (SELECT subject_id AS p, code AS c, "  # noqa: S608
        f"dense_rank() OVER (PARTITION BY subject_id ORDER BY time) AS v FROM read_parquet('{files}'))"
    )
    count_unions(connection)
    connection.execute("CREATE TEMP TABLE held AS SELECT c, count(*) AS n FROM sources GROUP BY c")
    connection.execute(
        "CREATE TEMP TABLE diagnoses AS SELECT p, c, min(v) - 1 AS v FROM entries GROUP BY p, c"
    )
    row = connection.execute(
        "SELECT * FROM (SELECT count(*), sum(n), sum(n::BIGINT * n) FROM unions), "
        "(SELECT count(*), sum(v) FROM diagnoses)"
    ).fetchone()
    return Sums(*map(int, row or ()))

"""Grouped counts of one effect by its causes and a stratum, counted by their cell."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Entries = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


class Rows(NamedTuple):
    """The observations of one effect.

    Attributes:
        outcome: shape (n,), whether the effect is there.
        causes: shape (n, k), 0 or 1.
        stratum: shape (n,), 0 .. n_strata - 1.
        n_strata: number of strata.
    """

    outcome: npt.NDArray[np.bool_]
    causes: npt.NDArray[np.bool_ | np.uint8]
    stratum: npt.NDArray[np.int8]
    n_strata: int


def family_table(rows: Rows, parents: tuple[int, ...]) -> Float:
    """Counts by cell and outcome, shape (n_strata * 2**n_parents, 2); cells as in `noisy_or.design`."""
    n_cells = rows.n_strata * 2 ** len(parents)
    return np.bincount(_cells(rows, parents), minlength=2 * n_cells).reshape(n_cells, 2).astype(np.float64)


def candidate_tables(
    rows: Rows, entries: Entries, parents: tuple[int, ...], candidates: npt.NDArray[np.intp]
) -> Float:
    """The tables of `parents` plus each candidate column, shape (k, n_strata * 2**(n_parents+1), 2).

    The added column is the highest bit of the parents. One pass over the ones of the matrix counts them all.

    Args:
        rows: the observations.
        entries: row and column of every one in `rows.causes`.
        parents: columns.
        candidates: columns, shape (k,).
    """
    n_patterns, size = 2 ** len(parents), rows.causes.shape[1]
    cell = _cells(rows, parents)
    n_cells = 2 * rows.n_strata * n_patterns
    totals = np.bincount(cell, minlength=n_cells)
    row, column = entries
    counts = np.bincount(cell[row] * size + column, minlength=n_cells * size)
    present = counts.reshape(n_cells, size)[:, candidates].T
    shape = (len(candidates), rows.n_strata, n_patterns, 2)
    both = np.stack([(totals - present).reshape(shape), present.reshape(shape)], axis=2)
    return both.reshape(len(candidates), n_cells, 2).astype(np.float64)


class Batch(NamedTuple):
    """Families with equally many parents.

    Attributes:
        effects: their names, in the order of the tables.
        tables: shape (n, n_strata * 2**n_parents, 2); strata that a family lacks are empty.
        n_strata: the most of any family.
    """

    effects: tuple[str, ...]
    tables: Float
    n_strata: int


def batches(tables: Mapping[str, tuple[Float, int]]) -> Iterator[Batch]:
    """Families by their number of parents, fewest first, so that each batch is fitted in one call.

    Args:
        tables: for each effect, its table (see `family_table`) and number of strata.
    """
    patterns = {effect: len(table) // n_strata for effect, (table, n_strata) in tables.items()}
    for n_patterns in sorted(set(patterns.values())):
        effects = tuple(effect for effect in tables if patterns[effect] == n_patterns)
        n_strata = max(tables[effect][1] for effect in effects)
        stacked = np.zeros((len(effects), n_strata * n_patterns, 2))
        for place, effect in enumerate(effects):
            table = tables[effect][0]
            stacked[place, : len(table)] = table
        yield Batch(effects, stacked, n_strata)


def _cells(rows: Rows, parents: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Cell of each row, the outcome as the lowest bit."""
    cell = rows.stratum.astype(np.int64)
    for parent in reversed(parents):
        cell = 2 * cell + rows.causes[:, parent]
    return 2 * cell + rows.outcome

"""Tables of OMOP as batches of texts, whatever holds them: delimited or parquet files, or DuckDB.

Names of tables and columns are in any case. Rows are numbered by lines in delimited files, else from 1.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tools.records.faults import Faults
from tools.records.files.arrow import batches_of, read_schema, texts_of
from tools.records.files.table import Table
from tools.records.files.texts import Texts, no_texts
from tools.safety.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]


class Place(NamedTuple):
    """Where the rows of a batch are, for faults.

    Attributes:
        faults: where they are noted.
        label: of the table.
        number: of each row, shape (n_rows,).
    """

    faults: Faults
    label: str
    number: npt.NDArray[np.integer]

    def note(self, column: str, bad: npt.NDArray[np.bool_], rule: str) -> None:
        """Note the rows that break a rule."""
        self.faults.add_rows(self.number[bad], f"{self.label}.{column}", rule)


class Rows(NamedTuple):
    """A batch: where its rows are, and the wanted columns that are there, by lower-case name."""

    place: Place
    texts: dict[str, Texts]

    def column(self, name: str) -> Texts:
        """A column; without a text in any row where it is not there."""
        return self.texts.get(name) or no_texts(len(self.place.number))


class Relation(Protocol):
    """A table."""

    label: str

    def columns(self) -> frozenset[str]:
        """Names of its columns, in lower case."""

    def batches(self, wanted: Iterable[str], faults: Faults) -> Iterator[Rows]:
        """Those of the wanted columns that are there, batch by batch.

        Raises:
            InputError: the table cannot be read.
        """


class DelimitedFile:
    """A .csv file, plain or compressed, with commas or tabs."""

    def __init__(self, path: Path, label: str) -> None:
        self.label = label
        self._path = path

    def columns(self) -> frozenset[str]:
        """Names of its columns, in lower case."""
        return frozenset(Table(self._path, Faults(), self.label, may_be_tabbed=True).header())

    def batches(self, wanted: Iterable[str], faults: Faults) -> Iterator[Rows]:
        """See `Relation`."""
        table = Table(self._path, faults, self.label, may_be_tabbed=True)
        names = {name: (name,) for name in wanted if name in self.columns()}
        for row, texts in table.batches(names, required=names.keys()):
            yield Rows(Place(faults, self.label, row), texts)


class ParquetFiles:
    """A parquet file, or several that are one table."""

    def __init__(self, paths: tuple[Path, ...], label: str) -> None:
        self.label = label
        self._paths = paths

    def columns(self) -> frozenset[str]:
        """Names of its columns, in lower case; those of the first file."""
        return frozenset(name.strip().lower() for name in read_schema(self._paths[0], self.label).names)

    def batches(self, wanted: Iterable[str], faults: Faults) -> Iterator[Rows]:
        """See `Relation`."""
        asked = set(wanted)
        for path in self._paths:
            label = self.label if len(self._paths) == 1 else f"{self.label} {path.name}"
            row = 1
            for texts in batches_of(path, label, partial(_chosen, label, asked), as_texts):
                length = len(next(iter(texts.values())).at)
                yield Rows(Place(faults, label, np.arange(row, row + length)), texts)
                row += length


def _chosen(label: str, asked: set[str], schema: "pa.Schema") -> dict[str, str]:
    found = [name for name in schema.names if name.strip().lower() in asked]
    names = {name.strip().lower(): name for name in found}
    if len(names) < len(found):
        raise InputError(label, "a column stands in it twice, in other case; keep one")
    return names


def as_texts(columns: "dict[str, pa.Array]") -> dict[str, Texts]:
    """Columns of a batch as texts."""
    return {name: texts_of(column) for name, column in columns.items()}

"""One parquet file of coded diagnoses, batch by batch, with texts as numbers into the distinct ones.

Everything that knows pyarrow is here; it is imported when a file is read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.records.build import UNKNOWN
from tools.records.cohort import Clock, IntArray
from tools.records.long_csv import COLUMNS, REQUIRED, SAY_SYSTEM
from tools.safety.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

_COLUMNS = {**COLUMNS, "visit": ("visit", "visit_id", "hadm_id")}
_IDS = ("patient", "visit")
_ROWS_A_BATCH = 1 << 20
_WANTED = {
    "patient": "text or whole numbers",
    "visit": "text or whole numbers",
    "time": "timestamps, dates or whole numbers",
}


class Texts(NamedTuple):
    """A column of texts.

    Attributes:
        distinct: without outer spaces, none empty; each is in some row.
        at: which of them each row has, -1 for none, shape (n_rows,).
    """

    distinct: tuple[str, ...]
    at: IntArray

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """Which rows have one, shape (n_rows,)."""
        return self.at >= 0

    def numbered(self, numbers: IntArray) -> IntArray:
        """The number of each row, `UNKNOWN` for none, given those of the distinct texts."""
        return np.asarray(np.append(numbers, UNKNOWN)[self.at], dtype=np.int64)


class Batch(NamedTuple):
    """Some rows of a file; columns it does not have are None.

    Attributes:
        texts: by our name of the column; `patient` and `code` are always there.
        clock: unit of `time`.
        time: 0 where there is none, shape (n_rows,).
        timed: which rows have a time, shape (n_rows,).
    """

    texts: dict[str, Texts]
    clock: Clock
    time: IntArray
    timed: npt.NDArray[np.bool_]


def batches(file: Path, system: str | None) -> Iterator[Batch]:
    """The wanted columns of a file, a million rows at a time.

    Args:
        file: path of the file.
        system: given where the file has no system column.

    Raises:
        InputError: pyarrow is not installed, the file cannot be read, a column is missing or of another type.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        rule = "parquet files need pyarrow; install it with `pip install -e '.[parquet]'`"
        raise InputError("records", rule) from None
    try:
        with parquet.ParquetFile(file) as plain:
            schema = plain.schema_arrow
        names = _names(file, schema, system)
        texts = [name for name in names.values() if pa.types.is_string(schema.field(name).type)]
        with parquet.ParquetFile(file, read_dictionary=texts) as opened:
            for batch in opened.iter_batches(_ROWS_A_BATCH, columns=list(names.values())):
                yield _batch({column: batch.column(name) for column, name in names.items()})
    except (OSError, UnicodeDecodeError, pa.ArrowException):
        rule = "not a readable parquet file of plain columns; get or write it again"
        raise InputError(file.name, rule) from None


def _names(file: Path, schema: "pa.Schema", system: str | None) -> dict[str, str]:
    """Our name of each column that is there to the file's."""
    found = {
        column: [name for name in schema.names if name.strip().lower() in spellings]
        for column, spellings in _COLUMNS.items()
    }
    for column, names in found.items():
        place = f"{file.name}: {column}"
        if len(names) > 1:
            raise InputError(place, f"there are {len(names)} such columns; keep one")
        if not names and column in REQUIRED:
            raise InputError(place, f"missing column; there must be one of: {', '.join(_COLUMNS[column])}")
        if names and not _is_readable(column, schema.field(names[0]).type):
            raise InputError(
                place, f"of a type that cannot be read; write it as {_WANTED.get(column, 'text')}"
            )
    if not found["system"] and system is None:
        raise InputError("system", f"{file.name} has no system column; {SAY_SYSTEM}")
    if found["system"] and system is not None:
        raise InputError("system", f"{file.name} has a system column of its own; leave this argument out")
    return {column: names[0] for column, names in found.items() if names}


def _is_readable(column: str, kind: "pa.DataType") -> bool:
    from pyarrow import types

    if column == "time":
        return bool(types.is_timestamp(kind) or types.is_date(kind) or types.is_integer(kind))
    value = kind.value_type if types.is_dictionary(kind) else kind
    if column in _IDS and types.is_integer(value):
        return True
    return bool(types.is_string(value) or types.is_large_string(value))


def _batch(columns: dict[str, "pa.Array"]) -> Batch:
    clock, time, timed = _times(columns.pop("time"))
    return Batch({column: _texts(array) for column, array in columns.items()}, clock, time, timed)


def _texts(column: "pa.Array") -> Texts:
    import pyarrow as pa

    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    at = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    # The dictionary is that of many rows: what is in none of these is no text of theirs.
    used = np.flatnonzero(np.bincount(at[at >= 0], minlength=len(encoded.dictionary)))
    values = encoded.dictionary.take(pa.array(used)).to_pylist()
    texts = ["" if value is None else str(value).strip() for value in values]
    kept = [place for place, text in enumerate(texts) if text]
    new = np.full(len(encoded.dictionary) + 1, -1, dtype=np.int64)
    new[used[kept]] = np.arange(len(kept))
    return Texts(tuple(texts[place] for place in kept), new[at])


def _times(column: "pa.Array") -> tuple[Clock, IntArray, npt.NDArray[np.bool_]]:
    import pyarrow as pa

    there = column.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_integer(column.type):
        return "order", column.fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False), there
    # A row without a time becomes NaT, which has no seconds.
    seconds = column.to_numpy(zero_copy_only=False).astype("datetime64[s]").astype(np.int64)
    return "seconds", np.where(there, seconds, 0), there

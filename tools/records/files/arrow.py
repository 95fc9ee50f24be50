"""Arrow columns as texts, and parquet files batch by batch; pyarrow is imported when a file is read."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tools.records.files.texts import Texts
from tools.safety.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

T = TypeVar("T")
ENDING = ".parquet"
_ROWS_A_BATCH = 1 << 20
_NO_PYARROW = "parquet files need pyarrow; install it with `pip install -e '.[parquet]'`"
_UNREADABLE = "not a readable parquet file of plain columns; get or write it again"


def is_parquet(path: Path) -> bool:
    """Whether a path is a .parquet file."""
    return path.name.lower().endswith(ENDING) and path.is_file()


def schema_of(file: Path) -> "pa.Schema | None":
    """The columns of a parquet file, to tell its format; None where it, or pyarrow, is not to be had."""
    try:
        return read_schema(file, "records")
    except InputError:
        return None


def read_schema(file: Path, label: str) -> "pa.Schema":
    """The columns of a parquet file.

    Raises:
        InputError: pyarrow is not installed, or the file cannot be read; it is called by the label.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise InputError("records", _NO_PYARROW) from None
    try:
        with parquet.ParquetFile(file) as opened:
            return opened.schema_arrow
    except (OSError, UnicodeDecodeError, pa.ArrowException):
        raise InputError(label, _UNREADABLE) from None


def batches_of(
    file: Path,
    label: str,
    choose: "Callable[[pa.Schema], dict[str, str]]",
    convert: "Callable[[dict[str, pa.Array]], T]",
    rows: int = 0,
) -> Iterator[T]:
    """What is made of the chosen columns of a parquet file, texts as dictionaries, a million rows at a time.

    Args:
        file: path of the file.
        label: what the error calls it.
        choose: gives our name of each wanted column to the file's.
        convert: makes something of a batch, by our names.
        rows: of a batch; a million when 0.

    Raises:
        InputError: pyarrow is not installed, the file cannot be read or converted, or `choose` refuses it.
    """
    schema = read_schema(file, label)
    names = choose(schema)

    import pyarrow as pa
    from pyarrow import parquet

    texts = [name for name in names.values() if pa.types.is_string(schema.field(name).type)]
    try:
        with parquet.ParquetFile(file, read_dictionary=texts) as opened:
            for batch in opened.iter_batches(rows or _ROWS_A_BATCH, columns=list(names.values())):
                yield convert({column: batch.column(name) for column, name in names.items()})
    except (OSError, UnicodeDecodeError, pa.ArrowException):
        raise InputError(label, _UNREADABLE) from None


def texts_of(column: "pa.Array") -> Texts:
    """A column of texts, whole numbers, dates or times, as texts; whole numbers in floats lose their `.0`."""
    import pyarrow as pa

    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    at = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    # The dictionary is that of many rows: what is in none of these is no text of theirs.
    used = np.flatnonzero(np.bincount(at[at >= 0], minlength=len(encoded.dictionary)))
    values = _spelled(encoded.dictionary.take(pa.array(used)))
    texts = ["" if value is None else str(value).strip() for value in values]
    kept = [place for place, text in enumerate(texts) if text]
    new = np.full(len(encoded.dictionary) + 1, -1, dtype=np.int64)
    new[used[kept]] = np.arange(len(kept))
    return Texts(tuple(texts[place] for place in kept), new[at])


def _spelled(values: "pa.Array") -> list[object]:
    from pyarrow import types

    if types.is_floating(values.type):
        return [
            None if x is None or math.isnan(x) else int(x) if x.is_integer() else x
            for x in values.to_pylist()
        ]
    if types.is_temporal(values.type):
        return list(values.cast("string").to_pylist())
    return list(values.to_pylist())

"""One parquet file of coded diagnoses, batch by batch, with texts as numbers into the distinct ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.records.cohort import Clock, IntArray
from tools.records.files.arrow import batches_of, texts_of
from tools.records.files.texts import Texts
from tools.records.formats.long_csv import COLUMNS, REQUIRED, SAY_SYSTEM
from tools.safety.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

_COLUMNS = {**COLUMNS, "visit": ("visit", "visit_id", "hadm_id")}
_IDS = ("patient", "visit")
_WANTED = {
    "patient": "text or whole numbers",
    "visit": "text or whole numbers",
    "time": "timestamps, dates or whole numbers",
}


class Batch(NamedTuple):
    """Some rows of a file.

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
    yield from batches_of(file, file.name, lambda schema: _names(file, schema, system), _batch)


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
    return Batch({column: texts_of(array) for column, array in columns.items()}, clock, time, timed)


def _times(column: "pa.Array") -> tuple[Clock, IntArray, npt.NDArray[np.bool_]]:
    import pyarrow as pa

    there = column.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_integer(column.type):
        return "order", column.fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False), there
    # A row without a time becomes NaT, which has no seconds.
    seconds = column.to_numpy(zero_copy_only=False).astype("datetime64[s]").astype(np.int64)
    return "seconds", np.where(there, seconds, 0), there

"""Tables of a DuckDB database as relations; duckdb is imported when one is read."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tools.records.faults import Faults
from tools.records.formats.omop.tables import Place, Relation, Rows, as_texts
from tools.safety.errors import InputError

if TYPE_CHECKING:
    import duckdb

_MAGIC_AT, _MAGIC = 8, b"DUCK"
_ROWS_A_BATCH = 1 << 20
# A database may hold views that read files or the network: nothing outside it is looked at.
_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_TABLES_SQL = "SELECT table_schema, table_name FROM information_schema.tables WHERE upper(table_name) = ?"


def is_database(path: Path) -> bool:
    """Whether a path is a file of DuckDB, told by how it begins."""
    try:
        with path.open("rb") as file:
            return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC
    except OSError:
        return False


def relations(path: Path, names: Iterable[str]) -> dict[str, Relation]:
    """Those of some tables that a database has, in any of its schemas.

    Args:
        path: of the database, which is opened to read only.
        names: in upper case.

    Raises:
        InputError: duckdb or pyarrow is not installed, the database cannot be opened, or a table is in
            several schemas.
    """
    try:
        import duckdb
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        rule = "DuckDB databases need duckdb and pyarrow; install them with `pip install -e '.[ehr]'`"
        raise InputError("records", rule) from None
    found: dict[str, Relation] = {}
    try:
        opened = duckdb.connect(str(path), read_only=True, config=_CLOSED)
        for name in names:
            places = opened.execute(_TABLES_SQL, [name]).fetchall()
            if len(places) > 1:
                raise InputError(name, "stands in several schemas of the database; keep one")
            for place in places:
                found[name] = _DatabaseTable(opened, place, name)
    except duckdb.Error:
        rule = "the DuckDB database cannot be opened: damaged, of a newer version, or in use"
        raise InputError("records", rule) from None
    return found


class _DatabaseTable:
    """A table or view of a database."""

    def __init__(self, opened: "duckdb.DuckDBPyConnection", place: tuple[Any, ...], label: str) -> None:
        self.label = label
        self._opened = opened
        self._from = ".".join(map(_quoted, place))

    def columns(self) -> frozenset[str]:
        """Names of its columns, in lower case."""
        return frozenset(self._names())

    def batches(self, wanted: Iterable[str], faults: Faults) -> Iterator[Rows]:
        """See `Relation`."""
        import duckdb

        names = {name: column for name, column in self._names().items() if name in set(wanted)}
        listed = ", ".join(map(_quoted, names.values()))
        row = 1
        try:
            # The names come from the database itself and are quoted.
            asked = self._opened.sql(f"SELECT {listed} FROM {self._from}")  # noqa: S608
            for batch in cast(Any, asked.to_arrow_reader(_ROWS_A_BATCH)):
                columns = dict(zip(names, batch.columns, strict=True))
                number = np.arange(row, row + batch.num_rows)
                yield Rows(Place(faults, self.label, number), as_texts(columns))
                row += batch.num_rows
        except duckdb.Error:
            raise InputError(self.label, "this table of the database cannot be read") from None

    def _names(self) -> dict[str, str]:
        import duckdb

        try:
            found = self._opened.execute(f"SELECT * FROM {self._from} LIMIT 0")  # noqa: S608
        except duckdb.Error:
            raise InputError(self.label, "this table of the database cannot be read") from None
        names = [str(column[0]) for column in found.description]
        return {name.strip().lower(): name for name in names}


def _quoted(name: object) -> str:
    return '"' + str(name).replace('"', '""') + '"'

"""Finds the tables of OMOP in a folder, or in a DuckDB database, whatever the case of their names."""

from pathlib import Path

from tools.records.files.arrow import ENDING, is_parquet
from tools.records.files.locate import ending_of_table
from tools.records.formats.omop.duckdb_tables import is_database, relations
from tools.records.formats.omop.tables import DelimitedFile, ParquetFiles, Relation
from tools.safety.errors import InputError

PERSON, VISIT, CONDITION, CONCEPT = "PERSON", "VISIT_OCCURRENCE", "CONDITION_OCCURRENCE", "CONCEPT"
REQUIRED = (PERSON, VISIT, CONDITION)
_TABLES = (*REQUIRED, CONCEPT)


def has_tables(path: Path) -> bool:
    """Whether a path is a DuckDB database, or a folder with the tables that are needed."""
    if path.is_dir():
        return set(REQUIRED) <= _entries(path).keys()
    return is_database(path)


def find_tables(path: Path) -> dict[str, Relation]:
    """The tables by name; CONCEPT is there or not.

    Raises:
        InputError: one that is needed is not there, one is there twice, or the place cannot be read.
    """
    found = _in_folder(path) if path.is_dir() else relations(path, _TABLES) if is_database(path) else {}
    for name in REQUIRED:
        if name not in found:
            raise InputError("records", f"there is no table {name}")
    return found


def _in_folder(folder: Path) -> dict[str, Relation]:
    found: dict[str, Relation] = {}
    for name, entries in _entries(folder).items():
        if len(entries) > 1:
            rule = "stands in the folder several times (compressed, as parquet, or in other case); keep one"
            raise InputError(name, rule)
        [entry] = entries
        if entry.is_dir():
            found[name] = ParquetFiles(_shards(entry), name)
        elif is_parquet(entry):
            found[name] = ParquetFiles((entry,), name)
        else:
            found[name] = DelimitedFile(entry, name)
    return found


def _entries(folder: Path) -> dict[str, list[Path]]:
    """What of a folder can be each table: files, and folders of parquet files."""
    found: dict[str, list[Path]] = {}
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        rule = f"the folder cannot be read ({error.strerror}); check its rights"
        raise InputError("records", rule) from None
    for entry in entries:
        ending = _ending(entry)
        name = entry.name[: len(entry.name) - len(ending)].upper() if ending is not None else ""
        if name in _TABLES:
            found.setdefault(name, []).append(entry)
    return found


def _ending(entry: Path) -> str | None:
    """The end of a table's name; None of what can be no table."""
    if entry.is_dir():
        if not _shards(entry):
            return None
        return ENDING if entry.name.lower().endswith(ENDING) else ""
    return ENDING if is_parquet(entry) else ending_of_table(entry)


def _shards(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(file for file in folder.iterdir() if is_parquet(file)))

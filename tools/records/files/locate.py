"""Finds the tables of a format in a folder, whatever the case of their names."""

from pathlib import Path

from tools.records.files.opening import ENDINGS
from tools.safety.errors import InputError

_ENDINGS = tuple(f".csv{ending}" for ending in ENDINGS)


def find_table(folder: Path, stem: str) -> Path | None:
    """The file `stem`.csv of a folder, plain or compressed, in any case; None when there is none.

    Raises:
        InputError: several files fit, or the folder cannot be read.
    """
    if not folder.is_dir():
        return None
    wanted = {stem.lower() + ending for ending in _ENDINGS}
    try:
        found = [entry for entry in folder.iterdir() if entry.name.lower() in wanted and entry.is_file()]
    except OSError as error:
        rule = f"the folder cannot be read ({error.strerror}); check its rights"
        raise InputError("records", rule) from None
    if len(found) > 1:
        raise InputError(stem, "stands in the folder several times (compressed, or in other case); keep one")
    return found[0] if found else None


def is_table(path: Path) -> bool:
    """Whether a path is a .csv file, plain or compressed."""
    return path.is_file() and path.name.lower().endswith(_ENDINGS)


def ending_of_table(path: Path) -> str | None:
    """The end of a .csv file's name, such as `.csv.gz`, in lower case; None of what is no such file."""
    name = path.name.lower()
    return next((ending for ending in _ENDINGS if name.endswith(ending) and path.is_file()), None)

"""One door to all formats."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tools.records.cohort import Cohort
from tools.records.formats import diabetes130, long_csv, mimic3, mimic4, parquet
from tools.records.formats.fhir import read as fhir
from tools.records.formats.meds import read as meds
from tools.records.formats.omop import read as omop
from tools.safety.errors import InputError


class Format(NamedTuple):
    """A format: what it needs, in words; whether a path is of it; how it is read."""

    needs: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], Cohort]


class OpenFormat(NamedTuple):
    """A format that may leave its code system to be said, as an argument of its `read`."""

    needs: str
    matches: Callable[[Path], bool]
    read: Callable[[Path, str | None], Cohort]


FORMATS: dict[str, Format | OpenFormat] = {
    mimic3.NAME: Format(mimic3.NEEDS, mimic3.matches, mimic3.read),
    mimic4.NAME: Format(mimic4.NEEDS, mimic4.matches, mimic4.read),
    diabetes130.NAME: Format(diabetes130.NEEDS, diabetes130.matches, diabetes130.read),
    fhir.NAME: Format(fhir.NEEDS, fhir.matches, fhir.read),
    meds.NAME: Format(meds.NEEDS, meds.matches, meds.read),
    omop.NAME: OpenFormat(omop.NEEDS, omop.matches, omop.read),
    long_csv.NAME: OpenFormat(long_csv.NEEDS, long_csv.matches, long_csv.read),
    parquet.NAME: OpenFormat(parquet.NEEDS, parquet.matches, parquet.read),
}


def sniff(path: str | Path) -> str:
    """Name of the format that records are in, told by file names and headers.

    Raises:
        InputError: nothing is there, it is of no known format, or a header cannot be read (`RecordFaults`).
    """
    found = _existing(path)
    for name, format_ in FORMATS.items():
        if format_.matches(found):
            return name
    known = "; ".join(f"{name}: {format_.needs}" for name, format_ in FORMATS.items())
    raise InputError("records", f"not of a known format. Looked for {known}")


def read_cohort(path: str | Path, format: str | None = None, system: str | None = None) -> Cohort:  # noqa: A002
    """Read records into a cohort.

    Args:
        path: a file or a folder.
        format: a name of `FORMATS`; told from the files when None.
        system: the code system of a long CSV, or of parquet files, without a system column; of OMOP's source
            values where CONCEPT does not tell.

    Raises:
        InputError: unknown path or format, or records that break rules; then `faults` lists the first
            places, and nothing is loaded.
    """
    name = sniff(path) if format is None else known_format(format)
    chosen = FORMATS[name]
    if isinstance(chosen, OpenFormat):
        return chosen.read(_existing(path), system)
    if system is not None:
        takers = " and ".join(name for name, format_ in FORMATS.items() if isinstance(format_, OpenFormat))
        raise InputError("system", f"only {takers} take it; {name} says it itself")
    return chosen.read(_existing(path))


def known_format(text: str) -> str:
    """The format that a spelling means (`MIMIC3`, ` csv`).

    Raises:
        InputError: none.
    """
    name = text.strip().lower()
    if name not in FORMATS:
        raise InputError("format", f"unknown; use one of {', '.join(FORMATS)}")
    return name


def _existing(path: str | Path) -> Path:
    found = Path(path)
    try:
        exists = found.exists()
    except OSError:
        exists = False
    if not exists:
        raise InputError("records", "there is no file or folder at this path; check it")
    return found

"""Parquet shards of cohorts, written for tests."""

from datetime import date, timedelta

import pyarrow as pa
from pyarrow import parquet

FIRST_DAY = date(2020, 1, 1)


def rows(patients, first=0):
    """(patient, time, code) of patients given as lists of visits, each a set of codes."""
    return [
        (f"P{first + place:04d}", FIRST_DAY + timedelta(days=visit), code)
        for place, patient in enumerate(patients)
        for visit, codes in enumerate(patient)
        for code in sorted(codes)
    ]


def write(path, written, system="ICD9CM", names=("patient", "time", "code"), **options):
    """A file of rows, with a system column unless `system` is None."""
    columns = {name: [row[place] for row in written] for place, name in enumerate(names)}
    if system is not None:
        columns["system"] = [system] * len(written)
    parquet.write_table(pa.table(columns), path, **options)
    return path


def write_shards(folder, shards, **options):
    """A folder with a file for each list of patients, numbered through."""
    folder.mkdir(parents=True)
    first = 0
    for number, patients in enumerate(shards):
        write(folder / f"shard-{number:02d}.parquet", rows(patients, first), **options)
        first += len(patients)
    return folder

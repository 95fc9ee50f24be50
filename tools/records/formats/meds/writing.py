"""Any cohort as MEDS 0.4: one event a diagnosis, in one shard, with what the codes mean."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.records.cohort import DAY_S, Cohort, IntArray
from tools.records.formats.meds.codes import WRITTEN, spelled
from tools.safety.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

VERSION = "0.4.1"
_MICROSECONDS = 1_000_000
_MOST_DIGITS = 18  # of a whole number that 64 bits hold


def write(cohort: Cohort, folder: Path, beside: Mapping[str, bytes] | None = None) -> tuple[str, ...]:
    """Write a cohort as MEDS: `data/0.parquet`, `metadata/codes.parquet` and `metadata/dataset.json`.

    A visit is told by its `hadm_id`, its place in the cohort from 1, and has one time. Visits without a code
    are not written: MEDS knows events only.

    Args:
        cohort: as a reader gives it.
        folder: to be made; it is there whole or not at all.
        beside: content of further files of the folder, by name.

    Returns:
        What a person should know of the result.

    Raises:
        InputError: pyarrow is not installed, the folder is there already or cannot be written, or a code is
            of a system that has no place in MEDS here.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        rule = "MEDS needs pyarrow; install it with `pip install -e '.[parquet]'`"
        raise InputError("out", rule) from None
    subjects, numbered = _subjects(cohort)
    tables = {"data/0.parquet": _events(cohort, subjects), "metadata/codes.parquet": _codes(cohort)}
    described = {"dataset_name": cohort.source, "etl_name": "ii-kea", "meds_version": VERSION}
    if folder.exists():
        raise InputError("out", "is there already; name a folder that is not")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".draft-") as draft:
            whole = Path(draft) / "whole"
            for name, table in tables.items():
                (whole / name).parent.mkdir(parents=True)
                parquet.write_table(table, whole / name)
            (whole / "metadata" / "dataset.json").write_text(json.dumps(described) + "\n", encoding="utf-8")
            for name, content in (beside or {}).items():
                (whole / name).write_bytes(content)
            whole.rename(folder)
    except OSError as error:
        reason = error.strerror or "the disk refused the write"
        raise InputError("out", f"not written ({reason}); free space or name another folder") from None
    return (*numbered, *_told(cohort))


def _subjects(cohort: Cohort) -> tuple[IntArray, tuple[str, ...]]:
    """A whole number for each patient, and what is to be said of them."""
    ids = cohort.patient_ids
    if all(_is_number(text) for text in ids):
        return np.array([int(text) for text in ids], dtype=np.int64), ()
    told = "patient ids are no whole numbers, as MEDS has them: patients are numbered from 1 in their order"
    return np.arange(1, len(ids) + 1), (told,)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and str(int(text)) == text


def _told(cohort: Cohort) -> tuple[str, ...]:
    told = []
    if cohort.clock == "order":
        told.append("visits have an order and no dates: the n-th moment is day n since 1970")
    empty = int((np.diff(cohort.code_offsets) == 0).sum())
    if empty:
        told.append(f"visits without a code, left out: {empty:,}")
    return tuple(told)


def _spelled(cohort: Cohort) -> list[str]:
    columns = cohort.vocabulary.columns
    strange = sorted(set(columns.system) - set(WRITTEN))
    if strange:
        rule = f"codes of {', '.join(strange)} have no place in MEDS here; only {', '.join(WRITTEN)} have"
        raise InputError("records", rule)
    return [spelled(s, code) for s, code in zip(columns.system, columns.code, strict=True)]


def _events(cohort: Cohort, subjects: IntArray) -> "pa.Table":
    import pyarrow as pa

    patients = np.repeat(np.arange(cohort.n_patients), cohort.visits_per_patient)
    visits = np.repeat(np.arange(cohort.n_visits), np.diff(cohort.code_offsets))
    unit = DAY_S if cohort.clock == "order" else 1
    order = np.lexsort((visits, subjects[patients[visits]]))  # MEDS has subjects in ascending order
    visits, codes = visits[order], cohort.codes[order]
    texts = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(_spelled(cohort)))
    columns: dict[str, Any] = {
        "subject_id": pa.array(subjects[patients[visits]], pa.int64()),
        "time": pa.array(cohort.times[visits] * unit * _MICROSECONDS).cast(pa.timestamp("us")),
        "code": texts.cast(pa.string()),
        "numeric_value": pa.nulls(len(visits), pa.float32()),
        "text_value": pa.nulls(len(visits), pa.large_string()),
        "hadm_id": pa.array(visits + 1, pa.int64()),
    }
    return pa.table(columns)


def _codes(cohort: Cohort) -> "pa.Table":
    """Names of the codes that the records had themselves; published ones are found anew."""
    import pyarrow as pa

    columns = cohort.vocabulary.columns
    named = [source == "record" for source in columns.named_by]
    names = [text if kept else None for text, kept in zip(columns.display, named, strict=True)]
    return pa.table(
        {
            "code": pa.array(_spelled(cohort), pa.string()),
            "description": pa.array(names, pa.string()),
            "parent_codes": pa.nulls(len(names), pa.list_(pa.string())),
        }
    )

"""Predictions as MEDS labels: a parquet file with a row for each predicted code.

The columns are those of MEDS's LabelSchema (0.4), what MEDS-evaluation's PredictionSchema adds, and `code`.
Both schemas know one task a file: the rows of one code, without that column, are what they describe.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tools.records.concepts.codes import normalise
from tools.records.formats.meds.codes import spelled
from tools.reporting.result import DiagnosisResult
from tools.reporting.writing import write_result
from tools.safety.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

LIKELY = 0.5
_WHOLE = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_MICROSECONDS = 1_000_000
_BITS = 64


class LabelKey(NamedTuple):
    """Whose labels they are, and of when.

    Attributes:
        subject_id: a whole number of 64 bits.
        time_s: the prediction uses data up to and including this time; seconds since 1970.
        later: vocabulary keys of the visit that came next, None where it is not known.
    """

    subject_id: int
    time_s: int
    later: frozenset[str] | None


def subject_id_of(text: str) -> int | None:
    """The whole number of 64 bits that a patient id is, None where it is none or has another spelling too."""
    number = int(text) if _WHOLE.fullmatch(text) else None
    return number if number is not None and -(1 << _BITS - 1) <= number < 1 << _BITS - 1 else None


def require_parquet() -> None:
    """Check that labels can be written.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        rule = "labels are parquet, which needs pyarrow; install it with `pip install -e '.[parquet]'`"
        raise InputError("labels", rule) from None


def render(result: DiagnosisResult, key: LabelKey) -> "pa.Table":
    """The labels; `predicted_boolean_value` is whether the probability is a half or more.

    `boolean_value`, the truth, is a column only where it is known: labels are never null in MEDS.

    Raises:
        InputError: the result is a refusal, or pyarrow is not installed.
    """
    if result.refusal:
        raise InputError("labels", f"the result is a refusal ({result.refusal.kind}): it has no predictions")
    require_parquet()
    import pyarrow as pa

    rows, chances = result.predictions, [prediction.probability for prediction in result.predictions]
    time = pa.array([key.time_s * _MICROSECONDS] * len(rows), pa.int64()).cast(pa.timestamp("us"))
    columns = [
        (pa.field("subject_id", pa.int64(), nullable=False), [key.subject_id] * len(rows)),
        (pa.field("prediction_time", pa.timestamp("us"), nullable=False), time),
        (pa.field("predicted_boolean_value", pa.bool_()), [chance >= LIKELY for chance in chances]),
        (pa.field("predicted_boolean_probability", pa.float32()), chances),
        (
            pa.field("code", pa.string(), nullable=False),
            [spelled(row.system, normalise(row.system, row.dotted)) for row in rows],
        ),
    ]
    if key.later is not None:
        truth = [row.code in key.later for row in rows]
        columns.insert(2, (pa.field("boolean_value", pa.bool_(), nullable=False), truth))
    return pa.table([pa.array(v, f.type) for f, v in columns], schema=pa.schema([f for f, _ in columns]))


def write(result: DiagnosisResult, key: LabelKey, path: Path) -> None:
    """Write the labels.

    Raises:
        InputError: see `render`; or the file cannot be written.
    """
    table = render(result, key)
    import pyarrow as pa
    from pyarrow import parquet

    written = pa.BufferOutputStream()
    parquet.write_table(table, written)
    write_result(path, written.getvalue().to_pybytes(), "labels")

"""Predictions as CSV, one a row, for spreadsheets."""

import csv
import io
from pathlib import Path

from tools.reporting.result import DiagnosisResult, Prediction
from tools.reporting.words import printable
from tools.reporting.writing import write_result
from tools.safety.errors import InputError

COLUMNS = (
    *("rank", "system", "code", "display", "probability", "low", "high", "had_before"),
    *("reason", "path", "evidence", "counter_evidence"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(result: DiagnosisResult) -> str:
    """The predictions as CSV with a header, `COLUMNS`; probabilities and their 95 % interval from 0 to 1.

    Texts that a spreadsheet would run as a formula get an apostrophe before them, and lose what a terminal
    would obey, see `tools.reporting.words.printable`.

    Raises:
        InputError: the result is a refusal.
    """
    if result.refusal:
        raise InputError("csv", f"the result is a refusal ({result.refusal.kind}): it has no predictions")
    written = io.StringIO()
    rows = csv.writer(written)  # its line end, \r\n, makes it quote cells that hold either of the two
    rows.writerow(COLUMNS)
    rows.writerows([_safe(cell) for cell in _cells(prediction)] for prediction in result.predictions)
    return written.getvalue()


def write(result: DiagnosisResult, path: Path) -> None:
    """Write the predictions as UTF-8.

    Raises:
        InputError: see `render`; or the file cannot be written.
    """
    write_result(path, render(result), "csv")


def _cells(prediction: Prediction) -> tuple[str, ...]:
    low, high = prediction.interval or ("", "")
    return (
        str(prediction.rank),
        prediction.system,
        prediction.dotted,
        prediction.display,
        f"{prediction.probability:.6f}",
        *(f"{end:.6f}" if isinstance(end, float) else end for end in (low, high)),
        "yes" if prediction.repeat else "no",
        prediction.reason,
        " > ".join(prediction.path),
        "; ".join(prediction.evidence),
        prediction.counter_evidence,
    )


def _safe(cell: str) -> str:
    shown = printable(cell)
    return f"'{shown}" if cell.startswith(_FORMULA) or shown.startswith(_FORMULA) else shown

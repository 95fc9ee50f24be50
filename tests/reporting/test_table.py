import csv

import pytest

from tests.reporting.example import example, refused
from tools.reporting import table
from tools.reporting.words import printable
from tools.safety.errors import InputError

RESULT, REFUSED = example(), refused()


def rows(result, tmp_path):
    table.write(result, tmp_path / "p.csv")
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_prediction_is_a_row(tmp_path):
    found = rows(RESULT, tmp_path)
    assert tuple(found[0]) == table.COLUMNS
    for row, prediction in zip(found, RESULT.predictions, strict=True):
        assert (row["code"], row["display"], row["reason"]) == (
            prediction.dotted,
            prediction.display,
            prediction.reason,
        )
        assert float(row["probability"]) == pytest.approx(prediction.probability, abs=1e-6)
        interval = tuple(float(row[end]) for end in ("low", "high")) if row["low"] else None
        assert interval == (prediction.interval and pytest.approx(prediction.interval, abs=1e-6))
        assert row["had_before"] == ("yes" if prediction.repeat else "no")
    assert (tmp_path / "p.csv").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_r2_no_cell_is_a_formula(start, tmp_path):
    text = f"{start}HYPERLINK(1)"
    bad = RESULT.predictions[0].model_copy(
        update=dict.fromkeys(("system", "dotted", "display", "reason", "counter_evidence"), text)
        | {"path": (text,), "evidence": (text,)}
    )
    (row,) = rows(RESULT.model_copy(update={"predictions": (bad,)}), tmp_path)
    for column in ("system", "code", "display", "reason", "path", "evidence", "counter_evidence"):
        assert row[column] == f"'{printable(text)}"


def test_c11_no_cell_moves_a_terminal_or_hides_a_formula_behind_what_does(tmp_path):
    bad = RESULT.predictions[0].model_copy(update={"reason": "\x1b[31m=1+1\x1b[0m \u202egnp"})
    (row,) = rows(RESULT.model_copy(update={"predictions": (bad,)}), tmp_path)
    assert row["reason"] == "'=1+1 gnp"


def test_a_refusal_has_no_table(tmp_path):
    with pytest.raises(InputError, match="refusal"):
        table.write(REFUSED, tmp_path / "p.csv")

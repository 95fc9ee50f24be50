"""Predictions as MEDS labels, beside the schemas that MEDS and MEDS-evaluation publish."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.reporting.example import example, refused
from tools.reporting import labels
from tools.reporting.labels import LabelKey
from tools.safety.errors import InputError

RESULT = example()
TIME = datetime(2024, 5, 31, 8, 30, tzinfo=UTC)
KEY = LabelKey(-7, int(TIME.timestamp()), None)

# LabelSchema of meds 0.4.1, and PredictionSchema of meds-evaluation 0.0.6: name, type, may be null.
LABEL_SCHEMA = {
    "subject_id": (pa.int64(), False),
    "prediction_time": (pa.timestamp("us"), False),
    "boolean_value": (pa.bool_(), False),
    "integer_value": (pa.int64(), False),
    "float_value": (pa.float32(), False),
    "categorical_value": (pa.string(), False),
}
PREDICTION_SCHEMA = LABEL_SCHEMA | {
    "predicted_boolean_value": (pa.bool_(), True),
    "predicted_boolean_probability": (pa.float32(), True),
}
REQUIRED = ("subject_id", "prediction_time")


def written(result, key, tmp_path):
    labels.write(result, key, tmp_path / "labels.parquet")
    return parquet.read_table(tmp_path / "labels.parquet")


def assert_as_published(table):
    """Types, order and nulls are those of the published schema, of which columns may be left out."""
    assert table.column_names == [name for name in PREDICTION_SCHEMA if name in table.column_names]
    assert set(REQUIRED) <= set(table.column_names)
    for name in table.column_names:
        kind, may_be_null = PREDICTION_SCHEMA[name]
        assert table.schema.field(name).type == kind
        assert table.schema.field(name).nullable == may_be_null
        assert not table[name].null_count


@pytest.mark.parametrize("later", [None, frozenset(), frozenset(p.code for p in RESULT.predictions[::2])])
def test_each_predicted_code_is_a_row_of_the_published_schema(later, tmp_path):
    table = written(RESULT, KEY._replace(later=later), tmp_path)
    assert table.column_names[-1] == "code"
    assert_as_published(table.drop_columns("code"))
    assert table["subject_id"].to_pylist() == [-7] * len(RESULT.predictions)
    assert set(table["prediction_time"].to_pylist()) == {TIME.replace(tzinfo=None)}
    chances = [p.probability for p in RESULT.predictions]
    assert table["predicted_boolean_probability"].to_pylist() == pytest.approx(chances, abs=1e-6)
    assert table["predicted_boolean_value"].to_pylist() == [chance >= 0.5 for chance in chances]
    if later is None:
        assert "boolean_value" not in table.column_names
    else:
        assert table["boolean_value"].to_pylist() == [p.code in later for p in RESULT.predictions]
    assert (tmp_path / "labels.parquet").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("system", "dotted", "spelled"),
    [
        ("ICD9CM", "401.9", "DIAGNOSIS//ICD//9//4019"),
        ("ICD10CM", "E11.9", "DIAGNOSIS//ICD//10//E119"),
        ("SNOMED", "44054006", "SNOMED/44054006"),
        ("CCS", "98", "CCS/98"),
    ],
)
def test_codes_are_spelled_as_meds_events_are(system, dotted, spelled, tmp_path):
    one = RESULT.predictions[0].model_copy(update={"system": system, "dotted": dotted})
    table = written(RESULT.model_copy(update={"predictions": (one,)}), KEY, tmp_path)
    assert table["code"].to_pylist() == [spelled]


def test_the_same_result_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        labels.write(RESULT, KEY, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_refusal_has_no_labels(tmp_path):
    with pytest.raises(InputError, match="refusal"):
        labels.write(refused(), KEY, tmp_path / "labels.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-7", -7),
        (str(2**63 - 1), 2**63 - 1),
        (str(-(2**63)), -(2**63)),
        (str(2**63), None),
        ("007", None),
        ("1.0", None),
        ("p1", None),
        ("", None),
        ("٣", None),
    ],
)
def test_subject_ids_are_whole_numbers_of_64_bits(text, number):
    assert labels.subject_id_of(text) == number

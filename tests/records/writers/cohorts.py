"""Small cohorts for round trips, by way of a long CSV file."""

import csv
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from tools.dataset.clinical import ClinicalDataset
from tools.records.read import read_cohort

CODES = (
    *(("ICD9CM", code) for code in ("4019", "25000", "038", "V1582", "E8490")),
    *(("ICD10CM", code) for code in ("I509", "E119", "V1582", "I10")),
    ("SNOMED", "44054006"),
)
visits = st.lists(
    st.tuples(
        st.sampled_from(["7", "10", "2", "123456789"]),
        st.integers(-(10**9), 6 * 10**9),
        st.lists(st.sampled_from(CODES), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=12,
)


def long_csv(drawn, path: Path) -> Path:
    """Visits (patient, seconds, [(system, code), ...]) as a long CSV file, SNOMED with names."""
    with path.open("w", newline="", encoding="utf-8") as out:
        lines = csv.writer(out)
        lines.writerow(("patient", "time", "code", "system", "display"))
        for patient, time, coded in drawn:
            when = np.datetime64(time, "s")
            lines.writerows(
                [(patient, when, c, s, f"name of {c}" if s == "SNOMED" else "") for s, c in coded]
            )
    return path


def cohort_of(drawn, path: Path):
    return read_cohort(long_csv(drawn, path))


def assert_same(found, expected):
    assert found.patient_ids == expected.patient_ids
    assert found.clock == expected.clock
    for name in ("visit_offsets", "times", "code_offsets", "codes"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert found.vocabulary.keys == expected.vocabulary.keys
    assert [(c.system, c.code, c.display) for c in found.vocabulary.concepts] == [
        (c.system, c.code, c.display) for c in expected.vocabulary.concepts
    ]


def assert_same_dataset(found, expected):
    """Equal counts; the hash too, once the names' sources, which a round trip may change, are the same."""
    one, other = ClinicalDataset.build(found), ClinicalDataset.build(expected)
    for name, array in one.columns._asdict().items():
        np.testing.assert_array_equal(array, getattr(other.columns, name), err_msg=name)
    if found.vocabulary.columns == expected.vocabulary.columns:
        assert one.hash == other.hash
    else:
        named = found.model_copy(update={"vocabulary": expected.vocabulary})
        assert ClinicalDataset.build(named).hash == other.hash

"""The two public data sets give the numbers their publishers state."""

import pytest

from tools.records.check import check


@pytest.mark.parametrize(
    ("folder", "patients", "visits", "multi_visit", "codes"),
    [("mimic3_demo", 100, 129, 14, 581), ("diabetes130", 71_518, 101_766, 16_773, 915)],
)
def test_published_counts_and_names(real_data, folder, patients, visits, multi_visit, codes):
    found = check(real_data / folder)
    assert found.fault_count == 0
    assert (found.patients, found.visits, found.multi_visit_patients) == (patients, visits, multi_visit)
    assert found.codes == codes
    assert found.share_of_rows_named >= 0.99

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from tests.causal.cohorts import KEYS, dataset, histories, numbered
from tools.dataset.columns import DTYPES, ends, fit_together
from tools.dataset.integrity import Integrity
from tools.dataset.transitions import count_visits
from tools.safety.errors import InputError


@settings(max_examples=200)
@given(histories)
def test_onsets_and_arrivals_equal_slow_loops(patients):
    data = dataset(patients)
    keys, columns = data.vocabulary.keys, data.columns
    onsets = [len(visit - set().union(*p[:t])) for p in patients for t, visit in enumerate(p)]
    np.testing.assert_array_equal(columns.onsets_per_visit, onsets)
    arrivals = [sum(key in after for p in patients for _, after in pairwise(p)) for key in keys]
    np.testing.assert_array_equal(columns.arrivals, arrivals)


@given(histories)
def test_the_arrays_are_canonical_sound_and_of_their_types(patients):
    c = dataset(patients).columns
    assert fit_together(c, len(KEYS))
    Integrity(c).require_all()
    assert {name: array.dtype for name, array in c._asdict().items()} == DTYPES
    assert all(array.flags.c_contiguous for array in c)
    for offsets, values in (
        (c.union_offsets, c.union_columns),
        (c.next_offsets, c.next_columns),
        (c.diagnosis_offsets, c.diagnosis_patients),
    ):
        for begin, end in pairwise(offsets):
            assert np.all(np.diff(values[begin:end]) > 0)
    assert all(getattr(c, name)[-1] == end for name, end in ends(c).items())


@pytest.mark.parametrize("n_codes", [63, 64, 65, 200])
def test_columns_beyond_a_word_of_bits_are_counted(n_codes):
    rng = np.random.default_rng(n_codes)
    patients = [
        [set(rng.choice(n_codes, 9, replace=False).tolist()) for _ in range(rng.integers(1, 5))]
        for _ in range(40)
    ]
    data, _ = numbered(patients, n_codes)
    for next_only in (False, True):
        expected = np.zeros((n_codes, n_codes), dtype=int)
        for patient in patients:
            for visit, after in pairwise(patient):
                for a in visit:
                    expected[a, sorted(after if next_only else visit | after)] += 1
        np.testing.assert_array_equal(data.counts(next_only).toarray(), expected)


def test_more_visits_than_the_arrays_can_number_are_refused():
    offsets = np.lib.stride_tricks.as_strided(np.zeros(1, dtype=np.int64), (2**31 + 1,), (0,))
    with pytest.raises(InputError, match="several stores"):
        count_visits(offsets, offsets, np.zeros(0, dtype=np.int32), 1)

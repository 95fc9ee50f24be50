import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tools.records.build import distinct, grouped

numbers = st.lists(st.integers(-3, 3), max_size=30)


@given(numbers)
def test_distinct_numbers_are_sorted_and_each_there_once(drawn):
    assert distinct(np.array(drawn, dtype=np.int64)).tolist() == sorted(set(drawn))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2), st.integers(1, 4)), max_size=15))
def test_rows_are_grouped_by_their_pairs_wherever_they_lie(runs):
    rows = [(patient, key) for patient, key, times in runs for _ in range(times)]
    patient, key = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    of, at, pair = grouped(patient, key)
    assert list(zip(of.tolist(), at.tolist(), strict=True)) == sorted(set(rows))
    assert [(int(of[place]), int(at[place])) for place in pair] == rows

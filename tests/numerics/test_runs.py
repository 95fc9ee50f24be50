import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tools.numerics.runs import offsets, ranges, spans

lengths = st.lists(st.integers(0, 5), max_size=12)


@given(lengths)
def test_offsets_cut_an_array_into_runs_of_the_lengths(some):
    cuts = offsets(np.array(some, dtype=np.int64))
    whole = list(range(sum(some)))
    runs = [whole[begin:end] for begin, end in itertools.pairwise(cuts)]
    assert [len(run) for run in runs] == some
    assert [place for run in runs for place in run] == whole


@given(lengths, st.data())
def test_the_places_of_some_runs_are_those_of_each_in_turn(some, data):
    cuts = offsets(np.array(some, dtype=np.int64))
    rows = data.draw(st.lists(st.integers(0, max(len(some) - 1, 0)), max_size=8)) if some else []
    expected = [place for row in rows for place in range(cuts[row], cuts[row + 1])]
    assert ranges(cuts, np.array(rows, dtype=np.int64)).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=12))
def test_spans_count_on_from_each_start(some):
    starts, counts = (np.array([pair[i] for pair in some], dtype=np.int64) for i in (0, 1))
    expected = [start + step for start, count in some for step in range(count)]
    assert spans(starts, counts).tolist() == expected

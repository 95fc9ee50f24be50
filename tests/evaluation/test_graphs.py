"""Sizes and gains of accepted graphs: means over who has one, and paired differences."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.evaluation.graphs import GAIN, Graphs, gain_difference, graph_line, has_graphs
from tools.evaluation.intervals import Resampling

graph = st.none() | st.tuples(st.integers(0, 90), st.floats(-1, 1))
test_sets = st.lists(st.lists(graph, min_size=4, max_size=4), min_size=1, max_size=3)


def graphs_of(patients):
    values = np.array([(np.nan, np.nan) if each is None else each for each in patients])
    return Graphs(np.arange(len(patients)), *values.T.astype(np.float64))


@given(test_sets)
def test_a_line_has_the_means_over_the_patients_with_a_graph(patients):
    of_seeds = [graphs_of(each) for each in patients]
    known = [[each for each in seed if each is not None] for seed in patients]
    assert has_graphs(of_seeds) == any(known)
    if not all(known):
        return
    line = graph_line("m", of_seeds, Resampling(np.arange(4), 50))
    assert json.loads(json.dumps(line)) == line
    for place, name in enumerate(("edges", GAIN)):
        means = [np.mean([each[place] for each in seed]) for seed in known]
        assert line[name] == pytest.approx(np.mean(means))
        low, high = line["ci"][name]
        assert low <= high


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=9))
def test_a_difference_is_paired(gains):
    first, second = ([graphs_of([(1, gain + more) for gain in gains])] for more in (0.25, 0.0))
    found = gain_difference(first, second, Resampling(np.arange(len(gains)), 50))
    assert found == pytest.approx((0.25, 0.25, 0.25))
    of_one = graphs_of([None, *((1, gain + 0.25) for gain in gains[1:])])
    found = gain_difference([of_one], second, Resampling(np.arange(len(gains)), 50))
    assert found.estimate == pytest.approx(0.25)

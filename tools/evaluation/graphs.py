"""What the accepted graphs of a method are worth, all measured by one instrument."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tools.evaluation.intervals import Interval, Resampling, Sample, intervals, paired_difference
from tools.evaluation.rankings import Int64
from tools.evaluation.statistic import Float, mean

GAIN, EDGES = "held_out_gain", "edges"


class Graphs(NamedTuple):
    """Accepted graphs of one test set.

    Attributes:
        rows: the patients' rows of the cohort, shape (n,).
        edges: how many edges each graph has, NaN where there was no graph.
        gains: what each graph gains over one without edges in the cross-validated log-likelihood of a leaky
            noisy-OR, nats a patient of the records, whatever score accepted it; NaN likewise. The records
            chose the edges too, so that gains lean high, the more so the less the score charges for an edge.
    """

    rows: Int64
    edges: Float
    gains: Float

    @property
    def samples(self) -> dict[str, Sample]:
        """Means over the patients with a graph."""
        values = {EDGES: self.edges, GAIN: self.gains}
        return {
            name: Sample(self.rows, mean(np.nan_to_num(each), ~np.isnan(each)))
            for name, each in values.items()
        }


def has_graphs(of_seeds: Sequence[Graphs]) -> bool:
    """Whether any patient has a graph."""
    return any(not np.isnan(each.edges).all() for each in of_seeds)


def graph_line(method: str, of_seeds: Sequence[Graphs], resampling: Resampling) -> dict[str, Any]:
    """A method's graphs: mean number of edges and mean gain, with 95 % intervals over patients."""
    found = intervals({name: [each.samples[name] for each in of_seeds] for name in (EDGES, GAIN)}, resampling)
    return {
        "method": method,
        **{name: interval.estimate for name, interval in found.items()},
        "ci": {name: [interval.low, interval.high] for name, interval in found.items()},
    }


def gain_difference(first: Sequence[Graphs], second: Sequence[Graphs], resampling: Resampling) -> Interval:
    """The first method's mean gain less the second's, nats a patient, over who has a graph of both."""
    both = [~np.isnan(one.gains + other.gains) for one, other in zip(first, second, strict=True)]
    one, other = (
        [each._replace(gains=np.where(kept, each.gains, np.nan)).samples[GAIN] for each, kept in pairs]
        for pairs in (zip(first, both, strict=True), zip(second, both, strict=True))
    )
    return paired_difference(one, other, resampling)

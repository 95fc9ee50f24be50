"""What may be coded at a patient's next visit: recurrence of what they had, onset of what they did not."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal import noisy_or
from tools.causal.dag import CausalGraph
from tools.causal.dataset import ClinicalDataset
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.tables import Rows, family_table
from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]

Kind = Literal["base", "cause", "recurrence"]
PSEUDO_VISITS = 5.0
Z_95 = 1.959963984540054


class Part(NamedTuple):
    """One reason for a probability.

    Attributes:
        kind: onset without a known cause, a cause, or recurrence.
        key: the cause, or the disease itself.
        probability: per visit, of this part alone, with its 95 % interval.
    """

    kind: Kind
    key: str
    probability: float
    lower: float
    upper: float


class Forecast(NamedTuple):
    """The probability that a disease is coded at the next visit.

    Attributes:
        key: vocabulary key.
        probability: with an interval that holds if every part is within its own 95 % interval.
        is_repeat: whether the history has the disease.
        parts: what it is made of; 1 - prod (1 - part) where `is_repeat` is false.
    """

    key: str
    probability: float
    lower: float
    upper: float
    is_repeat: bool
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class NextVisitModel:
    """Everything that bears on one patient's next visit.

    Attributes:
        history: the nodes the patient has.
        parts: for each node of the graph, recurrence for the history, else the base, then the causes.
    """

    history: tuple[str, ...]
    parts: dict[str, tuple[Part, ...]]

    def probability(self, key: str) -> Forecast:
        """P(key at the next visit) = 1 - prod over its parts of (1 - p), a noisy-OR.

        The causes that act are those the patient has. A cause that is not there yet acts through the base,
        which is fitted on visits where such causes arose at their usual rate.

        Raises:
            InputError: the key is not a node of the graph.
        """
        if key not in self.parts:
            raise InputError("code", "not a node of the graph; add it to the candidates")
        parts = self.parts[key]
        middle, low, high = (_noisy_or(parts, field) for field in ("probability", "lower", "upper"))
        return Forecast(key, middle, low, high, key in self.history, parts)

    def ranking(self) -> tuple[Forecast, ...]:
        """All nodes, most probable first; ties by key."""
        return tuple(sorted(map(self.probability, self.parts), key=lambda f: (-f.probability, f.key)))


def _noisy_or(parts: tuple[Part, ...], field: str) -> float:
    return float(1.0 - np.prod([1.0 - getattr(part, field) for part in parts]))


def next_visit_model(
    graph: CausalGraph,
    dataset: ClinicalDataset,
    history: Iterable[str],
    matrix: DiagnosisMatrix | None = None,
) -> NextVisitModel:
    """Fit the onset of each node on the visits at risk, with the graph's parents as causes.

    For a node b the patient does not have: over visits t with a successor and b not diagnosed up to t, b is
    new at t+1 with probability 1 - exp(-(leak_s + sum_a theta_a x_a)), x_a = parent a diagnosed up to t, s
    the stratum of the number of codes up to t. The base is the leak of this patient's stratum. Five
    pseudo-visits at the pooled onset rate, spread over the strata, stand behind the base and behind each
    parent, so that a handful of visits cannot claim certainty.

    For a node the patient has: how often it comes back, shrunk alike to the mean of all codes.

    Args:
        graph: nodes in the data set's vocabulary.
        dataset: the counts.
        history: every code the patient had; those outside the graph count towards the burden.
        matrix: `dataset.matrix(graph.nodes)`, if at hand.

    Raises:
        InputError: a node or a history code outside the vocabulary, or a cohort with no second visits.
    """
    had = tuple(sorted(set(history)))
    for key in had:
        dataset.vocabulary.column(key)
    matrix = dataset.matrix(graph.nodes) if matrix is None else matrix
    if not dataset.n_transitions:
        raise InputError("records", "no patient has a second visit; next visits cannot be learned from them")
    stratum = int(matrix.lagged.strata.of(len(had)))
    parts = {
        node: (_recurrence(dataset, node),) if node in had else _onset(graph, matrix, node, had, stratum)
        for node in graph.nodes
    }
    return NextVisitModel(tuple(node for node in graph.nodes if node in had), parts)


def _recurrence(dataset: ClinicalDataset, key: str) -> Part:
    again, visits = dataset.recurrence_counts
    column = dataset.vocabulary.column(key)
    mean = again.sum() / max(visits.sum(), 1)
    hits, trials = again[column] + PSEUDO_VISITS * mean, visits[column] + PSEUDO_VISITS
    return Part("recurrence", key, float(hits / trials), *wilson(float(hits), float(trials)))


def wilson(hits: float, trials: float) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927); trials > 0."""
    share, spread = hits / trials, Z_95**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    reach = Z_95 * np.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(float(middle - reach), 0.0), min(float(middle + reach), 1.0)


def _onset(
    graph: CausalGraph, matrix: DiagnosisMatrix, node: str, history: tuple[str, ...], stratum: int
) -> tuple[Part, ...]:
    parents = graph.parents(node)
    table = _onset_table(matrix, node, parents)[None]
    n_strata = matrix.lagged.strata.size
    fitted = noisy_or.fit(table, n_strata)
    lower, upper = noisy_or.intervals(fitted, table)
    ends = np.stack([np.hstack([fitted.leak, fitted.theta])[0], lower[0], upper[0]], axis=1)
    numbers = noisy_or.strength(ends).tolist()
    causes = [
        Part("cause", parent, *row)
        for parent, row in zip(parents, numbers[n_strata:], strict=True)
        if parent in history
    ]
    return (Part("base", node, *numbers[stratum]), *causes)


def _onset_table(matrix: DiagnosisMatrix, node: str, parents: tuple[str, ...]) -> Float:
    """Counts of onset over the visits at risk, with the pseudo-visits, by the cells of `noisy_or.design`."""
    history, new, burden, strata = matrix.lagged
    column = matrix.column(node)
    at_risk = ~history[:, column]
    columns = [matrix.column(parent) for parent in parents]
    rows = Rows(new[at_risk, column], history[at_risk][:, columns], burden[at_risk], strata.size)
    table = family_table(rows, tuple(range(len(parents))))
    totals = table.sum(axis=0)
    rate = (totals[1] + 0.5) / (totals.sum() + 1.0)
    pseudo = PSEUDO_VISITS / strata.size * np.array([1.0 - rate, rate])
    by_stratum = table.reshape(strata.size, 2 ** len(parents), 2)
    by_stratum[:, [0, *(2**i for i in range(len(parents)))]] += pseudo
    return table

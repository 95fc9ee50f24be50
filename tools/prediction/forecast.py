"""What may be coded at a patient's next visit: recurrence of what they had, onset of what they did not."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tools.causal.dag import CausalGraph
from tools.causal.matrix import DiagnosisMatrix
from tools.dataset.clinical import ClinicalDataset
from tools.numerics.proportion import effective_trials, wilson
from tools.prediction.onset import PSEUDO_VISITS, Onset, onsets
from tools.safety.errors import InputError

Kind = Literal["base", "cause", "recurrence"]


class Part(NamedTuple):
    """One reason for a probability.

    Attributes:
        kind: onset without a known cause, a cause, or recurrence.
        key: the cause, or the disease itself.
        probability: per visit, of this part alone.
        lower, upper: its 95 % interval.
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
        probability: 1 - prod (1 - part), a noisy-OR of its parts.
        lower, upper: its 95 % interval, given the graph, for the average patient of this history and burden.
            It is not made of the parts' intervals: their errors offset each other.
        is_repeat: whether the history has the disease.
        parts: what the probability is made of.
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
        forecasts: one for each node of the graph, by key.
    """

    history: tuple[str, ...]
    forecasts: dict[str, Forecast]

    def probability(self, key: str) -> Forecast:
        """The forecast of one node.

        The causes that act are those the patient has. A cause that is not there yet acts through the base,
        which is fitted on visits where such causes arose at their usual rate.

        Raises:
            InputError: the key is not a node of the graph.
        """
        if key not in self.forecasts:
            raise InputError("code", "not a node of the graph; add it to the candidates")
        return self.forecasts[key]

    def ranking(self) -> tuple[Forecast, ...]:
        """All nodes, most probable first; ties by key."""
        return tuple(sorted(self.forecasts.values(), key=lambda f: (-f.probability, f.key)))


def next_visit_model(
    graph: CausalGraph,
    dataset: ClinicalDataset,
    history: Iterable[str],
    matrix: DiagnosisMatrix | None = None,
    n_visits: int | None = None,
) -> NextVisitModel:
    """Forecast each node of a graph for one patient.

    A node the patient does not have: its onset among the visits at risk, at this patient's burden (see
    `onsets`). A node the patient has: how often it comes back (see `ClinicalDataset.repeats`), shrunk by five
    pseudo-visits to the mean of all codes.

    Args:
        graph: nodes in the data set's vocabulary.
        dataset: the counts.
        history: every code the patient had; those outside the graph count towards the burden.
        matrix: `dataset.matrix(graph.nodes)`, if at hand.
        n_visits: how often the patient has been seen; matters where burden is counted in visits. By default
            the fewest visits that have room for the history.

    Raises:
        InputError: a node or a history code outside the vocabulary, `n_visits` less than 1, a node with too
            many direct causes, or a cohort with no second visits.
    """
    had = frozenset(history)
    for key in sorted(had):
        dataset.vocabulary.column(key)
    if n_visits is not None and n_visits < 1:
        raise InputError("n_visits", "1 or more; leave it out where it is not known")
    matrix = dataset.matrix(graph.nodes) if matrix is None else matrix
    if not dataset.n_transitions:
        raise InputError("records", "no patient has a second visit; next visits cannot be learned from them")
    stratum = int(matrix.lagged.strata.of(_burden(matrix, len(had), n_visits)))
    begun = onsets(graph, matrix, (node for node in graph.nodes if node not in had), had, stratum)
    forecasts = {
        node: _again(dataset, node) if node in had else _anew(node, begun[node]) for node in graph.nodes
    }
    return NextVisitModel(tuple(node for node in graph.nodes if node in had), forecasts)


def _burden(matrix: DiagnosisMatrix, n_codes: int, n_visits: int | None) -> int:
    if matrix.slots is None:
        return n_codes
    return n_visits or max(-(-n_codes // matrix.slots), 1)


def _anew(key: str, onset: Onset) -> Forecast:
    causes = (Part("cause", cause, *estimate) for cause, estimate in onset.causes.items())
    return Forecast(key, *onset.total, False, (Part("base", key, *onset.base), *causes))


def _again(dataset: ClinicalDataset, key: str) -> Forecast:
    """Recurrence, its interval by patients: one who comes back with a disease once tends to do so again."""
    again, visits = dataset.repeats(key)
    n_visits = int(visits.sum())
    probability = (again.sum() + PSEUDO_VISITS * dataset.repeat_rate) / (n_visits + PSEUDO_VISITS)
    trials = effective_trials(again, visits) + PSEUDO_VISITS
    part = Part("recurrence", key, float(probability), *wilson(float(probability), trials))
    return Forecast(*part[1:], True, (part,))

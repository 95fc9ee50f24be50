"""What may be coded at a patient's next visit, and what each probability is made of."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from tools.causal.dag import CausalGraph
from tools.dataset.clinical import ClinicalDataset
from tools.prediction import hazards, places
from tools.prediction.hazards import Hazards
from tools.prediction.places import Places
from tools.prediction.steps import Steps, step_after, transitions
from tools.prediction.terms import Interval, Terms, joined, terms_of
from tools.records.cohort import Vocabulary
from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]
Kind = Literal["recurrence", "cause", "association", "rest", "base"]

MOST_ASSOCIATIONS = 3  # named of one probability; the others are the rest


class Part(NamedTuple):
    """What one source adds to a probability.

    Attributes:
        kind: recurrence of the disease itself; a cause in the graph; a disease of the history that it tends
            to follow, of which the graph makes no cause; the rest of the history; or what comes without any
            of these.
        key: the cause or the associated disease; None for the others.
        probability: its share.
        lower, upper: 95 % interval of the share, the other parts held.
    """

    kind: Kind
    key: str | None
    probability: float
    lower: float
    upper: float


class Forecast(NamedTuple):
    """The probability that a disease is coded at the next visit.

    Attributes:
        key: vocabulary key.
        probability: the sum of its parts.
        lower, upper: its 95 % interval, for the average patient of this history (see `Terms`).
        is_repeat: whether the history has the disease.
        parts: in the order of `Kind`, each kind the largest first.
    """

    key: str
    probability: float
    lower: float
    upper: float
    is_repeat: bool
    parts: tuple[Part, ...]


class _Source(NamedTuple):
    """A term of one node's hazard, value, lower and upper limit."""

    kind: Kind
    key: str | None
    term: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class NextVisitModel:
    """What the records say of next visits: a model of hazards, and the order in which codes are listed.

    Attributes:
        vocabulary: column order of all arrays.
        hazards: see `tools.prediction.hazards`.
        places: see `tools.prediction.places`.
    """

    vocabulary: Vocabulary
    hazards: Hazards
    places: Places

    @classmethod
    def fit(cls, dataset: ClinicalDataset) -> "NextVisitModel":
        """Learn from every step from a visit to the next.

        Raises:
            InputError: no patient has a second visit, or the data set is damaged.
        """
        moved = transitions(dataset)
        fitted = hazards.fit(moved, dataset.n_codes)
        codes_per_visit = max(1, round(len(moved.next_codes) / len(moved.steps.sizes)))
        return cls(dataset.vocabulary, fitted, places.learn(fitted, moved.steps, codes_per_visit))

    def forecasts(self, graph: CausalGraph, visits: Sequence[Sequence[str]]) -> tuple[Forecast, ...]:
        """Forecast each node of a graph for one patient, in the order in which they are to be listed.

        A probability 1 - exp(-L) is shared out among the terms of L in proportion to them (see `Terms`). The
        graph says which of the history's diseases are causes; it changes no probability.

        Args:
            graph: nodes in the data set's vocabulary.
            visits: the patient's, oldest first, each its keys; codes outside the graph count too.

        Raises:
            InputError: a node or a code of a visit outside the vocabulary, or no code at all.
        """
        step = self._step(visits)
        nodes = np.array([self.vocabulary.column(node) for node in graph.nodes], dtype=np.int64)
        terms = terms_of(self.hazards, step, nodes)
        had = [self.vocabulary.keys[code] for code in step.codes]
        chances = _risk(np.column_stack(terms.total))
        found = [
            Forecast(node, p, low, high, node in had, tuple(_parts(graph, node, had, terms, place)))
            for place, (node, (p, low, high)) in enumerate(zip(graph.nodes, chances.tolist(), strict=True))
        ]
        return tuple(found[place] for place in self.places.order(nodes, _risk(terms.total.value)))

    def expected_codes(self, visits: Sequence[Sequence[str]]) -> float:
        """How many codes of the whole vocabulary the next visit is expected to carry.

        Args:
            visits: as `forecasts` takes them.

        Raises:
            InputError: as `forecasts`.
        """
        return float(_risk(self.hazards.totals(self._step(visits))).sum())

    def _step(self, visits: Sequence[Sequence[str]]) -> Steps:
        column = self.vocabulary.column
        step = step_after([[column(key) for key in visit] for visit in visits])
        if not len(step.codes):
            raise InputError("visits", "hold no code; give at least one visit with one, oldest first")
        return step


def _parts(graph: CausalGraph, node: str, had: list[str], terms: Terms, place: int) -> list[Part]:
    """The shares of a node's probability."""
    sources = sorted(_sources(graph, node, had, terms, place), key=lambda s: (_RANK[s.kind], -s.term[0]))
    bounds = np.array([source.term for source in sources])
    others = float(terms.total.value[place]) - bounds[:, :1] + bounds
    shares = np.divide(_risk(others) * bounds, others, out=np.zeros_like(bounds), where=others > 0)
    return [Part(*source[:2], *share) for source, share in zip(sources, shares.tolist(), strict=True)]


def _sources(graph: CausalGraph, node: str, had: list[str], terms: Terms, place: int) -> Iterator[_Source]:
    causes, known = set(graph.parents(node)), set(graph.nodes)
    pairs = np.column_stack([limit[:, place] for limit in terms.pairs])
    rest: list[int] = []
    left = MOST_ASSOCIATIONS
    for row in np.argsort(-pairs[:, 0], kind="stable").tolist():
        if pairs[row, 0] == 0.0:
            break
        if had[row] in causes:
            yield _Source("cause", had[row], _floats(pairs[row]))
        elif left and had[row] in known:
            yield _Source("association", had[row], _floats(pairs[row]))
            left -= 1
        else:
            rest.append(row)
    if rest:
        yield _Source("rest", None, _floats([float(limit) for limit in joined(Interval(*pairs[rest].T))]))
    if node in had:
        yield _Source("recurrence", None, _floats([limit[place] for limit in terms.again]))
    yield _Source("base", None, _floats([limit[place] for limit in terms.base]))


def _floats(numbers: Iterable[float]) -> tuple[float, float, float]:
    value, low, high = map(float, numbers)
    return value, low, high


def _risk(hazard: Float) -> Float:
    return np.asarray(-np.expm1(-hazard))


_RANK = {kind: rank for rank, kind in enumerate(get_args(Kind))}

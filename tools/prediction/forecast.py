"""What may be coded at a patient's next visit, and what each probability is made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import expm1
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


_Limits = tuple[float, float, float]  # a value, its lower and its upper limit


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
    term: _Limits


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
        chances = _risk(np.column_stack(terms.total)).tolist()
        shares = _shares(graph, graph.nodes, had, terms)
        found = [
            Forecast(node, p, low, high, node in had, parts)
            for node, (p, low, high), parts in zip(graph.nodes, chances, shares, strict=True)
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


def _shares(
    graph: CausalGraph, nodes: Sequence[str], had: list[str], terms: Terms
) -> Iterator[tuple[Part, ...]]:
    """The shares of each node's probability."""
    pairs = np.moveaxis(np.array(terms.pairs), 0, -1).swapaxes(0, 1).tolist()
    again, base = (np.column_stack(own).tolist() for own in (terms.again, terms.base))
    totals, known = terms.total.value.tolist(), set(nodes)
    for node, total, own_pairs, *own in zip(nodes, totals, pairs, again, base, strict=True):
        causes = set(graph.parents(node))
        sources = [*_of_history(causes, known, had, own_pairs)]
        sources += [_Source("recurrence", None, _limits(own[0]))] if node in had else []
        sources.append(_Source("base", None, _limits(own[1])))
        sources.sort(key=lambda source: (_RANK[source.kind], -source.term[0]))
        yield tuple(Part(*source[:2], *_share(source.term, total)) for source in sources)


def _limits(numbers: Sequence[float]) -> _Limits:
    value, low, high = numbers
    return value, low, high


def _share(term: _Limits, total: float) -> _Limits:
    """A term's share of 1 - exp(-total), and what it would be at the term's limits, the others held."""
    value, low, high = (
        -expm1(-whole) * limit / whole if (whole := total - term[0] + limit) > 0.0 else 0.0 for limit in term
    )
    return value, low, high


def _of_history(
    causes: set[str], known: set[str], had: list[str], pairs: list[list[float]]
) -> Iterator[_Source]:
    """The history's terms: each cause and the largest of the others by name, what is left as one."""
    rest, left = list[list[float]](), MOST_ASSOCIATIONS
    for key, term in sorted(zip(had, pairs, strict=True), key=lambda pair: -pair[1][0]):
        if term[0] == 0.0:
            break
        if key in causes:
            yield _Source("cause", key, _limits(term))
        elif left and key in known:
            yield _Source("association", key, _limits(term))
            left -= 1
        else:
            rest.append(term)
    if rest:
        yield _Source("rest", None, _limits([float(limit) for limit in joined(Interval(*np.array(rest).T))]))


def _risk(hazard: Float) -> Float:
    return np.asarray(-np.expm1(-hazard))


_RANK = {kind: rank for rank, kind in enumerate(get_args(Kind))}

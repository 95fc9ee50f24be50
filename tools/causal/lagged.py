"""What was known at each visit, and what is new at the next, as packed columns."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal.diagnoses import FirstDiagnoses
from tools.causal.strata import MAX_LAGGED_STRATA, Groups, Strata
from tools.numerics import bits
from tools.numerics.bits import WORD, Words
from tools.numerics.counting import Packed
from tools.numerics.jit import Kernels
from tools.numerics.runs import offsets, spans

Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


class Transitions(NamedTuple):
    """One row a visit t that has a successor, ordered by stratum, each stratum beginning at a new word.

    Attributes:
        begins: where the transitions of each patient begin, and the end, shape (n_patients + 1,).
        place: the row of each transition.
        taken: which rows are transitions, not padding, shape (n_words,).
        starts: the words at which the strata begin, and the end, shape (n_strata + 1,).
        strata: of the number of distinct codes up to t, or of visits up to t where that measures burden.
        groups: the stratum of each row.
    """

    begins: Int64
    place: Int64
    taken: Words
    starts: Int64
    strata: Strata
    groups: Groups

    @classmethod
    def of(cls, visit_offsets: Int64, onsets_per_visit: Int32, *, by_visits: bool) -> "Transitions":
        """Lay the transitions out.

        Args:
            visit_offsets: shape (n_patients + 1,), see `Columns`.
            onsets_per_visit: shape (n_visits,), codes first diagnosed at each visit.
            by_visits: burden counts visits, not codes.
        """
        begins = offsets(np.maximum(np.diff(visit_offsets) - 1, 0))
        to_date = _visits_to_date(begins) if by_visits else _codes_to_date(visit_offsets, onsets_per_visit)
        strata = Strata.over(to_date, MAX_LAGGED_STRATA)
        stratum = strata.of(to_date)
        place, starts = _places(stratum, strata.size)
        n_rows = WORD * int(starts[-1])
        laid_out = np.zeros(n_rows, dtype=np.int8)
        laid_out[place] = stratum
        taken = bits.pack_rows([place], 1, n_rows)[0]
        return cls(begins, place, taken, starts, strata, Groups.of(laid_out, strata.size))

    @property
    def n_rows(self) -> int:
        """Number of rows, padding included."""
        return WORD * int(self.starts[-1])

    def columns(self, diagnoses: Sequence[FirstDiagnoses]) -> Words:
        """Of each disease two columns: diagnosed at t or before; first diagnosed at t+1.

        Returns:
            Shape (n_diseases, 2, n_words).
        """
        rows = (
            self.place[transitions]
            for one in diagnoses
            for transitions in (_followed(one, self.begins), _before(one, self.begins))
        )
        return bits.pack_rows(rows, 2 * len(diagnoses), self.n_rows).reshape(len(diagnoses), 2, -1)


class LaggedDesign(NamedTuple):
    """What was known at each visit that has a successor, and what was new at the next.

    Attributes:
        history: diagnosed at t or before, a column for each disease.
        new: first diagnosed at t+1, likewise.
        transitions: the rows.
    """

    history: Packed
    new: Packed
    transitions: Transitions

    @classmethod
    def of(cls, columns: Words, transitions: Transitions, kernels: Kernels) -> "LaggedDesign":
        """From the two columns of each disease, see `Transitions.columns`."""
        history, new = (np.ascontiguousarray(columns[:, side]) for side in (0, 1))
        n_rows = transitions.n_rows
        return cls(Packed(history, n_rows, kernels), Packed(new, n_rows, kernels), transitions)

    @property
    def taken(self) -> Words:
        """Which rows are transitions."""
        return self.transitions.taken

    @property
    def starts(self) -> Int64:
        """The words at which the strata begin, and the end."""
        return self.transitions.starts

    @property
    def strata(self) -> Strata:
        """Of burden up to t."""
        return self.transitions.strata

    @property
    def groups(self) -> Groups:
        """The stratum of each row."""
        return self.transitions.groups

    def at_risk(self) -> Packed:
        """Visits up to which each disease was not diagnosed, a column for each."""
        return self.history._replace(bits=~self.history.bits & self.taken)


def _places(stratum: Int8, size: int) -> tuple[Int64, Int64]:
    """Where each row is laid out, and the word at which each stratum begins."""
    lengths = np.bincount(stratum, minlength=size)
    starts = offsets(-(-lengths // WORD))
    order = np.argsort(stratum, kind="stable")
    place = np.empty(len(stratum), dtype=np.int64)
    place[order] = np.arange(len(stratum)) + np.repeat(WORD * starts[:-1] - offsets(lengths)[:-1], lengths)
    return place, starts


def _followed(one: FirstDiagnoses, begins: Int64) -> Int64:
    """Transitions with the disease in their history."""
    ends = begins[1:][one.patients]
    first = np.minimum(begins[:-1][one.patients] + one.visits, ends)
    return spans(first, ends - first)


def _before(one: FirstDiagnoses, begins: Int64) -> Int64:
    """Transitions at whose next visit the disease is new."""
    later = one.visits > 0
    return np.asarray(begins[:-1][one.patients[later]] + one.visits[later] - 1, dtype=np.int64)


def _visits_to_date(begins: Int64) -> Int64:
    lengths = np.diff(begins)
    return spans(np.ones_like(lengths), lengths)


def _codes_to_date(visit_offsets: Int64, onsets_per_visit: Int32) -> Int64:
    visits = np.diff(visit_offsets)
    running = np.cumsum(onsets_per_visit, dtype=np.int64)
    before = np.concatenate([[0], running])[visit_offsets[:-1]]
    to_date = running - np.repeat(before, visits)
    last = np.zeros(len(running), dtype=np.bool_)
    last[visit_offsets[1:][visits > 0] - 1] = True
    return np.asarray(to_date[~last], dtype=np.int64)

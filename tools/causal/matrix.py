"""The diagnoses of a cohort for the diseases of one case, with when each began."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal.memory import Memory
from tools.safety.errors import InputError

MAX_ANSWERS = 20_000
MAX_BURDENS = 128
MAX_STRATA = 16  # of patients: coarser ones leave frailty inside, and edges that are not there appear
MAX_LAGGED_STRATA = 8  # each has a leak of its own to learn for every onset
MIN_ROWS = 50
Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
BurdenMeasure = Literal["codes", "visits"]


class LaggedDesign(NamedTuple):
    """One row a visit t that has a successor: what was known up to t, what is new at t+1.

    Attributes:
        history: shape (n_transitions, n_nodes), diagnosed at t or before.
        new: shape (n_transitions, n_nodes), first diagnosed at t+1.
        burden: shape (n_transitions,), stratum of the number of distinct codes up to t, or of visits up to t
            where that is the measure of burden.
        strata: what the strata are.
    """

    history: Bool
    new: Bool
    burden: Int8
    strata: "Strata"


@dataclass(frozen=True, eq=False)
class DiagnosisMatrix:
    """Columns of A_D for some diseases.

    Burden is how ill a patient is on the whole. People with many diseases have all of them (frailty), so
    every pair looks associated; comparing people of like burden removes most of that.

    Attributes:
        nodes: vocabulary keys, in column order.
        first_visit: shape (n_patients, n_nodes), index of the visit of first diagnosis, -1 for never.
        visit_offsets: shape (n_patients + 1,), see `Columns`.
        onsets_per_visit: shape (n_visits,), codes of the WHOLE vocabulary first diagnosed at each visit.
        slots: how many codes the records have room for in a visit, None for no such limit (see
            `ClinicalDataset.slots`).
    """

    nodes: tuple[str, ...]
    first_visit: Int32
    visit_offsets: Int64
    onsets_per_visit: Int64
    slots: int | None = None

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return len(self.first_visit)

    @property
    def burden_measure(self) -> BurdenMeasure:
        """What burden is counted in: `codes`, or `visits` where codes count the slots and not the patient."""
        return "codes" if self.slots is None else "visits"

    @cached_property
    def memory(self) -> Memory:
        """Answers about this matrix, which die with it."""
        return Memory(MAX_ANSWERS)

    @cached_property
    def _burdens(self) -> Memory:
        return Memory(MAX_BURDENS)

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {node: column for column, node in enumerate(self.nodes)}

    def column(self, node: str) -> int:
        """Column of a node.

        Raises:
            InputError: the node is not a column.
        """
        if node not in self._columns:
            raise InputError("graph", "one of its nodes is not a column of the diagnosis matrix")
        return self._columns[node]

    @cached_property
    def values(self) -> npt.NDArray[np.uint8]:
        """1 where the patient ever had the disease, shape (n_patients, n_nodes) (eq. 3)."""
        return np.asfortranarray(self.first_visit >= 0, dtype=np.uint8)

    @cached_property
    def entries(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Patient and column of every one in `values`."""
        patients, columns = np.nonzero(self.values)
        return patients, columns

    @cached_property
    def _codes_to_date(self) -> Int64:
        running = np.concatenate([[0], np.cumsum(self.onsets_per_visit)])
        visits = np.diff(self.visit_offsets)
        before: Int64 = np.repeat(running[self.visit_offsets[:-1]], visits)
        return np.asarray(running[1:] - before, dtype=np.int64)

    @cached_property
    def codes_per_patient(self) -> Int64:
        """Distinct codes of each patient over the whole vocabulary, shape (n_patients,)."""
        running = np.concatenate([[0], np.cumsum(self.onsets_per_visit)])
        return np.asarray(np.diff(running[self.visit_offsets]), dtype=np.int64)

    def burden_without(self, left_out: Iterable[str]) -> Int8:
        """Stratum of each patient's burden for the study of one effect, shape (n_patients,).

        By codes: the number of distinct codes other than those left out. The effect has to be, and what comes
        after it: with them, the strata would condition on the outcome, which makes independent diseases look
        opposed and biases strengths down. By visits nothing can be left out.

        Args:
            left_out: columns of the matrix.
        """
        dropped = () if self.slots else tuple(sorted({self.column(node) for node in left_out}))
        return self._burdens.recall(dropped, lambda: self._burden(dropped))

    def _burden(self, dropped: tuple[int, ...]) -> Int8:
        if self.slots:
            visits = np.diff(self.visit_offsets)
            # Quantiles of visits: the few who come often hold many of the codes, and must not be one group.
            return Strata.over(np.repeat(visits, visits)).of(visits)
        counts = self.codes_per_patient - self.values[:, list(dropped)].sum(axis=1, dtype=np.int64)
        return Strata.over(counts).of(counts)

    @cached_property
    def lagged(self) -> LaggedDesign:
        """History and onset over the visits that have a successor."""
        visits = np.diff(self.visit_offsets)
        patient = np.repeat(np.arange(self.n_patients), visits)
        index = np.arange(len(patient)) - self.visit_offsets[patient]
        keep = index + 1 < visits[patient]
        first, now = self.first_visit[patient[keep]], index[keep, None]
        to_date = index[keep] + 1 if self.slots else self._codes_to_date[keep]
        strata = Strata.over(to_date, MAX_LAGGED_STRATA)
        history = (first >= 0) & (first <= now)
        return LaggedDesign(history, first == now + 1, strata.of(to_date), strata)


class Strata(NamedTuple):
    """Groups of about equal size by a count; equal counts share a group, and no group is empty.

    Attributes:
        edges: increasing; a count of at most edges[0] is in group 0, and so on.
    """

    edges: Int64

    @classmethod
    def over(cls, counts: Int64, most: int = MAX_STRATA) -> "Strata":
        """Quantile groups: `most` of them, or fewer so that about 50 rows are in each."""
        n_groups = int(np.clip(len(counts) // MIN_ROWS, 1, most))
        if n_groups == 1:
            return cls(np.zeros(0, dtype=np.int64))
        levels = np.arange(1, n_groups) / n_groups
        edges = np.unique(np.quantile(counts, levels, method="inverted_cdf"))
        return cls(edges[edges < counts.max()].astype(np.int64))

    @property
    def size(self) -> int:
        """Number of groups."""
        return len(self.edges) + 1

    def of(self, counts: npt.ArrayLike) -> Int8:
        """The group of each count."""
        return np.searchsorted(self.edges, counts, side="left").astype(np.int8)

"""The diagnoses of a cohort for the diseases of one case, with when each began."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.safety.errors import InputError

MAX_STRATA = 8
MIN_ROWS = 50
Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]


class LaggedDesign(NamedTuple):
    """One row a visit t that has a successor: what was known up to t, what is new at t+1.

    Attributes:
        history: shape (n_transitions, n_nodes), diagnosed at t or before.
        new: shape (n_transitions, n_nodes), first diagnosed at t+1.
        burden: shape (n_transitions,), stratum of the number of distinct codes up to t.
        strata: what the strata are.
    """

    history: Bool
    new: Bool
    burden: Int8
    strata: "Strata"


@dataclass(frozen=True, eq=False)
class DiagnosisMatrix:
    """Columns of A_D for some diseases.

    Attributes:
        nodes: vocabulary keys, in column order.
        first_visit: shape (n_patients, n_nodes), index of the visit of first diagnosis, -1 for never.
        visit_offsets: shape (n_patients + 1,), see `Columns`.
        onsets_per_visit: shape (n_visits,), codes of the WHOLE vocabulary first diagnosed at each visit.
    """

    nodes: tuple[str, ...]
    first_visit: Int32
    visit_offsets: Int64
    onsets_per_visit: Int64

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return len(self.first_visit)

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

    @cached_property
    def burden(self) -> Int8:
        """Stratum of the number of distinct codes of each patient, shape (n_patients,)."""
        return Strata.over(self.codes_per_patient).of(self.codes_per_patient)

    def burden_without(self, node: str) -> Int8:
        """Stratum of the number of distinct codes other than `node`, shape (n_patients,).

        People with many diseases have all of them (frailty), so every pair looks associated; comparing like
        with like removes most of that. The effect itself is left out of the count: with it, the strata would
        condition on the outcome, which makes independent diseases look opposed and biases strengths down.
        """
        return self._burdens[self.column(node)]

    @cached_property
    def _burdens(self) -> list[Int8]:
        others = [self.codes_per_patient - column for column in self.values.T]
        return [Strata.over(counts).of(counts) for counts in others]

    @cached_property
    def lagged(self) -> LaggedDesign:
        """History and onset over the visits that have a successor."""
        visits = np.diff(self.visit_offsets)
        patient = np.repeat(np.arange(self.n_patients), visits)
        index = np.arange(len(patient)) - self.visit_offsets[patient]
        keep = index + 1 < visits[patient]
        first, now = self.first_visit[patient[keep]], index[keep, None]
        codes_to_date = self._codes_to_date[keep]
        strata = Strata.over(codes_to_date)
        history = (first >= 0) & (first <= now)
        return LaggedDesign(history, first == now + 1, strata.of(codes_to_date), strata)


class Strata(NamedTuple):
    """Groups of about equal size by a count; equal counts share a group, and no group is empty.

    Attributes:
        edges: increasing; a count of at most edges[0] is in group 0, and so on.
    """

    edges: Int64

    @classmethod
    def over(cls, counts: Int64) -> "Strata":
        """Quantile groups: octiles, or fewer so that about 50 rows are in each."""
        n_groups = int(np.clip(len(counts) // MIN_ROWS, 1, MAX_STRATA))
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

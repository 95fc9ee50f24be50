"""The diagnoses of a cohort for the diseases of one case, with when each began."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tools.causal.diagnoses import FirstDiagnoses
from tools.causal.lagged import LaggedDesign, Transitions
from tools.causal.strata import MAX_STRATA, Groups, Strata
from tools.numerics import bits
from tools.numerics.bits import Words
from tools.numerics.counting import Packed
from tools.numerics.jit import DEFAULT_KERNELS, Kernels
from tools.numerics.memory import Memory
from tools.numerics.runs import offsets, ranges
from tools.safety.errors import InputError

MEMORY_BYTES = 64 << 20
N_FOLDS = 4
Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
BurdenMeasure = Literal["codes", "visits"]


class Sharing(NamedTuple):
    """Where answers about some records are kept, and what the diseases of a case are called there.

    Attributes:
        memory: the answers.
        numbers: of the diseases, one each.
    """

    memory: Memory
    numbers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class DiagnosisMatrix:
    """Columns of A_D for some diseases.

    Burden is how ill a patient is on the whole. People with many diseases have all of them (frailty), so
    every pair looks associated; comparing people of like burden removes most of that.

    Attributes:
        nodes: vocabulary keys, in column order.
        first_diagnoses: one for each node; views of the data set where that is memory-mapped.
        visit_offsets: shape (n_patients + 1,), see `Columns`.
        onsets_per_visit: shape (n_visits,), codes of the WHOLE vocabulary first diagnosed at each visit.
        slots: how many codes the records have room for in a visit, None for no such limit (see
            `ClinicalDataset.slots`).
        fold: of each patient, shape (n_patients,), see `folds`; by place where it is None.
        out_of_graph: log-likelihood of the vocabulary's other codes, each by its own share of patients, nats:
            the constant by which eq. 5 over all codes differs from eq. 5 over the nodes. NaN for patients
            drawn from others, whose other codes are not known.
        kernels: which implementation counts and fits; the counts are equal.
        sharing: what is shared with matrices of other diseases of the same records, see `shared_in`.
    """

    nodes: tuple[str, ...]
    first_diagnoses: tuple[FirstDiagnoses, ...]
    visit_offsets: Int64
    onsets_per_visit: Int32
    slots: int | None = None
    out_of_graph: float = 0.0
    kernels: Kernels = "numpy"
    fold: Int8 | None = None
    sharing: Sharing | None = None

    @classmethod
    def of(
        cls,
        nodes: Iterable[str],
        first_diagnoses: Iterable[FirstDiagnoses],
        visit_offsets: Int64,
        onsets_per_visit: Int32,
        *,
        slots: int | None = None,
        out_of_graph: float = 0.0,
        kernels: Kernels | None = None,
    ) -> "DiagnosisMatrix":
        """With compiled kernels unless told.

        Raises:
            InputError: a node is given twice, or there is none; or there are no patients.
        """
        names = tuple(nodes)
        if len(set(names)) != len(names) or not names:
            raise InputError("nodes", "one or more diseases, each once")
        if len(visit_offsets) < 2:
            raise InputError("records", "hold no patient; nothing can be learned from them")
        chosen = kernels or DEFAULT_KERNELS
        return cls(
            names, tuple(first_diagnoses), visit_offsets, onsets_per_visit, slots, out_of_graph, chosen
        )

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return len(self.visit_offsets) - 1

    @property
    def burden_measure(self) -> BurdenMeasure:
        """What burden is counted in: `codes`, or `visits` where codes count the slots and not the patient."""
        return "codes" if self.slots is None else "visits"

    def shared_in(self, memory: Memory, numbers: Iterable[int]) -> "DiagnosisMatrix":
        """The matrix, which keeps what does not depend on its other diseases where others find it.

        Families recur in many cases. Answers are the same with and without: a key holds all that one
        depends on, the order of the causes included, by which sums are rounded.

        Args:
            memory: of matrices over the same patients, with the same kernels.
            numbers: of the nodes, the same for one disease in all of these.
        """
        return replace(self, sharing=Sharing(memory, tuple(numbers)))

    @cached_property
    def memory(self) -> Memory:
        """Answers about this matrix, which die with it."""
        return Memory(MEMORY_BYTES)

    @property
    def shared(self) -> Memory:
        """Answers about its diseases that do not depend on which others it holds."""
        return self.memory if self.sharing is None else self.sharing.memory

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """What each column is called in `shared`."""
        return tuple(range(len(self.nodes))) if self.sharing is None else self.sharing.numbers

    @cached_property
    def number_of(self) -> Int64:
        """As `numbers`, to pick many from, shape (n_nodes,)."""
        return np.array(self.numbers, dtype=np.int64)

    def named(self, columns: Iterable[int]) -> tuple[int, ...]:
        """What some columns are called in `shared`, in their order."""
        return tuple([self.numbers[column] for column in columns])

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {node: column for column, node in enumerate(self.nodes)}

    def column(self, node: str) -> int:
        """Column of a node.

        Raises:
            InputError: the node is not a column.
        """
        try:
            return self._columns[node]
        except KeyError:
            rule = "one of its nodes is not a column of the diagnosis matrix"
            raise InputError("graph", rule) from None

    @cached_property
    def packed(self) -> Packed:
        """The columns as bits (eq. 3)."""
        columns = self._by_disease("column", lambda some: self._packed(some)[:, None])
        return Packed(columns[:, 0], self.n_patients, self.kernels)

    def _packed(self, some: Sequence[FirstDiagnoses]) -> Words:
        return bits.pack_rows((one.patients for one in some), len(some), self.n_patients)

    def _by_disease(self, kind: str, make: Callable[[Sequence[FirstDiagnoses]], Words]) -> Words:
        """Columns of every disease, shape (n_nodes, n_columns, n_words): shared, not kept a second time."""
        diagnoses = self.first_diagnoses
        if self.sharing is None:
            return make(diagnoses)
        found = self.sharing.memory.recall_all(
            [(kind, number) for number in self.sharing.numbers],
            lambda places: [one.copy() for one in make([diagnoses[place] for place in places])],
        )
        return np.stack(found)

    @property
    def values(self) -> npt.NDArray[np.uint8]:
        """1 where the patient ever had the disease, shape (n_patients, n_nodes), made anew."""
        return bits.unpack(self.packed.bits, self.n_patients).T

    @cached_property
    def codes_per_patient(self) -> Int64:
        """Distinct codes of each patient over the whole vocabulary, shape (n_patients,)."""
        return self.shared.recall("codes", self._codes_per_patient)

    def _codes_per_patient(self) -> Int64:
        running = np.concatenate([[0], np.cumsum(self.onsets_per_visit, dtype=np.int64)])
        return np.asarray(np.diff(running[self.visit_offsets]), dtype=np.int64)

    def burden_without(self, left_out: Iterable[str]) -> Groups:
        """Groups of patients of like burden for the study of one effect.

        By codes: the number of distinct codes other than those left out. The effect has to be, and what comes
        after it: with them, the strata would condition on the outcome, which makes independent diseases look
        opposed and biases strengths down. By visits nothing can be left out.

        Args:
            left_out: columns of the matrix.
        """
        dropped = () if self.slots else tuple(sorted({self.column(node) for node in left_out}))
        key = "burden", tuple(sorted(self.named(dropped)))
        return self.shared.recall(key, lambda: self._burden(dropped))

    def _burden(self, dropped: tuple[int, ...]) -> Groups:
        if self.slots:
            visits = np.diff(self.visit_offsets)
            # Quantiles of visits: the few who come often hold many of the codes, and must not be one group.
            return Groups.of(Strata.over(np.repeat(visits, visits), MAX_STRATA).of(visits))
        counts = self.codes_per_patient.copy()
        for column in dropped:
            counts[self.first_diagnoses[column].patients] -= 1
        return Groups.of(Strata.over(counts, MAX_STRATA).of(counts))

    @cached_property
    def lagged(self) -> LaggedDesign:
        """History and onset over the visits that have a successor."""
        transitions = self.shared.recall("transitions", self._transitions)
        columns = self._by_disease("lagged", transitions.columns)
        return LaggedDesign.of(columns, transitions, self.kernels)

    def _transitions(self) -> Transitions:
        return Transitions.of(self.visit_offsets, self.onsets_per_visit, by_visits=bool(self.slots))

    @cached_property
    def folds(self) -> Groups:
        """Four groups of patients of about equal size, for what is held out. One drawn twice stays in one."""
        return self.shared.recall("folds", lambda: Groups.of(self._fold_numbers, N_FOLDS))

    @cached_property
    def _fold_numbers(self) -> Int8:
        if self.fold is not None:
            return self.fold
        golden = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing spreads consecutive numbers evenly
        place = np.arange(self.n_patients, dtype=np.uint64)
        return (place * golden >> np.uint64(62)).astype(np.int8)

    def take(self, rows: Int64) -> "DiagnosisMatrix":
        """The matrix of some patients, ascending; one drawn twice counts as two.

        Args:
            rows: shape (n,), ascending.
        """
        begins = np.searchsorted(rows, np.arange(self.n_patients + 1))
        visits = ranges(self.visit_offsets, rows)
        return replace(
            self,
            first_diagnoses=tuple(one.drawn(begins) for one in self.first_diagnoses),
            visit_offsets=offsets(np.diff(self.visit_offsets)[rows]),
            onsets_per_visit=np.asarray(self.onsets_per_visit[visits]),
            out_of_graph=float("nan"),
            fold=self._fold_numbers[rows],
            sharing=None,
        )

"""The domain: a cohort is patients, a patient is visits in order, a visit is a set of codes.

A cohort keeps its entries as integer arrays, so that a million visits cost megabytes; `Patient` and
`Visit` are views made on demand.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from tools.numerics.runs import offsets, ranges
from tools.records.concepts.codes import dotted, normalise, system_name
from tools.safety.errors import InputError

NameSource = Literal["record", "leaf", "heading", "ancestor", "unlisted"]
Clock = Literal["seconds", "order"]
IntArray = npt.NDArray[np.int64]
NO_END = int(np.iinfo(np.int64).min)
DAY_S = 86_400


class Concept(BaseModel):
    """One coded diagnosis: a code of a code system, with its name.

    Attributes:
        system: `ICD9CM`, `ICD10CM`, or whatever the record calls its own system.
        code: dotless, as a string (leading zeros are part of it).
        display: the name shown to people.
        named_by: where the name was found (see `tools.records.concepts.names.name`).
    """

    model_config = ConfigDict(frozen=True)

    system: str
    code: str
    display: str
    named_by: NameSource = "record"

    @property
    def dotted(self) -> str:
        """The code as people write it, such as `401.9`."""
        return dotted(self.system, self.code)


class ConceptColumns(NamedTuple):
    """Concepts as columns of equal length, see `Concept`."""

    system: tuple[str, ...]
    code: tuple[str, ...]
    display: tuple[str, ...]
    named_by: tuple[NameSource, ...]


class Vocabulary:
    """The concepts of a data set in a fixed order; a concept's position is its column everywhere.

    A concept's `key` is its dotless code; only where two systems share a code is it `SYSTEM:code`.

    Args:
        concepts: in any order, unique by (system, code); kept sorted by (system, code).
    """

    def __init__(self, concepts: Iterable[Concept]) -> None:
        in_order = sorted(concepts, key=lambda c: (c.system, c.code))
        self._fill(ConceptColumns(*(tuple(getattr(c, f) for c in in_order) for f in ConceptColumns._fields)))

    @classmethod
    def of_columns(cls, columns: ConceptColumns) -> "Vocabulary":
        """The vocabulary of concepts given as columns, each of which becomes a `Concept` when asked for.

        Raises:
            InputError: the columns are not of one length, or not sorted by (system, code), each pair once.
        """
        pairs = zip(columns.system, columns.code, strict=False)
        if len(set(map(len, columns))) > 1 or any(a >= b for a, b in pairwise(pairs)):
            raise InputError("vocabulary", "not in the order of systems and codes, each pair once")
        made = cls.__new__(cls)
        made._fill(columns)
        return made

    def _fill(self, columns: ConceptColumns) -> None:
        self.columns = columns
        self.keys = columns.code
        if len(set(columns.code)) < len(columns.code):
            shared = Counter(columns.code)
            self.keys = tuple(
                code if shared[code] == 1 else f"{system}:{code}"
                for system, code in zip(columns.system, columns.code, strict=True)
            )
        self._columns = {key: column for column, key in enumerate(self.keys)}
        if len(self._columns) != len(self.keys):
            raise InputError("vocabulary", "a (system, code) pair stands in it twice; keep one")

    @cached_property
    def concepts(self) -> tuple[Concept, ...]:
        """All concepts, in column order."""
        return tuple(self._concept(column) for column in range(len(self)))

    def _concept(self, column: int) -> Concept:
        return Concept(**{name: values[column] for name, values in self.columns._asdict().items()})

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, key: object) -> bool:
        return key in self._columns

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """The code systems in use, sorted."""
        return tuple(sorted(set(self.columns.system)))

    def column(self, key: str) -> int:
        """Column of a key.

        Raises:
            InputError: the key is not in the vocabulary.
        """
        try:
            return self._columns[key]
        except KeyError:
            raise InputError("code", "not in the data set's vocabulary; see `look_up_code`") from None

    def concept(self, key: str) -> Concept:
        """The concept behind a key."""
        return self._concept(self.column(key))

    def find(self, text: str, system: str | None = None) -> str | None:
        """The key that a spelling stands for (`401.9`, `4019`, `ICD9CM:401.9`), or None."""
        if ":" in text:
            named, _, text = text.partition(":")
            system = system_name(named)
        for candidate in (system,) if system else self.systems:
            code = normalise(candidate, text)
            for key in (code, f"{candidate}:{code}"):
                if key in self._columns and self.concept(key).system == candidate:
                    return key
        return None


class Visit(BaseModel):
    """One visit.

    Attributes:
        time: seconds since 1970, or a sequence number where the source has only an order.
        codes: vocabulary keys, sorted, each once.
    """

    model_config = ConfigDict(frozen=True)

    time: int
    codes: tuple[str, ...]


class Patient(BaseModel):
    """One patient's visits, oldest first."""

    model_config = ConfigDict(frozen=True)

    id: str
    visits: tuple[Visit, ...]


class Stays(NamedTuple):
    """What records tell of the ends of visits.

    Attributes:
        ends: seconds since 1970, at midnight where only the day is known, `NO_END` where nothing is; shape
            (n_visits,). None where the format has no ends.
        late: visits whose diagnoses carry the time of discharge, shape (n_visits,). None where diagnoses have
            no times of their own.
    """

    ends: IntArray | None = None
    late: npt.NDArray[np.bool_] | None = None

    def of(self, visits: IntArray) -> "Stays":
        """Those of some visits, in their order."""
        ends, late = self.ends, self.late
        return Stays(ends if ends is None else ends[visits], late if late is None else late[visits])


class Cohort(BaseModel):
    """Patients with their visits in columns.

    Attributes:
        source: the format the records came in.
        vocabulary: the concepts; `codes` holds its columns.
        patient_ids: sorted, length n_patients.
        visit_offsets: shape (n_patients + 1,); patient p has visits visit_offsets[p]:visit_offsets[p+1],
            oldest first.
        times: shape (n_visits,), see `Visit.time`.
        clock: the unit of `times`.
        code_offsets: shape (n_visits + 1,); visit v holds codes[code_offsets[v]:code_offsets[v+1]].
        codes: shape (n_entries,), columns of the vocabulary, sorted and unique within a visit.
        stays: what is known of the visits' ends.
        notices: what a person should know about how these records were read.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    source: str
    vocabulary: Vocabulary
    patient_ids: tuple[str, ...]
    visit_offsets: IntArray
    times: IntArray
    clock: Clock
    code_offsets: IntArray
    codes: IntArray
    stays: "Stays | None" = None
    notices: tuple[str, ...] = ()

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return len(self.patient_ids)

    @property
    def n_visits(self) -> int:
        """Number of visits."""
        return len(self.times)

    @property
    def visits_per_patient(self) -> IntArray:
        """Number of visits of each patient, shape (n_patients,)."""
        return np.diff(self.visit_offsets)

    def __len__(self) -> int:
        return self.n_patients

    def __iter__(self) -> Iterator[Patient]:  # type: ignore[override]
        return (self._patient(row) for row in range(self.n_patients))

    def patient(self, patient_id: str) -> Patient:
        """One patient by id.

        Raises:
            InputError: no such patient.
        """
        row = int(np.searchsorted(np.asarray(self.patient_ids, dtype=object), patient_id))
        if row == self.n_patients or self.patient_ids[row] != patient_id:
            raise InputError("patient", "no patient with this id in the records; check the id")
        return self._patient(row)

    def _patient(self, row: int) -> Patient:
        first, last = self.visit_offsets[row : row + 2]
        return Patient(id=self.patient_ids[row], visits=tuple(self._visit(v) for v in range(first, last)))

    def _visit(self, visit: int) -> Visit:
        first, last = self.code_offsets[visit : visit + 2]
        keys = self.vocabulary.keys
        return Visit(time=int(self.times[visit]), codes=tuple(keys[c] for c in self.codes[first:last]))

    def subset(self, rows: npt.ArrayLike) -> "Cohort":
        """The cohort of some patients, by row, with the same vocabulary (for splits)."""
        rows = np.sort(np.asarray(rows, dtype=np.int64))
        visits = ranges(self.visit_offsets, rows)
        entries = ranges(self.code_offsets, visits)
        return self.model_copy(
            update={
                "patient_ids": tuple(self.patient_ids[r] for r in rows),
                "visit_offsets": offsets(np.diff(self.visit_offsets)[rows]),
                "times": self.times[visits],
                "code_offsets": offsets(np.diff(self.code_offsets)[visits]),
                "codes": self.codes[entries],
                "stays": self.stays and self.stays.of(visits),
            }
        )

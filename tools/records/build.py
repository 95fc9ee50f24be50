"""From numbered rows to a cohort. Row order never matters: everything is sorted by its own value."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.numerics.runs import offsets
from tools.records.cohort import Clock, Cohort, ConceptColumns, IntArray, Stays, Vocabulary
from tools.records.concepts.codes import has_shapes, is_well_spelled, normalise
from tools.records.concepts.names import name
from tools.records.faults import counted

UNKNOWN = -1
_SYSTEMS_SHOWN = 5


class Numbering:
    """Numbers distinct texts in order of arrival."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts by number."""
        return tuple(self._numbers)

    def add_distinct(self, texts: Iterable[str]) -> IntArray:
        """Numbers of some texts, new ones where a text is new."""
        return _array(self._numbers.setdefault(text, len(self._numbers)) for text in texts)

    def find_distinct(self, texts: Iterable[str]) -> IntArray:
        """Numbers of some texts, -1 where a text has none."""
        return _array(self._numbers.get(text, UNKNOWN) for text in texts)


class Concepts:
    """Numbers the distinct (system, code) pairs and remembers a display for each."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._spelled: dict[tuple[str, str], int] = {}
        self._displays: dict[int, str] = {}

    def add_distinct(self, system: str, spellings: Iterable[str]) -> IntArray:
        """Numbers of the codes; -1 where a spelling cannot be a code of the system.

        Args:
            system: as `tools.records.concepts.codes.system_name` gives it.
            spellings: with or without dot, shape (n,).
        """
        return _array(self._number(system, text) for text in spellings)

    def show_distinct(self, pairs: Iterable[tuple[int, str]]) -> None:
        """Remember the record's own names of numbers; where they differ for one, the first by alphabet."""
        for number, display in pairs:
            if display and number != UNKNOWN:
                self._displays[number] = min(display, self._displays.get(number, display))

    def vocabulary(self, used: IntArray) -> tuple[Vocabulary, IntArray]:
        """The vocabulary of the numbers in use, and the column of each number, `UNKNOWN` for others."""
        in_use = set(used.tolist())
        in_order = sorted(item for item in self._numbers.items() if item[1] in in_use)
        columns = np.full(len(self._numbers), UNKNOWN, dtype=np.int64)
        columns[[number for _, number in in_order]] = np.arange(len(in_order))
        named = [name(*pair, self._displays.get(number)) for pair, number in in_order]
        vocabulary = Vocabulary.of_columns(
            ConceptColumns(
                system=tuple(system for (system, _), _ in in_order),
                code=tuple(code for (_, code), _ in in_order),
                display=tuple(display for display, _ in named),
                named_by=tuple(source for _, source in named),
            )
        )
        return vocabulary, columns

    def _number(self, system: str, spelling: str) -> int:
        known = self._spelled.get((system, spelling))
        if known is not None:
            return known
        number = UNKNOWN
        if is_well_spelled(system, spelling):
            number = self._numbers.setdefault((system, normalise(system, spelling)), len(self._numbers))
        self._spelled[system, spelling] = number
        return number


class Visits(NamedTuple):
    """Visits by number, each column of shape (n_visits,).

    Attributes:
        patient: number of the patient.
        time: see `tools.records.cohort.Visit.time`.
        rank: decides between visits of one patient at one time.
    """

    patient: IntArray
    time: IntArray
    rank: IntArray


class Entries:
    """Collects (visit, concept) pairs chunk by chunk, as 32-bit integers."""

    def __init__(self) -> None:
        self._visits: list[npt.NDArray[np.int32]] = []
        self._concepts: list[npt.NDArray[np.int32]] = []

    def add(self, visits: IntArray, concepts: IntArray) -> None:
        """Add the pairs in which both are known."""
        known = (visits != UNKNOWN) & (concepts != UNKNOWN)
        self._visits.append(visits[known].astype(np.int32))
        self._concepts.append(concepts[known].astype(np.int32))

    def columns(self) -> tuple[IntArray, IntArray]:
        """Visit numbers and concept numbers, each of shape (n_entries,)."""
        return stacked(self._visits), stacked(self._concepts)


def stacked(parts: Iterable[npt.NDArray[np.integer]]) -> IntArray:
    """Arrays one after another as 64-bit integers; empty where there are none."""
    return np.concatenate([np.empty(0, dtype=np.int64), *parts]).astype(np.int64)


def natural_ranks(ids: Sequence[str]) -> IntArray:
    """Rank of each id by length, then text: plain numbers in their own order."""
    ranks = np.empty(len(ids), dtype=np.int64)
    ranks[sorted(range(len(ids)), key=lambda i: (len(ids[i]), ids[i]))] = np.arange(len(ids))
    return ranks


def assemble(
    source: str,
    clock: Clock,
    *,
    patients: Sequence[str],
    visits: Visits,
    entries: tuple[IntArray, IntArray],
    concepts: Concepts,
    stays: Stays | None = None,
    notices: Iterable[str] = (),
) -> Cohort:
    """Sort patients by id, visits by (time, rank) and codes by column, each code once a visit.

    Args:
        source: name of the format.
        clock: unit of `visits.time`.
        patients: ids by number, distinct.
        visits: by number.
        entries: visit numbers and concept numbers, each of shape (n_entries,).
        concepts: by number.
        stays: ends of the visits, by number, where the format tells any.
        notices: what the reader has to say; added are visits without a code, code systems that nothing
            is known of, and a lack of transitions.
    """
    ids = sorted(patients)
    places = {patient: place for place, patient in enumerate(ids)}
    patient = _array(places[p] for p in patients)[visits.patient]
    in_order = np.lexsort((visits.rank, visits.time, patient))
    visit_place = np.empty(len(in_order), dtype=np.int64)
    visit_place[in_order] = np.arange(len(in_order))
    visit, concept = entries
    vocabulary, columns = concepts.vocabulary(distinct(concept))
    width = max(len(vocabulary), 1)
    pairs = distinct(visit_place[visit] * width + columns[concept])
    codes_per_visit = np.bincount(pairs // width, minlength=len(in_order))
    visits_per_patient = np.bincount(patient, minlength=len(ids))
    return Cohort(
        source=source,
        vocabulary=vocabulary,
        patient_ids=tuple(ids),
        visit_offsets=offsets(visits_per_patient),
        times=visits.time[in_order],
        clock=clock,
        code_offsets=offsets(codes_per_visit),
        codes=pairs % width,
        stays=stays and stays.of(in_order),
        notices=(*notices, *notices_of(vocabulary, visits_per_patient, codes_per_visit)),
    )


def distinct(numbers: IntArray) -> IntArray:
    """The numbers in order, each once; `numpy.unique` hashes them first, at ten times the cost."""
    in_order: IntArray = np.sort(numbers)
    first = np.r_[True, in_order[1:] != in_order[:-1]][: len(in_order)]
    return np.asarray(in_order[first], dtype=np.int64)


def grouped(patient: IntArray, key: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Distinct (patient, key) pairs in order, such as visits by their times.

    Rows that lie beside each other with equal pairs, as they do in most records, are sorted as one.

    Args:
        patient: shape (n_rows,).
        key: shape (n_rows,).

    Returns:
        The patient of each pair and its key, shape (n_pairs,), and the pair of each row, shape (n_rows,).
    """
    begins = np.r_[True, (patient[1:] != patient[:-1]) | (key[1:] != key[:-1])][: len(patient)]
    p, k = patient[begins], key[begins]
    in_order = np.lexsort((k, p))
    p, k = p[in_order], k[in_order]
    first = np.r_[True, (p[1:] != p[:-1]) | (k[1:] != k[:-1])][: len(p)]
    pair = np.empty(len(p), dtype=np.int64)
    pair[in_order] = np.cumsum(first) - 1
    return p[first], k[first], pair[np.cumsum(begins) - 1]


def with_visits(patients: Sequence[str], patient: IntArray) -> tuple[tuple[str, ...], IntArray]:
    """The patients that have a visit, and the number of each visit's among them.

    Args:
        patients: ids by number.
        patient: of each visit, shape (n_visits,).
    """
    used = distinct(patient)
    return tuple(patients[number] for number in used), np.searchsorted(used, patient)


def notices_of(
    vocabulary: Vocabulary, visits_per_patient: IntArray, codes_per_visit: IntArray
) -> tuple[str, ...]:
    """What a person should know of records: visits without codes, systems not known of, no transition."""
    return (
        *_notice_of_empty(codes_per_visit),
        *_notice_of_systems(vocabulary),
        *_notice_of_no_transition(visits_per_patient),
    )


def _notice_of_empty(codes_per_visit: IntArray) -> tuple[str, ...]:
    empty = int((codes_per_visit == 0).sum())
    return (f"{counted(empty, 'visit')} without any diagnosis, kept without codes",) if empty else ()


def _notice_of_systems(vocabulary: Vocabulary) -> tuple[str, ...]:
    strange = [system for system in vocabulary.systems if not has_shapes(system)]
    if not strange:
        return ()
    named_by = zip(vocabulary.columns.system, vocabulary.columns.named_by, strict=True)
    named = any(source == "record" for system, source in named_by if system in strange)
    missing = "no names but the records' own" if named else "no names"
    listed = ", ".join(strange[:_SYSTEMS_SHOWN]) + (", ..." if len(strange) > _SYSTEMS_SHOWN else "")
    return (f"{missing} and no shape checks for system{'' if len(strange) == 1 else 's'} {listed}",)


def _notice_of_no_transition(visits_per_patient: IntArray) -> tuple[str, ...]:
    if (visits_per_patient > 1).any():
        return ()
    return ("no patient has two visits: no transition can be learned, so predictions are impossible",)


def _array(numbers: Iterable[int]) -> IntArray:
    return np.fromiter(numbers, dtype=np.int64)

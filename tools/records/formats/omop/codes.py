"""Codes of OMOP's conditions: from CONCEPT by the source concept, else the source value, else the concept."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tools.records.build import UNKNOWN, Concepts, Numbering, distinct
from tools.records.cohort import IntArray
from tools.records.concepts.codes import (
    ICD9CM,
    ICD10CM,
    SNOMED,
    is_system,
    is_well_spelled,
    shape_rule,
    system_name,
)
from tools.records.faults import Faults
from tools.records.files.texts import Texts
from tools.records.formats.long_csv import NO_SYSTEM, Coding, told_by_shape
from tools.records.formats.omop.tables import Relation, Rows
from tools.records.formats.omop.visits import numbered, require_columns
from tools.safety.errors import InputError

SOURCE_CONCEPT, SOURCE_VALUE, CONCEPT_ID = (
    "condition_source_concept_id",
    "condition_source_value",
    "condition_concept_id",
)
COLUMNS = (SOURCE_CONCEPT, SOURCE_VALUE, CONCEPT_ID)
_VOCABULARIES = {ICD9CM, ICD10CM, SNOMED}
_SNOMED_ID = re.compile(r"[1-9]\d{5,17}", re.ASCII)
_SAY_SYSTEM = "name it by --system ICD9CM, ICD10CM or SNOMED, or put the table CONCEPT beside it"


class Listed(NamedTuple):
    """A row of CONCEPT; in the order of its fields."""

    system: str
    code: str
    name: str


class Chosen(NamedTuple):
    """What the code of each row is taken from, shape (n_rows,), and the concept behind it.

    Attributes:
        column: place in `COLUMNS`, `UNKNOWN` where no column gives a code.
        concept: its number, `UNKNOWN` where there is none.
        rules: by place in `COLUMNS`, what a row with a column and without a concept breaks.
        n_texts: rows whose source value is no code of any system, so that the concept was taken.
    """

    column: IntArray
    concept: IntArray
    rules: tuple[str, str, str]
    n_texts: int


class ConditionCodes:
    """Collects the code columns of conditions as numbers, until CONCEPT is read."""

    def __init__(self, system: str | None) -> None:
        if system is not None and not is_system(system):
            raise InputError("system", NO_SYSTEM)
        self.concepts = Concepts()
        self._system = None if system is None else system_name(system)
        self._ids, self._values = Numbering(), Numbering()

    def add(self, rows: Rows) -> tuple[IntArray, IntArray, IntArray]:
        """Numbers of the three columns of a batch, in the order of `COLUMNS`, `UNKNOWN` for none."""
        value = rows.column(SOURCE_VALUE)
        return (
            numbered(_but_zero(rows.column(SOURCE_CONCEPT)), self._ids, grows=True),
            value.numbered(self._values.add_distinct(value.distinct)),
            numbered(_but_zero(rows.column(CONCEPT_ID)), self._ids, grows=True),
        )

    def choose(
        self, listed: dict[int, Listed], source: IntArray, value: IntArray, concept: IntArray
    ) -> Chosen:
        """The code of each row.

        Args:
            listed: from `read_concepts`.
            source: numbers of the source concepts, shape (n_rows,), as `add` gave them.
            value: numbers of the source values.
            concept: numbers of the concepts.

        Raises:
            InputError: source values are used and what system they are of stays unclear.
        """
        is_listed = np.zeros(len(self._ids) + 1, dtype=bool)
        is_listed[list(listed)] = True
        by_source = is_listed[source]
        has_value = ~by_source & (value != UNKNOWN)
        by_value = has_value & ~(is_listed[concept] & self._is_text()[value])
        by_concept = ~by_source & ~by_value & is_listed[concept]
        found = np.full(len(source), UNKNOWN, dtype=np.int64)
        ids = self._numbers_of_ids(listed, distinct(np.r_[source[by_source], concept[by_concept]]))
        found[by_source], found[by_concept] = ids[source[by_source]], ids[concept[by_concept]]
        found[by_value], rule = self._numbers_of_values(value[by_value])
        unlike = "CONCEPT gives this concept a code that has not the shape of its vocabulary's"
        column = np.select([by_source, by_value, by_concept], [0, 1, 2], UNKNOWN)
        return Chosen(column, found, (unlike, rule, unlike), int((has_value & ~by_value).sum()))

    def read_concepts(self, table: Relation, faults: Faults) -> dict[int, Listed]:
        """What CONCEPT says of the ids met, where their vocabulary is one of diagnoses."""
        require_columns(table, ("concept_id",), ("vocabulary_id",), ("concept_code",))
        listed: dict[int, Listed] = {}
        wanted = ("concept_id", "vocabulary_id", "concept_code", "concept_name")
        for rows in table.batches(wanted, faults):
            number = numbered(rows.column("concept_id"), self._ids, grows=False)
            for row, found in _listed(rows, number):
                listed[row] = min(found, listed.get(row, found))
        return listed

    def _numbers_of_ids(self, listed: dict[int, Listed], used: IntArray) -> IntArray:
        numbers = np.full(len(self._ids) + 1, UNKNOWN, dtype=np.int64)
        for place in used.tolist():
            found = listed[place]
            [numbers[place]] = self.concepts.add_distinct(found.system, [found.code])
            self.concepts.show_distinct([(int(numbers[place]), found.name)])
        return numbers

    def _numbers_of_values(self, value: IntArray) -> tuple[IntArray, str]:
        """Numbers of the rows' source values, and the rule that those without one break."""
        if not len(value):
            return value, ""
        rows = np.bincount(value, minlength=len(self._values))
        texts = self._values.texts
        used = np.flatnonzero(rows)
        coding = self._coding({texts[place]: int(rows[place]) for place in used})
        system = coding.system or ""
        numbers = np.full(len(rows), UNKNOWN, dtype=np.int64)
        fitting = [place for place in used if self._system is not None or _fits(system, texts[place])]
        numbers[fitting] = self.concepts.add_distinct(system, (texts[place] for place in fitting))
        rule = "not the shape of a SNOMED id" if system == SNOMED else shape_rule(system)
        return numbers[value], rule + coding.next_step

    def _is_text(self) -> npt.NDArray[np.bool_]:
        """Which source values are a code of no system that they may be of; the last place stands for none."""
        if self._system is None:
            texts = [not any(_fits(system, text) for system in _VOCABULARIES) for text in self._values.texts]
        else:
            texts = [not is_well_spelled(self._system, text) for text in self._values.texts]
        return np.array([*texts, False], dtype=np.bool_)

    def _coding(self, rows: dict[str, int]) -> Coding:
        if self._system is not None:
            return Coding(self._system)
        told = told_by_shape(rows)
        n_told = sum(n for text, n in rows.items() if is_well_spelled(told.system or "", text))
        step = f", the system taken since nothing names one; mend it, or {_SAY_SYSTEM}"
        if sum(n for text, n in rows.items() if _fits(SNOMED, text)) > n_told:
            return Coding(SNOMED, next_step=step)
        if not told.is_clear:
            raise InputError(SOURCE_VALUE, f"every code fits both ICD-9-CM and ICD-10-CM; {_SAY_SYSTEM}")
        return told._replace(next_step=step)


def _fits(system: str, text: str) -> bool:
    """Whether a value may be of a system that was told by shapes."""
    return _SNOMED_ID.fullmatch(text) is not None if system == SNOMED else is_well_spelled(system, text)


def _but_zero(ids: Texts) -> Texts:
    """Ids of concepts; 0 stands for none."""
    zero = [place for place, text in enumerate(ids.distinct) if text in ("0", "0.0")]
    return Texts(ids.distinct, np.where(np.isin(ids.at, zero), UNKNOWN, ids.at)) if zero else ids


def _listed(rows: Rows, number: IntArray) -> Iterator[tuple[int, Listed]]:
    vocabulary, code = rows.column("vocabulary_id"), rows.column("concept_code")
    names = rows.column("concept_name")
    systems = [system_name(text) for text in vocabulary.distinct]
    # `ICD10` is the vocabulary of the WHO's edition there, whose codes differ.
    known = [place for place, text in enumerate(vocabulary.distinct) if text.upper() in _VOCABULARIES]
    for row in np.flatnonzero((number != UNKNOWN) & np.isin(vocabulary.at, known) & code.there):
        name = names.distinct[names.at[row]] if names.at[row] >= 0 else ""
        yield int(number[row]), Listed(systems[vocabulary.at[row]], code.distinct[code.at[row]], name)

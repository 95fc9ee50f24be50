"""The cohort in another vocabulary, and what that loses: never silently.

A code that the map does not know stays as it is, beside the mapped ones; a code with several targets becomes
all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from tools.records.cohort import Cohort
from tools.records.concepts import published
from tools.records.concepts.codes import ICD9CM, ICD10CM
from tools.records.concepts.published import CCS, CCSR
from tools.records.faults import counted
from tools.records.rollup import Pair, replaced, to_categories

VocabularyName = Literal["full", "category", "ccs", "icd9"]
Kind = Literal["as it was", "one to one", "one to one, approximately", "one to many", "not at all"]
KINDS: tuple[Kind, ...] = get_args(Kind)

ABOUT: Mapping[VocabularyName, str] = {
    "full": "codes as they are",
    "category": "three-character headings",
    "ccs": "CCS groups of ICD-9-CM codes, CCSR groups of ICD-10-CM codes",
    "icd9": "ICD-10-CM codes as ICD-9-CM by GEM, all targets kept",
}


class Target(NamedTuple):
    """What one code becomes: (system, code) pairs, and how it came to them."""

    pairs: tuple[Pair, ...]
    kind: Kind


class Loss(NamedTuple):
    """How many distinct codes, and diagnoses of a visit, were mapped in one way."""

    kind: Kind
    codes: int
    rows: int


class Mapped(NamedTuple):
    """A cohort in the vocabulary asked for, and how its codes came there; no losses where none is mapped."""

    cohort: Cohort
    losses: tuple[Loss, ...] = ()

    @property
    def told(self) -> str:
        """The losses in a sentence."""
        ways = (f"{loss.kind} {counted(loss.rows, 'diagnosis row')}" for loss in self.losses)
        return f"codes were mapped: {', '.join(ways)}"


def to_vocabulary(cohort: Cohort, wanted: VocabularyName) -> Mapped:
    """The cohort in another vocabulary.

    Raises:
        InputError: `category` for records with codes of another system than the two ICDs.
    """
    if wanted == "full":
        return Mapped(cohort)
    if wanted == "category":
        return Mapped(to_categories(cohort))
    return _mapped(cohort, _to_ccs if wanted == "ccs" else _to_icd9)


def _to_ccs(system: str, code: str) -> Target:
    if system == ICD9CM and (found := published.ccs()[0].get(code)):
        return Target(((CCS, found),), "one to one")
    if system == ICD10CM and (found := published.ccsr().get(code)):
        return Target(((CCSR, found),), "one to one")
    return Target(((system, code),), "not at all")


def _to_icd9(system: str, code: str) -> Target:
    if system != ICD10CM:
        return Target(((system, code),), "as it was")
    found = published.gem_to_icd9().get(code)
    if found is None:
        return Target(((system, code),), "not at all")
    return Target(tuple((ICD9CM, target) for target in found.codes), _kind(found))


def _kind(found: published.Targets) -> Kind:
    if len(found.codes) > 1:
        return "one to many"
    return "one to one, approximately" if found.is_approximate else "one to one"


def _mapped(cohort: Cohort, target_of: Callable[[str, str], Target]) -> Mapped:
    columns = cohort.vocabulary.columns
    targets = [target_of(*pair) for pair in zip(columns.system, columns.code, strict=True)]
    return Mapped(replaced(cohort, [target.pairs for target in targets]), _losses(cohort, targets))


def _losses(cohort: Cohort, targets: Sequence[Target]) -> tuple[Loss, ...]:
    rows = np.bincount(cohort.codes, minlength=len(targets))
    kinds = np.array([KINDS.index(target.kind) for target in targets], dtype=np.int64)
    of_codes = np.bincount(kinds, minlength=len(KINDS)).tolist()
    of_rows = np.bincount(kinds, rows, minlength=len(KINDS)).astype(int).tolist()
    return tuple(Loss(*found) for found in zip(KINDS, of_codes, of_rows, strict=True) if found[1])

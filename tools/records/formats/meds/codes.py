"""Which codes of MEDS are diagnoses: `DIAGNOSIS//ICD//9//49390`, `ICD10CM/E11.9`, `SNOMED/44054006`."""

import re
from collections.abc import Iterable

import numpy as np

from tools.records.build import UNKNOWN, Concepts
from tools.records.cohort import IntArray
from tools.records.concepts.codes import ICD9CM, ICD10CM, SNOMED, system_name

OTHER = -2
_SEPARATOR = re.compile(r"//?")
_DIAGNOSIS = "DIAGNOSIS"
_ICD = "ICD"
_VERSIONS = {"9": ICD9CM, "10": ICD10CM}
WRITTEN = (ICD9CM, ICD10CM, SNOMED)
_WRITTEN = {system: f"{_DIAGNOSIS}//{_ICD}//{version}//" for version, system in _VERSIONS.items()}


class MedsCodes:
    """Numbers the concepts that codes stand for; each spelling is looked at once."""

    def __init__(self) -> None:
        self.concepts = Concepts()
        self._numbers: dict[str, int] = {}

    def add(self, texts: Iterable[str]) -> IntArray:
        """The concept of each code; `OTHER` where it is no diagnosis, `UNKNOWN` where it is misspelt."""
        return np.fromiter((self._number(text) for text in texts), dtype=np.int64)

    def show(self, descriptions: Iterable[tuple[str, str]]) -> None:
        """Remember what some codes mean; those that were never met are left out."""
        self.concepts.show_distinct(
            (self._numbers.get(code, UNKNOWN), description)
            for code, description in descriptions
            if self._numbers.get(code, UNKNOWN) != OTHER
        )

    def _number(self, text: str) -> int:
        known = self._numbers.get(text)
        if known is None:
            found = _diagnosis(text)
            known = OTHER if found is None else int(self.concepts.add_distinct(found[0], [found[1]])[0])
            self._numbers[text] = known
        return known


def spelled(system: str, code: str) -> str:
    """How a dotless code is written in MEDS; one of `WRITTEN` is read as the same again."""
    return _WRITTEN.get(system, f"{system}/") + code


def parts_of(text: str) -> list[str]:
    """The parts of a code, between single or double slashes."""
    return _SEPARATOR.split(text)


def is_coded(text: str) -> bool:
    """Whether a text is a code of MEDS with its parts, as no code of a classification is."""
    return "/" in text


def _diagnosis(text: str) -> tuple[str, str] | None:
    """System and spelling of a diagnosis, which may be wrong; None of what is no diagnosis."""
    parts = parts_of(text)
    is_named = parts[0].strip().upper() == _DIAGNOSIS
    if is_named:
        del parts[0]
    if not parts or (not is_named and len(parts) < 2):
        return None
    system = parts[0].strip().upper()
    if system == _ICD:
        version = parts[1].strip() if len(parts) > 1 else ""
        return _VERSIONS.get(version, ICD10CM), "/".join(parts[2:]) if version in _VERSIONS else ""
    named = system_name(system)
    if named in WRITTEN and not system.isdigit():
        return named, "/".join(parts[1:])
    # Without DIAGNOSIS, what begins with ICD may be of procedures (ICD10PCS) or tumours (ICDO3).
    return (ICD10CM, "") if is_named and system.startswith(_ICD) else None

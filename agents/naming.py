"""Which diseases a text names: by usual names, unless a word beside one makes another disease of it."""

import re
from collections.abc import Iterable

from agents.cases import CaseDisease
from agents.focus import speaks_of
from tools.knowledge.remembered import remembered

_BEFORE = (
    "pulmonary",
    "pulmonary arterial",
    "arterial pulmonary",
    "portal",
    "portopulmonary",
    "intracranial",
    "ocular",
    "venous",
    "gestational",
    "white-coat",
    "non",
    "pre",
    "pseudo",
    "anti",
    "heat",
    "bronze",
)
_AFTER = ("insipidus", "volume", "mimic", "mimics")
_ENDS_BEFORE = re.compile(rf"\b({'|'.join(_BEFORE)})[\s-]+$", re.IGNORECASE)
_BEGINS_AFTER = re.compile(rf"^\s+({'|'.join(_AFTER)})\b|^-(free|like)\b", re.IGNORECASE)
_OTHERS = re.compile(
    rf"\b(?P<before>{'|'.join(sorted(_BEFORE, key=len, reverse=True))})[\s-]+\w+|"
    rf"\b\w+(?:\s+mellitus)?\s+(?P<after>{'|'.join(_AFTER)})\b|\b\w+-(?:free|like)\b",
    re.IGNORECASE,
)


# What a pattern without regard to case takes for an ASCII letter, though it is none.
_LIKE_ASCII = str.maketrans("\u017f\u212a\u0131\u0130", "skii")


def found_in(text: str, names: Iterable[str]) -> list[str]:
    """The lower-case names that a text may hold, in any case: a pattern of the others finds nothing in it."""
    lowered = text.translate(_LIKE_ASCII).lower()
    return [name for name in names if name in lowered or not name.isascii()]


def name_pattern(names: Iterable[str]) -> str:
    """A regular expression of names, or of their plurals, as whole words; the longest of overlapping ones."""
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return rf"(?<!\w)({'|'.join(map(re.escape, longest_first)) or '(?!)'})(?:s|es)?(?!\w)"


def is_another(text: str, start: int, end: int) -> bool:
    """Whether the words around a name make another disease of it: "portal hypertension", "non-diabetes"."""
    return bool(_ENDS_BEFORE.search(text[:start]) or _BEGINS_AFTER.search(text[end:]))


def is_named(text: str, disease: CaseDisease) -> bool:
    """Whether a sentence names a disease: by a usual name, or by all telling words of its name."""
    return _is_named(text, disease.name, disease.aliases)


@remembered(1 << 14)
def _is_named(text: str, name: str, aliases: tuple[str, ...]) -> bool:
    """Kept, as sentences of a library meet the same diseases in many cases."""
    lowered = text.lower()
    usual = [one.lower() for one in (*aliases, name) if one]
    found = re.finditer(name_pattern(one for one in usual if one in lowered), lowered)
    if any(not is_another(lowered, *place.span()) for place in found):
        return True
    return speaks_of(_without_others(lowered, name.lower()), name)


def _without_others(text: str, own: str) -> str:
    """The text without other diseases that a word makes of one; not where the disease's own name has it."""

    def kept(found: re.Match[str]) -> str:
        word = found["before"] or found["after"]
        return found[0] if word and re.search(rf"\b{re.escape(word)}\b", own) else " "

    return _OTHERS.sub(kept, text)

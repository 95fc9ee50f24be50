"""Which diseases a clinician's comment asks about, found without a language model."""

import re
from collections.abc import Iterable

from agents.cases import CaseDisease

_ORGANS: tuple[tuple[str, ...], ...] = (
    ("kidney", "renal", "nephr", "uremi", "dialys"),
    ("heart", "cardi", "coronary", "myocard", "atrial", "ventricul"),
    ("lung", "pulmon", "respirat", "pneumon", "bronch", "breath"),
    ("liver", "hepat", "cirrho", "portal"),
    ("brain", "cerebr", "stroke", "neuro", "dement", "epilep", "hemipleg"),
    ("vessel", "vascul", "artery", "arter", "thromb", "embol"),
    ("gut", "bowel", "stomach", "gastr", "esophag", "intestin"),
    ("blood", "anemi", "hemorrh", "bleed", "thrombocyt"),
    ("infect", "sepsis", "septic", "pneumonia", "cellulit", "osteomyel"),
    ("diabet", "glycem", "sugar", "insulin"),
    ("bone", "joint", "fractur", "osteo", "arthr"),
    ("eye", "retin", "ophthalm", "vision"),
    ("cancer", "neoplasm", "malignan", "tumor"),
    ("mental", "psych", "depress", "anxi", "mood"),
    ("skin", "ulcer", "cellulit", "wound"),
    ("bladder", "urin", "prostat"),
)
_NEGATED = re.compile(r"\b(no|not|never|none|nor|cannot|without|except|ignor\w+|exclud\w+)\b|n['\u2019]t\b")
_CLAUSE_END = re.compile(r"[,;:!?\n]|\.(?!\d)|\bbut\b")
_UNIT = r"(?!\s*(?:%|(?:mg|mcg|g|kg|ml|l|mmol|mmhg|bpm|units?|hours?|days?|weeks?|months?|years?|times)\b))"
_CODE = re.compile(
    rf"\b(?:\d{{3}}|v\d{{2}}|e\d{{3}})(?:\.?\d{{1,2}})?\b{_UNIT}|\b[a-z]\d[0-9a-z](?:\.?[0-9a-z]{{1,4}})?\b"
)
_WORD = re.compile(r"[a-z]{3,}")
_DETAILS = re.compile(r"[,(\[]|\b(?:with|without|not|due to|in|by)\b")
_STEM_LENGTH = 7
_IDLE = re.compile(
    r"about|also|and|any|anything|are|can|care|come|comes|concern|concerned|could|does|especially|expect|first|focus|"
    r"for|from|further|future|has|have|health|her|high|him|his|how|interest|interested|into|its|keep|likely|long|look|"
    r"low|mainly|make|many|may|might|more|most|mostly|much|next|old|only|other|patient|patients|please|problem|"
    r"problems|related|risk|risks|see|she|show|some|tell|that|the|their|them|there|they|think|this|time|very|visit|"
    r"want|watch|what|when|whether|which|who|why|will|with|worried|worry|year|years|you|your|"
    r"acute|benign|chronic|condition|conditions|current|diagnosis|diagnoses|disease|diseases|disorder|disorders|due|"
    r"elsewhere|essential|history|left|mention|part|personal|right|secondary|site|specified|stated|status|term|type|"
    r"uncontrolled|unspecified|use"
)


def asked_about(comment: str, diseases: Iterable[CaseDisease]) -> frozenset[str]:
    """Codes of the diseases that a comment asks about, by code, by name, or by organ.

    A clause with a negation asks about nothing.
    """
    clauses = (clause for clause in _CLAUSE_END.split(comment.lower()) if not _NEGATED.search(clause))
    wanted = " ; ".join(clauses)
    prefixes = tuple(code.replace(".", "").upper() for code in _CODE.findall(wanted))
    words = [word for word in _WORD.findall(wanted) if not _IDLE.fullmatch(word)]
    stems = {_stem(word) for word in words}
    organs = [organ for organ in _ORGANS if any(word.startswith(organ) for word in words)]
    return frozenset(
        disease.code
        for disease in diseases
        if disease.code.rpartition(":")[2].startswith(prefixes) or _speaks_of(disease, stems, organs)
    )


def speaks_of(text: str, name: str) -> bool:
    """Whether a text has all telling words of a name, which ends where its details begin."""
    telling = _stems(_DETAILS.split(name.lower())[0])
    return bool(telling) and telling <= _stems(text.lower())


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in _WORD.findall(text) if not _IDLE.fullmatch(word)}


def _speaks_of(disease: CaseDisease, stems: set[str], organs: list[tuple[str, ...]]) -> bool:
    words = _WORD.findall(" ".join((disease.name, *disease.aliases)).lower())
    return any(_stem(word) in stems or any(word.startswith(organ) for organ in organs) for word in words)


def _stem(word: str) -> str:
    return word[:_STEM_LENGTH].rstrip("s")

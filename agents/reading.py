"""How the statistical reasoner reads a passage: by the names of diseases and the words between them."""

import re
from typing import NamedTuple

from agents.answers import QuotedClaim, Reading
from agents.cases import CaseDisease, PassageCase
from agents.findings import name_pattern
from tools.knowledge.quarantine import unfenced, unmarked
from tools.knowledge.text import sentences
from tools.reporting.result import EffectDirection, Strength

_MAX_FINDINGS = 8
_QUOTE_CHARS = 600
_CUE = re.compile(
    r"\b(?P<forward>leads? to|led to|causes?( of)?|results? in|complications?(?! of)|progress(es)? to|"
    r"brings? on|risk factors? for|predisposes? to|(raises?|increases?) the (risk|chance|likelihood) of)\b|"
    r"\b(?P<backward>caused (\w+ ){0,2}by|due to|because of|results? from|arises? from|complications? of|"
    r"risk factors?)\b",
    re.IGNORECASE,
)
_LOWERS = re.compile(
    r"^\W*(\w+ ){0,2}?(protects? (\w+ )?(against|from)|prevents?|(lowers?|reduces?|decreases?) the "
    r"(risk|chance|likelihood|incidence) of)\b",
    re.IGNORECASE,
)
_BEGINS = re.compile(r"\W*((the|an?) )?", re.IGNORECASE)
_UNRELATED = re.compile(
    r"\b(not (\w+ )?(associated with|related to|linked to)|no (association|link|relation) with|unrelated to|"
    r"no (effect|influence) on)\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(not|never|cannot|no)\s+((a|the|known|a known)\s+)?$", re.IGNORECASE)
_DENIED = re.compile(r"\b(not|no|never|cannot|rarely)\s+(\w+\s+){0,2}$", re.IGNORECASE)
_REFERS_BACK = re.compile(r"^(it|they|this|these|complications?(?! of)|untreated)\b", re.IGNORECASE)
_BEFORE_ALL = -1
_STRENGTHS: tuple[tuple[Strength, re.Pattern[str]], ...] = (
    ("weak", re.compile(r"\b(may|might|could|sometimes|occasionally|possibly|suspected)\b", re.IGNORECASE)),
    (
        "strong",
        re.compile(
            r"\b(strongly|major|main|leading|principal|chief|commonest|most common(ly)?|"
            r"(common|usual) causes?)\b",
            re.IGNORECASE,
        ),
    ),
    ("moderate", re.compile(r"\b(can|often|commonly|frequently|usually|typically|common)\b", re.IGNORECASE)),
)


class _Relation(NamedTuple):
    """What a sentence says of its subject and another disease."""

    other_causes: bool
    direction: EffectDirection


def read_passage(case: PassageCase) -> Reading:
    """Quotes each sentence in which a disease of the case meets the one that the passage is about."""
    passage = case.passage
    names = _Names(case)
    section = unfenced(passage.section, passage.fence)
    subjects = [disease for disease in case.diseases if disease.code in passage.about]
    findings: list[QuotedClaim] = []
    for whole in sentences(unfenced(passage.text, passage.fence)):
        sentence = whole[:_QUOTE_CHARS]
        places = names.places(sentence)
        others = [d for d in case.diseases if d.code in places and d not in subjects]
        findings += [
            claim
            for subject in subjects
            for other in others
            if (claim := _claim(sentence, section, places, subject, other))
        ]
    return Reading(findings=findings[:_MAX_FINDINGS])


class _Names:
    """Finds the diseases of a case in a sentence; where names overlap the longest counts."""

    def __init__(self, case: PassageCase) -> None:
        others = (unmarked(name).lower() for name in case.passage.other_names)
        self.codes: dict[str, list[str]] = {name: [] for name in others}
        for disease in case.diseases:
            for name in dict.fromkeys(name.lower() for name in (*disease.aliases, disease.name) if name):
                self.codes.setdefault(name, []).append(disease.code)
        self.pattern = re.compile(name_pattern(self.codes), re.IGNORECASE)

    def places(self, sentence: str) -> dict[str, tuple[int, int]]:
        """Code to where the sentence first names it: start and end."""
        places: dict[str, tuple[int, int]] = {}
        for found in self.pattern.finditer(sentence):
            for code in self.codes[found[1].lower()]:
                places.setdefault(code, found.span())
        return places


def _claim(
    sentence: str,
    section: str,
    places: dict[str, tuple[int, int]],
    subject: CaseDisease,
    other: CaseDisease,
) -> QuotedClaim | None:
    """What a sentence of the subject's document says of the subject and another disease, if it says cause."""
    where_subject = places.get(subject.code)
    if where_subject is None and _REFERS_BACK.search(sentence):
        where_subject = (_BEFORE_ALL, _BEFORE_ALL)
    relation = _relation(sentence, section, where_subject, places[other.code])
    if relation is None:
        return None
    cause, effect = (other, subject) if relation.other_causes else (subject, other)
    return QuotedClaim(
        cause=cause.code,
        effect=effect.code,
        direction=relation.direction,
        strength=_strength(sentence),
        quote=sentence,
    )


def _relation(
    sentence: str, section: str, subject: tuple[int, int] | None, other: tuple[int, int]
) -> _Relation | None:
    """Whether the other disease causes the subject or is caused by it, or neither is said.

    Before a forward cue ("leads to") stand causes, after it effects; around a backward cue ("caused by")
    it is the other way round. A denied cue ("does not lead to") says that there is no effect; one denied
    less directly ("is not usually due to") says nothing. Without a cue, a section on causes names causes.
    """
    if subject is not None and (plain := _spared(sentence, subject, other)):
        return plain
    in_causes = _Relation(True, "raises") if section.lower() == "causes" else None
    cue = _CUE.search(sentence)
    if cue is None:
        return in_causes
    before = sentence[: cue.start()]
    denied = bool(_NOT.search(before))
    if not denied and _DENIED.search(before):
        return None
    other_first = other[0] < cue.start()
    if subject is None or (subject[0] < cue.start()) == other_first:
        return None if denied else in_causes
    return _Relation(other_first == (cue["forward"] is not None), "none" if denied else "raises")


def _spared(sentence: str, subject: tuple[int, int], other: tuple[int, int]) -> _Relation | None:
    """A sentence by which the first named of two diseases does not raise the chance of the second.

    It lowers it only where the sentence begins with it: "treatment of A prevents B" is about the treatment.
    """
    first, second = sorted((subject, other))
    if first[0] < 0:
        return None
    between = sentence[first[1] : second[0]]
    if _UNRELATED.search(between):
        return _Relation(first == other, "none")
    if _BEGINS.fullmatch(sentence[: first[0]]) and _LOWERS.match(between):
        return _Relation(first == other, "lowers")
    return None


def _strength(sentence: str) -> Strength:
    """The first of these that a sentence has a word for: weak, strong, moderate; what is hedged is weak."""
    return next((strength for strength, words in _STRENGTHS if words.search(sentence)), "unstated")

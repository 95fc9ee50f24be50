"""How the statistical reasoner reads a passage: by the names of diseases and the words between them."""

import re
from collections.abc import Iterator
from itertools import combinations, product
from typing import NamedTuple

from agents.answers import QuotedClaim, Reading
from agents.cases import CaseDisease, PassageCase
from agents.clauses import clauses, denies, is_denied
from agents.naming import found_in, is_another, name_pattern
from tools.knowledge.quarantine import unfenced, unmarked
from tools.knowledge.remembered import remembered
from tools.knowledge.text import sentences
from tools.reporting.result import EffectDirection, Strength

_MAX_FINDINGS = 8
_QUOTED_WORDS = 3
_QUOTE_CHARS = 600
_CUE = re.compile(
    r"\b(?P<forward>leads? to|led to|causes?( of)?|results? in|complications?(?! of)|progress(es)? to|"
    r"brings? on|risk factors? for|predisposes? to|contributes? to|adds? to|favou?rs?|speeds? up|"
    r"triggers?( of)?|accelerates?|makes?(?= .{2,80}? more (likely|common|frequent|probable))|"
    r"(raises?|increases?) the (risk|chance|likelihood) of)\b|"
    r"\b(?P<backward>caused (\w+ ){0,4}by|due to|because of|results? from|arises? from|complications? of|"
    r"risk factors?)\b",
    re.IGNORECASE,
)
_LOWERS = re.compile(
    r"^\W*(\w+ ){0,2}?(?P<cue>protects? (\w+ )?(against|from)|prevents?|(lowers?|reduces?|decreases?) the "
    r"(risk|chance|likelihood|incidence) of)\W*$",
    re.IGNORECASE,
)
_BEGINS = re.compile(r"\W*((but|whereas|while|however|though|although|yet)\W+)?((the|an?) )?", re.IGNORECASE)
_UNRELATED = re.compile(
    r"^\W*((is|are|was|were|has|have|shows?|bears?) )?(?P<cue>"
    r"not (\w+ )?(associated with|related to|linked to)|"
    r"no (known )?(association|link|relation) with|unrelated to|no (effect|influence) on)\W*$",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"^\s*(?P<cue>((do|does|did|is|are|was|were|can|will) (not|never)|never|cannot|has no|is no))"
    r"(\s+(a|an|the|known|a known))?\s*$",
    re.IGNORECASE,
)
_ENDS = re.compile(r"(s|es)?\W*", re.IGNORECASE)
_REFERS_BACK = re.compile(
    r"^(?P<pronoun>it|they|this|these)\b|^(complications?(?! of)|untreated)\b", re.IGNORECASE
)
_IT = re.compile(r"(?<=\bmake )it\b|(?<=\bmakes )it\b", re.IGNORECASE)
_CAUSES_ARE = re.compile(
    r"^\W*(\w+ ){0,4}?(causes|risk factors|triggers)\b(?P<whose>.*?)\b(include|are)\b", re.IGNORECASE
)
_LIST_ITEM = re.compile(r"[,;:]|\b(?:and|or)\b", re.IGNORECASE)
_QUALIFIED = re.compile(
    r"\W*((also|the|an?|advanced|acute|chronic|long-?standing|severe|mild|poorly|uncontrolled|controlled|untreated|"
    r"underlying|previous|older)\W+)*",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"\b(is|are|was|were|be|been|being|has|have|had|do|does|did|can|could|may|might|must|will|would|should|seen|"
    r"similar|like|found|known|treated|related|associated|linked|compared)\b",
    re.IGNORECASE,
)
_LIST_WORDS = 5
_JOINT = re.compile(r",? and |, ", re.IGNORECASE)
_ELIDED = re.compile(
    r"(\W*(it|also|so|thus|then|can|may|might|could|will|often|sometimes|\w+ly)\b)*\W*", re.IGNORECASE
)
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
    """Quotes the sentences in a clause of which a disease of the case meets the passage's own.

    A passage that is about none of them is read for clauses that name two.
    """
    passage = case.passage
    names = _Names(case)
    section = unfenced(passage.section, passage.fence)
    subjects = [disease for disease in case.diseases if disease.code in passage.about]
    others = [disease for disease in case.diseases if disease.code not in passage.about]
    findings: list[QuotedClaim] = []
    for sentence in sentences(unfenced(passage.text, passage.fence)):
        if len(sentence.split()) < _QUOTED_WORDS:
            continue
        told = _Sentence(sentence, section.lower() == "causes", names, has_subject=bool(subjects))
        named = [disease for disease in others if disease.code in told.codes]
        pairs = product(subjects, named) if subjects else combinations(named, 2)
        findings += [claim for one, other in pairs if (claim := told.claim(one, other))]
    return Reading(findings=findings[:_MAX_FINDINGS])


class _Names:
    """Finds the diseases of a case in a sentence; where names overlap the longest counts."""

    def __init__(self, case: PassageCase) -> None:
        others = (unmarked(name).lower() for name in case.passage.other_names)
        self.codes: dict[str, list[str]] = {name: [] for name in others}
        for disease in case.diseases:
            for name in dict.fromkeys(name.lower() for name in (*disease.aliases, disease.name) if name):
                self.codes.setdefault(name, []).append(disease.code)
        self.pattern = _pattern(tuple(found_in(unmarked(case.passage.text), self.codes)))

    def places(self, clause: str) -> dict[str, tuple[int, int]]:
        """Code to where a clause first names it: start and end."""
        places: dict[str, tuple[int, int]] = {}
        for found in self.pattern.finditer(clause):
            if not is_another(clause, *found.span()):
                for code in self.codes[found[1].lower()]:
                    places.setdefault(code, found.span())
        return places


@remembered(512)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(name_pattern(names), re.IGNORECASE)


class _Sentence:
    """One sentence of a passage, its clauses, and where they name which disease."""

    def __init__(self, sentence: str, in_causes: bool, names: _Names, has_subject: bool) -> None:
        self.sentence, self.names, self.has_subject = sentence, names, has_subject
        self.in_causes = in_causes and has_subject
        self.clauses = _all_parts(sentence)
        self.places = {clause: names.places(clause) for clause in self.clauses}
        self.codes = frozenset(code for where in self.places.values() for code in where)

    def claim(self, subject: CaseDisease, other: CaseDisease) -> QuotedClaim | None:
        """What the sentence says of the document's subject and another disease, if it says cause."""
        relation = next(self._relations(subject, other), None)
        if relation is None:
            return None
        cause, effect = (other, subject) if relation.other_causes else (subject, other)
        return QuotedClaim(
            cause=cause.code,
            effect=effect.code,
            direction=relation.direction,
            strength=_strength(self.sentence),
            quote=_quote(self.sentence),
        )

    def _relations(self, subject: CaseDisease, other: CaseDisease) -> Iterator[_Relation]:
        for place, clause in enumerate(self.clauses):
            where = self.places[clause]
            if other.code not in where:
                continue
            named = where.get(subject.code)
            if named is None and self.has_subject:
                named = _referred(clause, is_first=place == 0)
            elif named is None:
                continue
            relation = _spared(clause, named, where[other.code]) if named else None
            if relation is None:
                relation = _raised(clause, self.in_causes, named, where[other.code])
                if relation is None or self._is_denied(clause, subject, other):
                    continue
            elif any(denies(c) for c in self.clauses if c != clause):
                continue
            yield relation

    def _is_denied(self, clause: str, subject: CaseDisease, other: CaseDisease) -> bool:
        codes = {subject.code, other.code}
        return denies(clause) or is_denied(
            self.sentence, lambda part: not codes.isdisjoint(self.names.places(part))
        )


@remembered(1 << 12)
def _all_parts(sentence: str) -> tuple[str, ...]:
    return tuple(part for clause in clauses(sentence) for part in _parts(clause))


def _parts(clause: str) -> list[str]:
    """A clause, cut before the subject of each further cue: "A leads to B, and C leads to D"."""
    for found in reversed(list(_JOINT.finditer(clause))):
        before, rest = clause[: found.end()], clause[found.end() :]
        cue = _CUE.search(rest)
        if cue and not _ELIDED.fullmatch(rest[: cue.start()]) and _CUE.search(before):
            return [*_parts(before), rest]
    return [clause]


def _quote(sentence: str) -> str:
    return sentence if len(sentence) <= _QUOTE_CHARS else sentence[:_QUOTE_CHARS].rpartition(" ")[0]


def _referred(clause: str, is_first: bool) -> tuple[int, int] | None:
    """Where a clause that does not name its document's subject stands for it by another word."""
    back = _REFERS_BACK.search(clause) if is_first else None
    if back:
        return back.span("pronoun") if back["pronoun"] else (0, 0)
    it = _IT.search(clause)
    return it.span() if it else None


def _raised(
    clause: str, in_causes: bool, subject: tuple[int, int] | None, other: tuple[int, int]
) -> _Relation | None:
    """Which of two diseases a clause says to raise the chance of the other, if it denies nothing.

    Before a forward cue ("leads to") stand causes, after it effects; around a backward cue ("caused by")
    it is the other way round; the last cue between the two counts. Without a cue, a list in a section on
    causes names causes.
    """
    if subject is not None:
        first, second = sorted((subject, other))
        cues = [cue for cue in _CUE.finditer(clause) if first[1] <= cue.start() < second[0]]
        if cues:
            return _Relation((other == first) == (cues[-1]["forward"] is not None), "raises")
    include = _CAUSES_ARE.search(clause)
    if include and include.end() <= other[0]:
        whose = subject is not None and include.start("whose") <= subject[0] < include.end("whose")
        unsaid = in_causes and not include["whose"].strip()
        return _Relation(True, "raises") if whose or unsaid else None
    return _Relation(True, "raises") if in_causes and _is_listed(clause, other) else None


def _is_listed(clause: str, disease: tuple[int, int]) -> bool:
    """Whether a clause is a list of things rather than a sentence, and a disease is one of them."""
    if _CUE.search(clause) or _SAYS.search(clause):
        return False
    ends = [0, *(end for comma in _LIST_ITEM.finditer(clause) for end in comma.span()), len(clause)]
    start = max(end for end in ends if end <= disease[0])
    stop = min(end for end in ends if end >= disease[1])
    alone = _QUALIFIED.fullmatch(clause[start : disease[0]]) and _ENDS.fullmatch(clause[disease[1] : stop])
    return bool(alone) and all(len(item.split()) <= _LIST_WORDS for item in _LIST_ITEM.split(clause))


def _spared(clause: str, subject: tuple[int, int], other: tuple[int, int]) -> _Relation | None:
    """A clause by which the first named of two diseases does not raise the chance of the second.

    It does so only where the clause begins with the one and ends with the other, and by one plain denial:
    "treatment of A prevents B" is about the treatment, "A does not lead to B in everyone" is no denial.
    """
    first, second = sorted((subject, other))
    if not (_BEGINS.fullmatch(clause[: first[0]]) and _ENDS.fullmatch(clause[second[1] :])):
        return None
    between = clause[first[1] : second[0]]
    cues = list(_CUE.finditer(between))
    plain = _NOT.match(between[: cues[0].start()]) if len(cues) == 1 else None
    unrelated, lowers = _UNRELATED.match(between), _LOWERS.match(between)
    said = plain or unrelated or lowers
    if said is None or denies(between[: said.start("cue")] + " " + between[said.end("cue") :]):
        return None
    if lowers and not (plain or unrelated):
        return _Relation(first == other, "lowers")
    is_forward = unrelated is not None or cues[0]["forward"] is not None
    return _Relation((first == other) == is_forward, "none")


def _strength(sentence: str) -> Strength:
    """The first of these that a sentence has a word for: weak, strong, moderate; what is hedged is weak."""
    return next((strength for strength, words in _STRENGTHS if words.search(sentence)), "unstated")

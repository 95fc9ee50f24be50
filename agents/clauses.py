"""Clauses of a sentence, and the words by which one says less than what stands in it, or the opposite.

No understanding of language: what a word of denial touches is not worked out, so that a clause with one says
nothing unless a narrow pattern tells what.
"""

import re
from collections.abc import Callable
from itertools import pairwise

from tools.knowledge.remembered import remembered

_CLAUSE_START = re.compile(
    r";|\b(?:whereas|while|although|though|but|however|yet|unlike|than|because(?! of))\b", re.IGNORECASE
)
_DENIAL = re.compile(
    r"\b(?:not(?! only)|no|none|nor|neither|never|nothing|nobody|without|cannot|hardly|seldom|scarcely|"
    r"barely|rare|rarely|infrequent(?:ly)?|little|less|least|insufficient|scant|unlike(?:ly)?|improbable|implausible|"
    r"false(?:ly)?|untrue|wrong(?:ly)?|incorrect(?:ly)?|erroneous(?:ly)?|myths?|misconceptions?|misbeliefs?|"
    r"fallac\w+|beliefs?|rumou?rs?|hoax|contrary|opposite|instead|rather than|than|versus|"
    r"fail(?:s|ed|ing)? to|ceas\w+ to|stop(?:s|ped)? \w*ing|avoid(?:s|ed|ing|ance)?|absence|absent|"
    r"prevent(?:s|ed|ing|ion)?|protect(?:s|ed|ing|ion|ive)?|(?:confused?|confuses|mistaken|mistake|mistook) "
    r"(?:with|for|as)|mistakenly|mimic\w*|resembl\w+|distinguish\w*|differentiat\w+|differs?|different from|"
    r"exclud\w+|ruled? out|rules out|unrelated|independent(?:ly)? of|regardless of|irrespective of|"
    r"lower(?:s|ed|ing)? the|reduc(?:e|es|ed|ing) the|decreas(?:e|es|ed|ing) the|"
    r"unproven|unproved|unconfirmed|unsupported|unfounded|unclear|uncertain|unknown whether|doubt\w*|"
    r"disput\w+|debat\w+|controvers\w+|disprov\w+|refut\w+|debunk\w+|rejected|den(?:y|ies|ied)|discredit\w*|"
    r"would|withdrawn|retracted|claim(?:s|ed)? that|few|fewer|only seems?|freedom from|free (?:of|from)|"
    r"cur(?:e|es|ed|ing)|treating|remission|eradicat\w+|question(?:ed|able)|hypothes\w+|hypothetical\w*|"
    r"whether|(?:once|formerly|previously|wrongly) "
    r"(?:thought|believed|held|considered|assumed|said)|used to be|"
    r"(?<!strong )(?<!good )(?<!clear )(?<!ample )(?<!convincing )evidence)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_OF_SOMETHING_ELSE = re.compile(
    r"(?:but (?:not|never|rarely|seldom) (?:to|in|of|by|from|with|for)|whereas|while|unlike|than|because)\b",
    re.IGNORECASE,
)


@remembered(1 << 13)
def clauses(sentence: str) -> tuple[str, ...]:
    """The clauses of a sentence, in order; joined they are the sentence again."""
    starts = [found.start() for found in _CLAUSE_START.finditer(sentence) if found.start()]
    return tuple(sentence[start:end] for start, end in pairwise([0, *starts, len(sentence)]))


@remembered(1 << 13)
def denies(text: str) -> bool:
    """Whether a text asks, or holds a word that denies, doubts or tells apart."""
    return "?" in text or bool(_DENIAL.search(text))


def is_denied(sentence: str, is_meant: Callable[[str], bool]) -> bool:
    """Whether a sentence must not be taken to say that one disease raises the chance of another.

    A denial counts wherever it stands, but in a later clause that names neither and opens as such clauses do
    that are about something else ("but not to", "whereas").

    Args:
        sentence: one whole sentence, since a piece of it may mean the opposite.
        is_meant: whether a clause names one of the two diseases.
    """
    return any(
        denies(clause)
        for place, clause in enumerate(clauses(sentence))
        if not place or is_meant(clause) or not _OF_SOMETHING_ELSE.match(clause)
    )

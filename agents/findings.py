"""What leaves the quarantine of a passage: typed findings, their quotes checked, contradictions marked."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from agents.answers import QuotedClaim, Reading
from agents.cases import CaseDisease, CaseFinding
from agents.codes import CodeList
from agents.focus import speaks_of
from tools.knowledge.quarantine import plain, unmarked
from tools.knowledge.screen import speaks_to_machines
from tools.knowledge.text import sentences
from tools.records.faults import counted
from tools.reporting.result import EffectDirection, Strength
from tools.safety.errors import InputError

_QUOTED_WORDS = 3
_SAID: dict[EffectDirection, str] = {
    "raises": "raises the chance of",
    "lowers": "lowers the chance of",
    "none": "does not change the chance of",
}
_OUTSIDE = "a disease outside the case"
_FOR_MACHINES = "speak to machines rather than people"
_UNNAMED = "do not name the diseases that they were quoted for"


class Admitted(NamedTuple):
    """What is taken from a reading, and what is said of the rest."""

    findings: list[dict[str, Any]]
    notices: list[str]


class PassageGate:
    """Admits what was read in one passage.

    Args:
        passage: as the tool `search_knowledge` gives it.
        diseases: of the case.
        about: the codes that the passage's document is about.
    """

    def __init__(
        self, passage: Mapping[str, Any], diseases: Sequence[CaseDisease], about: Iterable[str]
    ) -> None:
        self.passage, self.about = passage, frozenset(about)
        self.diseases = {disease.code: disease for disease in diseases}
        self.codes = CodeList(self.diseases)
        self.sentences = tuple(plain(sentence) for sentence in sentences(unmarked(passage["text"])))
        self.text = " ".join(self.sentences)

    def admit(self, reading: Reading) -> Admitted:
        """The findings of a reading.

        A quote that speaks to machines, itself or in the sentences it is cut from, and one that does not name
        its diseases is left out and counted: asking again would not mend the document.

        Raises:
            InputError: a claim is not of the form asked for; the reading is to be repaired.
        """
        findings, left_out = [], {_FOR_MACHINES: 0, _UNNAMED: 0}
        for place, claim in enumerate(reading.findings):
            quote = plain(claim.quote)
            if speaks_to_machines(quote):
                left_out[_FOR_MACHINES] += 1
                continue
            finding = self._finding(f"findings.{place}", claim, quote)
            if speaks_to_machines(self._around(quote)):
                left_out[_FOR_MACHINES] += 1
            elif not self._is_named(quote, [finding["cause"], finding["effect"]]):
                left_out[_UNNAMED] += 1
            else:
                findings.append(finding)
        return Admitted(findings, [self._notice(n, why) for why, n in left_out.items() if n])

    def _finding(self, place: str, claim: QuotedClaim, quote: str) -> dict[str, Any]:
        cause = self.codes.resolve(f"{place}.cause", claim.cause) if claim.cause else None
        effect = self.codes.resolve(f"{place}.effect", claim.effect) if claim.effect else None
        if cause == effect:
            raise InputError(
                place, "needs a cause, an effect, or both, and not the same; name them by their codes"
            )
        if len(quote.split()) < _QUOTED_WORDS:
            raise InputError(
                f"{place}.quote", f"fewer than {_QUOTED_WORDS} words; quote what carries the claim"
            )
        if quote not in self.text:
            raise InputError(f"{place}.quote", "not copied from the passage word by word; quote it exactly")
        return {
            "passage": self.passage["id"],
            "cause": cause,
            "effect": effect,
            "direction": claim.direction,
            "strength": claim.strength,
            "quote": quote,
            "claim": self._claim(cause, effect, claim.direction, claim.strength),
            "library": self.passage["library"],
            "trust": self.passage["trust"],
            "contradicts": [],
        }

    def _claim(
        self, cause: str | None, effect: str | None, direction: EffectDirection, strength: Strength
    ) -> str:
        """A sentence of our own, so that none of a model's or a document's is needed."""
        names = [self.diseases[code].name if code else _OUTSIDE for code in (cause, effect)]
        judged = "" if strength == "unstated" else f" ({strength})"
        return f"{names[0]} {_SAID[direction]} {names[1]}{judged}"

    def _around(self, quote: str) -> str:
        """The sentences that a quote touches, wherever it stands: an order may be in what was not quoted."""
        touched: dict[str, None] = {}
        for found in re.finditer(f"(?={re.escape(quote)})", self.text):
            first, last = found.start(), found.start() + len(quote)
            start = 0
            for sentence in self.sentences:
                if start < last and first < start + len(sentence):
                    touched[sentence] = None
                start += len(sentence) + 1
        return " ".join(touched)

    def _is_named(self, quote: str, codes: Iterable[str | None]) -> bool:
        """Whether a quote names one of its diseases at least, and the document is about those it does not."""
        claimed = [code for code in codes if code]
        unnamed = [code for code in claimed if not is_named(quote, self.diseases[code])]
        return len(unnamed) < len(claimed) and self.about.issuperset(unnamed)

    def _notice(self, n: int, why: str) -> str:
        return f"passage {self.passage['id']}: {counted(n, 'quote')} left out, as they {why}"


def name_pattern(names: Iterable[str]) -> str:
    """A regular expression of names, or of their plurals, as whole words; the longest of overlapping ones."""
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return rf"(?<!\w)({'|'.join(map(re.escape, longest_first)) or '(?!)'})(?:s|es)?(?!\w)"


def is_named(text: str, disease: CaseDisease) -> bool:
    """Whether a text names a disease: by a usual name, or by the telling words of its name in the records."""
    usual = [name.lower() for name in (*disease.aliases, disease.name) if name]
    return bool(re.search(name_pattern(usual), text.lower())) or speaks_of(text, disease.name)


def gathered(readings: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The findings of all passages, each once: the most trusted library's first, then as retrieved.

    Those that contradict each other name each other by their places.
    """
    in_order = sorted(readings, key=lambda reading: int(reading["order"]))
    read = [finding for reading in in_order for finding in reading["findings"]]
    unique = [finding for place, finding in enumerate(read) if finding not in read[:place]]
    findings = [
        {**finding, "contradicts": []} for finding in sorted(unique, key=lambda found: found["trust"])
    ]
    for one, other in combinations(range(len(findings)), 2):
        if _contradict(findings[one], findings[other]):
            findings[one]["contradicts"].append(other)
            findings[other]["contradicts"].append(one)
    return findings


def _contradict(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether, of one pair, one says that the cause raises and the other not; or both, each the other way."""
    pair, told = (one["cause"], one["effect"]), (other["cause"], other["effect"])
    if None in pair:
        return False
    raising = [finding["direction"] == "raises" for finding in (one, other)]
    return (pair == told and raising[0] != raising[1]) or (pair == told[::-1] and all(raising))


def passage_keys(passages: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Short keys of passages by their ids: `P1` is the first retrieved. A key holds no word of a document."""
    return {passage["id"]: f"P{place}" for place, passage in enumerate(passages, start=1)}


def case_findings(
    findings: Iterable[Mapping[str, Any]], passages: Iterable[Mapping[str, Any]]
) -> tuple[CaseFinding, ...]:
    """The findings as later minds see them, each once: codes, typed values and keys of passages."""
    keys = passage_keys(passages)
    shown = (
        CaseFinding(
            passage=keys[finding["passage"]],
            contradicted=bool(finding["contradicts"]),
            **{field: finding[field] for field in ("cause", "effect", "direction", "strength", "trust")},
        )
        for finding in findings
    )
    return tuple(dict.fromkeys(shown))

"""What leaves the quarantine of a passage: typed findings, their quotes checked, contradictions marked."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from agents.answers import QuotedClaim, Reading
from agents.cases import CaseDisease, CaseFinding
from agents.clauses import clauses, is_denied
from agents.codes import CodeList
from agents.naming import is_named
from tools.knowledge.quarantine import plain, unmarked
from tools.knowledge.remembered import remembered
from tools.knowledge.screen import speaks_to_machines
from tools.knowledge.text import sentences
from tools.records.faults import counted
from tools.reporting.result import EffectDirection, Strength
from tools.safety.errors import InputError

_QUOTED_WORDS = 3
_SHOWN_WORDS = 60
_SAID: dict[EffectDirection, str] = {
    "raises": "raises the chance of",
    "lowers": "lowers the chance of",
    "none": "does not change the chance of",
}
_OUTSIDE = "a disease outside the case"
_FOR_MACHINES = "speak to machines rather than people"
_UNNAMED = "do not name the diseases that they were quoted for"
_NO_PIECE = "are not whole words of one sentence"
_OTHERWISE = "say otherwise than what they were quoted for"


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
        self.sentences = _plain_sentences(passage["text"])
        self.text = " ".join(self.sentences)

    def admit(self, reading: Reading) -> Admitted:
        """The findings of a reading, each with the whole sentence that it was quoted from.

        A quote is left out and counted, as asking again would not mend the document, where it speaks to
        machines, itself or in the sentences it is cut from; is not cut from one sentence at its words; does
        not name its diseases; or is to say that one raises the chance of the other where its sentence denies.

        Raises:
            InputError: a claim is not of the form asked for; the reading is to be repaired.
        """
        findings, left_out = [], dict.fromkeys((_FOR_MACHINES, _NO_PIECE, _UNNAMED, _OTHERWISE), 0)
        for place, claim in enumerate(reading.findings):
            quote = plain(claim.quote)
            if speaks_to_machines(quote):
                left_out[_FOR_MACHINES] += 1
                continue
            finding = self._finding(f"findings.{place}", claim, quote)
            sentences_of_it = self._sentences(quote)
            refused = self._refused(finding, sentences_of_it)
            if refused:
                left_out[refused] += 1
            else:
                findings.append(finding | {"quote": self._shown(finding, sentences_of_it)})
        return Admitted(findings, [self._notice(n, why) for why, n in left_out.items() if n])

    def _refused(self, finding: Mapping[str, Any], its_sentences: Sequence[str]) -> str | None:
        """Why a finding is left out, or None."""
        if speaks_to_machines(self._around(finding["quote"])):
            return _FOR_MACHINES
        if not its_sentences:
            return _NO_PIECE
        if not any(self._is_named(sentence, finding) for sentence in its_sentences):
            return _UNNAMED
        return None if any(self._carries(sentence, finding) for sentence in its_sentences) else _OTHERWISE

    def _carries(self, sentence: str, finding: Mapping[str, Any]) -> bool:
        """Whether a sentence names what a finding is about, and does not deny what it says."""
        if not self._is_named(sentence, finding):
            return False
        if finding["direction"] != "raises":
            return True
        meant = [self.diseases[code] for code in (finding["cause"], finding["effect"]) if code]
        return not is_denied(sentence, lambda clause: any(is_named(clause, disease) for disease in meant))

    def _sentences(self, quote: str) -> list[str]:
        """The sentences that a quote is cut from, at the ends of words."""
        whole = re.compile(rf"(?<![\w-]){re.escape(quote)}(?![\w-])")
        return [sentence for sentence in dict.fromkeys(self.sentences) if whole.search(sentence)]

    def _shown(self, finding: Mapping[str, Any], its_sentences: Iterable[str]) -> str:
        """The sentence that carries a finding; of a very long one the clauses that were quoted."""
        sentence = next(sentence for sentence in its_sentences if self._carries(sentence, finding))
        if len(sentence.split()) <= _SHOWN_WORDS:
            return sentence
        first = sentence.index(finding["quote"])
        last, start, touched = first + len(finding["quote"]), 0, ""
        for clause in clauses(sentence):
            if start < last and first < start + len(clause):
                touched += clause
            start += len(clause)
        return touched.strip()

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
        names = [self.diseases[code].short if code else _OUTSIDE for code in (cause, effect)]
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

    def _is_named(self, sentence: str, finding: Mapping[str, Any]) -> bool:
        """Whether a sentence names one of its diseases, and the document is about one it does not."""
        claimed = [code for code in (finding["cause"], finding["effect"]) if code]
        unnamed = [code for code in claimed if not is_named(sentence, self.diseases[code])]
        return len(unnamed) < len(claimed) and self.about.issuperset(unnamed)

    def _notice(self, n: int, why: str) -> str:
        return f"passage {self.passage['id']}: {counted(n, 'quote')} left out, as they {why}"


@remembered(1 << 10)
def _plain_sentences(text: str) -> tuple[str, ...]:
    return tuple(plain(sentence) for sentence in sentences(unmarked(text)))


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
    """Whether two say different things of one pair; or both that it raises, each the other way round."""
    pair, told = (one["cause"], one["effect"]), (other["cause"], other["effect"])
    if None in pair:
        return False
    directions = (one["direction"], other["direction"])
    differ = directions[0] != directions[1]
    return (pair == told and differ) or (pair == told[::-1] and directions == ("raises", "raises"))


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

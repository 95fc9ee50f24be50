"""A screen for words of a document that are meant for a machine that reads them, not for a person.

It is one wall of several, and no understanding of language: an order in words that medicine uses too passes.
So what passes is only ever shown beside its source, and never put into a later prompt.
"""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tools.knowledge.remembered import remembered

_WORDS = Path(__file__).with_name("screen_words.yaml")
_REACH = 50
# A link that is plain names a site, or a paper or trial by its number; a longer one may carry words away.
_PLAIN_LINK = re.compile(
    r"(?<![\w/:.@(\[])\(?(?:https?://(?:www\.)?|www\.)"
    r"(?:(?:dx\.)?doi\.org/10\.\d{4,9}/[\w.;()/:-]{1,60}"
    r"|(?:pubmed\.ncbi\.nlm\.nih\.gov|(?:www\.)?ncbi\.nlm\.nih\.gov/(?:pubmed|books|pmc/articles)"
    r"|clinicaltrials\.gov/(?:ct2/show|study))/(?:NCT|PMC|NBK)?\d{1,10}/?"
    r"|[a-z0-9-]{1,40}(?:\.[a-z0-9-]{1,20}){0,3}\.[a-z]{2,6}/?)(?![\w/?#&=%@:-])",
    re.IGNORECASE,
)
_PLACE_LINK = re.compile(r"\]\(#[\w-]{0,30}\)")
_LINK_JOINT = re.compile(r"[-_./:;()]+")
_JOINERS = "\u00ad\u200c\u200d"
_INVISIBLE = frozenset({"Cf", "Cc", "Co", "Cn", "Cs"})
_LEET = str.maketrans("0134578@$", "oieastbas")
_LEET_WORD = re.compile(r"(?<![\w@$])(?=[\w@$]*[^\W\d_])(?=[\w@$]*[0-9@$])[\w@$]+")
_SPACED = re.compile(r"(?<!\w)\w(?:(?:[ \-_*|/]{1,3}|\.)\w){7,}(?!\w)")
_JOINED = re.compile(r"(?<![^\W\d_])[^\W\d_]{3,}(?:[._*|/][^\W\d_]{2,}){3,}")
_JOINT = re.compile(r"[._*|/]")
_WORD = re.compile(r"\w+")
_LONG_RUN = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_TURN = re.compile(r"[a-z][A-Z]|[0-9][A-Za-z]|[A-Za-z][0-9]")
_ESCAPES = re.compile(r"&#x?[0-9a-fA-F]+;|\\[ux][0-9a-fA-F]{2,}|(?:%[0-9a-fA-F]{2}){3}|\b0x[0-9a-fA-F]{6,}")
_HEX = re.compile(r"[0-9a-f]{12,}", re.IGNORECASE)
_BYTES = re.compile(r"(?:\b[0-9a-f]{2}\b[ :]){7,}", re.IGNORECASE)
_BITS = re.compile(r"(?:\b[01]{7,8}\b\W*){3,}")
_IDENTIFIER = re.compile(r"[^\W_]_+[^\W_]")
_CAPITALS_AND_DIGITS = re.compile(r"(?=.*[0-9])(?=.*[A-Z])[0-9A-Z]{8,}")
_GENE_OR_REGISTRY = re.compile(
    r"[A-Z]{2,8}\d{1,2}([A-Z]\d{0,2})?|R?2?CHA2DS2VASC|"
    r"(NCT|PMC|PMID|ISRCTN|ACTRN|DRKS|CRD|CTRI|JPRN|UMIN|PROSPERO)\d{4,}"
)
_LETTERS_OR_DIGITS = re.compile(r"[0-9]+|[^\W\d_]+")
_FOREIGN_IN_LATIN = frozenset({"CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC", "GEORGIAN"})
_IDENTIFIER_CHARS, _BLOB_CHARS, _TOKEN_CHARS = 8, 16, 10
_BLOB_TURNS, _TOKEN_RUNS = 4, 6


class _Override(NamedTuple):
    """How a language says "ignore the previous instructions"; `reach` is where to look around the verb."""

    verbs: re.Pattern[str]
    which: re.Pattern[str]
    objects: re.Pattern[str]
    reach: tuple[int, int]

    def is_in(self, text: str) -> bool:
        """Whether verb, which and object stand near each other."""
        before, after = self.reach
        around = (
            text[max(0, verb.start() - before) : verb.end() + after] for verb in self.verbs.finditer(text)
        )
        return any(self.which.search(piece) and self.objects.search(piece) for piece in around)


class _Words(NamedTuple):
    """The compiled word lists: patterns of plain text, of printed text, and letters that look alike."""

    overrides: tuple[_Override, ...]
    orders: tuple[re.Pattern[str], ...]
    markup: re.Pattern[str]
    lookalikes: dict[int, str]


@remembered(4096)
def speaks_to_machines(text: str) -> bool:
    """Whether a sentence, heading or title holds words for a machine: orders, roles, markup, code or blobs.

    Letters that look alike, letters set apart, digits for letters and text written backwards are undone
    first; invisible characters are themselves a reason.

    Args:
        text: a quote, sentence, heading or title in any language.

    Returns:
        True where it must not be quoted. Ordinary medical prose passes, with its names of genes and trials.
    """
    links = " ".join(link[0] for link in _PLAIN_LINK.finditer(text))
    bare = _PLACE_LINK.sub("]", _PLAIN_LINK.sub(" ", text))
    if _has_invisible(text) or _has_blob(bare) or _words().markup.search(bare):
        return True
    return gives_orders(bare) or gives_orders(_LINK_JOINT.sub(" ", links))


def gives_orders(text: str) -> bool:
    """Whether a text holds an order or a role, whatever the marks of markup, code and blobs in it.

    Args:
        text: of what is made of such marks, as web addresses are; its words parted by spaces.
    """
    return any(map(_is_order, dict.fromkeys(_readings(_plain(text)))))


def _is_order(reading: str) -> bool:
    words = _words()
    return any(override.is_in(reading) for override in words.overrides) or any(
        pattern.search(reading) for pattern in words.orders
    )


def _has_invisible(text: str) -> bool:
    """Soft hyphens, and joiners of the scripts that need them, have a place in printed prose."""
    return any(unicodedata.category(c) in _INVISIBLE for c in text if c not in f"\n\t\r{_JOINERS}")


def _plain(text: str) -> str:
    """Lower case, without accents of Latin letters, white space folded."""
    kept: list[str] = []
    for character in unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold()):
        accent = unicodedata.combining(character) and kept and kept[-1] < "\u0250"
        if not accent and character not in _JOINERS:
            kept.append(character)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", "".join(kept))).strip()


def _readings(plain: str) -> tuple[str, ...]:
    """Ways to read a text: as it stands, in Latin letters, without digits for letters, parted, backwards."""
    latin = plain.translate(_words().lookalikes)
    spelt = _LEET_WORD.sub(lambda word: word[0].translate(_LEET), latin)
    parted = _JOINED.sub(lambda run: _JOINT.sub(" ", run[0]), latin)
    return plain, latin, spelt, parted, latin[::-1]


@cache
def _words() -> _Words:
    listed = yaml.safe_load(_WORDS.read_text(encoding="utf-8"))
    machines = (pattern.replace("MODEL", listed["model"]) for pattern in listed["machines"])
    pairs = " ".join(listed["lookalikes"]).split()
    return _Words(
        tuple(map(_override, listed["overrides"])),
        tuple(map(re.compile, (*machines, *listed["demands"]))),
        re.compile("|".join(listed["markup"]), re.IGNORECASE),
        str.maketrans({pair[0]: pair[1] for pair in pairs}),
    )


def _override(words: dict[str, Any]) -> _Override:
    verbs, which, objects = (re.compile(words[part]) for part in ("verbs", "which", "objects"))
    return _Override(verbs, which, objects, (0 if words["verb_first"] else _REACH, _REACH))


def _has_blob(text: str) -> bool:
    compatible = unicodedata.normalize("NFKC", text)
    return (
        any(pattern.search(compatible) for pattern in (_SPACED, _ESCAPES, _BYTES, _BITS))
        or any(not run[0].isdigit() and not run[0].isalpha() for run in _HEX.finditer(compatible))
        or any(_is_encoded(run[0]) for run in _LONG_RUN.finditer(compatible))
        or any(_is_made_up(word[0]) for word in _WORD.finditer(compatible))
    )


def _is_encoded(run: str) -> bool:
    """Whether a run reads like base64: not words joined by hyphens or strokes, but cases in turns."""
    longest = max(re.split(r"[-/]", run), key=len)
    return len(longest) >= _BLOB_CHARS and len(_TURN.findall(longest)) >= _BLOB_TURNS


def _is_made_up(word: str) -> bool:
    """Whether a word is a machine's: an identifier, letters and digits in turns, two scripts in one."""
    if len(word) >= _IDENTIFIER_CHARS and _IDENTIFIER.search(word):
        return True
    if _CAPITALS_AND_DIGITS.fullmatch(word) and not _GENE_OR_REGISTRY.fullmatch(word):
        return True
    if len(word) >= _TOKEN_CHARS and len(_LETTERS_OR_DIGITS.findall(word)) >= _TOKEN_RUNS:
        return True
    return not word.isascii() and _mixes_scripts(word)


def _mixes_scripts(word: str) -> bool:
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()}
    return "LATIN" in scripts and bool(scripts & _FOREIGN_IN_LATIN)

"""Free text is looked at for what identifies a person before it is sent or stored.

Found are e-mail addresses, phone numbers, calendar dates finer than a year, and numbers by which records know
people. Names and addresses are not: no pattern knows them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from tools.safety.errors import InputError

Kind = Literal["e-mail", "date", "phone", "identifier"]

MAX_CHARACTERS = 10_000
_SHOWN = 5
_TYPED_CHECK = "remove it, or look at the text and say that it may go out as it is"


class Found(NamedTuple):
    """A place of a text that may identify a person: characters `start` to `end`, 0-based, end exclusive."""

    kind: Kind
    start: int
    end: int


class Held(InputError):
    """Free text that was not let through; nothing of it was sent or stored."""

    def __init__(self, field: str, found: tuple[Found, ...], next_step: str = _TYPED_CHECK) -> None:
        super().__init__(field, f"may identify a person: {told(found)}; {next_step}")
        self.found = found


def told(found: tuple[Found, ...]) -> str:
    """Kinds and places, characters counted from 1, without a word of the text."""
    places = [f"{one.kind} (characters {one.start + 1} to {one.end})" for one in found[:_SHOWN]]
    more = len(found) - _SHOWN
    return ", ".join(places) + (f", and {more} more" if more > 0 else "")


def hold(field: str, text: str, checked: bool = False, next_step: str = _TYPED_CHECK) -> None:
    """Lets text pass that holds nothing by which a person is known, or that somebody has looked at.

    Args:
        field: what the text is to its caller.
        text: as given.
        checked: whether somebody says that it may go out as it is.
        next_step: what the caller may do about it.

    Raises:
        Held: an address, a date, a phone number or an identifier is in it; by kind and place.
        InputError: it is longer than `MAX_CHARACTERS`.
    """
    found = () if checked else identifiers(text, field)
    if found:
        raise Held(field, found, next_step)


def identifiers(text: str, field: str = "text") -> tuple[Found, ...]:
    """What in a text of at most `MAX_CHARACTERS` may identify a person, in order, without overlaps.

    Lab values, doses, scores, codes of diseases and bare years are none. A medical record number of a letter
    and five digits without a word such as MRN before it is read as a code of ICD-10, and passes.

    Raises:
        InputError: the text is longer: looking would take seconds.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(field, f"longer than {MAX_CHARACTERS:,} characters; shorten it")
    read = _KNOWN_CODES.sub(lambda code: " " * len(code[0]), _plain(text))
    taken: list[Found] = []
    is_taken = bytearray(len(read))
    for kind, pattern, counts in _PATTERNS:
        for start, end in _matches(pattern, counts, read):
            if not any(is_taken[start:end]):
                is_taken[start:end] = b"\1" * (end - start)
                taken.append(Found(kind, start, end))
    return tuple(sorted(taken, key=lambda one: one.start))


def _plain(text: str) -> str:
    """The same number of characters: any script's digits as 0 to 9, any dash as -, any space as one."""
    return "".join(map(_plain_character, text))


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    category = unicodedata.category(character)
    if category in {"Pd", "Zs"} or character == "\u2212":
        return " " if category == "Zs" else "-"
    folded = unicodedata.normalize("NFKC", character)
    return folded if len(folded) == 1 else character


def _matches(pattern: re.Pattern[str], counts: "_Check", text: str) -> Iterator[tuple[int, int]]:
    group = "it" if "it" in pattern.groupindex else 0
    for match in pattern.finditer(text):
        if counts(match):
            yield match.span(group)


_Check = Callable[[re.Match[str]], bool]


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.VERBOSE)


_KNOWN_CODES = _words(
    r"""\b10\.\d{4,9}/\S{1,200}
    | \b(?:icd[-\w]{0,8}?|snomed(?:[ -]?ct)?|sctid|loinc|rxnorm|rxcui|atc|cpt|nct|pmid|pmc|omim|orpha)
      [\s:/_\#]{0,3}\d{4,18}(?:-\d)?\b
    | \b(?:apgar|gcs)\D{0,3}\d{1,2}(?:/\d{1,2}){1,2}\b"""
)
_UNIT = _words(
    r"""\s*(?:(?:m|mc|µ|u|n|p|k)?g|(?:m|d|µ)?l|i\.?u|i\.?e|u|e|units?|copies|cells?|cfu|(?:m|µ|n)?mol|meq|mm|cm
    |beats|steps|times|weeks?|days?|months?|years?|hours?|/\s?(?:[mdµu]?l|mm3?|min|h))\b | \s*%"""
)


def _bare(match: re.Match[str]) -> bool:
    """Whether no unit follows."""
    return not _UNIT.match(match.string, match.end())


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _is_numbered(match: re.Match[str]) -> bool:
    return _digits(match["it"]) >= 3 and any(character.isdigit() for character in match["it"].split()[0])


def _is_long(match: re.Match[str]) -> bool:
    run = match[0]
    return _bare(match) and not (len(run) == 6 and run.endswith("000"))


def _is_no_code(match: re.Match[str]) -> bool:
    """Whether a token of letters and digits cannot be a code of ICD-10 such as S72001A."""
    return not re.fullmatch(r"[A-TV-Z]\d{5}[A-Z]?", match[0], re.IGNORECASE)


def _is_no_range(match: re.Match[str]) -> bool:
    parts = match[0].split("-")
    is_round = all(part.endswith("00") for part in parts)
    longest, digits = max(map(len, parts)), _digits(match[0])
    is_long = (longest >= 5 and digits >= 7) or (len(parts) > 2 and digits >= 8)
    return is_long and not is_round and _bare(match)


def _is_phone(match: re.Match[str]) -> bool:
    """Whether a number that begins with 0 is as long as one, and no list of ICD-9-CM codes."""
    groups = re.findall(r"\d+", match[0])
    codes = len(groups[0]) >= 4 and all(3 <= len(group) <= 5 for group in groups)
    return 9 <= _digits(match[0]) <= 12 and not codes


def _is_day(match: re.Match[str]) -> bool:
    a, b = int(match["a"]), int(match["b"])
    return _bare(match) and min(a, b) >= 1 and min(a, b) <= 12 and max(a, b) <= 31


def _is_month(match: re.Match[str]) -> bool:
    """Whether it is a month: `may` is mostly a verb."""
    return match["month"] != "may" and _bare(match)


def _always(_: re.Match[str]) -> bool:
    return True


_ID_WORDS = r"""
    (?:mrn | medical\ record | hospital\ (?:no|number|id) | pat(?:ient)?[-_\ .]?(?:id|no|number|nr)
    | subject[-_ ]?id | hadm[-_ ]?id | (?:icu)?stay[-_ ]?id | (?:encounter|visit|member)[-_ ]?(?:id|no|number)
    | (?:case|chart|file|account|acct|policy|insurance|passport|licen[cs]e|accession|specimen|record)
      \s?(?:no|nr|number|id|\#)
    | fall-?(?:nummer|nr) | versicherten-?(?:nummer|nr) | insured\ as | acct | ssn | social\ security | pid
    | nhs(?:\ (?:no|number))? | medicare | medicaid)
"""
_MONTH = r"""(?P<month>jan(?:uary|uar|vier|uari|eiro)?|j\u00e4nner|feb(?:ruary|ruar|rero|ruari|braio)?
    |f\u00e9vrier|fevereiro|gennaio|enero|mar(?:ch|s|zo|t)?|m\u00e4rz|maart|mar\u00e7o|apr(?:il|ile)?|avril|abril|may|mai|mayo
    |maggio|mei|maio|june?|juni|juin|junio|giugno|junho|july?|juli|juillet|julio|luglio|julho|aug(?:ust|ustus)?
    |ao\u00fbt|agosto|sept?(?:ember|embre|iembre)?|settembre|setembro|o[ck]t(?:ober|obre|ubre)?|ottobre|outubro
    |nov(?:ember|embre|iembre|embro)?|de[cz](?:ember|embro)?|d\u00e9cembre|diciembre|dicembre)\b"""
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:18|19|20)\d\d"
_NO_BEFORE, _NO_AFTER = r"(?<![\w./-])", r"(?![\w/-]|\.\d)"

_PATTERNS: tuple[tuple[Kind, re.Pattern[str], _Check], ...] = (
    ("e-mail", _words(r"[\w.+%-]{1,64}\s?(?:@|[\[(]at[\])])\s?[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), _always),
    (
        "identifier",
        _words(
            rf"""\b{_ID_WORDS}[\s:\#=._-]{{0,4}}(?:(?:is|no|nr|number|id|as)\b[\s:\#=.-]{{0,4}})?
            (?P<it>[a-z0-9][\w./-]{{0,40}}(?:\ \d[\w-]{{1,12}}){{0,3}}(?:\ [a-z]\b)?)"""
        ),
        _is_numbered,
    ),
    ("identifier", _words(rf"{_NO_BEFORE}\d{{3}}-\d{{2}}-\d{{4}}(?![\w-])"), _always),
    ("identifier", _words(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), _always),
    (
        "identifier",
        _words(r"\b[1-9][a-z][a-z0-9]\d-?[a-z][a-z0-9]\d-?[a-z]{2}\d{2}\b"),
        _always,
    ),
    ("identifier", _words(r"\b[a-z]{2}(?:\ ?\d{2}){3}\ ?[a-d]\b"), _always),
    ("date", _words(rf"{_NO_BEFORE}{_YEAR}([-/.])(?:0?[1-9]|1[0-2])\1{_DAY}(?!\d)"), _always),
    (
        "date",
        _words(
            rf"{_NO_BEFORE}(?P<a>\d{{1,2}})(?P<s>[-/.])(?P<b>\d{{1,2}})(?P=s)(?:18|19|20)?\d\d{_NO_AFTER}"
        ),
        _is_day,
    ),
    (
        "date",
        _words(rf"\b{_MONTH}\.?,?\s{{0,2}}(?:(?:of|de)\s)?(?:{_DAY}(?:st|nd|rd|th)?,?\s)?{_YEAR}\b"),
        _always,
    ),
    (
        "date",
        _words(
            rf"(?<![\w./]){_DAY}(?:st|nd|rd|th|er|\.)?[\s-]{{0,2}}(?:(?:of|de|di)\s)?{_MONTH}\.?[\s,-]{{0,2}}{_YEAR}\b"
        ),
        _always,
    ),
    (
        "date",
        _words(rf"(?<![\w./-]){_DAY}(?:st|nd|rd|th|er|\.)?[\s-]{{0,2}}(?:(?:of|de|di)\s)?{_MONTH}"),
        _is_month,
    ),
    ("date", _words(rf"\b{_MONTH}\.?\s{{1,2}}{_DAY}(?:st|nd|rd|th)?{_NO_AFTER}"), _is_month),
    ("date", _words(rf"{_NO_BEFORE}(?:(?:0?[1-9]|1[0-2])/|0[1-9]-){_YEAR}{_NO_AFTER}"), _bare),
    ("date", _words(rf"{_NO_BEFORE}{_YEAR}[-/](?:0[1-9]|1[0-2]){_NO_AFTER}"), _bare),
    (
        "date",
        _words(
            rf"""\b(?:dob|d\.o\.b\.?|born|birth(?:day|date)?|geb\.?|seen|admitted|discharged|operated|died|dated?)
            [\s:]{{0,3}}(?:(?:on|am|the)\s)?(?P<it>(?P<a>\d{{1,2}})[-/.](?P<b>\d{{1,2}})){_NO_AFTER}"""
        ),
        _is_day,
    ),
    ("phone", _words(r"(?<![\w+.])\+\s?\d{1,3}(?:[\s().\-/]{0,3}\d){6,13}"), _always),
    ("phone", _words(r"(?<![\w.])00[1-9](?:[\s().\-/]{0,3}\d){8,13}"), _always),
    ("phone", _words(r"(?<![\w.-])(?:\(\d{3}\)\s?|\d{3}[-.\s])\d{3}[-.\s]\d{4}(?![\w-])"), _bare),
    (
        "phone",
        _words(r"(?<![\w.,:/-])\(?0\d{1,4}\)?[\s/-]{1,2}\d{2,8}(?:[\s-]\d{2,8}){0,4}(?!\w)"),
        _is_phone,
    ),
    (
        "phone",
        _words(
            r"""\b(?:tel(?:ephone|efon)?|phone|fax|mobile|pager|beeper|bleep|whatsapp|call)\b\.?[\s:\#]{0,3}
            (?:(?:is|at|no\.?|number)[\s:\#]{1,3})?(?P<it>\+?\d[\d\s().-]{3,18}\d)"""
        ),
        lambda match: _digits(match["it"]) >= 5,
    ),
    ("identifier", _words(r"(?<![\w.,])\d{6,}"), _is_long),
    ("identifier", _words(r"(?<!\w)[a-z]{1,6}[-_:/\#]?\d{5,}\w{0,20}"), _is_no_code),
    ("identifier", _words(rf"{_NO_BEFORE}\d{{1,12}}(?:-\d{{1,12}}){{1,6}}(?![\w/-])"), _is_no_range),
)

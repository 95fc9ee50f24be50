"""Writes `icd9_headings.csv`: titles of the ICD-9-CM codes that are headings, not diagnoses.

The published list of 2015 names billable codes only. Three-character titles come from
`icd9_categories.txt`; four-character titles are read off the codes below them. Run
`python -m tools.records.concepts.headings` after a change to either source.
"""

import csv
import io
import re
from collections import defaultdict
from itertools import takewhile
from pathlib import Path

from tools.records.concepts.codes import ICD9CM, category
from tools.records.concepts.names import icd9_leaves

_FOLDER = Path(__file__).parent
_UNSPECIFIED = re.compile(r",? (?:site |valve )?(?:unspecified|not otherwise specified)(?: site)?$")
_OTHER = re.compile(r"^(?:Other and unspecified|Unspecified) ")
_LINK = r"(?:of|or|and|in|with|without|due|to|by|at|for|the|a|not|as|on|from|involving|associated)"
_DANGLING = re.compile(rf"(?:[\s,;:(\[/-]+|\s+(?:type|stage|{_LINK}))$")
_PHRASE_END = re.compile(r"$|[,;:]|\s[(\[]|\s(?:in|with|without|as|on|from|involving|not|complicating)\b")
_SHORTEST_SHARED_TITLE = 15


def categories() -> dict[str, str]:
    """Titles of the three-character headings (four for E codes), by code."""
    lines = (_FOLDER / "icd9_categories.txt").read_text(encoding="utf-8").splitlines()
    return {code: title for code, _, title in (line.partition(" ") for line in lines)}


def subcategories(leaves: dict[str, str]) -> dict[str, str]:
    """Titles of the headings between category and leaf, where the leaves agree on one.

    Args:
        leaves: titles of the billable codes, by dotless code.

    Returns:
        Heading to title. A heading whose leaves share no words is left out: its category names it.
    """
    below: dict[str, dict[str, str]] = defaultdict(dict)
    for code, title in leaves.items():
        heading = code[:-1]
        if heading not in leaves and len(heading) > len(category(ICD9CM, code)):
            below[heading][code] = title
    titles = {heading: _shared(names) or _residual(names) for heading, names in below.items()}
    above = categories()
    return {
        heading: title
        for heading, title in titles.items()
        if title and not above.get(category(ICD9CM, heading), "").lower().startswith(title.lower())
    }


def table() -> str:
    """The heading table as CSV text, sorted by code."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("code", "title"))
    writer.writerows(sorted((categories() | subcategories(icd9_leaves())).items()))
    return out.getvalue()


def _shared(names: dict[str, str]) -> str | None:
    """The words all titles begin with, where they make up a phrase of their own."""
    shared = _trimmed(_common_start(list(names.values())))
    while shared and not all(_PHRASE_END.match(title, len(shared)) for title in names.values()):
        shared = _trimmed(shared.rpartition(" ")[0])
    return shared if len(shared) >= _SHORTEST_SHARED_TITLE else None


def _common_start(titles: list[str]) -> str:
    return "".join(here[0] for here in takewhile(lambda h: len(set(h)) == 1, zip(*titles, strict=False)))


def _trimmed(phrase: str) -> str:
    while (shorter := _DANGLING.sub("", phrase)) != phrase:
        phrase = shorter
    return phrase


def _residual(names: dict[str, str]) -> str | None:
    """What the residual code below (last digit 0 or 9, "... unspecified") says without that word."""
    for code, title in names.items():
        if code[-1] in "09":
            for pattern in (_UNSPECIFIED, _OTHER):
                if pattern.search(title):
                    stem = _trimmed(pattern.sub("", title))
                    return stem[0].upper() + stem[1:]
    return None


if __name__ == "__main__":
    (_FOLDER / "icd9_headings.csv").write_text(table(), encoding="utf-8")

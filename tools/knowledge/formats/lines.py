"""Lines of a page or a text file joined to paragraphs."""

import re
from collections.abc import Iterator, Sequence

_BULLET = re.compile(r"\s*(?:[-*+•‣▪◦–]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")  # noqa: RUF001
_SHORT = 0.75  # of the longest line


def paragraphs(lines: Sequence[str], unhyphenate: bool = False) -> Iterator[str]:
    """Paragraphs of text whose lines were broken to fit a page.

    A paragraph ends at an empty line, before a list item, and after a line much shorter than the longest one
    unless the next one goes on in lower case.

    Args:
        lines: in reading order.
        unhyphenate: whether a hyphen at the end of a line between lower-case letters is taken out.
    """
    longest = max(map(len, lines), default=0)
    paragraph, last = "", ""
    for line in (line.strip() for line in lines):
        if paragraph and (not line or _BULLET.match(line) or _is_last(last, line, longest)):
            yield paragraph
            paragraph = ""
        if unhyphenate and _is_hyphenated(last, line) and paragraph:
            paragraph = paragraph[:-1] + line
        else:
            paragraph = f"{paragraph} {line}" if paragraph else line
        last = line
    if paragraph:
        yield paragraph


def _is_last(line: str, following: str, longest: int) -> bool:
    return len(line) < _SHORT * longest and not following[:1].islower()


def _is_hyphenated(line: str, following: str) -> bool:
    return len(line) > 1 and line[-1] == "-" and line[-2].islower() and following[:1].islower()

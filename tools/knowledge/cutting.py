"""Cutting a document into passages that can be cited."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from tools.knowledge.passage import Extract, Passage, text_hash
from tools.knowledge.text import SENTENCE_END, slug

MAX_PASSAGE_CHARS = 1_200
MAX_SLUG_CHARS = 60

_LEAST_SHARE = 3  # a passage that could end later is at least a third full


def cut(doc_id: str, title: str, extract: Extract) -> tuple[Passage, ...]:
    """Cuts a document into passages, in reading order.

    A passage lies in one section, and ends where a block, else a sentence, else a word ends. Every character
    of the document's plain text but white space is in exactly one passage.

    Args:
        doc_id: of the document.
        title: of the document.
        extract: what was read of it.

    Returns:
        Passages of at most `MAX_PASSAGE_CHARS` characters, with ids unique in the document: further passages
        under the same heading are numbered on, also where the heading comes again.
    """
    labels = _Labels()
    passages: list[Passage] = []
    offset = 0
    for section in extract.sections:
        label = slug(section.heading)[:MAX_SLUG_CHARS].rstrip("-") or "text"
        for start, end in spans(section.text, MAX_PASSAGE_CHARS):
            text = section.text[start:end]
            passage = Passage(
                id=f"{doc_id}#{labels.new(label)}.{text_hash(text)}",
                doc_id=doc_id,
                title=title,
                section=section.heading,
                page=section.page,
                start=offset + start,
                end=offset + end,
                text=text,
            )
            passages.append(passage)
        offset += len(section.text) + len("\n\n")
    return tuple(passages)


def spans(text: str, limit: int) -> Iterator[tuple[int, int]]:
    """Where the parts of a text begin and end: at most `limit` characters, no white space at either end."""
    breaks = [(match.start(), "\n" in match[0]) for match in SENTENCE_END.finditer(text)]
    sentence_ends = [place for place, _ in breaks]
    block_ends = [place for place, is_block in breaks if is_block]
    start, length = _after_space(text, 0), len(text.rstrip())
    while start < length:
        end = length
        if length - start > limit:
            end = _before_space(text, start, _end(text, start, start + limit, block_ends, sentence_ends))
        yield start, end
        start = _after_space(text, end)


def _end(text: str, start: int, last: int, block_ends: Sequence[int], sentence_ends: Sequence[int]) -> int:
    """Where a part ends that may end at `last` at most."""
    soonest = start + (last - start) // _LEAST_SHARE
    nearest = [ends[place - 1] for ends in (block_ends, sentence_ends) if (place := bisect_right(ends, last))]
    for least in (soonest, start):
        for end in nearest:
            if end > least:
                return end
    space = max(text.rfind(character, start, last + 1) for character in " \n\t")
    return space if space > start else last


def _before_space(text: str, start: int, end: int) -> int:
    while end > start + 1 and text[end - 1].isspace():
        end -= 1
    return end


def _after_space(text: str, start: int) -> int:
    while start < len(text) and text[start].isspace():
        start += 1
    return start


class _Labels:
    """Labels used in a document."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._used: set[str] = set()

    def new(self, label: str) -> str:
        """The label, or the first of its numbered forms that was not used."""
        numbered = label
        while True:
            self._counts[label] += 1
            count = self._counts[label]
            numbered = label if count == 1 else f"{label}-{count}"
            if numbered not in self._used:
                self._used.add(numbered)
                return numbered

"""Health topics of MedlinePlus, from the XML file that the National Library of Medicine publishes daily."""

import codecs
import re
from collections.abc import Iterator, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydantic import ValidationError

from tools.knowledge.formats.blocks import fold
from tools.knowledge.formats.html import read_html
from tools.knowledge.formats.limits import open_source
from tools.knowledge.passage import FrontMatter
from tools.knowledge.sources.door import Door
from tools.knowledge.sources.exchange import Limits
from tools.knowledge.sources.fetched import Fetched, compose
from tools.safety.errors import InputError, ProviderError

MEDIA = ("application/xml", "text/xml")
LICENCE = "Public domain (U.S. National Library of Medicine)"
SOURCE = "MedlinePlus, National Library of Medicine"
FILE_LIMITS = Limits(max_bytes=150_000_000, timeout_s=900.0)
MAX_TOPIC_BYTES = 5_000_000
MAX_SUMMARY_CHARACTERS = 200_000
MAX_ALIASES = 50

_URL = "https://medlineplus.gov/xml/mplus_topics_{date}.xml"
_TOPIC_URL = re.compile(
    r"https?://(?:medlineplus\.gov|www\.nlm\.nih\.gov/medlineplus)/[\w./-]{1,200}", re.ASCII
)
_ROOT, _TOPIC, _ALIAS, _SUMMARY = "health-topics", "health-topic", "also-called", "full-summary"
_FIELD_DEPTH = 3
_CHUNK = 1 << 16
_NOT_FOUND = 404
_SHORTEST_ALIAS, _LONGEST_ALIAS = 3, 80


class _Topic(NamedTuple):
    attributes: dict[str, str]
    aliases: list[str]
    summary: list[str]


class _Reader:
    """Takes the topics out of XML events; all else of the file is let go at once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._depth = 0
        self._topic: _Topic | None = None
        self._field: list[str] | None = None
        self._finished: list[_Topic] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._depth += 1
        if self._depth == 1 and tag != _ROOT:
            raise InputError(
                self._name, "not the health topics of MedlinePlus; give a file mplus_topics_*.xml"
            )
        if tag == _TOPIC:
            self._topic = _Topic(dict(attributes), [], [])
        elif self._topic is not None and self._depth == _FIELD_DEPTH:
            self._field = [] if tag in {_ALIAS, _SUMMARY} else None
        elif self._field is not None:
            # A summary whose HTML is not escaped: its elements part its words just as well.
            self._field.append(f"<{tag}>")

    def data(self, text: str) -> None:
        """Text of an element."""
        if self._field is not None:
            self._field.append(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        self._depth -= 1
        if self._topic is None:
            return
        if tag == _TOPIC:
            self._finished.append(self._topic)
            self._topic = None
        elif self._field is not None and self._depth >= _FIELD_DEPTH:
            self._field.append(f"</{tag}>")
        elif self._field is not None:
            target = self._topic.aliases if tag == _ALIAS else self._topic.summary
            target.append("".join(self._field))
            self._field = None

    def taken(self) -> list[_Topic]:
        """The topics that ended since the last call."""
        finished, self._finished = self._finished, []
        return finished


def fetch(day: date, door: Door) -> bytes:
    """The file of all health topics, about 30 MB, as published on a day.

    Args:
        day: of the edition; there is one on Tuesdays to Saturdays, and old ones are taken away.
        door: by which it is asked for.

    Raises:
        InputError: there is no edition of that day.
        ProviderError: the publisher cannot be reached, refuses, or answers something else.
    """
    try:
        return door.get(_URL.format(date=day.isoformat()), MEDIA, limits=FILE_LIMITS)
    except ProviderError as error:
        if error.status == _NOT_FOUND:
            rule = "no edition of this day; give a recent Tuesday to Saturday"
            raise InputError("date", rule) from None
        raise


def read_topics(
    source: Path | bytes, names: Sequence[str] | None = None, language: str = "English"
) -> Iterator[Fetched]:
    """Health topics with their summaries, one by one; the file is never in memory as a whole tree.

    Args:
        source: the XML file, or its content.
        names: titles of topics, or what they are also called, in any case; None for all.
        language: `English` or `Spanish`.

    Yields:
        Each topic that has a summary, in the order of the file.

    Raises:
        InputError: not such a file, or above a limit; or, at the end, a name that no topic has.
    """
    name = source.name if isinstance(source, Path) else "topics"
    missing = {fold(wanted).casefold(): wanted for wanted in names or ()}
    wanted = None if names is None else frozenset(missing)
    with (
        open_source(source, name, FILE_LIMITS.max_bytes)
        if isinstance(source, Path)
        else BytesIO(source) as file
    ):
        for topic in _topics(file, name):
            called = {fold(word).casefold() for word in (topic.attributes.get("title", ""), *topic.aliases)}
            is_wanted = wanted is None or not wanted.isdisjoint(called)
            if (
                is_wanted
                and topic.attributes.get("language") == language
                and any(map(str.strip, topic.summary))
            ):
                yield _fetched(topic, name)
                for word in called:
                    missing.pop(word, None)
    for name_of_none in missing.values():
        raise InputError(
            "topic", f"no {language} topic is called '{name_of_none}'; look it up at medlineplus.gov"
        )


def _topics(file: BinaryIO, name: str) -> Iterator[_Topic]:
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import XMLParser

    reader = _Reader(name)
    parser = XMLParser(target=reader)
    n_bytes = 0
    try:
        while chunk := file.read(_CHUNK):
            parser.feed(chunk)
            finished = reader.taken()
            n_bytes = 0 if finished else n_bytes + len(chunk)
            if n_bytes > MAX_TOPIC_BYTES:
                raise InputError(
                    name, f"a topic of more than {MAX_TOPIC_BYTES:,} bytes; give the publisher's file"
                )
            yield from finished
        parser.close()
        yield from reader.taken()
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise InputError(name, "not sound XML, or it declares entities; fetch the file again") from None


def _fetched(topic: _Topic, name: str) -> Fetched:
    summary = "".join(topic.summary)
    if len(summary) > MAX_SUMMARY_CHARACTERS:
        raise InputError(
            name, f"a summary of more than {MAX_SUMMARY_CHARACTERS:,} characters; fetch the file again"
        )
    url = topic.attributes.get("url", "")
    if not _TOPIC_URL.fullmatch(url):
        raise InputError(name, "a topic whose address is not of MedlinePlus; fetch the file again")
    try:
        front = FrontMatter(
            title=fold(topic.attributes.get("title", "")),
            aliases=_aliases(topic),
            licence=LICENCE,
            source=SOURCE,
            url=url,
        )
    except ValidationError:
        raise InputError(name, "a topic without a title of moderate length; fetch the file again") from None
    # The mark keeps the summary's own words from choosing another encoding.
    reading = read_html(codecs.BOM_UTF8 + summary.encode(), name)
    return compose(front, reading.blocks, "medlineplus", topic.attributes.get("id", ""))


def _aliases(topic: _Topic) -> tuple[str, ...]:
    """What a topic is also called, in lower case; not short abbreviations, which read as other words."""
    kept = dict.fromkeys(
        words.lower()
        for words in map(fold, topic.aliases)
        if _SHORTEST_ALIAS + words.isupper() <= len(words) <= _LONGEST_ALIAS
    )
    return tuple(alias for alias in kept if not re.search(r"[A-Z]", alias))[:MAX_ALIASES]

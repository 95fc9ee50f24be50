"""Asks a publisher for documents, as `iikea knowledge fetch` was told to."""

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tools.safety.errors import InputError

if TYPE_CHECKING:
    from tools.knowledge.sources.fetched import Fetched

HOSTS = "IIKEA_KNOWLEDGE_HOSTS"
_ALL = "all"


class Asked(NamedTuple):
    """What is to be fetched, and how.

    Attributes:
        publisher: `wikipedia` or `medlineplus`.
        names: titles of articles or topics; of topics also `all`.
        contact: at which the publisher reaches the operator.
        language: of Wikipedia.
        api: of another MediaWiki.
        topics: MedlinePlus topics that are on this machine already.
        day: edition of the MedlinePlus topics.
    """

    publisher: str
    names: tuple[str, ...]
    contact: str
    language: str
    api: str | None
    topics: Path | None
    day: date | None


def fetched(asked: Asked) -> Iterator["Fetched"]:
    """The documents, one by one as they come.

    Raises:
        InputError: an unknown publisher or name, or no usable contact.
        ProviderError: the publisher cannot be reached or refuses.
    """
    from tools.knowledge.sources import wikipedia
    from tools.knowledge.sources.door import Door

    match asked.publisher:
        case "wikipedia":
            door = Door(asked.contact, _named_hosts())
            yield from wikipedia.fetch(asked.names, door, asked.language, asked.api)
        case "medlineplus":
            yield from _topics(asked)
        case _:
            raise InputError("publisher", "must be wikipedia or medlineplus")


def _topics(asked: Asked) -> Iterator["Fetched"]:
    from tools.knowledge.sources import medlineplus
    from tools.knowledge.sources.door import Door

    if asked.topics is None and asked.day is None:
        rule = (
            "give --date of an edition to download, or --topics with the file: see medlineplus.gov/xml.html"
        )
        raise InputError("medlineplus", rule)
    source = asked.topics or medlineplus.fetch(asked.day or date.min, Door(asked.contact, _named_hosts()))
    yield from medlineplus.read_topics(source, None if asked.names == (_ALL,) else asked.names)


def _named_hosts() -> frozenset[str]:
    return frozenset(filter(None, (host.strip() for host in os.environ.get(HOSTS, "").split(","))))

"""Articles of Wikipedia, or of another MediaWiki, each at one revision and with what its licence asks for."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from tools.knowledge.formats.blocks import Block, fold
from tools.knowledge.passage import FrontMatter
from tools.knowledge.sources.door import Door
from tools.knowledge.sources.fetched import Fetched, compose
from tools.safety.errors import InputError, ProviderError

MEDIA = ("application/json",)
LICENCE = "CC-BY-SA-4.0"
SITE = "Wikipedia"
MAX_TITLE_BYTES = 255
MAX_TITLE_CHARACTERS = 200

_ENDPOINT = "api.php"
_LANGUAGE = re.compile(r"[a-z][a-z-]{1,11}")
_NOT_IN_TITLES = re.compile(r"[#<>\[\]{}|\x00-\x1f\x7f\ud800-\udfff]")
_CODE = re.compile(r"[a-z][a-z-]{0,40}")
_BUSY_CODES = frozenset({"maxlag", "ratelimited", "readonly"})
_LONGEST_ERROR_BYTES = 20_000
_HEADING = re.compile(r"(={2,6}) ?(.*?) ?\1 *")
_APPARATUS = frozenset(
    {
        "bibliography",
        "citations",
        "external links",
        "footnotes",
        "further reading",
        "notes",
        "notes and references",
        "references",
        "see also",
        "sources",
    }
)
_CREATIVE_COMMONS = re.compile(
    r"(?:https?:)?//creativecommons\.org/licenses/([a-z-]{2,11})/([0-9]\.[0-9])(?:/.*)?"
)
_QUERY = {
    "action": "query",
    "format": "json",
    "formatversion": "2",
    "prop": "extracts|info|revisions|pageprops",
    "explaintext": "1",
    "exsectionformat": "wiki",
    "exlimit": "1",
    "rvprop": "ids|timestamp",
    "ppprop": "disambiguation",
    "meta": "siteinfo",
    "siprop": "general|rightsinfo",
    "redirects": "1",
    "maxlag": "5",
}


class _Revision(BaseModel):
    revid: int


class _Page(BaseModel):
    title: str
    pageid: int = 0
    ns: int = 0
    missing: bool = False
    invalid: bool = False
    lastrevid: int = 0
    revisions: list[_Revision] = []
    pageprops: dict[str, str] = {}
    extract: str = ""


class _Site(BaseModel):
    sitename: str = ""
    lang: str = ""


class _Rights(BaseModel):
    url: str = ""
    text: str = ""


class _Query(BaseModel):
    pages: list[_Page] = []
    general: _Site = _Site()
    rightsinfo: _Rights = _Rights()


class _Error(BaseModel):
    code: str


class _Answer(BaseModel):
    query: _Query | None = None
    error: _Error | None = None


class _Wiki(NamedTuple):
    """Where a wiki answers, and what is known of it before it does."""

    api: str
    site: str | None
    licence: str | None


def fetch(
    titles: Sequence[str], door: Door, language: str = "en", api: str | None = None
) -> Iterator[Fetched]:
    """Articles by title, one request each, through the MediaWiki action API with TextExtracts.

    Redirects within the wiki are followed. The lists at an article's end (references, links) are left out.

    Args:
        titles: of articles.
        door: by which they are asked for.
        language: of Wikipedia, such as `en`.
        api: address of another wiki's `api.php`; its licence is the one that it states.

    Yields:
        Each article as it came, so that what is fetched before a failure is not lost.

    Raises:
        InputError: a title is not one, there is no such article, it is a list of meanings, or has no text.
        ProviderError: the wiki cannot be reached, refuses, or answers otherwise than its API does.
    """
    wiki = _wiki(language, api)
    for position, title in enumerate(titles, start=1):
        _check_title(title, position)
    for title in titles:
        yield _article(title, wiki, door)


def _wiki(language: str, api: str | None) -> _Wiki:
    if api is None:
        if not _LANGUAGE.fullmatch(language):
            raise InputError("language", "not a language of Wikipedia; give its code, such as en or de")
        return _Wiki(f"https://{language}.wikipedia.org/w/{_ENDPOINT}", SITE, LICENCE)
    if not api.endswith(f"/{_ENDPOINT}") or "?" in api:
        raise InputError("api", "must be the address of a MediaWiki's api.php; correct it")
    return _Wiki(api, None, None)


def _check_title(title: str, position: int) -> None:
    is_long = len(title.encode(errors="replace")) > MAX_TITLE_BYTES
    if is_long or not title.strip() or _NOT_IN_TITLES.search(title):
        rule = f"not a title: 1 to {MAX_TITLE_BYTES} bytes without # < > [ ] {{ }} | and control characters"
        raise InputError(f"title {position}", f"{rule}; correct it")


def _article(title: str, wiki: _Wiki, door: Door) -> Fetched:
    url = f"{wiki.api}?{urlencode({**_QUERY, 'titles': title}, quote_via=quote)}"
    query = _queried(door.get(url, MEDIA, _is_busy))
    page = _checked(query.pages, title)
    front = FrontMatter(
        title=fold(page.title),
        licence=wiki.licence or _licence(query.rightsinfo),
        source=f"{wiki.site or fold(query.general.sitename)[:100] or 'Wiki'} contributors",
        url=_permanent(wiki.api, page),
        revision=str(page.lastrevid),
    )
    language = query.general.lang if _LANGUAGE.fullmatch(query.general.lang) else ""
    publisher = " ".join(filter(None, (wiki.site or query.general.sitename or "wiki", language)))
    return compose(front, _blocks(page.extract), publisher.removesuffix(" en"), str(page.pageid))


def _is_busy(body: bytes) -> bool:
    if len(body) > _LONGEST_ERROR_BYTES:
        return False
    answer = _parsed(body)
    return answer.error is not None and answer.error.code in _BUSY_CODES


def _parsed(body: bytes) -> _Answer:
    try:
        return _Answer.model_validate_json(body)
    except ValidationError:
        raise ProviderError(
            "the wiki's answer is not of a MediaWiki API; check the address of its api.php"
        ) from None


def _queried(body: bytes) -> _Query:
    answer = _parsed(body)
    if answer.error is not None:
        code = answer.error.code if _CODE.fullmatch(answer.error.code) else "unnamed"
        raise ProviderError(f"the wiki refuses with the error '{code}'; see its API's documentation")
    if answer.query is None:
        raise ProviderError("the wiki answered nothing to the query; check that it has TextExtracts")
    return answer.query


def _checked(pages: Sequence[_Page], title: str) -> _Page:
    """The one article that was asked for.

    Raises:
        InputError: there is none.
        ProviderError: its text may be of another revision than the one named.
    """
    field = f"title '{title}'"
    is_none = len(pages) != 1 or pages[0].missing or pages[0].invalid or pages[0].ns != 0
    if is_none or not fold(pages[0].title):
        raise InputError(field, "the wiki has no article of this title; look its spelling up there")
    page = pages[0]
    if "disambiguation" in page.pageprops:
        raise InputError(field, "several articles share this title; give the full title of one")
    if len(fold(page.title)) > MAX_TITLE_CHARACTERS:
        raise InputError(
            field, f"a title of more than {MAX_TITLE_CHARACTERS} characters; save the article yourself"
        )
    if not any(block.level == 0 for block in _blocks(page.extract)):
        raise InputError(field, "the article has no text; leave it out")
    if [revision.revid for revision in page.revisions] != [page.lastrevid] or page.lastrevid <= 0:
        raise ProviderError(f"{field}: the article changed while it was read; fetch it again")
    return page


def _blocks(extract: str) -> Iterator[Block]:
    """Paragraphs and headings of an article, without what stands below the headings of its apparatus."""
    left_out = 0
    for line in extract.split("\n"):
        heading = _HEADING.fullmatch(line)
        if heading:
            level = len(heading[1])
            if not left_out or level <= left_out:
                left_out = level if fold(heading[2]).casefold() in _APPARATUS else 0
            if not left_out:
                yield Block(heading[2], level)
        elif line.strip() and not left_out:
            yield Block(line)


def _permanent(api: str, page: _Page) -> str:
    """The address of the revision, made of what was asked, not of what was answered."""
    asked = {"title": page.title.replace(" ", "_"), "oldid": page.lastrevid}
    return f"{api.removesuffix(_ENDPOINT)}index.php?{urlencode(asked, quote_via=quote)}"


def _licence(rights: _Rights) -> str | None:
    """SPDX identifier of a Creative Commons licence, or what the wiki calls its licence, if it states one."""
    known = _CREATIVE_COMMONS.fullmatch(rights.url)
    if known:
        return f"CC-{known[1].upper()}-{known[2]}"
    return fold(rights.text)[:MAX_TITLE_CHARACTERS].strip() or None

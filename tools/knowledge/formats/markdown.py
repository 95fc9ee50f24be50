"""Markdown documents: front matter, if any, and their words without links, images and fenced code."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import ValidationError

from tools.knowledge.formats.blocks import Block, Reading, as_heading
from tools.knowledge.formats.html import read_markup
from tools.knowledge.passage import FrontMatter
from tools.knowledge.screen import gives_orders, speaks_to_machines
from tools.safety.errors import InputError

MAX_FRONT_CHARACTERS = 20_000

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FIRST_KEY = re.compile(r"---[ \t]*\n(?:[ \t]*(?:#[^\n]*)?\n)*(?:[A-Za-z_]+[ \t]*:|---)")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"']{1,2000}")
_REVISION = re.compile(r"[\w.:+-]{1,100}", re.ASCII)
_PRINTED_REVISION = re.compile(r"^revision[ \t]*:[ \t]*([\w.:+-]+)[ \t]*(?:#.*)?$", re.MULTILINE | re.ASCII)
_JOINT = re.compile(r"[-_./+=&?,]+|(?<=[a-z])(?=[A-Z])")
_CELL_BREAK = "; "
_NAME_RULE = "a text of one line and at most 200 characters; shorten it, and put it in quotes"
_RULES = {
    "title": _NAME_RULE,
    "licence": _NAME_RULE,
    "source": _NAME_RULE,
    "codes": "a list of three or more digits or capitals each, without dots; put codes in quotes",
    "aliases": 'a list of names in lower case of at most 80 characters each; write it as ["gouty arthritis"]',
    "url": "must be a web address; give one that begins with http:// or https://",
    "revision": "letters, digits and . : + - _ only; give the publisher's mark of the revision",
    "expires": "must be a day; write it as 2030-12-31",
}


def read_markdown(text: str, name: str) -> Reading:
    """A Markdown document (CommonMark and tables); HTML in it is read as a page of HTML would be.

    Args:
        text: as `tools.knowledge.text.read_text` gives it.
        name: how messages call it.

    Raises:
        InputError: the front matter breaks a rule; names the key and the row.
    """
    front, body = _front_matter(text, name)
    parser = MarkdownIt("commonmark").enable("table")
    tokens = [token for token in parser.parse(body) if token.type != "fence"]
    if not any(map(_has_html, tokens)):
        return Reading(_blocks(tokens), front=front)
    page = read_markup(parser.renderer.render(tokens, parser.options, {}))
    return Reading(page.blocks, front=front)


def _front_matter(text: str, name: str) -> tuple[FrontMatter, str]:
    """The front matter and what follows it; a ruled line at the top is not front matter."""
    if not _FIRST_KEY.match(text):
        return FrontMatter(), text
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise InputError(name, "the front matter has no end; write a line '---' after it", 1)
    block = match[1]
    if len(block) > MAX_FRONT_CHARACTERS:
        raise InputError(
            name, f"front matter of more than {MAX_FRONT_CHARACTERS:,} characters; shorten it", 1
        )
    keys = re.findall(r"^(\w+)[ \t]*:", block, re.MULTILINE)
    if len(set(keys)) != len(keys):
        raise InputError(name, "the front matter gives a key twice; keep one", 1)
    return _trusted(_validated(block, keys, name), name), text[match.end() :]


def _validated(block: str, keys: list[str], name: str) -> FrontMatter:
    """What is known of the front matter; other keys say nothing here."""
    try:
        said = yaml.safe_load(block) or {}
        if not isinstance(said, dict):
            raise InputError(name, "front matter: not keys and values; write lines such as 'title: Gout'", 1)
        return FrontMatter.model_validate(dict(_known(said, block)))
    except ValidationError as error:
        key = str(error.errors(include_input=False, include_url=False)[0]["loc"][0])
        place = re.search(rf"^{key}[ \t]*:", block, re.MULTILINE)
        row = block.count("\n", 0, place.start()) + 2 if place else 1
        raise InputError(f"{name}, {key}", f"front matter: {_RULES[key]}", row) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InputError(name, "the front matter is not valid YAML; correct it", 1) from None


def _known(said: dict[Any, Any], block: str) -> Iterable[tuple[str, Any]]:
    for key, value in said.items():
        if key == "revision" and (printed := _PRINTED_REVISION.search(block)):
            # YAML would make another number of 1.10, and a date of 2026-01-02.
            yield key, printed[1]
        elif key in FrontMatter.model_fields:
            yield key, value


def _trusted(front: FrontMatter, name: str) -> FrontMatter:
    """Front matter without a title or aliases that speak to machines; the rest must be what it is for."""
    if front.url is not None and not _WEB_ADDRESS.fullmatch(front.url):
        raise InputError(f"{name}, url", f"front matter: {_RULES['url']}", 1)
    if front.revision is not None and not _REVISION.fullmatch(front.revision):
        raise InputError(f"{name}, revision", f"front matter: {_RULES['revision']}", 1)
    for key, value in (("licence", front.licence), ("source", front.source)):
        if value is not None and speaks_to_machines(value):
            raise _speaking(name, key)
    for key, value in (("url", front.url), ("revision", front.revision)):
        if value is not None and gives_orders(_JOINT.sub(" ", unquote(value))):
            raise _speaking(name, key)
    return front.model_copy(
        update={
            "title": as_heading(front.title or "") or None,
            "aliases": tuple(alias for alias in front.aliases if as_heading(alias) == alias),
        }
    )


def _speaking(name: str, key: str) -> InputError:
    rule = "front matter: holds a link, code or an order to a program; give a plain name"
    return InputError(f"{name}, {key}", rule, 1)


def _has_html(token: Token) -> bool:
    return token.type == "html_block" or any(child.type == "html_inline" for child in token.children or [])


def _blocks(tokens: list[Token]) -> Iterator[Block]:
    cells: list[str] | None = None
    level = 0
    for token in tokens:
        match token.type:
            case "heading_open":
                level = int(token.tag[1])
            case "tr_open":
                cells = []
            case "tr_close":
                yield Block(_CELL_BREAK.join(filter(None, cells or [])))
                cells = None
            case "inline" if cells is not None:
                cells.append(_words(token))
            case "inline":
                yield Block(_words(token), level)
                level = 0
            case "code_block":
                yield Block(token.content)


def _words(inline: Token) -> str:
    return "".join(
        " " if token.type in ("softbreak", "hardbreak") else token.content
        for token in inline.children or []
        if token.type in ("text", "text_special", "code_inline", "softbreak", "hardbreak")
    ).strip()

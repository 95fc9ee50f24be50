"""Markdown documents: front matter, if any, and their words without links, images, HTML and code blocks."""

import re
from collections.abc import Iterator

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import ValidationError

from tools.knowledge.formats.blocks import Block, Reading, as_heading
from tools.knowledge.passage import FrontMatter
from tools.knowledge.screen import speaks_to_machines
from tools.safety.errors import InputError

MAX_FRONT_CHARACTERS = 20_000

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FIRST_KEY = re.compile(r"---[ \t]*\n(?:[ \t]*(?:#[^\n]*)?\n)*(?:[A-Za-z_]+[ \t]*:|---)")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"']{1,2000}")
_REVISION = re.compile(r"[\w.:+-]{1,100}", re.ASCII)
_CELL_BREAK = "; "


def read_markdown(text: str, name: str) -> Reading:
    """A Markdown document (CommonMark and tables).

    Args:
        text: as `tools.knowledge.text.read_text` gives it.
        name: how messages call it.

    Raises:
        InputError: the front matter breaks a rule; names the key and the row.
    """
    front, body = _front_matter(text, name)
    return Reading(_blocks(MarkdownIt("commonmark").enable("table").parse(body)), front=front)


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
    try:
        return FrontMatter.model_validate(yaml.safe_load(block) or {})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        row = block.count("\n", 0, block.index(key)) + 2 if key in keys else 1
        place = f"{name}, {key[:40]}" if key else name
        advice = "; put codes in quotes" if key == "codes" else ""
        raise InputError(place, f"front matter: {first['msg']}{advice}", row) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InputError(name, "the front matter is not valid YAML; correct it", 1) from None


def _trusted(front: FrontMatter, name: str) -> FrontMatter:
    """Front matter without a title or aliases that speak to machines; the rest must be what it is for."""
    if front.url is not None and not _WEB_ADDRESS.fullmatch(front.url):
        raise InputError(f"{name}, url", "front matter: must be a web address (http or https)", 1)
    if front.revision is not None and not _REVISION.fullmatch(front.revision):
        raise InputError(f"{name}, revision", "front matter: letters, digits and . : + - _ only", 1)
    for key, value in (("licence", front.licence), ("source", front.source)):
        if value is not None and speaks_to_machines(value):
            rule = "front matter: holds a link, code or an order to a program; give a plain name"
            raise InputError(f"{name}, {key}", rule, 1)
    return front.model_copy(
        update={
            "title": as_heading(front.title or "") or None,
            "aliases": tuple(alias for alias in front.aliases if as_heading(alias) == alias),
        }
    )


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


def _words(inline: Token) -> str:
    return "".join(
        " " if token.type in ("softbreak", "hardbreak") else token.content
        for token in inline.children or []
        if token.type in ("text", "text_special", "code_inline", "softbreak", "hardbreak")
    ).strip()

"""Documents of a knowledge library: Markdown files with front matter, cut into passages that can be cited."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.knowledge.text import parts, read_text, slug
from tools.safety.errors import InputError

MAX_FILES = 10_000
MAX_PASSAGE_CHARS = 1_200

_FRONT_MATTER = re.compile(r"---\n(.*?)^---\n", re.DOTALL | re.MULTILINE)

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
Alias = Annotated[Name, Field(pattern=r"^[^A-Z]+$")]
CodePrefix = Annotated[str, Field(pattern=r"^[0-9A-Z]{3,7}$")]


class Passage(BaseModel):
    """A citable piece of a document: one section, or a part of a long one.

    Attributes:
        id: `<document>#<section>`, with `-2`, `-3` ... for the further parts of a long section.
        doc_id: the document it comes from.
        title: the document's title.
        section: the section's heading.
        text: plain text of at most `MAX_PASSAGE_CHARS` characters; blocks are separated by newlines.
        codes: the codes or code prefixes the document is about, dotless.
        source: who published it.
        licence: SPDX identifier.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    doc_id: str
    title: str
    section: str
    text: str
    codes: tuple[str, ...]
    source: str
    licence: str


class Document(BaseModel):
    """One document of a library.

    Attributes:
        id: the slug of its path in the library.
        title: the disease it is about.
        codes: dotless codes or code prefixes of that disease.
        aliases: lower-case ways the disease is written in text.
        licence: SPDX identifier.
        source: who published it.
        passages: in reading order.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    codes: tuple[str, ...]
    aliases: tuple[str, ...]
    licence: str
    source: str
    passages: tuple[Passage, ...]


class _FrontMatter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Name
    codes: list[CodePrefix] = []
    aliases: list[Alias] = []
    licence: Name
    source: Name


def read_documents(folder: Path) -> tuple[Document, ...]:
    """Every Markdown document below a folder, sorted by id.

    A file named `README.md` is about the folder and is left out. Links, images, HTML and code blocks of a
    document are dropped; only its words remain.

    Args:
        folder: holds at most `MAX_FILES` files of at most `MAX_FILE_BYTES` bytes, in UTF-8.

    Raises:
        InputError: no such folder, a limit is passed, a path leads out of the folder, or a document breaks
            the format; names the file and, where there is one, the line.
    """
    if not folder.is_dir():
        raise InputError("knowledge library", "no such folder; give the folder that holds the documents")
    documents: dict[str, Document] = {}
    for path in _markdown_files(folder):
        document = _read_document(path, path.relative_to(folder).as_posix())
        if document.id in documents:
            raise InputError(path.name, "another file has the same id; rename one of them")
        documents[document.id] = document
    return tuple(documents[doc_id] for doc_id in sorted(documents))


def _markdown_files(folder: Path) -> Iterator[Path]:
    paths = list(islice(folder.rglob("*.md"), MAX_FILES + 1))
    if len(paths) > MAX_FILES:
        raise InputError("knowledge library", f"more than {MAX_FILES:,} files; split the library")
    root = folder.resolve()
    for path in sorted(paths):
        if not path.resolve().is_relative_to(root):
            raise InputError(path.name, "a link that leads out of the library; copy the file into it")
        if path.name != "README.md":
            yield path


def _read_document(path: Path, name: str) -> Document:
    text = read_text(path, name)
    front, first_row = _front_matter(text, name)
    doc_id = slug(name.removesuffix(".md"))
    if not doc_id:
        raise InputError(name, "its name has no ASCII letter or digit; rename it")
    passages: list[Passage] = []
    for section, section_text in _sections(text, first_row, name).items():
        for number, part in enumerate(parts(section_text, MAX_PASSAGE_CHARS), start=1):
            passage = Passage(
                id=f"{doc_id}#{slug(section)}" + (f"-{number}" if number > 1 else ""),
                doc_id=doc_id,
                title=front.title,
                section=section,
                text=part,
                codes=tuple(front.codes),
                source=front.source,
                licence=front.licence,
            )
            passages.append(passage)
    if len({passage.id for passage in passages}) != len(passages):
        raise InputError(name, "two sections have the same id; rename one of them")
    return Document(
        id=doc_id,
        title=front.title,
        codes=tuple(front.codes),
        aliases=tuple(front.aliases),
        licence=front.licence,
        source=front.source,
        passages=tuple(passages),
    )


def _front_matter(text: str, name: str) -> tuple[_FrontMatter, int]:
    """The front matter and the 0-based line after it."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise InputError(name, "must begin with front matter between two lines '---'", 1)
    block = match[1]
    keys = re.findall(r"^(\w+):", block, re.MULTILINE)
    if len(set(keys)) != len(keys):
        raise InputError(name, "the front matter gives a key twice; keep one", 1)
    try:
        return _FrontMatter.model_validate(yaml.safe_load(block)), text.count("\n", 0, match.end())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        row = keys.index(key) + 2 if key in keys else 1
        place = f"{name}, {key[:40]}" if key else name
        advice = "; put codes in quotes" if key == "codes" else ""
        raise InputError(place, f"front matter: {first['msg']}{advice}", row) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InputError(name, "the front matter is not valid YAML; correct it", 1) from None


def _sections(text: str, first_row: int, name: str) -> dict[str, str]:
    """Plain text by level-2 heading, in order."""
    body = "\n" * first_row + text.split("\n", first_row)[first_row]
    tokens = MarkdownIt("commonmark").parse(body)
    blocks: dict[str, list[str]] = {}
    section = None
    for opening, token in zip([tokens[0], *tokens] if tokens else [], tokens, strict=False):
        if token.type != "inline":
            continue
        row = token.map[0] + 1 if token.map else 1
        words = _plain_text(token)
        if opening.type == "heading_open" and opening.tag == "h2":
            section = _new_section(words, blocks, name, row)
        elif section is not None:
            blocks[section].append(words)
        elif opening.tag != "h1":
            raise InputError(name, "text before the first '## ' heading; move it into a section", row)
    for heading, lines in blocks.items():
        if not any(lines):
            raise InputError(f"{name}, {heading}", "the section is empty; write it or remove it")
    if not blocks:
        raise InputError(name, "no '## ' section; add one with some text")
    return {heading: "\n".join(filter(None, lines)) for heading, lines in blocks.items()}


def _new_section(heading: str, blocks: dict[str, list[str]], name: str, row: int) -> str:
    if not slug(heading) or heading in blocks:
        raise InputError(name, "a section needs a heading of its own; rename it", row)
    blocks[heading] = []
    return heading


def _plain_text(inline: Token) -> str:
    words = (
        " " if token.type in ("softbreak", "hardbreak") else token.content
        for token in inline.children or []
        if token.type in ("text", "text_special", "code_inline", "softbreak", "hardbreak")
    )
    return " ".join("".join(words).split())

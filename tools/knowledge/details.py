"""What is said of a document when it is added, and what becomes of it."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from tools.knowledge.formats.blocks import fold
from tools.knowledge.manifest import Manifest
from tools.knowledge.passage import CodePrefix, Entry
from tools.knowledge.probe import Place
from tools.safety.errors import InputError

State = Literal["added", "revised", "updated", "unchanged", "duplicate", "retired"]


_CODE_RULE = "not a code or the beginning of one: at least three digits or capitals, such as 274 or E11"
_CODES: TypeAdapter[tuple[CodePrefix, ...]] = TypeAdapter(tuple[CodePrefix, ...])


class Details(NamedTuple):
    """What is said of a document when it is added; it counts before what the document says of itself.

    Attributes:
        added_by: who adds it.
        title: what people call it.
        licence: SPDX identifier, or what the publisher calls it.
        source: who published it.
        codes: dotless codes or code prefixes of the disease it is about.
        aliases: lower-case ways the disease is written.
        expires: the last day on which it is retrieved.
        trusted: whether who adds it vouches for its title and for the codes and aliases of its front matter,
            so that they may stand in prompts; codes of front matter count only then.
        revise: whether it may take the place of another document of the same id.
    """

    added_by: str
    title: str = ""
    licence: str = ""
    source: str = ""
    codes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    expires: date | None = None
    trusted: bool = False
    revise: bool = False


class Outcome(NamedTuple):
    """What became of a document that was given.

    Attributes:
        doc_id: its id; of a duplicate, that of the document already there.
        state: `updated`: the same bytes, but something else is said of them; `duplicate`: the library holds
            the same bytes under another id; `retired`: it was retired, and stays so.
        n_passages: 0 where nothing was read.
    """

    doc_id: str
    state: State
    n_passages: int = 0


class Rebuilt(NamedTuple):
    """A new index.

    Attributes:
        n_documents: in it.
        left_behind: where the index before still is, with the documents' words, as its server did not answer.
    """

    n_documents: int
    left_behind: Place | None = None


def said(details: Details) -> dict[str, object]:
    """What was said of a document, as fields of its entry."""
    words = {"title": fold(details.title), "licence": fold(details.licence), "source": fold(details.source)}
    lists = {"codes": details.codes, "aliases": tuple(map(fold, details.aliases)), "expires": details.expires}
    said: dict[str, object] = {field: value for field, value in (words | lists).items() if value}
    return said | ({"trusted": True} if details.trusted else {})


def admitted(fields: dict[str, object]) -> Entry:
    """The entry of a document.

    Raises:
        InputError: a field that is not admitted.
    """
    try:
        return Entry.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        field = str(fault["loc"][0])
        raise InputError(field, _CODE_RULE if field == "codes" else fault["msg"]) from None


def admitted_codes(spelt: Iterable[str]) -> tuple[str, ...]:
    """Codes, or beginnings of codes, without dots and in capitals.

    Raises:
        InputError: one is none.
    """
    try:
        return _CODES.validate_python([code.replace(".", "").upper() for code in spelt])
    except ValidationError:
        raise InputError("about", _CODE_RULE) from None


def configured(manifest: Manifest, changes: dict[str, object]) -> Manifest:
    """A manifest with some keys changed; a model in a folder is named by its whole path.

    Raises:
        InputError: a value that is not admitted, by its key.
    """
    try:
        changed = Manifest.model_validate(manifest.model_dump() | changes)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise InputError(str(fault["loc"][0]), fault["msg"]) from None
    folder = Path(changed.embedding)
    named = {"embedding": str(folder.resolve())} if folder.is_dir() else {}
    return changed.model_copy(update=named)

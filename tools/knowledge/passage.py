"""What a library is made of: passages that can be cited, and the records of its documents."""

from datetime import date, datetime
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Media = Literal["markdown", "html", "text", "pdf", "docx", "note"]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
Alias = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^A-Z\s]([^A-Z]*[^A-Z\s])?$")]
CodePrefix = Annotated[str, Field(pattern=r"^[0-9A-Z]{3,7}$")]


class Passage(BaseModel):
    """A citable piece of a document: one section of one page, or a part of a long one.

    Attributes:
        id: `<document>#<section>.<hash>`: the hash is of the text, so that an id never names other words.
        doc_id: the document it comes from.
        title: the document's title.
        section: the heading it stands under; empty where there is none.
        page: 1-based page of the document, where it has pages.
        start: where the passage begins in the document's plain text, characters.
        end: where it ends, exclusive: `text == plain_text[start:end]`.
        text: plain text.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    doc_id: str
    title: str
    section: str
    page: int | None = None
    start: int
    end: int
    text: str


class Entry(BaseModel):
    """What a library's manifest records of a document.

    Attributes:
        id: unique in the library; stays when the document is revised.
        title: what people call it; of a document about a disease, the disease.
        file: of the source, below the library's folder `sources`.
        media: what kind of file it is.
        sha256: of the source's bytes.
        licence: SPDX identifier, or what the publisher calls it.
        source: who published it.
        url: where it was fetched from; for a page with revisions, of that revision.
        revision: the publisher's mark of the revision.
        codes: dotless codes or code prefixes of the disease it is about.
        aliases: lower-case ways the disease is written in text.
        trusted: whether who added it vouches for its title, codes and aliases: they may stand in prompts.
        added_by: who added it.
        added_at: when, UTC.
        expires: the last day on which it is retrieved.
        retired_at: when it was taken out of retrieval, UTC.
        retired_because: why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: Name
    file: str
    media: Media
    sha256: str
    licence: Name
    source: Name
    url: str | None = None
    revision: str | None = None
    codes: tuple[CodePrefix, ...] = ()
    aliases: tuple[Alias, ...] = ()
    trusted: bool = False
    added_by: Name
    added_at: datetime
    expires: date | None = None
    retired_at: datetime | None = None
    retired_because: str = Field(default="", max_length=500)

    def is_active(self, today: date) -> bool:
        """Whether its passages are retrieved on a day."""
        return self.retired_at is None and (self.expires is None or today <= self.expires)


class Section(BaseModel):
    """A stretch of a document's plain text under one heading, on one page.

    Attributes:
        heading: empty where the text stands under none.
        page: 1-based, where the document has pages.
        text: plain text, blocks separated by newlines, never empty.
    """

    model_config = ConfigDict(frozen=True)

    heading: str
    page: int | None = None
    text: str


class FrontMatter(BaseModel):
    """What a Markdown document may say of itself before its text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Name | None = None
    codes: tuple[CodePrefix, ...] = ()
    aliases: tuple[Alias, ...] = ()
    licence: Name | None = None
    source: Name | None = None
    url: str | None = None
    revision: str | None = None
    expires: date | None = None


class Extract(BaseModel):
    """What was read from a source: its plain text by section, and what it says of itself."""

    model_config = ConfigDict(frozen=True)

    media: Media
    title: str
    front: FrontMatter = FrontMatter()
    sections: tuple[Section, ...]

    @property
    def plain_text(self) -> str:
        """The text that character offsets of passages refer to."""
        return "\n\n".join(section.text for section in self.sections)


def text_hash(text: str) -> str:
    """The hexadecimal digits that a passage's id ends with."""
    return sha256(text.encode()).hexdigest()[:16]

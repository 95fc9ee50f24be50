"""Word documents (.docx): paragraphs, headings by style, and tables row by row."""

import zipfile
from collections.abc import Collection, Iterator
from functools import cache
from typing import TYPE_CHECKING, BinaryIO

from tools.knowledge.formats.blocks import Block, Reading
from tools.knowledge.formats.limits import MAX_ZIP_BYTES, MAX_ZIP_ENTRIES, MAX_ZIP_RATIO
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from docx.document import Document
    from docx.oxml.xmlchemy import BaseOxmlElement

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_SPACES = {f"{_W}tab": " ", f"{_W}br": " ", f"{_W}cr": " ", f"{_W}noBreakHyphen": "-"}
_SKIPPED = (_FALLBACK, f"{_W}moveFrom")
_SMALL_ENTRY = 1_000_000
_DEEPEST_STYLE = 10
_OFF = ("0", "false", "off")


def read_word(file: BinaryIO, name: str) -> Reading:
    """A Word document, without hidden, deleted and moved away text, headers, footers and notes.

    Args:
        file: of the document.
        name: how messages call it.

    Raises:
        InputError: python-docx is not installed, it is no Word document, or it inflates beyond the limits.
    """
    try:
        import docx
    except ImportError:
        rule = "Word documents need the package python-docx: pip install -e '.[docx]' -c constraints.txt"
        raise InputError(name, rule) from None
    check_archive(file, name)
    file.seek(0)
    document = docx.Document(file)
    return Reading(_blocks(document), document.core_properties.title or "")


def check_archive(file: BinaryIO, name: str) -> None:
    """Refuses an archive that is no Word document or would inflate too far, by its directory alone.

    Raises:
        InputError: it does.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    # zipfile says NotImplementedError of archives split over disks or made by a later version of the format.
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        raise InputError(name, "damaged: its parts cannot be listed; save it anew") from None
    if not {"word/document.xml", "[Content_Types].xml"} <= {entry.filename for entry in entries}:
        raise InputError(name, "a zip archive, but no Word document; give it the ending of what it is")
    inflated = sum(entry.file_size for entry in entries)
    is_bomb = any(
        entry.file_size > max(_SMALL_ENTRY, MAX_ZIP_RATIO * entry.compress_size) for entry in entries
    )
    if len(entries) > MAX_ZIP_ENTRIES or inflated > MAX_ZIP_BYTES or is_bomb:
        most = f"{MAX_ZIP_BYTES:,} bytes, {MAX_ZIP_ENTRIES:,} parts or {MAX_ZIP_RATIO} times its size"
        raise InputError(name, f"inflates to more than {most}; take out what is not text")


def _blocks(document: "Document") -> Iterator[Block]:
    """Paragraphs in the order of their text; those of a table's row are one block."""
    levels: dict[str, int] = {}
    row: BaseOxmlElement | None = None
    cells: list[str] = []
    for paragraph, text in _paragraphs(document):
        row_of_paragraph = next(reversed(list(paragraph.iterancestors(f"{_W}tr"))), None)
        if row is not None and row_of_paragraph is not row:
            yield Block("; ".join(cells))
            cells = []
        row = row_of_paragraph
        if row is not None:
            cells.append(text)
            continue
        style = paragraph.style or ""
        if style not in levels:
            levels[style] = _level(document, style)
        yield Block(text, levels[style])
    yield Block("; ".join(cells))


def _paragraphs(document: "Document") -> Iterator[tuple["BaseOxmlElement", str]]:
    """Each paragraph that has text, with its text; a text box inside a paragraph is one of its own."""
    pieces: dict[BaseOxmlElement, list[str]] = {}
    hiding = _hiding_styles(document)
    is_hidden = cache(lambda run: _is_hidden(run, hiding))
    for element in document.element.body.iter(f"{_W}t", *_SPACES):
        run = element.getparent()
        paragraph = next(element.iterancestors(f"{_W}p"), None)
        if paragraph is None or is_hidden(run) or next(element.iterancestors(*_SKIPPED), None) is not None:
            continue
        pieces.setdefault(paragraph, []).append(_SPACES.get(element.tag) or element.text or "")
    for paragraph, texts in pieces.items():
        text = "".join(texts).strip()
        if text:
            yield paragraph, text


def _is_hidden(run: "BaseOxmlElement", hiding: Collection[str]) -> bool:
    """Whether a run is hidden by itself or, if it does not say, by a style of it, its paragraph or table."""
    own = _hides(run)
    return bool(set(_styles_of(run)) & set(hiding)) if own is None else own


def _styles_of(run: "BaseOxmlElement") -> Iterator[str]:
    """The styles that a run has; the default ones are called by their kind."""
    yield _value(run, "rPr/rStyle") or "character"
    for paragraph in run.iterancestors(f"{_W}p"):
        yield _value(paragraph, "pPr/pStyle") or "paragraph"
    for table in run.iterancestors(f"{_W}tbl"):
        yield _value(table, "tblPr/tblStyle") or "table"


def _hiding_styles(document: "Document") -> frozenset[str]:
    """Styles that hide text, by id, through what they are based on; a default one also by its kind."""
    styles = {style.get(f"{_W}styleId", ""): style for style in document.styles.element.findall(f"{_W}style")}
    hiding: set[str] = set()
    for style_id, style in styles.items():
        based: BaseOxmlElement | None = style
        says = None
        for _ in range(_DEEPEST_STYLE):
            if based is None or (says := _hides(based)) is not None:
                break
            based = styles.get(_value(based, "basedOn"))
        if says:
            is_default = style.get(f"{_W}default", "0") not in _OFF
            hiding |= {style_id, style.get(f"{_W}type", "")} if is_default else {style_id}
    return frozenset(hiding)


def _hides(element: "BaseOxmlElement") -> bool | None:
    """Whether a run or style says that it is hidden; None where it does not say."""
    mark = element.find(f"{_W}rPr/{_W}vanish")
    return None if mark is None else mark.get(f"{_W}val", "1") not in _OFF


def _value(element: "BaseOxmlElement", path: str) -> str:
    found = element.find("/".join(f"{_W}{part}" for part in path.split("/")))
    return "" if found is None else found.get(f"{_W}val", "")


def _level(document: "Document", style_id: str) -> int:
    """The heading level of a style, by its name or that of the style it is based on; 0 for other text."""
    by_id = {style.style_id: style for style in document.styles}
    style = by_id.get(style_id)
    for _ in range(_DEEPEST_STYLE):
        if style is None:
            return 0
        name = (style.name or "").casefold()
        if name == "title":
            return 1
        if name.startswith("heading ") and name[8:].isdigit():
            return int(name[8:])
        style = getattr(style, "base_style", None)
    return 0

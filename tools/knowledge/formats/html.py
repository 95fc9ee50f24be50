"""HTML documents: the words that a browser would show."""

import codecs
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.knowledge.formats.blocks import Block, Reading
from tools.knowledge.formats.styles import hides, hiding_selectors
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from bs4.element import PageElement

_NAME = re.compile(r"\w+")
_DROPPED = frozenset(
    _NAME.findall(
        "audio button canvas datalist del dialog embed frameset head iframe map math noscript object s "
        "script select strike style svg template textarea video"
    )
)
_INLINE = frozenset(
    _NAME.findall(
        "a abbr acronym b bdi bdo big cite code data dfn em font i img ins kbd label mark q ruby samp "
        "small span strong sub sup time tt u var wbr"
    )
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CELLS = frozenset({"td", "th"})
_CELL_END = "\x1f"
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_ENCODING = re.compile(
    r"utf-?8|us-ascii|iso-?8859-?\d{1,2}|latin-?1|(?:windows-|cp)(?:125\d|874)|koi8-[ru]|gb2312|gbk|gb18030|big5"
    r"|shift[-_]jis|euc-(?:jp|kr)"
)


def read_html(data: bytes, name: str) -> Reading:
    """An HTML document without scripts, styles, comments, deleted text and what attributes or styles hide.

    Args:
        data: in the encoding of its byte order mark, of its `meta` element, or UTF-8.
        name: how messages call it.

    Raises:
        InputError: in another encoding than it says.
    """
    return read_markup(_decoded(data, name))


def read_markup(text: str) -> Reading:
    """What `read_html` reads, of text that is decoded already."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(text, "html.parser")
    return Reading(_blocks(soup), _title(soup))


def _decoded(data: bytes, name: str) -> str:
    from bs4.dammit import EncodingDetector

    encoding = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), "")
    if not encoding:
        declared = (EncodingDetector.find_declared_encoding(data, is_html=True) or "utf-8").strip().lower()
        encoding = declared if _ENCODING.fullmatch(declared) else "utf-8"
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise InputError(name, "not in the encoding that it declares; save it as UTF-8") from None


def _title(soup: "BeautifulSoup") -> str:
    title = soup.find("title")
    is_own = title is not None and not any(parent.name == "svg" for parent in title.parents)
    return title.get_text() if title is not None and is_own else ""


def _blocks(soup: "BeautifulSoup") -> Iterator[Block]:
    """Walks the tree without recursion: nesting may be of any depth."""
    from bs4 import Tag

    hiding = _hiding_selectors(soup)
    pieces: list[str] = []
    waiting: list[tuple[PageElement, bool]] = [(soup, False)]
    level = 0
    while waiting:
        node, is_end = waiting.pop()
        if not isinstance(node, Tag):
            pieces.append(_words(node))
            continue
        if not is_end:
            if _is_hidden(node, hiding):
                continue
            waiting.append((node, True))
            waiting.extend((child, False) for child in reversed(node.contents))
        if node.name in _CELLS:
            pieces.append(_CELL_END)
        elif node.name not in _INLINE:
            yield Block(_joined(pieces), level)
            pieces.clear()
            if node.name in _HEADINGS:
                level = 0 if is_end else _HEADINGS[node.name]


def _joined(pieces: list[str]) -> str:
    """The text of a block; the cells of a row are parted."""
    return "; ".join(filter(None, (cell.strip() for cell in "".join(pieces).split(_CELL_END))))


def _words(node: "PageElement") -> str:
    """The text of a node that is plain text, and not a comment, declaration, script or the like."""
    from bs4.element import CData, NavigableString

    return str(node) if type(node) in (NavigableString, CData) else ""


def _hiding_selectors(soup: "BeautifulSoup") -> frozenset[str]:
    """Selectors that the style sheets of a page hide, but for sheets that are printed with only."""
    sheets = [sheet for sheet in soup.find_all("style") if str(sheet.get("media", "")).strip() != "print"]
    return hiding_selectors("\n".join("".join(map(str, sheet.contents)) for sheet in sheets))


def _is_hidden(tag: "Tag", hiding: frozenset[str]) -> bool:
    if tag.name in _DROPPED or tag.has_attr("hidden") or tag.has_attr("inert"):
        return True
    is_unspoken = str(tag.get("aria-hidden", "")).strip().lower() == "true"
    return is_unspoken or hides(str(tag.get("style") or "")) or _is_selected(tag, hiding)


def _is_selected(tag: "Tag", hiding: frozenset[str]) -> bool:
    if not hiding:
        return False
    marks = [f".{name}" for name in " ".join(map(str, tag.get_attribute_list("class"))).lower().split()]
    marks.append(f"#{str(tag.get('id', '')).lower()}")
    return tag.name in hiding or any(mark in hiding or f"{tag.name}{mark}" in hiding for mark in marks)

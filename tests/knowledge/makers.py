"""Small documents of every kind for tests, written by hand where a library would hide what is tested."""

import zlib
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from tests.knowledge.samples import markdown
from tools.knowledge.passage import Media

LINES_A_PAGE = 60
EXTENSIONS: dict[Media, str] = {"markdown": "md", "html": "html", "text": "txt", "pdf": "pdf", "docx": "docx"}


def pdf(
    pages: Sequence[str | bytes],
    outline: Sequence[tuple[int, str, int] | tuple[int, str, int, float]] = (),
    title: str = "",
    extra: Iterable[bytes] = (),
    compress: bool = False,
) -> bytes:
    """A PDF document.

    Args:
        pages: the text of each page, a line a line; bytes are a content stream as it is.
        outline: depth (1 the highest), title, 1-based page, and distance of its place from the page's bottom.
        title: of the document's information.
        extra: further objects, numbered on after the others.
        compress: whether the content streams are deflated.
    """
    objects: list[bytes] = [b"", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for page in pages:
        objects += [_page(len(objects) + 2), stream(_content(page), compress)]
        kids.append(len(objects) - 1)
    first = len(objects) + 1
    objects += _outline(outline, first, kids)
    objects.append(b"<< /Title %s >>" % _string(title))
    info = len(objects)
    objects += extra
    outlines = b" /Outlines %d 0 R" % first if outline else b""
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R%s >>" % outlines
    listed = b" ".join(b"%d 0 R" % kid for kid in kids)
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), listed)
    return _file(objects, info)


def stream(data: bytes, compress: bool = False, entries: bytes = b"") -> bytes:
    """A stream object."""
    if compress:
        data, entries = zlib.compress(data, 9), entries + b" /Filter /FlateDecode"
    return b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def _file(objects: Sequence[bytes], info: int) -> bytes:
    out = BytesIO()
    out.write(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    out.write(trailer % (len(objects) + 1, info, start))
    return out.getvalue()


def _page(contents: int) -> bytes:
    return (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
        b"/Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % contents
    )


def _content(page: str | bytes) -> bytes:
    if isinstance(page, bytes):
        return page
    lines = page.split("\n")[:LINES_A_PAGE]
    shown = b"\n".join(b"%s Tj T*" % _string(line) for line in lines)
    return b"BT /F1 10 Tf 12 TL 50 750 Td\n%s\nET" % shown


def _string(text: str) -> bytes:
    """A literal string; what Latin-1 lacks makes it UTF-16, which only titles may be."""
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        return b"<%s>" % text.encode("utf-16", "surrogatepass").hex().encode()
    for mark in (b"\\", b"(", b")"):
        data = data.replace(mark, b"\\" + mark)
    return b"(%s)" % data


def _outline(
    entries: Sequence[tuple[int, str, int] | tuple[int, str, int, float]], first: int, kids: Sequence[int]
):
    """The outline's root and its entries, as objects numbered from `first`."""
    numbers = list(range(first + 1, first + 1 + len(entries)))
    parents: list[int] = []
    open_ones: list[tuple[int, int]] = []
    for number, (depth, *_) in zip(numbers, entries, strict=True):
        while open_ones and open_ones[-1][0] >= depth:
            open_ones.pop()
        parents.append(open_ones[-1][1] if open_ones else first)
        open_ones.append((depth, number))
    children = {
        above: [n for n, p in zip(numbers, parents, strict=True) if p == above] for above in [first, *numbers]
    }
    bodies = [b"<< /Type /Outlines%s >>" % _links(children[first])]
    for number, parent, (_, title, page, *top) in zip(numbers, parents, entries, strict=True):
        siblings = children[parent]
        place = siblings.index(number)
        before = b" /Prev %d 0 R" % siblings[place - 1] if place else b""
        after = b" /Next %d 0 R" % siblings[place + 1] if place + 1 < len(siblings) else b""
        where = b"/XYZ 0 %d 0" % top[0] if top else b"/Fit"
        bodies.append(
            b"<< /Title %s /Parent %d 0 R%s%s%s /Dest [%d 0 R %s] >>"
            % (_string(title), parent, before, after, _links(children[number]), kids[page - 1], where)
        )
    return bodies if entries else []


def _links(children: Sequence[int]) -> bytes:
    return b" /First %d 0 R /Last %d 0 R" % (children[0], children[-1]) if children else b""


def html(*sections: tuple[str, str], title: str = "", head: str = "") -> str:
    """A page: headings and paragraphs; a section's text is HTML, its heading is not."""
    body = "".join(f"<h2>{escape(heading)}</h2>\n<p>{text}</p>\n" for heading, text in sections)
    told = f"<title>{escape(title)}</title>" if title else ""
    head = f"<head><meta charset='utf-8'>{told}{head}</head>"
    return f"<!DOCTYPE html>\n<html>{head}\n<body>\n{body}</body></html>\n"


def docx(
    *sections: tuple[str, str], title: str = "", table: Sequence[Sequence[str]] = (), level: int = 1
) -> bytes:
    """A Word document: headings and paragraphs (one a line), and a table at the end."""
    from docx import Document

    document = Document()
    document.core_properties.title = title
    for heading, text in sections:
        if heading:
            document.add_heading(heading, level)
        for line in text.split("\n"):
            document.add_paragraph(line)
    if table:
        grid = document.add_table(len(table), len(table[0]))
        for row, cells in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def docx_changed(content: bytes, old: str, new: str) -> bytes:
    """A Word document with another `document.xml`."""
    out = BytesIO()
    with ZipFile(BytesIO(content)) as source, ZipFile(out, "w", ZIP_DEFLATED) as target:
        for item in source.infolist():
            data = source.read(item)
            if item.filename == "word/document.xml":
                assert old in data.decode()
                data = data.decode().replace(old, new).encode()
            target.writestr(item.filename, data)
    return out.getvalue()


def source(media: Media, *sections: tuple[str, str], title: str = "") -> bytes:
    """A document of a kind with the same sections."""
    match media:
        case "markdown":
            return markdown(*sections, **({"title": f'"{title}"'} if title else {})).encode()
        case "html":
            return html(*sections, title=title).encode()
        case "text":
            told = f"{title}\n{'=' * len(title)}\n\n" if title else ""
            return (told + "\n\n".join(f"== {heading} ==\n{text}" for heading, text in sections)).encode()
        case "docx":
            return docx(*sections, title=title)
        case _:
            page = "\n".join(f"{heading}\n{text}" for heading, text in sections)
            return pdf([page], [(1, heading, 1) for heading, _ in sections], title=title)


def save(folder: Path, name: str, content: bytes | str) -> Path:
    """Writes a file below a folder, which is made."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path

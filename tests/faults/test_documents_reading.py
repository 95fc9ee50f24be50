"""Documents that are not what they seem: D3 (paths), D4 (bombs), D5 (encodings)."""

import json
import os
import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest

from tests.knowledge.makers import docx, html, pdf, save
from tools.knowledge.formats import parsing
from tools.knowledge.formats.limits import copy_source
from tools.knowledge.formats.reading import read_source
from tools.safety.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
GROWTH_KB = 100_000

# A process starts with the peak of the one that it was forked from, here a small one instead of pytest.
BETWEEN = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
READ = """
import json, os, resource, sys
from pathlib import Path
from tools.knowledge.formats import parsing
from tools.knowledge.formats.reading import read_source
from tools.safety.errors import InputError
path = Path(sys.argv[1])
parsing.SILENCE_LIMIT_S, parsing.TIME_LIMIT_S = map(float, sys.argv[2:])
try:
    read_source(path, path.name)
    rule = ""
except InputError as error:
    rule = str(error)
try:
    os.waitpid(-1, os.WNOHANG)
    is_alone = False
except ChildProcessError:
    is_alone = True
print(json.dumps([rule, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, is_alone]))
"""


def read_metered(path: Path, silence_s: float = 60, time_s: float = 900) -> tuple[str, int]:
    """What reading a document was refused with, and the peak memory of the process that did, in kilobytes."""
    command = [sys.executable, "-c", READ, path, str(silence_s), str(time_s)]
    done = subprocess.run(
        [sys.executable, "-c", BETWEEN, *command],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    rule, peak_kb, is_alone = json.loads(done.stdout)
    assert is_alone, "the process that parsed the document is still there"
    return rule, peak_kb


@pytest.fixture(scope="module")
def usual_kb(tmp_path_factory: pytest.TempPathFactory) -> int:
    rule, peak_kb = read_metered(save(tmp_path_factory.mktemp("usual"), "a.html", html(("Causes", "Urate."))))
    assert rule == ""
    return peak_kb


def refused(path: Path, name: str | None = None) -> str:
    with pytest.raises(InputError) as error:
        read_source(path, name or path.name)
    return error.value.rule


class TestD3Paths:
    """Only a regular file is read, and none is waited for."""

    @pytest.mark.parametrize("target", ["a.md", "/etc/passwd", "../a.md", "nowhere", "b.md"])
    def test_a_link_is_refused_wherever_it_leads(self, target: str, tmp_path: Path) -> None:
        save(tmp_path, "a.md", "Gout.")
        (tmp_path / "b.md").symlink_to(target)
        assert "symbolic link" in refused(tmp_path / "b.md")
        with pytest.raises(InputError, match="symbolic link"):
            copy_source(tmp_path / "b.md", tmp_path / "copy.md", "b.md")
        assert not (tmp_path / "copy.md").exists()

    def test_a_pipe_a_folder_and_a_device_are_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.md")
        (tmp_path / "folder.md").mkdir()
        for path in (tmp_path / "pipe.md", tmp_path / "folder.md", Path("/dev/zero"), Path("/dev/null")):
            assert "not a regular file" in refused(path, "a.md")
            with pytest.raises(InputError, match="not a regular file"):
                copy_source(path, tmp_path / "copy.md", "a.md")

    @pytest.mark.parametrize("name", ["missing.md", "a\0b.md", "x" * 300 + ".md", "a.md/b.md"])
    def test_what_is_no_file_is_refused(self, name: str, tmp_path: Path) -> None:
        save(tmp_path, "a.md", "Gout.")
        assert "cannot be opened" in refused(tmp_path / name, "a.md")


class TestD4Bombs:
    """Limits hold before and while a document is read, and the process that asks for it stays small."""

    def sparse(self, path: Path, size: int) -> Path:
        path.touch()
        os.truncate(path, size)
        return path

    @pytest.mark.parametrize("name", ["a.md", "a.txt", "a.html", "a.pdf", "a.docx"])
    def test_a_gigabyte_is_refused_before_it_is_read(self, name: str, tmp_path: Path, usual_kb: int) -> None:
        path = self.sparse(tmp_path / name, 1_000_000_000)
        rule, peak_kb = read_metered(path)
        assert "larger than" in rule
        assert peak_kb < usual_kb + GROWTH_KB
        with pytest.raises(InputError, match="larger than"):
            copy_source(path, tmp_path / "copy", name)
        assert not (tmp_path / "copy").exists()

    def zip_bomb(self) -> bytes:
        out = BytesIO(docx(("Causes", "Urate.")))
        with ZipFile(out, "a", ZIP_DEFLATED) as archive, archive.open("word/media/a.xml", "w") as entry:
            for _ in range(300):
                entry.write(bytes(1_000_000))
        return out.getvalue()

    def lying_zip(self) -> bytes:
        """A part that says it holds 100 bytes, and inflates to 300 MB."""
        out = BytesIO()
        with (
            ZipFile(BytesIO(docx(("Causes", "Urate.")))) as source,
            ZipFile(out, "w", ZIP_DEFLATED) as archive,
        ):
            for item in source.infolist():
                if item.filename != "word/document.xml":
                    archive.writestr(item.filename, source.read(item))
            archive.writestr("word/document.xml", b"<w:p/>" * 50_000_000)
        data = bytearray(out.getvalue())
        place = data.rindex(b"PK\x01\x02", 0, data.rindex(b"word/document.xml"))
        struct.pack_into("<I", data, place + 24, 100)
        return bytes(data)

    def many_parts(self) -> bytes:
        out = BytesIO(docx(("Causes", "Urate.")))
        with ZipFile(out, "a", ZIP_STORED) as archive:
            for number in range(6_000):
                archive.writestr(f"word/{number}", b"")
        return out.getvalue()

    def large_tree(self) -> bytes:
        """120 MB of elements that are not compressed, of which a parser makes gigabytes."""
        out = BytesIO()
        with ZipFile(BytesIO(docx(("Causes", "Urate.")))) as source, ZipFile(out, "w", ZIP_STORED) as archive:
            for item in source.infolist():
                data = source.read(item)
                if item.filename == "word/document.xml":
                    data = data.replace(b"<w:body>", b"<w:body>" + b"<w:p/>" * 20_000_000)
                archive.writestr(item.filename, data)
        return out.getvalue()

    @pytest.mark.parametrize(
        ("make", "rule"),
        [
            ("zip_bomb", "inflates to more than"),
            ("lying_zip", "cannot be read"),
            ("many_parts", "inflates to more than"),
            ("large_tree", "too much memory|cannot be read"),
        ],
    )
    def test_a_word_document_that_inflates_is_refused(
        self, make: str, rule: str, tmp_path: Path, usual_kb: int
    ) -> None:
        found, peak_kb = read_metered(save(tmp_path, "a.docx", getattr(self, make)()))
        assert any(part in found for part in rule.split("|")), found
        assert peak_kb < usual_kb + GROWTH_KB

    @pytest.mark.parametrize(
        "content",
        [
            b"BT /F1 10 Tf 1 1 Td (a) Tj " + b" " * 400_000_000 + b"ET",
            b"BT /F1 10 Tf 1 1 Td " + b"(aaaaaaaaaaaaaaaaaaaa) Tj " * 4_000_000 + b"ET",
        ],
        ids=["spaces", "text"],
    )
    def test_a_pdf_page_that_inflates_is_refused(self, content: bytes, tmp_path: Path, usual_kb: int) -> None:
        path = save(tmp_path, "a.pdf", pdf([content], compress=True))
        assert path.stat().st_size < 1_000_000
        found, peak_kb = read_metered(path)
        assert "cannot be read" in found
        assert peak_kb < usual_kb + GROWTH_KB

    def test_a_paragraph_of_20_megabytes_is_refused(self, tmp_path: Path, usual_kb: int) -> None:
        found, peak_kb = read_metered(save(tmp_path, "a.md", "gout " * 3_900_000))
        assert "a paragraph of more than" in found
        assert peak_kb < usual_kb + GROWTH_KB

    def test_html_of_any_depth_is_read(self, tmp_path: Path, usual_kb: int) -> None:
        path = save(tmp_path, "a.html", "<html>" + "<div><b>" * 50_000 + "Urate causes gout.")
        found, peak_kb = read_metered(path)
        assert found == ""
        assert peak_kb < usual_kb + GROWTH_KB
        assert read_source(path, path.name).plain_text == "Urate causes gout."

    @pytest.mark.parametrize(("silence_s", "time_s"), [(1.0, 900.0), (60.0, 1.0)])
    def test_a_parser_that_hangs_is_stopped(
        self, silence_s: float, time_s: float, tmp_path: Path, usual_kb: int
    ) -> None:
        path = save(tmp_path, "a.html", "<html>x" + "<a " * 1_000_000)
        found, peak_kb = read_metered(path, silence_s, time_s)
        assert "takes too long" in found
        assert peak_kb < usual_kb + GROWTH_KB

    def test_a_small_markdown_file_whose_html_keeps_a_parser_busy_is_stopped(
        self, tmp_path: Path, usual_kb: int
    ) -> None:
        path = save(tmp_path, "a.md", "<div>\n" + "<a " * 30_000)
        found, peak_kb = read_metered(path, 1.0, 900.0)
        assert "takes too long" in found
        assert peak_kb < usual_kb + GROWTH_KB

    @pytest.mark.parametrize("media", ["pdf", "docx"])
    def test_a_damaged_document_is_refused(self, media: str, tmp_path: Path) -> None:
        whole = pdf(["Urate causes gout."] * 20) if media == "pdf" else docx(("Causes", "Urate causes gout."))
        for content in (whole[:-400], whole[: len(whole) // 2], whole[:8] + bytes(5_000)):
            assert "damaged" in refused(save(tmp_path, f"a.{media}", content))


ZIPPED = BytesIO()
with ZipFile(ZIPPED, "w") as _archive:
    _archive.writestr("a.txt", "Urate causes gout.")
CONTENTS = {
    "pdf": pdf(["Urate causes gout."]),
    "zip": ZIPPED.getvalue(),
    "gzip": b"\x1f\x8b\x08\x00" + bytes(20),
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "program": b"\x7fELF\x02\x01" + bytes(20),
    "old office": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20),
    "rich text": b"{\\rtf1 Gout}",
    "nothing known": bytes(range(256)),
    "html": html(("Causes", "Urate.")).encode(),
    "text": b"Urate causes gout.",
}


@pytest.mark.parametrize("extension", ["md", "txt", "html", "pdf", "docx"])
@pytest.mark.parametrize("content", CONTENTS)
def test_d4_content_of_another_kind_than_the_name_says_is_refused(
    content: str, extension: str, tmp_path: Path
) -> None:
    path = save(tmp_path, f"a.{extension}", CONTENTS[content])
    if (content, extension) in {("pdf", "pdf"), ("html", "html"), ("text", "md"), ("text", "txt")}:
        assert "Urate" in read_source(path, path.name).plain_text
    else:
        assert "Urate" not in refused(path)


WORDS = ("PKU leads to", "PK", "Rar!", "BZh", "BZh9", "GIF8", "GIF", "SQLite format 3", "7z")
ARCHIVES = (
    b"PK\x05\x06" + bytes(18),
    b"PK\x07\x08PK\x03\x04",
    b"BZh91AY&SY",
    b"Rar!\x1a\x07\x01\x00",
    b"GIF89a",
    b"GIF87a",
    b"SQLite format 3\0",
)


@pytest.mark.parametrize("media", [None, "note"])
@pytest.mark.parametrize("word", WORDS)
def test_d4_words_that_begin_as_archives_do_are_text(word: str, media: str, tmp_path: Path) -> None:
    path = save(tmp_path, "a.txt", f"{word} is a word.")
    assert read_source(path, path.name, media).plain_text == f"{word} is a word."


@pytest.mark.parametrize("content", ARCHIVES)
def test_d4_what_only_archives_and_pictures_begin_with_is_refused(content: bytes, tmp_path: Path) -> None:
    path = save(tmp_path, ".note-1.txt", content + b" Urate.")
    assert "its content is a" in refused(path)
    with pytest.raises(InputError, match="its content is a") as error:
        read_source(path, path.name, "note")
    assert error.value.field == "note"


@pytest.mark.parametrize("name", ["a", "a.exe", "a.md.zip", ".md", "a.doc"])
def test_d4_an_unknown_ending_is_refused(name: str, tmp_path: Path) -> None:
    assert "not a kind of document" in refused(save(tmp_path, "a.md", "Gout."), name)


@pytest.mark.parametrize("mark", ["\x00", "\x07", "\x1b[2J", "\u202e", "\u2067", "\x85"])
@pytest.mark.parametrize("extension", ["md", "txt"])
def test_d5_controls_in_a_text_file_are_refused_by_row(mark: str, extension: str, tmp_path: Path) -> None:
    path = save(tmp_path, f"a.{extension}", "x" * 5_000 + f"\nGout\n{mark}hurts.")
    with pytest.raises(InputError) as error:
        read_source(path, path.name)
    assert error.value.row == 3
    assert "hurts" not in str(error.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "utf-32", "shift_jis"])
def test_d5_other_encodings_are_refused(encoding: str, tmp_path: Path) -> None:
    text = "原因" if encoding == "shift_jis" else "Café au lait"
    refused(save(tmp_path, "a.md", text.encode(encoding)))


@pytest.mark.parametrize("media", ["html", "docx"])
def test_d5_what_a_document_hides_in_its_characters_is_taken_out(media: str, tmp_path: Path) -> None:
    text = "Go\u200but\u202e hurts\u2066 badly\U000e0041\ufeff."
    content = html(("Causes", text)).encode() if media == "html" else docx(("Causes", text))
    path = save(tmp_path, f"a.{media}", content)
    assert read_source(path, path.name).plain_text == "Gout hurts badly."


def test_a_process_that_does_not_start_is_not_blamed_on_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, "a.html", html(("Causes", "Urate.")))
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    assert "does not start" in refused(path)


def test_no_key_is_in_reach_of_a_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    assert "sk-canary" not in str(parsing._environment())

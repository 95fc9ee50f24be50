import os
import string
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.knowledge.samples import markdown, write
from tools.knowledge import documents, text
from tools.knowledge.documents import MAX_PASSAGE_CHARS, read_documents
from tools.knowledge.text import parts, sentences, slug
from tools.safety.errors import InputError

words = st.text(string.ascii_letters + "éß", min_size=1, max_size=30)
prose = st.lists(
    st.lists(words, min_size=1, max_size=40).map(lambda ws: " ".join(ws).capitalize() + "."), max_size=40
).map(" ".join)


@given(prose, st.integers(5, 200))
def test_parts_keep_every_word_character_in_order_and_the_limit(prose: str, limit: int) -> None:
    cut = list(parts(prose, limit))
    assert all(0 < len(part) <= limit for part in cut)
    assert "".join("".join(cut).split()) == "".join(prose.split())


@given(prose)
def test_parts_cut_between_sentences_where_they_fit(prose: str) -> None:
    longest = max((len(s) for s in sentences(prose)), default=1)
    cut = list(parts(prose, longest))
    assert [s for part in cut for s in sentences(part)] == list(sentences(prose))
    for first, second in pairwise(cut):
        assert len(first) + 1 + len(sentences(second)[0]) > longest


@given(st.lists(prose.filter(bool), max_size=5).map("\n".join))
def test_text_within_the_limit_is_one_part_and_stays_as_it_is(text_: str) -> None:
    lines = [" ".join(line.split()) for line in text_.split("\n")]
    assert "".join(parts(text_, max(len(text_), 1))) == "\n".join(lines)


def test_sentences_end_at_stops_and_newlines_but_not_inside_names() -> None:
    text_ = "Fever is common. C. difficile follows! Is it 3.5 percent?\nA list item\nYes."
    assert sentences(text_) == (
        "Fever is common.",
        "C. difficile follows!",
        "Is it 3.5 percent?",
        "A list item",
        "Yes.",
    )


@given(st.text())
def test_a_slug_is_a_slug_of_itself(any_text: str) -> None:
    assert slug(slug(any_text)) == slug(any_text)
    assert set(slug(any_text)) <= set(string.ascii_lowercase + string.digits + "-")


def test_a_document_becomes_passages_with_ids_and_what_its_front_matter_says(tmp_path: Path) -> None:
    write(tmp_path, gout=markdown(("Overview", "Gout is painful."), ("Signs and symptoms", "A red toe.")))
    (document,) = read_documents(tmp_path)
    assert (document.id, document.title, document.aliases) == ("gout", "Gout", ("gouty arthritis",))
    assert [p.id for p in document.passages] == ["gout#overview", "gout#signs-and-symptoms"]
    first = document.passages[0]
    assert (first.section, first.text, first.codes) == ("Overview", "Gout is painful.", ("2749",))
    assert (first.doc_id, first.source, first.licence) == ("gout", "test", "CC0-1.0")


def test_a_long_section_becomes_numbered_parts(tmp_path: Path) -> None:
    sentence = "Gout is a painful disease of joints."
    write(tmp_path, gout=markdown(("Causes", " ".join([sentence] * 70))))
    passages = read_documents(tmp_path)[0].passages
    assert [p.id for p in passages] == ["gout#causes", "gout#causes-2", "gout#causes-3"]
    assert all(len(p.text) <= MAX_PASSAGE_CHARS for p in passages)
    assert sum(len(sentences(p.text)) for p in passages) == 70


def test_only_words_remain_of_markdown(tmp_path: Path) -> None:
    text_ = (
        "**Gout** hurts[^1] and [see here](http://x.test/a) ![pixel](http://x.test/b.png).\n\n"
        "- first\n- second\n\n<script>alert(1)</script>\n\n```\ncode\n```\n\n<!-- hidden -->\n\nEnd."
    )
    write(tmp_path, gout=markdown(("Overview", text_)))
    passage = read_documents(tmp_path)[0].passages[0]
    assert passage.text == "Gout hurts[^1] and see here .\nfirst\nsecond\nEnd."


def test_the_order_is_that_of_the_ids_and_the_readme_is_left_out(tmp_path: Path) -> None:
    section = ("Overview", "Text.")
    write(tmp_path, b=markdown(section), a=markdown(section), README="Not a document.")
    write(tmp_path / "sub", c=markdown(section))
    assert [d.id for d in read_documents(tmp_path)] == ["a", "b", "sub-c"]


@given(st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_line_ends_and_a_byte_order_mark_make_no_difference(newline: str, mark: bool) -> None:
    source = markdown(("Overview", "Café au lait\nis brown."))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), a=("\ufeff" if mark else "") + source.replace("\n", newline))
        assert read_documents(Path(folder))[0].passages[0].text == "Café au lait is brown."


def test_text_is_composed_and_freed_of_invisible_characters(tmp_path: Path) -> None:
    write(tmp_path, a=markdown(("Overview", "Cafe\u0301 a\u200bu la\u00adit\U000e0041.")))
    assert read_documents(tmp_path)[0].passages[0].text == "Café au lait."


OVERVIEW = ("Overview", "Text.")
FAULTS = {
    "no front matter": ("## Overview\n\nText.\n", "must begin with front matter", 1),
    "unclosed front matter": ("---\ntitle: A\n", "must begin with front matter", 1),
    "yaml": (markdown(OVERVIEW, title="[unclosed"), "not valid YAML", 1),
    "yaml tag": (markdown(OVERVIEW, title="!!python/name:os.system"), "not valid YAML", 1),
    "yaml date": (markdown(OVERVIEW, title="2020-99-99"), "not valid YAML", 1),
    "yaml depth": (markdown(OVERVIEW, title="[" * 3000), "not valid YAML", 1),
    "not a mapping": ("---\n- a\n---\n## Overview\n\nText.\n", "front matter: Input should be", 1),
    "no licence": (markdown(OVERVIEW, licence=""), "Field required", 1),
    "unknown key": (markdown(OVERVIEW, author="me"), "Extra inputs", 7),
    "key twice": (markdown(OVERVIEW).replace("---\n", "---\ntitle: B\n", 1), "gives a key twice", 1),
    "number as code": (markdown(OVERVIEW, codes="[311]"), "put codes in quotes", 3),
    "dotted code": (markdown(OVERVIEW, codes='["274.9"]'), "put codes in quotes", 3),
    "alias in capitals": (markdown(OVERVIEW, aliases='["Gout"]'), "should match pattern", 4),
    "no section": (markdown(), "no '## ' section", None),
    "text before a section": (markdown(OVERVIEW).replace("## ", "Words.\n\n## "), "before the first", 9),
    "empty section": (markdown(("Overview", "")), "the section is empty", None),
    "section twice": (markdown(OVERVIEW, OVERVIEW), "a section needs a heading of its own", 13),
    "same section id": (markdown(OVERVIEW, ("Overview!", "Text.")), "same id", None),
    "NUL": (markdown(("Overview", "a\x00b")), "control character", 11),
    "escape": (markdown(("Overview", "a\x1b[31mb")), "control character", 11),
    "bidi": (markdown(("Overview", "a\u202eb")), "text-direction override", 11),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_in_a_document_are_refused_by_file_line_and_rule(fault: str, tmp_path: Path) -> None:
    content, rule, row = FAULTS[fault]
    write(tmp_path, good=markdown(OVERVIEW), poor=content)
    with pytest.raises(InputError, match="poor") as error:
        read_documents(tmp_path)
    assert rule in error.value.rule
    assert error.value.row == row


def test_bytes_that_are_not_utf8_are_refused_by_line(tmp_path: Path) -> None:
    (tmp_path / "poor.md").write_bytes(markdown(OVERVIEW).encode() + b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8") as error:
        read_documents(tmp_path)
    assert error.value.row == 13


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", secret=markdown(OVERVIEW))
    inside = write(tmp_path / "inside", a=markdown(OVERVIEW))
    (inside / "b.md").symlink_to(outside / "secret.md")
    with pytest.raises(InputError, match="leads out of the library"):
        read_documents(inside)


def test_what_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(InputError, match="not a regular file"):
        read_documents(tmp_path)


def test_a_folder_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_documents(tmp_path / "none")


def test_limits_on_size_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a=markdown(OVERVIEW), b=markdown(OVERVIEW))
    monkeypatch.setattr(documents, "MAX_FILES", 2)
    monkeypatch.setattr(text, "MAX_FILE_BYTES", len(markdown(OVERVIEW)))
    assert len(read_documents(tmp_path)) == 2
    write(tmp_path, b=markdown(OVERVIEW) + "\n")
    with pytest.raises(InputError, match=r"b\.md: larger than"):
        read_documents(tmp_path)
    write(tmp_path, b=markdown(OVERVIEW), c=markdown(OVERVIEW))
    with pytest.raises(InputError, match="more than 2 files"):
        read_documents(tmp_path)


def test_two_files_with_one_id_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a b.md").write_text(markdown(OVERVIEW))
    (tmp_path / "a-b.md").write_text(markdown(OVERVIEW))
    with pytest.raises(InputError, match="same id"):
        read_documents(tmp_path)

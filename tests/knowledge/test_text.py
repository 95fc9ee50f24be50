import string
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.knowledge.makers import save
from tools.knowledge.text import clean, plain, read_text, sentences, slug
from tools.safety.errors import InputError

any_text = st.text(st.characters(exclude_categories=()))
seen_text = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Cn", "Co")))
BLANK = "\u200b\u00ad\ufeff\u2060\U000e0041\ufe0f\u034f\u3164\u115f"


def test_sentences_end_at_stops_and_newlines_but_not_inside_names() -> None:
    text = "Fever is common. C. difficile follows! Is it 3.5 percent?\nA list item\nYes."
    assert sentences(text) == (
        "Fever is common.",
        "C. difficile follows!",
        "Is it 3.5 percent?",
        "A list item",
        "Yes.",
    )


@given(any_text)
def test_a_slug_is_a_slug_of_itself(text: str) -> None:
    assert slug(slug(text)) == slug(text)
    assert set(slug(text)) <= set(string.ascii_lowercase + string.digits + "-")


@given(any_text)
@example("a\u200b\u0301")
@example("\u200c\u0300")
def test_cleaned_text_holds_nothing_unseen_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    categories = {
        unicodedata.category(character) for character in cleaned if character not in "\n\t\u200c\u200d"
    }
    assert not categories & {"Cc", "Cf", "Cs"}
    assert not set(cleaned) & set(BLANK)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert clean(cleaned) == cleaned
    assert cleaned.encode().decode() == cleaned


@given(seen_text.filter(lambda text: not set(text) & set(BLANK)), st.sampled_from(BLANK), st.integers(0, 50))
def test_what_cannot_be_seen_makes_no_difference(text: str, blank: str, place: int) -> None:
    assert clean(text[:place] + blank + text[place:]) == clean(text)


def test_joiners_stay_where_words_need_them_and_go_where_they_hide() -> None:
    persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert clean(persian) == persian
    assert clean("ig\u200c\u200dnore \u200dthis") == "ignore this"


def test_lone_surrogates_and_parting_controls_are_replaced() -> None:
    assert clean("a\ud800b\x0bc\x00d\x1b[0m\te\nf") == "a\ufffdb cd[0m\te\nf"


@given(seen_text, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), st.sampled_from(["\n", "\r\n", "\r"]))
def test_encoding_mark_and_line_ends_make_no_difference(text: str, encoding: str, newline: str) -> None:
    text = f"x{text}\ny"
    with tempfile.TemporaryDirectory() as folder:
        path = save(Path(folder), "a.md", text.replace("\n", newline).encode(encoding))
        assert read_text(path, "a.md") == clean(text)


@pytest.mark.parametrize(
    ("data", "rule", "row"),
    [
        (b"a\nb\xff", "not UTF-8", 2),
        (b"\xff\xfea\x00\x00\xd8", "not UTF-8", 1),
        ("é".encode("latin-1"), "not UTF-8", 1),
        (b"a\n\nb\x00c", "control character", 3),
        (b"a\x1b[31mb", "control character", 1),
        ("a\r\nb\u202ec".encode(), "text-direction override", 2),
        ("a\n\u2066b".encode("utf-16"), "text-direction override", 2),
    ],
)
def test_text_that_reads_otherwise_than_it_is_written_is_refused_by_row(
    data: bytes, rule: str, row: int
) -> None:
    with pytest.raises(InputError) as error:
        plain(data, "a.md")
    assert rule in error.value.rule
    assert error.value.row == row


def test_size_is_limited(tmp_path: Path) -> None:
    path = save(tmp_path, "a.md", "x" * 11)
    assert len(read_text(path, "a.md", 11)) == 11
    with pytest.raises(InputError, match="larger than 10 bytes"):
        read_text(path, "a.md", 10)

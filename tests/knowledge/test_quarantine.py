"""Words of a document on their way to a model: nothing is lost but white space; no author ends the fence."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tools.knowledge.quarantine import MARK, fenced, marked, nonce, plain, unfenced, unmarked

texts = st.text(st.characters(codec="utf-8"), max_size=200) | st.lists(
    st.sampled_from(["heart", "failure", MARK, " ", "\n", "\t", "[0123]", "[/0123]", "e\u0301"])
).map("".join)


def words(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).replace(MARK, " ").split())


@given(texts)
def test_marking_keeps_every_word_and_leaves_no_space(text: str) -> None:
    assert plain(marked(text)) == words(text)
    assert not any(character.isspace() for character in marked(text).replace(f"{MARK}\n", ""))
    assert unicodedata.is_normalized("NFC", marked(text).replace(MARK, " "))


@given(texts)
def test_a_fenced_text_comes_back_with_its_lines(text: str) -> None:
    fence = nonce(text, "library")
    back = unfenced(fenced(text, fence), fence)
    assert plain(back) == words(text)
    assert back == unmarked(marked(text))


@given(texts, texts, texts)
def test_a_fence_follows_from_all_that_it_is_made_of(text: str, version: str, other: str) -> None:
    assert nonce(text, version) == nonce(text, version)
    assert (nonce(text, version) == nonce(text, other)) == (version == other)
    assert nonce(text + version, other) != nonce(text, version + other) or not version


def test_marks_of_a_document_s_own_are_white_space_to_all_who_compare() -> None:
    own, spaced = f"heart{MARK}failure{MARK}{MARK}\n now", "heart failure \n now"
    assert marked(own) == marked(spaced)
    assert plain(own) == plain(spaced) == "heart failure now"

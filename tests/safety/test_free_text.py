"""What free text tells of a person is held, by kind and place and never by its words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.safety.sentences import HONEST, IDENTIFYING
from tools.resources import open_library
from tools.safety.errors import InputError
from tools.safety.free_text import MAX_CHARACTERS, Held, hold, identifiers


def test_there_are_enough_sentences_to_tell():
    assert len(set(HONEST)) >= 60
    assert len(set(IDENTIFYING)) >= 60


@pytest.mark.parametrize("sentence", HONEST)
def test_clinical_sentences_pass(sentence):
    assert identifiers(sentence) == ()
    hold("comment", sentence)


@pytest.mark.parametrize(("sentence", "kind"), IDENTIFYING)
def test_what_identifies_a_person_is_found_by_its_kind(sentence, kind):
    found = identifiers(sentence)
    assert kind in {one.kind for one in found}, found
    assert all(re.search(r"\d|@|at", sentence[one.start : one.end]) for one in found)


@pytest.mark.parametrize(("sentence", "kind"), IDENTIFYING)
def test_it_is_found_between_other_words_too(sentence, kind):
    for around in (f"({sentence})", f"diabetes; {sentence}. HbA1c 7.2", f"x\n{sentence}\ny"):
        assert kind in {one.kind for one in identifiers(around)}


@pytest.mark.parametrize(("sentence", "kind"), IDENTIFYING)
def test_what_is_held_is_named_by_kind_and_characters_and_never_by_its_words(sentence, kind):
    with pytest.raises(Held) as caught:
        hold("comment", sentence)
    error = caught.value
    assert isinstance(error, InputError)
    assert error.field == "comment"
    message = str(error)
    for one in error.found:
        assert f"{one.kind} (characters {one.start + 1} to {one.end})" in message
        assert sentence[one.start : one.end] not in message
    assert "remove" in message


def test_other_scripts_digits_and_dashes_are_read_too():
    wide = str.maketrans({ord(c): ord(c) + 0xFEE0 for c in "0123456789-"})
    assert {one.kind for one in identifiers("1950-05-03".translate(wide))} == {"date"}
    assert {one.kind for one in identifiers("078\u201105\u20111120")} == {"identifier"}
    assert {one.kind for one in identifiers("555\u00a0123\u00a04567")} == {"phone"}


@given(st.text(max_size=300))
def test_any_text_is_read_and_ranges_are_in_order_and_inside(text):
    found = identifiers(text)
    places = [place for one in found for place in (one.start, one.end)]
    assert places == sorted(places)
    assert all(0 <= one.start < one.end <= len(text) for one in found)


def test_the_longest_text_is_read_to_its_end():
    pieces = MAX_CHARACTERS // 10
    found = identifiers("me@ab.org " * pieces)
    assert [(one.kind, one.start, one.end) for one in found] == [
        ("e-mail", 10 * k, 10 * k + 9) for k in range(pieces)
    ]


@pytest.mark.parametrize("piece", ["1-", "a@a.", "a "])
def test_a_longer_one_is_refused_before_a_look_that_takes_minutes(piece):
    text = piece * 500_000
    with pytest.raises(InputError, match="comment: longer than 10,000 characters; shorten"):
        hold("comment", text)
    hold("comment", text, checked=True)


def test_few_sentences_of_medical_prose_are_held_for_nothing():
    """The demo library was written for another purpose: no sentence of it tells of a person."""
    passages = open_library("").passages.values()
    sentences = [s for passage in passages for s in re.split(r"(?<=[.!?])\s+", passage.text)]
    held = [sentence for sentence in sentences if identifiers(sentence)]
    assert len(sentences) > 300
    assert not held

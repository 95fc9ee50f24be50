"""Names of diseases in text."""

import re

from hypothesis import given
from hypothesis import strategies as st

from agents.naming import found_in, name_pattern

NAMES = ["heart failure", "gout", "kidney stone", "β-thalassaemia", "sickle", "skin", "hiv", "ménière"]
PIECES = [
    *NAMES,
    *map(str.upper, NAMES),
    "S",
    "s",
    "es",
    "\u017f",
    "\u212a",
    "\u0130",
    "\u0131",
    " ",
    "-",
    ".",
    "x",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_names_that_a_text_cannot_hold_are_none_that_a_pattern_finds(text):
    def found(names):
        return [place.span() for place in re.finditer(name_pattern(names), text, re.IGNORECASE)]

    assert found(found_in(text, NAMES)) == found(NAMES)


def test_a_letter_that_stands_for_an_ascii_one_is_taken_for_it():
    assert found_in("\u017f\u212a\u0131n", NAMES) == [n for n in NAMES if n == "skin" or not n.isascii()]

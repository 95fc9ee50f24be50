"""How numbers and untrusted text are put into words."""

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.reporting.words import number, p_value, percent, percent_range, printable
from tools.safety.errors import InputError

anything = st.text(alphabet=st.characters(exclude_categories=())) | st.text(
    alphabet=st.sampled_from("\x1b[]0;mA\x07\x9b\x9d\\8 \u202e\ud800\ufffe\r\nx")
)


@given(anything)
def test_printable_text_can_be_shown_stored_and_is_left_alone(text: str) -> None:
    clean = printable(text)
    clean.encode()
    assert not [c for c in clean if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n"]
    assert printable(clean) == clean


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_text_without_control_characters_is_kept_whole(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]0;never ended, and the rest stays", "0;never ended, and the rest stays"),
        ("\x9b2Jgone", "gone"),
        ("a\r\nb\rc\td", "a\nb\nc\td"),
        ("abc\u202edcba", "abcdcba"),
    ],
)
def test_terminal_sequences_leave_no_remains(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.floats(-1e9, 1e9), st.integers(0, 4), st.booleans())
def test_a_number_reads_back_as_itself(value: float, digits: int, signed: bool) -> None:
    text = number(value, digits, signed)
    assert float(text.replace(",", "").replace("\u2212", "-")) == pytest.approx(value, abs=0.51 * 10**-digits)
    assert "-" not in text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="not finite"):
        number(value)


@given(st.floats(0, 1))
def test_a_share_is_never_rounded_to_impossible_or_certain(share: float) -> None:
    text = percent(share)
    assert (text == "0%") == (share == 0)
    assert (text == "100%") == (share == 1)
    assert float(text.strip("<>%")) / 100 == pytest.approx(share, abs=0.0101)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0995, "10%"), (0.0994, "9.9%"), (0.004, "0.4%"), (0.0004, "<0.1%"), (0.996, ">99%"), (0.31, "31%")],
)
def test_shares_as_people_write_them(share: float, text: str) -> None:
    assert percent(share) == text
    assert percent_range((share, 1.0)) == f"{text} to 100%"


def test_p_values_as_journals_write_them() -> None:
    assert p_value(0.00001) == "p\u00a0<\u00a00.001"
    assert p_value(0.0123) == "p\u00a0=\u00a00.012"

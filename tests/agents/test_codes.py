"""A mind picks codes from the case's list: any known spelling is found, anything else refused unquoted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.codes import CodeList
from tools.records.concepts.codes import dotted
from tools.safety.errors import InputError

icd9 = st.from_regex(r"[0-9]{3,5}|V[0-9]{2,4}|E[0-9]{3,4}", fullmatch=True)
other = st.from_regex(r"[A-Za-z0-9.]{1,6}", fullmatch=True)
keys = icd9 | other | st.builds("{}:{}".format, st.sampled_from(["ICD9CM", "ICD10CM", "LOCAL"]), icd9 | other)


@given(st.lists(keys, unique=True, max_size=8))
def test_every_listed_code_stands_for_itself(codes):
    listed = CodeList(codes)
    assert [listed.resolve("code", code) for code in codes] == codes


@given(st.lists(icd9, unique=True, min_size=1, max_size=8), st.data())
def test_every_usual_spelling_of_an_icd9_code_is_found(codes, data):
    code = data.draw(st.sampled_from(codes))
    shown = dotted("ICD9CM", code)
    for spelling in (
        shown,
        shown.lower(),
        f" {shown} ",
        f"ICD9CM:{shown}",
        f"icd9cm:{code}",
        f"ICD-9: {shown}",
    ):
        assert CodeList(codes).resolve("code", spelling) == code


@given(st.lists(keys, max_size=6), st.text(max_size=12) | keys)
def test_what_is_found_is_listed_and_has_the_same_letters(codes, text):
    try:
        found = CodeList(codes).resolve("code", text)
    except InputError:
        return
    letters = [c for c in found.rpartition(":")[2].upper() if c != "."]
    assert found in codes
    assert letters == [c for c in text.rpartition(":")[2].upper() if c != "." and not c.isspace()]


@given(icd9)
def test_a_code_that_two_systems_share_must_be_given_with_its_system(code):
    listed = CodeList([f"ICD9CM:{code}", f"ICD10CM:{code}"])
    assert listed.resolve("code", f"icd10cm:{dotted('ICD9CM', code)}") == f"ICD10CM:{code}"
    with pytest.raises(InputError):
        listed.resolve("code", code)


def test_codes_that_differ_only_by_dots_or_case_need_their_exact_spelling():
    listed = CodeList(["a.b", "AB"])
    assert listed.resolve("code", "AB") == "AB"
    with pytest.raises(InputError):
        listed.resolve("code", "ab")


def test_the_refusal_names_the_place_and_not_the_text():
    with pytest.raises(InputError) as refused:
        CodeList(["4019"]).resolve("edges.3.cause", "zaphod")
    assert refused.value.field == "edges.3.cause"
    assert "zaphod" not in str(refused.value)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.records.concepts.codes import (
    ICD9CM,
    ICD10CM,
    category,
    dotted,
    is_valid,
    is_well_spelled,
    normalise,
    shape_rule,
    system_name,
)

icd9 = st.from_regex(r"([0-9]{3,5}|V[0-9]{2,4}|E[0-9]{3,4})", fullmatch=True)
icd10 = st.from_regex(r"[A-Z][0-9][0-9A-Z]{1,5}", fullmatch=True)
coded = st.one_of(st.tuples(st.just(ICD9CM), icd9), st.tuples(st.just(ICD10CM), icd10))


@given(coded)
def test_the_dotted_form_reads_back(pair):
    system, code = pair
    assert normalise(system, dotted(system, code)) == code
    assert normalise(system, f"  {dotted(system, code).lower()} ") == code
    assert is_valid(system, code)
    assert is_well_spelled(system, dotted(system, code))


@given(coded)
def test_the_category_is_what_stands_before_the_dot(pair):
    system, code = pair
    assert dotted(system, code).partition(".")[0] == category(system, code)


@given(st.sampled_from([ICD9CM, ICD10CM]), st.text(max_size=10))
def test_normalising_twice_is_normalising_once(system, text):
    once = normalise(system, text).strip()
    assert normalise(system, once) == once


@pytest.mark.parametrize(
    ("system", "code", "shown"),
    [
        (ICD9CM, "4019", "401.9"),
        (ICD9CM, "038", "038"),
        (ICD9CM, "V4581", "V45.81"),
        (ICD9CM, "E8490", "E849.0"),
        (ICD10CM, "I509", "I50.9"),
        (ICD10CM, "S72001A", "S72.001A"),
        ("SNOMED", "44054006", "44054006"),
    ],
)
def test_dots_stand_where_the_system_puts_them(system, code, shown):
    assert dotted(system, code) == shown


@pytest.mark.parametrize("code", ["", "1", "38", "401999", "A019", "V1", "E12", "4O19", "٤٠١٩", "=1+1"])
def test_what_no_icd9_code_looks_like(code):
    assert not is_valid(ICD9CM, code)


@pytest.mark.parametrize("text", ["40.19", "4019.", "E84.90", "4.0.1", ".401"])
def test_a_dot_in_the_wrong_place_is_a_misspelling(text):
    assert not is_well_spelled(ICD9CM, text)


@pytest.mark.parametrize(
    ("system", "rule"),
    [
        (ICD9CM, "not the shape of an ICD9CM code"),
        (ICD10CM, "not the shape of an ICD10CM code"),
        ("READ2", "not a code: 1 to 64 printable characters"),
    ],
)
def test_the_rule_names_the_system(system, rule):
    assert shape_rule(system) == rule


def test_other_systems_keep_dots_and_case():
    assert normalise("READ2", " G30..x ") == "G30..x"
    assert not is_valid("READ2", "")
    assert not is_valid("READ2", "a\x1b[0m")
    assert not is_valid("READ2", "x" * 65)


@pytest.mark.parametrize(
    ("spelling", "system"),
    [
        ("9", ICD9CM),
        ("icd9", ICD9CM),
        ("ICD-9-CM", ICD9CM),
        ("10", ICD10CM),
        (" icd10cm ", ICD10CM),
        ("http://hl7.org/fhir/sid/icd-10-cm", ICD10CM),
        ("snomed", "SNOMED"),
        ("snomed-ct", "SNOMED"),
        ("SNOMED CT", "SNOMED"),
        ("http://snomed.info/sct", "SNOMED"),
        ("urn:oid:2.16.840.1.113883.6.96", "SNOMED"),
        ("urn:oid:2.16.840.1.113883.6.90", "ICD10CM"),
        ("http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-diagnosis-icd10", "ICD10CM"),
        ("http://hl7.org/fhir/sid/icd-9-cm", "ICD9CM"),
        ("urn:oid:2.16.840.1.113883.6.103", "ICD9CM"),
        ("http://hl7.org/fhir/sid/icd-10", "HTTP://HL7.ORG/FHIR/SID/ICD-10"),
    ],
)
def test_spellings_of_systems(spelling, system):
    assert system_name(spelling) == system

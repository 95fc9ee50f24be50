"""What a comment asks about, by code, by name and by organ; and what it does not ask about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cases import CaseDisease
from agents.focus import asked_about


def disease(code, name, *aliases):
    return CaseDisease(code=code, name=name, role="candidate", aliases=aliases)


DISEASES = (
    disease("4280", "Congestive heart failure, unspecified", "heart failure"),
    disease("4281", "Left heart failure"),
    disease("41401", "Coronary atherosclerosis of native coronary artery"),
    disease("5849", "Acute kidney failure, unspecified"),
    disease("5859", "Chronic kidney disease, unspecified"),
    disease("5856", "End stage renal disease"),
    disease("36201", "Background diabetic retinopathy"),
    disease("25000", "Diabetes mellitus without mention of complication, type II or unspecified type"),
    disease("53081", "Esophageal reflux", "heartburn"),
    disease("5715", "Cirrhosis of liver without mention of alcohol"),
    disease("486", "Pneumonia, organism unspecified"),
    disease("4019", "Unspecified essential hypertension", "high blood pressure"),
    disease("V4581", "Aortocoronary bypass status"),
    disease("70715", "Ulcer of other part of foot"),
    disease("2749", "Gout, unspecified"),
)
CODES = {d.code for d in DISEASES}
KIDNEY = {"5849", "5859", "5856"}
HEART = {"4280", "4281", "41401"}


def asked(comment):
    return asked_about(comment, DISEASES)


@pytest.mark.parametrize(
    ("comment", "codes"),
    [
        ("mostly concerned about the kidneys", KIDNEY),
        ("Renal function?", KIDNEY),
        ("HEART", HEART | {"53081"}),
        ("cardiac risk", HEART | {"53081"}),
        ("the eye", {"36201"}),
        ("gut trouble", {"53081"}),
        ("liver, please", {"5715"}),
        ("lungs", {"486"}),
        ("blood sugar and sight", {"25000", "36201", "4019"}),
    ],
)
def test_an_organ_asks_about_its_diseases_however_they_are_named(comment, codes):
    assert asked(comment) == codes


@pytest.mark.parametrize(
    ("comment", "codes"),
    [
        ("watch 428.0 and 585", {"4280", "5859", "5856"}),
        ("428.0", {"4280"}),
        ("4280", {"4280"}),
        ("I fear 428.", {"4280", "4281"}),
        ("v45.81?", {"V4581"}),
        ("401.9; 274.9", {"4019", "2749"}),
        ("585.9,274", {"5859", "2749"}),
        ("999.9", set()),
    ],
)
def test_a_code_asks_about_itself_and_a_heading_about_all_below(comment, codes):
    assert asked(comment) == codes


def test_codes_of_a_vocabulary_with_two_systems_and_of_icd10_are_found():
    mixed = (disease("ICD9CM:4280", "a"), disease("ICD10CM:N186", "b"), disease("N179", "c"))
    assert asked_about("428.0 or N18.6", mixed) == {"ICD9CM:4280", "ICD10CM:N186"}
    assert asked_about("n17", mixed) == {"N179"}


@pytest.mark.parametrize(
    ("comment", "codes"),
    [("hypertension", {"4019"}), ("hypertensive", {"4019"}), ("ulcers", {"70715"}), ("gout", {"2749"})],
)
def test_a_word_of_a_name_asks_in_its_usual_forms(comment, codes):
    assert asked(comment) == codes


@pytest.mark.parametrize(
    "comment",
    [
        "not worried about the kidneys",
        "I don't care about the kidneys",
        "I don\u2019t care about the kidneys",
        "ignore the kidneys",
        "Everything EXCEPT 585.9",
        "no kidney disease",
        "kidneys are excluded",
    ],
)
def test_a_negated_clause_asks_about_nothing(comment):
    assert asked(comment) == set()


@pytest.mark.parametrize(
    "comment",
    [
        "not the heart, but the kidneys",
        "Not the heart BUT the kidneys",
        "Kidneys. Not the heart.",
        "kidneys; never mind the liver",
        "not 428.0, only 584.9 585.9 585.6",
    ],
)
def test_negation_ends_with_its_clause(comment):
    assert asked(comment) == KIDNEY


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "what may come next for this patient?",
        "please focus on related chronic conditions and other diseases",
        "65 year old, 2 visits, no other history",
        "unspecified type, not stated, without mention of complication",
        "art and ear",
        "delivery",
        "\u00e9\u4e2d\x00\x1b[31m",
    ],
)
def test_idle_words_ages_and_lookalikes_ask_about_nothing(comment):
    assert asked(comment) == set()


@given(st.text(max_size=200))
def test_any_comment_asks_only_about_diseases_of_the_case(comment):
    assert asked(comment) <= CODES


@given(st.lists(st.sampled_from(["kidney", "428.0", "the heart", "gout", "next"]), max_size=4))
def test_clauses_ask_independently(clauses):
    together = asked("; ".join(clauses))
    assert together == set().union(*map(asked, clauses))


@given(st.text("abcdefghijklmnopqrstuvwxyz 0123456789.", max_size=60).filter(lambda text: ".." not in text))
def test_whatever_is_asked_its_denial_asks_about_nothing(clause):
    assert asked(f"not {clause.replace('. ', ' ').strip('. ')}") == set()


@given(st.sampled_from([d.code for d in DISEASES]))
def test_the_order_of_the_case_does_not_matter(code):
    assert asked_about(code, reversed(DISEASES)) == asked(code)

"""What the statistical reasoner takes from a passage, as laws and as a reader would take it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.cases import CaseDisease
from agents.findings import PassageGate
from agents.reading import read_passage
from tests.agents.cases import DISEASES, passage_case
from tools.knowledge.quarantine import plain
from tools.resources import open_shelf


def read(text, **more):
    return read_passage(passage_case(text, **more)).findings


def claims(text, **more):
    """Pairs of which a passage says that the cause raises the chance of the effect."""
    return [(f.cause, f.effect) for f in read(text, **more) if f.direction == "raises"]


@pytest.mark.parametrize(
    "text",
    [
        "Hypertension can lead to chronic kidney disease.",
        "Chronic kidney disease is caused by hypertension.",
        "Chronic kidney disease is caused most often by hypertension.",
        "Long-standing hypertension, if severe, is a further cause of CKD.",
        "Hypertension is a risk factor for chronic kidney disease.",
        "Chronic kidney disease is often due to hypertension.",
        "Chronic kidney disease is a complication of hypertension.",
        "Chronic kidney disease may result from hypertension.",
        "Because clots persist, in the end hypertension leads to chronic kidney disease.",
        "It is caused by hypertension, because injuries are not felt.",
        "This results from hypertension.",
        "Untreated hypertension leads to chronic kidney disease.",
    ],
)
def test_a_sentence_gives_the_cause_it_names(text):
    assert claims(text) == [("4019", "5859")]


@pytest.mark.parametrize(
    "text",
    [
        "Chronic kidney disease can lead to hypertension.",
        "It can lead to hypertension.",
        "Complications include hypertension.",
        "Untreated, it progresses to hypertension.",
        "Hypertension is a common complication of chronic kidney disease.",
        "Hypertension often results from chronic kidney disease.",
    ],
)
def test_a_sentence_gives_the_effect_it_names(text):
    assert claims(text) == [("5859", "4019")]


@pytest.mark.parametrize(
    "text",
    [
        "Hypertension and chronic kidney disease are common.",
        "Chronic kidney disease does not lead to hypertension.",
        "Chronic kidney disease is never caused by hypertension.",
        "Chronic kidney disease is not usually the cause of hypertension.",
        "Complications of hypertension include chronic kidney disease.",
        "Complications of hypertension are treated.",
        "The cause is treated and hypertension is watched.",
        "Prehypertensions lead to chronic kidney disease.",
        "Because clots do not dissolve, hypertension leads to chronic kidney disease.",
    ],
)
def test_without_a_clear_cue_nothing_is_claimed(text):
    assert claims(text) == []


name = st.sampled_from([disease.short for disease in DISEASES] + ["gout", "because", "and", "with", "the"])


@given(st.lists(name, max_size=12), st.sampled_from(["Overview", "Treatment", "Epidemiology"]))
def test_no_claim_without_a_cue_outside_causes(words, section):
    assert claims(" ".join(words), section=section) == []


@given(st.lists(st.sampled_from([d.short for d in DISEASES] + ["gout", "old age"]), min_size=3, max_size=7))
def test_in_causes_what_is_listed_is_a_cause(listed):
    mentioned = [(d.code, "5859") for d in DISEASES if d.short in listed and d.code != "5859"]
    assert claims(f"{', '.join(listed)}.", section="Causes") == mentioned
    assert claims(f"{', '.join(listed)}.", section="Overview") == []
    assert claims(f"Not {', '.join(listed)}.", section="Causes") == []


@pytest.mark.parametrize("section", ["Overview", "Causes"])
@pytest.mark.parametrize(
    "text",
    [
        "There is no evidence that diabetes leads to chronic kidney disease. Hypertension plays no role.",
        "Diabetes is rarely seen with chronic kidney disease.",
        "It is easily confused with hypertension.",
        "It resembles hypertension.",
        "Seen with hypertension.",
        "Few people with hypertension get CKD.",
        "Contrary to old belief, chronic kidney disease does not come from diabetes.",
        "Hypertension is no longer thought to cause chronic kidney disease.",
        "Hypertension was once thought to cause chronic kidney disease.",
        "Avoidance of diabetes prevents chronic kidney disease.",
        "It is a myth that chronic kidney disease leads to hypertension.",
        "Hypertension leads to chronic kidney disease, although this is a myth.",
        "CKD fails to raise the risk of hypertension.",
        "CKD neither causes hypertension nor diabetes.",
        "CKD does not prevent hypertension.",
        "CKD does not lead to hypertension in everyone.",
        "Treatment of diabetes does not lead to CKD.",
        "Unlike diabetes, CKD leads to anemia.",
        "Does CKD cause hypertension?",
        "CKD would cause hypertension in mice.",
        "The claim that CKD causes hypertension was withdrawn.",
        "Freedom from CKD raises the risk of hypertension.",
        "CKD can lead to anemia, whereas diabetes leads to hypertension.",
        "CKD leads to anemia and diabetes leads to hypertension.",
        "Diabetes insipidus leads to CKD.",
    ],
)
def test_what_is_denied_doubted_or_said_of_another_gives_no_finding(text, section):
    assert read(text, section=section) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CKD leads to diabetes, but not to hypertension.", [("5859", "raises", "25000")]),
        ("CKD does not lead to hypertension but causes diabetes.", [("5859", "none", "4019")]),
        ("CKD is caused by diabetes and leads to hypertension.", [("25000", "raises"), ("5859", "raises")]),
        ("Causes of CKD include diabetes.", [("25000", "raises", "5859")]),
    ],
)
def test_of_several_clauses_each_speaks_for_itself(text, found):
    told = [(f.cause, f.direction, f.effect) for f in read(text)]
    assert sorted(t[: len(f)] for t, f in zip(sorted(told), found, strict=True)) == found


def test_the_findings_of_the_demo_library_are_what_its_passages_say():
    """Most sentences there that meet two diseases say cause; each finding passes the gate as it is."""
    entries = open_shelf().libraries[0].entries.values()
    diseases = tuple(
        CaseDisease(code=entry.codes[0], name=entry.title, role="history", aliases=tuple(entry.aliases))
        for entry in {entry.codes[0]: entry for entry in entries if entry.codes}.values()
    )
    n_found = 0
    for passage in open_shelf().libraries[0].passages.values():
        codes = open_shelf().libraries[0].entries[passage.doc_id].codes
        about = tuple(disease.code for disease in diseases if disease.code in codes)
        reading = read_passage(passage_case(passage.text, about, passage.section, diseases))
        shown = {"id": passage.id, "text": passage.text, "library": "demo", "trust": 1}
        admitted = PassageGate(shown, diseases, about).admit(reading)
        assert admitted.notices == []
        assert [f["quote"] for f in admitted.findings] == [f.quote for f in reading.findings]
        n_found += len(reading.findings)
    assert n_found >= 450


def test_a_sentence_too_short_to_be_quoted_is_not():
    assert read("Hypertension, diabetes.", section="Causes") == []


@given(st.lists(st.sampled_from([*DISEASES]), unique=True, max_size=3), st.text(max_size=80))
def test_every_quote_is_a_piece_of_the_passage_and_every_claim_touches_its_subject(mentioned, filler):
    text = f"{filler} {' leads to '.join(d.name for d in mentioned)}. It causes hypertension. {filler}"
    for finding in read(text):
        assert plain(finding.quote) in plain(text)
        assert "5859" in {finding.cause, finding.effect}
        assert finding.cause != finding.effect


def test_the_longest_name_counts_and_only_it():
    case = {"other_names": ("portal hypertension",)}
    assert claims("Portal hypertension leads to chronic kidney disease.", **case) == []
    assert claims("Portal hypertension leads to chronic kidney disease.") == []
    case = {"other_names": ("hypertension of pregnancy",)}
    assert claims("Hypertension of pregnancy leads to chronic kidney disease.", **case) == []


def test_a_name_that_two_diseases_share_stands_for_both():
    stages = tuple(CaseDisease(code=c, name=c, role="history", aliases=("stage",)) for c in ("A1", "A2"))
    found = claims("Stage leads to chronic kidney disease.", diseases=(*DISEASES, *stages))
    assert found == [("A1", "5859"), ("A2", "5859")]


def test_a_name_that_ends_in_a_bracket_is_found():
    odd = CaseDisease(code="X", name="Diabetes (type II)", role="history")
    found = claims("Diabetes (type II) leads to chronic kidney disease.", diseases=(*DISEASES[2:], odd))
    assert found == [("X", "5859")]


def test_a_passage_without_the_case_s_diseases_says_nothing():
    assert read("Gout causes pain.", diseases=()) == []


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("Chronic kidney disease does not lead to hypertension.", ("5859", "4019")),
        ("Chronic kidney disease is never caused by hypertension.", ("4019", "5859")),
        ("Hypertension is not a cause of chronic kidney disease.", ("4019", "5859")),
        ("Hypertension is not associated with chronic kidney disease.", ("4019", "5859")),
        ("Chronic kidney disease has no effect on hypertension.", ("5859", "4019")),
        ("Hypertension is not a known risk factor for chronic kidney disease.", ("4019", "5859")),
    ],
)
def test_a_plain_denial_is_a_finding_of_no_effect(text, pair):
    assert [(f.direction, (f.cause, f.effect)) for f in read(text)] == [("none", pair)]


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("Hypertension protects against chronic kidney disease.", ("4019", "5859")),
        ("Diabetes lowers the risk of chronic kidney disease.", ("25000", "5859")),
        ("Chronic kidney disease prevents hypertension.", ("5859", "4019")),
        ("The diabetes partly reduces the incidence of chronic kidney disease.", ("25000", "5859")),
    ],
)
def test_a_disease_that_lowers_the_chance_is_a_finding_of_its_own(text, pair):
    assert [(f.direction, (f.cause, f.effect)) for f in read(text)] == [("lowers", pair)]


@pytest.mark.parametrize(
    "text",
    [
        "Treatment of hypertension prevents chronic kidney disease.",
        "Early care, diet and rest in diabetes prevent chronic kidney disease.",
        "Preventing obesity, gout and hypertension prevents chronic kidney disease.",
    ],
)
def test_what_is_done_against_a_disease_is_not_taken_for_the_disease(text):
    assert read(text, section="Prevention") == []


@pytest.mark.parametrize(
    ("words", "strength"),
    [
        ("Hypertension is the main cause of", "strong"),
        ("Hypertension is a common cause of", "strong"),
        ("Hypertension may be the main cause of", "weak"),
        ("Hypertension sometimes leads to", "weak"),
        ("Hypertension often leads to", "moderate"),
        ("Hypertension can lead to", "moderate"),
        ("Hypertension leads to", "unstated"),
    ],
)
def test_the_strength_is_the_sentence_s_own_and_what_is_hedged_is_weak(words, strength):
    assert [f.strength for f in read(f"{words} chronic kidney disease.")] == [strength]


@given(st.integers(0, 120))
@example(900)
def test_a_quote_is_never_longer_than_a_finding_may_hold(n):
    for finding in read(f"Hypertension {'and so on ' * n}leads to chronic kidney disease."):
        assert len(finding.quote) <= 600


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hypertension can lead to chronic kidney disease.", [("4019", "5859")]),
        ("Chronic kidney disease is caused by hypertension.", [("4019", "5859")]),
        ("Hypertension does not lead to chronic kidney disease for ever.", []),
        ("It can lead to hypertension.", []),
        ("Hypertension.", []),
        ("Hypertension is treated. Chronic kidney disease is caused by it.", []),
    ],
)
def test_a_passage_about_no_disease_of_the_case_is_read_where_it_names_two(text, expected):
    assert claims(text, about=(), section="Causes") == expected

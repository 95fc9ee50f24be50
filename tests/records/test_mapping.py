"""Codes in another vocabulary: every target kept, nothing lost without being counted."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.small_cohorts import cohort_of, multi_visit, plainly
from tools.records.concepts import published
from tools.records.concepts.names import icd9_leaves, name
from tools.records.mapping import Loss, to_vocabulary

# Of GEM: one target, several, one that is approximate, none; the last is in no list.
ICD10 = ("A000", "I509", "A0100", "R402130", "Z9999")


def pairs(cohort):
    columns = cohort.vocabulary.columns
    return dict(zip(cohort.vocabulary.keys, zip(columns.system, columns.code, strict=True), strict=True))


@given(st.lists(st.lists(st.sets(st.sampled_from(ICD10), min_size=1), min_size=1, max_size=3), min_size=1))
def test_each_code_becomes_all_of_its_targets_once_a_visit(patients):
    mapped = to_vocabulary(cohort_of(patients, ICD10, "ICD10CM"), "icd9")
    gem, named = published.gem_to_icd9(), pairs(mapped.cohort)
    found = [[{named[key] for key in visit} for visit in visits] for visits in plainly(mapped.cohort)]
    kept = {code: {("ICD10CM", code)} for code in ICD10}
    mapped_to = {
        code: {("ICD9CM", target) for target in gem[code].codes} for code in gem.keys() & kept.keys()
    }
    target = kept | mapped_to
    assert found == [[set().union(*(target[code] for code in visit)) for visit in p] for p in patients]
    assert sum(loss.rows for loss in mapped.losses) == sum(len(visit) for p in patients for visit in p)


def test_the_losses_say_how_each_code_was_mapped():
    mapped = to_vocabulary(cohort_of([[set(ICD10)], [{"I509"}]], ICD10, "ICD10CM"), "icd9")
    assert mapped.losses == (
        Loss("one to one", 1, 1),
        Loss("one to one, approximately", 1, 1),
        Loss("one to many", 1, 2),
        Loss("not at all", 2, 2),
    )
    assert "not at all 2 diagnosis rows" in mapped.told


@given(multi_visit)
def test_codes_of_the_target_system_stay_as_they_are(patients):
    cohort = cohort_of(patients)
    mapped = to_vocabulary(cohort, "icd9")
    assert plainly(mapped.cohort) == plainly(cohort)
    assert {loss.kind for loss in mapped.losses} == {"as it was"}


def test_groups_of_both_icds_have_systems_of_their_own():
    old = to_vocabulary(cohort_of([[{"4280"}, {"4289", "25000"}]], ("4280", "4289", "25000")), "ccs").cohort
    assert {c.code: (c.system, c.display) for c in old.vocabulary.concepts} == {
        "108": ("CCS", "Congestive heart failure; nonhypertensive"),
        "49": ("CCS", "Diabetes mellitus without complication"),
    }
    new = to_vocabulary(cohort_of([[{"I509"}]], ("I509",), "ICD10CM"), "ccs").cohort
    [concept] = new.vocabulary.concepts
    assert (concept.system, concept.code, concept.named_by) == ("CCSR", "CIR019", "heading")
    assert concept.display.startswith("such as: ")


def test_full_changes_nothing():
    cohort = cohort_of([[{"4280"}, {"25000"}]], ("4280", "25000"))
    assert to_vocabulary(cohort, "full") == (cohort, ())


def test_every_group_has_a_name():
    groups, titles = published.ccs()
    assert set(groups.values()) == set(titles)
    assert len(titles) == 283
    assert all(name("CCSR", group)[1] == "heading" for group in set(published.ccsr().values()))


def test_j4_the_round_trip_of_all_leaves_by_gem():
    found = Counter(published.round_trip(code) for code in icd9_leaves())
    assert found == {"exact": 8193, "among others": 2984, "another": 2965, "lost": 425}

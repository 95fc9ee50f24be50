import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.records.cohort import Concept, Vocabulary
from tools.records.history import MOST_CODES, MOST_VISITS, Place, read_history, split_history
from tools.safety.errors import InputError

CODES = ("25000", "4019", "4280", "V4581", "E8490", "038")
VOCABULARY = Vocabulary(Concept(system="ICD9CM", code=code, display="x") for code in CODES)
MIXED = Vocabulary(
    [
        Concept(system="ICD9CM", code="V1582", display="x"),
        Concept(system="ICD10CM", code="V1582", display="y"),
        Concept(system="ICD10CM", code="I509", display="z"),
    ]
)
visits = st.lists(st.lists(st.sampled_from(VOCABULARY.keys), min_size=1, max_size=5), max_size=8)


def parse(text, vocabulary):
    return read_history(split_history(text), vocabulary)


separators = st.tuples(st.sampled_from([" ", ", ", ","]), st.sampled_from([";", " ; ", ";\n"]))


@given(visits, separators, st.sampled_from(["", ";"]))
def test_a_written_history_reads_back(drawn, between, end):
    between_codes, between_visits = between
    text = between_visits.join(
        between_codes.join(VOCABULARY.concept(key).dotted for key in visit) for visit in drawn
    )
    history = parse(text + (end if text else ""), VOCABULARY)
    assert history.visits == tuple(tuple(sorted(set(visit))) for visit in drawn)
    assert history.unknown == ()
    assert history == read_history(drawn, VOCABULARY)


def test_r4_unknown_codes_are_placed_and_leave_nothing_to_predict_from():
    history = parse("585.9 041.4; 799.0", VOCABULARY)
    assert history.unknown == (Place(1, 1), Place(1, 2), Place(2, 1))
    assert history.visits == ((), ())
    assert parse("  ", VOCABULARY).visits == ()


def test_malformed_spellings_are_all_listed_and_never_echoed():
    with pytest.raises(InputError, match="visit 2, code 3") as caught:
        parse("401.9; 428.0 250.00 Müller; 4O1.9; ; 40.19", VOCABULARY)
    error = caught.value
    assert [(f.row, f.column) for f in error.faults] == [
        (2, "code 3"),
        (3, "code 1"),
        (4, "visit"),
        (5, "code 1"),
    ]
    assert "ICD9CM" in str(error)
    assert "Müller" not in f"{error} {error.faults}"
    assert "4O1" not in f"{error} {error.faults}"


def test_a_system_can_be_named():
    history = parse("ICD-9:V15.82 ICD10CM:V1582, i50.9", MIXED)
    assert history.visits == (("I509", "ICD10CM:V1582", "ICD9CM:V1582"),)
    with pytest.raises(InputError, match="visit 1, code 2: is in ICD10CM and ICD9CM"):
        parse("I50.9 V15.82", MIXED)
    assert parse("ICD9CM:4019", MIXED).unknown == (Place(1, 1),)
    with pytest.raises(InputError, match="visit 1, code 1"):
        parse("SNOMED:44054006", MIXED)


def test_r4_the_oldest_visits_and_codes_are_cut_with_a_notice():
    many = Vocabulary(Concept(system="S", code=f"c{i:04}", display="x") for i in range(MOST_CODES + 2))
    history = parse(";".join(f"c{i:04}" for i in range(MOST_CODES + 2)), many)
    assert history.visits == ((), (), *((f"c{i:04}",) for i in range(2, MOST_CODES + 2)))
    assert len(history.notices) == 1
    long = parse(";".join(["c0000"] + ["c0001"] * MOST_VISITS), many)
    assert long.visits == (("c0001",),) * MOST_VISITS
    assert "1 oldest visit left out" in long.notices[0]


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_its_places(text):
    try:
        assert all(key in VOCABULARY for visit in parse(text, VOCABULARY).visits for key in visit)
    except InputError as error:
        assert error.faults


def test_too_long_a_text_is_refused_before_it_is_read():
    with pytest.raises(InputError, match="100,000"):
        parse("401.9 " * 20_000, VOCABULARY)


@pytest.mark.parametrize("history", [None, "250.00 401.9", 7, {"401.9": 1}, b"401.9"])
def test_what_is_no_list_of_visits_is_refused(history):
    with pytest.raises(InputError, match=r"^history: not a list of visits"):
        read_history(history, VOCABULARY)


def test_what_is_no_code_is_refused_by_its_place():
    with pytest.raises(InputError, match="visit 1, code 2: not text") as caught:
        read_history([["401.9", 4019], "428.0", None, [None, ["401.9"], b"4019"], ["401.9"]], VOCABULARY)
    error = caught.value
    assert [(f.row, f.column) for f in error.faults] == [
        (1, "code 2"),
        (2, "visit"),
        (3, "visit"),
        (4, "code 1"),
        (4, "code 2"),
        (4, "code 3"),
    ]
    assert "4019" not in f"{error} {error.faults}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("401.9"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)


@given(json_values)
def test_any_json_value_is_a_history_or_refused(value):
    try:
        read_history(value, VOCABULARY)
    except InputError:
        return
    assert isinstance(value, list)
    assert all(isinstance(code, str) for visit in value for code in visit)


def test_the_longest_heading_stands_for_a_code_that_the_data_set_does_not_have_and_this_is_said():
    headings = Vocabulary(
        Concept(system="ICD9CM", code=c, display="x") for c in ("250", "4280", "428", "E849")
    )
    history = read_history([["250.00", "428.05"], ["E849.0", "401.9"]], headings)
    assert history.visits == (("250", "4280"), ("E849",))
    assert history.unknown == (Place(2, 2),)
    assert history.notices == (
        "3 codes not in the data set, whose heading was used instead: "
        "visit 1 code 1 (250), visit 1 code 2 (4280), visit 2 code 1 (E849)",
    )


def test_no_heading_is_taken_where_two_systems_have_one():
    mixed = Vocabulary(
        [
            Concept(system="ICD9CM", code="V15", display="x"),
            Concept(system="ICD10CM", code="V15", display="y"),
        ]
    )
    assert read_history([["V15.8"]], mixed).unknown == (Place(1, 1),)
    assert read_history([["ICD9CM:V15.8"]], mixed).visits == (("ICD9CM:V15",),)

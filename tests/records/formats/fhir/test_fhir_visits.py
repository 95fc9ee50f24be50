"""Which FHIR resources count, and into which visit a diagnosis goes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.records.fhir_samples import ONE, condition, day, encounter, patient, plainly
from tools.records.read import read_cohort

in_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def notices(cohort):
    return [n for n in cohort.notices if not n.startswith(("no names", "no patient has two"))]


def status(code):
    return {"coding": [{"code": "confirmed"}, {"code": code}]}


def test_what_was_entered_in_error_is_left_out_and_told(bundle):
    path = bundle(
        *(patient(), patient("q"), encounter(), condition()),
        *(condition("4280", verificationStatus=status(code)) for code in ("entered-in-error", "refuted")),
        condition("4280", verificationStatus="refuted"),
        encounter("f", status="entered-in-error"),
        encounter("g", status="cancelled", subject=None, period=None),
        *(condition("4280", encounter=f"Encounter/{id_}") for id_ in "fg"),
        encounter("h", period=None),
        condition("486", encounter="Encounter/h"),
        condition("487", encounter="Encounter/h", recordedDate="2020-01-01"),
        condition("486", encounter=None),
        condition(code={"text": "headache"}),
        condition(code=None),
    )
    found = read_cohort(path)
    assert plainly(found) == {"p": [(day("2020-01-01"), ["4019", "487"])]}
    assert notices(found) == [
        "3 conditions entered in error or refuted, left out",
        "2 conditions of an encounter entered in error or cancelled, left out",
        "2 conditions with neither an encounter nor a date, left out",
        "2 conditions without a code of a named system, left out",
        "1 condition without a dated encounter, put into one that holds its day",
        "2 encounters entered in error or cancelled, left out",
        "1 encounter without a period.start, left out",
        "1 patient without a visit, left out",
    ]


STAYS = [
    encounter("long", "2020-01-01", "2020-03-01"),
    encounter("short", "2020-02-01T22:00:00-05:00"),
    encounter("e", "2020-02-01T09:00:00Z", "2020-02-03T01:00:00Z"),
    encounter("q", "2020-01-01", "2020-12-31", "Patient/q"),
]
DATES = {
    "within the only one": ({"onsetDateTime": "2020-01-15"}, "long"),
    "the last to begin of several": ({"onsetDateTime": "2020-02-02"}, "e"),
    "the last of a day, by the clock that was looked at": ({"onsetDateTime": "2020-02-01"}, "short"),
    "after those that are over": ({"onsetDateTime": "2020-02-04T23:59:59Z"}, "long"),
    "on its last day": ({"onsetDateTime": "2020-03-01"}, "long"),
    "onset before record": ({"onsetDateTime": "2020-01-15", "recordedDate": "2020-02-01"}, "long"),
    "record where there is no onset": ({"recordedDate": "2020-02-03"}, "e"),
    "a day of its own, before": ({"onsetDateTime": "2019-12-31"}, "2019-12-31"),
    "a day of its own, after": ({"onsetDateTime": "2020-03-02T10:00:00-08:00"}, "2020-03-02"),
}  # fmt: skip


@pytest.mark.parametrize("case", DATES)
def test_a_condition_without_an_encounter_goes_by_its_day(bundle, case):
    dates, where = DATES[case]
    found = read_cohort(bundle(patient(), patient("q"), *STAYS, condition(encounter=None, **dates)))
    starts = {stay["id"]: stay["period"]["start"] for stay in STAYS}
    expected = {"long": day("2020-01-01"), "short": day("2020-02-02T03:00"), "e": day("2020-02-01T09:00")}
    (at,) = [time for time, codes in plainly(found)["p"] if codes]
    assert at == (expected[where] if where in starts else day(where))
    into = "put into one that holds its day" if where in starts else "in a visit of that day"
    assert any(notice.startswith("1 condition") and notice.endswith(into) for notice in found.notices)


@given(
    stays=st.lists(st.tuples(st.sampled_from("pq"), st.integers(1, 28), st.integers(0, 20)), max_size=8),
    asked=st.lists(st.tuples(st.sampled_from("pq"), st.integers(1, 28)), min_size=1, max_size=8),
)
@in_fixtures
def test_days_find_the_visit_that_a_slow_search_finds(bundle, stays, asked):
    made = [
        encounter(f"{n:02d}", f"2020-02-{a:02d}", f"2020-02-{min(a + d, 28):02d}", f"Patient/{who}")
        for n, (who, a, d) in enumerate(stays)
    ]
    conditions = [
        condition(f"{n:02d}", "x", None, f"Patient/{who}", onsetDateTime=f"2020-02-{a:02d}")
        for n, (who, a) in enumerate(asked)
    ]
    expected = {(who, a, n): set() for n, (who, a, _) in enumerate(stays)}
    for n, (who, on) in enumerate(asked):
        holding = [(who, a, m) for m, (w, a, d) in enumerate(stays) if w == who and a <= on <= a + d]
        expected.setdefault(max(holding, default=(who, on, -1)), set()).add(f"{n:02d}")
    read = plainly(read_cohort(bundle(patient(), patient("q"), *made, *conditions)))
    for who, visits in read.items():
        assert [codes for _, codes in visits] == [
            sorted(expected[key]) for key in sorted(expected) if key[0] == who
        ]


def test_a_day_comes_after_what_began_the_evening_before_where_it_is_midnight_elsewhere(bundle):
    evening = encounter(start="2019-12-31T19:00:00-05:00")
    alone = condition("4280", encounter=None, onsetDateTime="2020-01-01")
    at = day("2020-01-01")
    found = read_cohort(bundle(patient(), evening, condition(), alone))
    assert plainly(found) == {"p": [(at, ["4019"]), (at, ["4280"])]}


@pytest.mark.parametrize("ends", [("2020-01-02", "2020-01-05"), ("2020-01-05", "2020-01-02")])
def test_an_encounter_listed_again_lasts_to_its_later_end(bundle, ends):
    stays = [encounter(end=end) for end in ends]
    found = read_cohort(bundle(patient(), *stays, condition(encounter=None, onsetDateTime="2020-01-04")))
    assert plainly(found) == ONE


def test_a_date_that_is_whole_elsewhere_is_not_partial(bundle):
    found = read_cohort(
        bundle(patient(), encounter(start="2020"), encounter(start="2020-01-01"), condition())
    )
    assert plainly(found) == ONE
    assert not notices(found)


def test_partial_dates_are_the_first_of_their_month_or_year(bundle):
    found = read_cohort(
        bundle(
            *(patient(), encounter("e", "2019"), encounter("f", "2019-05"), encounter("g", "2019-05-02")),
            *(condition(), condition("4280", encounter=None, onsetDateTime="2018-07")),
            condition("486", onsetDateTime="2017"),
        )
    )
    times = ["2018-07-01", "2019-01-01", "2019-05-01", "2019-05-02"]
    assert [time for time, _ in plainly(found)["p"]] == [day(text) for text in times]
    assert "3 dates without day or month, taken as the first of it" in found.notices

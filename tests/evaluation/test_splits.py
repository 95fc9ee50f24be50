from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.small_cohorts import of_sizes
from tools.evaluation.splits import Split, leave_one_out, set_apart, split
from tools.safety.errors import InputError


def parts_of(one: Split):
    return [rows.tolist() for rows in one]


@given(
    st.lists(st.integers(1, 4), min_size=60, max_size=150),
    st.sampled_from(["80-20", "paper"]),
    st.integers(0, 2**40),
)
def test_the_parts_are_ascending_disjoint_and_hold_the_multi_visit_patients(numbers, kind, seed):
    multi = [row for row, number in enumerate(numbers) if number > 1]
    if len(multi) < 20:
        return
    parts = parts_of(split(of_sizes(*numbers), kind, seed))
    assert all(part == sorted(part) for part in parts)
    assert sorted(chain(*parts)) == multi


@given(st.integers(5, 300), st.integers(0, 99), st.floats(0, 0.6))
def test_a_fifth_is_predicted_and_the_validation_share_comes_out_of_the_rest(n, seed, share):
    cohort = of_sizes(*[2] * n)
    if share and int(share * (n - n // 5)) == 0:
        return
    plain, with_validation = split(cohort, "80-20", seed), split(cohort, "80-20", seed, validation=share)
    assert (len(plain.test), len(plain.validation)) == (n // 5, 0)
    assert plain.test.tolist() == with_validation.test.tolist()
    assert len(with_validation.validation) == int(share * len(plain.train))


def test_a_seed_gives_the_same_split_and_another_one_another():
    cohort = of_sizes(*[2] * 200)
    for kind in ("80-20", "paper"):
        first, again, other = (parts_of(split(cohort, kind, seed)) for seed in (3, 3, 4))
        assert first == again != other


@pytest.mark.parametrize(
    ("source", "n", "sizes"),
    [
        ("mimic3", 7493, (6000, 493, 1000)),
        ("mimic3", 14_986, (12_000, 986, 2000)),
        ("test", 7493, (6000, 493, 1000)),
        ("mimic4", 10_000, (8000, 1000, 1000)),
        ("mimic4", 12_345, (8000, 1000, 1000)),
        ("mimic4", 100, (80, 10, 10)),
    ],
)
def test_the_papers_sizes_and_their_proportions(source, n, sizes):
    parts = split(of_sizes(*[2] * n, source=source), "paper", 0)
    assert tuple(map(len, parts)) == sizes


@pytest.mark.parametrize(
    ("kind", "n", "options"),
    [
        ("80-20", 4, {}),
        ("80-20", 10, {"validation": 0.1}),
        ("paper", 15, {}),
        ("80-20", 50, {"validation": 1.0}),
        ("80-20", 50, {"validation": -0.1}),
        ("paper", 50, {"validation": 0.1}),
        ("80-20", 50, {"seed": -1}),
        ("loo", 50, {}),
        ("half", 50, {}),
    ],
)
def test_no_split_has_an_empty_part_or_an_unknown_kind(kind, n, options):
    cohort = of_sizes(*[2] * n, 1, 1, 1)
    with pytest.raises(InputError):
        split(cohort, kind, **{"seed": 0, **options})


def test_leaving_one_out_predicts_every_multi_visit_patient_once_from_all_others():
    cohort = of_sizes(2, 1, 3, 2, 1, 5)
    splits = list(leave_one_out(cohort))
    assert [parts_of(one) for one in splits] == [
        [[2, 3, 5], [], [0]],
        [[0, 3, 5], [], [2]],
        [[0, 2, 5], [], [3]],
        [[0, 2, 3], [], [5]],
    ]


@pytest.mark.parametrize("n", [0, 1, 501])
def test_leaving_one_out_is_for_small_cohorts(n):
    with pytest.raises(InputError, match="80-20"):
        leave_one_out(of_sizes(*[2] * n, 1))


@given(st.integers(2, 400), st.integers(0, 50))
def test_every_tenth_patient_is_set_apart_and_at_least_one(n, seed):
    fitted, apart = set_apart(n, seed)
    assert len(apart) == max(1, n // 10)
    assert sorted([*fitted, *apart]) == list(range(n))
    assert (np.diff(fitted) > 0).all()


def test_nobody_can_be_set_apart_from_one_patient():
    with pytest.raises(InputError, match="fewer than 2"):
        set_apart(1)

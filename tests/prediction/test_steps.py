"""Histories before each visit, compiled, against a plain reading of the visits."""

import numpy as np
from hypothesis import given, settings

from tests.causal.cohorts import dataset, histories, visits
from tools.prediction.steps import pattern, step_after, transitions


def columns(data, patients):
    return [
        [sorted(data.vocabulary.column(key) for key in visit) for visit in patient] for patient in patients
    ]


@settings(max_examples=60)
@given(histories)
def test_transitions_are_every_visit_with_an_earlier_one_and_what_came_before_it(patients):
    data = dataset(patients)
    moved = transitions(data)
    plain = columns(data, patients)
    expected = [(patient[:t], patient[t]) for patient in plain for t in range(1, len(patient))]
    assert len(moved.steps.sizes) == len(expected)
    for step, (before, following) in enumerate(expected):
        entries = slice(*moved.steps.offsets[step : step + 2])
        alone = step_after(before)
        assert moved.steps.codes[entries].tolist() == alone.codes.tolist()
        assert moved.steps.ages[entries].tolist() == alone.ages.tolist()
        assert moved.steps.patterns[entries].tolist() == alone.patterns.tolist()
        assert moved.next_codes[slice(*moved.next_offsets[step : step + 2])].tolist() == following


@given(visits)
def test_a_step_says_when_and_how_often_each_code_was_seen(patient):
    data = dataset([patient])
    (before,) = columns(data, [patient])
    step = step_after(before)
    assert sorted(step.codes.tolist()) == sorted({code for visit in before for code in visit})
    for code, age, number in zip(step.codes, step.ages, step.patterns, strict=True):
        counted = [visit for visit in before if visit]
        seen = [t for t, visit in enumerate(counted) if code in visit]
        assert age == len(counted) - seen[-1]
        digits = (min(n, 3) - 1 for n in (int(age), len(seen), len(counted)))
        assert [number // 9, number // 3 % 3, number % 3] == list(digits)


def test_a_code_named_twice_in_a_visit_was_seen_once():
    once, twice = step_after([[3, 4], [3]]), step_after([[3, 4, 3], [3, 3]])
    assert [column.tolist() for column in once] == [column.tolist() for column in twice]


def test_long_histories_are_capped_not_wrapped():
    long = step_after([[7], *([[1]] * 300)])
    assert long.codes.tolist() == [7, 1]
    assert long.ages.tolist() == [255, 1]
    assert (
        long.patterns.tolist() == pattern(*(np.array(x, np.uint8) for x in ([3, 1], [1, 3], [3, 3]))).tolist()
    )


def test_some_steps_are_cut_out_of_many():
    data = dataset([[{"4019"}, {"4280"}, {"496"}, set()], [{"4019", "496"}, {"4280"}]])
    steps = transitions(data).steps
    some = steps.part(np.array([3, 1]))
    assert some.sizes.tolist() == [2, 2]
    assert some.codes.tolist() == [*steps.codes[-2:], *steps.codes[1:3]]

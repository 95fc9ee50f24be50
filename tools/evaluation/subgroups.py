"""Whether a method serves some people worse than others: its metrics by age, sex and number of visits."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

import numpy as np

from tools.evaluation.examples import Examples
from tools.evaluation.intervals import Interval, Resampling, Sample, intervals
from tools.evaluation.rankings import Bool, Int64, Rankings
from tools.evaluation.row import known, samples
from tools.records.cohort import Cohort
from tools.records.person import Person
from tools.safety.errors import InputError

FEWEST = 20
SHOWN = ("w_f1", "w_f1_list", "recall_at_10", "recall_at_20")
UNKNOWN = "unknown"
_VISIT_BANDS = ((2, "2"), (3, "3"), (5, "4-5"))
_NOBODY = Person(None, None)


class Subgroup(TypedDict):
    """One method's metrics over the patients of one group.

    Metrics and their intervals are in %; None, and no interval, with fewer than 20 patients.

    Attributes:
        method: its name.
        by: `age`, `sex` or `visits`.
        group: `unknown` for patients of whom it is not known.
        n_patients: distinct patients of it in the test sets.
        w_f1: see `tools.evaluation.row.Row`.
        w_f1_list: likewise.
        recall_at_10: likewise.
        recall_at_20: likewise.
        ci: 95 % interval [low, high] of each metric that has a value, over the group's patients.
    """

    method: str
    by: str
    group: str
    n_patients: int
    w_f1: float | None
    w_f1_list: float | None
    recall_at_10: float | None
    recall_at_20: float | None
    ci: dict[str, list[float]]


def groupings(cohort: Cohort, people: Mapping[str, Person]) -> dict[str, list[str]]:
    """The subgroup of each of a cohort's patients, in each grouping of which something is known.

    Args:
        cohort: n patients.
        people: by patient id, see `tools.records.demographics.read_people`.

    Returns:
        For each grouping n labels.
    """
    known = [people.get(patient, _NOBODY) for patient in cohort.patient_ids]
    found = {
        "age": [person.age_band or UNKNOWN for person in known],
        "sex": [person.sex or UNKNOWN for person in known],
        "visits": [visit_band(int(n)) for n in cohort.visits_per_patient],
    }
    return {name: labels for name, labels in found.items() if set(labels) != {UNKNOWN}}


def visit_band(n_visits: int) -> str:
    """`2`, `3`, `4-5` or `6+` visits, the predicted one included; `1` for who cannot be predicted."""
    if n_visits < 2:
        return "1"
    return next((label for most, label in _VISIT_BANDS if n_visits <= most), "6+")


def subgroup_table(
    method: str,
    rankings: Sequence[Rankings],
    examples: Sequence[Examples],
    labels: Mapping[str, Sequence[str]],
    resampling: Resampling,
) -> list[Subgroup]:
    """A method's metrics in each subgroup, with intervals over its patients.

    Args:
        method: its name.
        rankings: of each seed's test set.
        examples: the test sets, in the same order.
        labels: see `groupings`, of the whole cohort's patients.
        resampling: of all patients in the test sets.

    Raises:
        InputError: see `tools.evaluation.row.samples`; or a grouping is of another cohort.
    """
    whole = {name: each for name, each in samples(rankings, examples).items() if name in SHOWN}
    rows = np.unique(np.concatenate([truth.rows for truth in examples]))
    groups = {(by, group): members for by, group, members in _groups(labels, rows)}
    sizes = {group: int(members[rows].sum()) for group, members in groups.items()}
    found: dict[tuple[str, str, str], list[Sample]] = {}
    for group, members in groups.items():
        if sizes[group] >= FEWEST:
            inside = [truth.rows[members[truth.rows]] for truth in examples]
            found |= {(*group, name): _within(each, members, inside) for name, each in whole.items()}
    measured = intervals(found, resampling)
    return [
        _subgroup(method, group, n, {name: measured[*group, name] for name in SHOWN if n >= FEWEST})
        for group, n in sizes.items()
    ]


def _groups(labels: Mapping[str, Sequence[str]], rows: Int64) -> Iterator[tuple[str, str, Bool]]:
    """Each group that has one of the rows, with who of the cohort is in it; shape (n_patients,)."""
    for by, of_cohort in labels.items():
        if len(rows) and rows[-1] >= len(of_cohort):
            raise InputError("subgroups", "need a label for each of the cohort's patients")
        of_patient = np.asarray(of_cohort, dtype=object)
        for group in sorted(set(of_patient[rows]), key=_in_order):
            yield by, group, np.asarray(of_patient == group, dtype=np.bool_)


def _subgroup(method: str, group: tuple[str, str], n_patients: int, found: dict[str, Interval]) -> Subgroup:
    measured = known(found)
    values = {name: each.estimate for name, each in measured.items()}
    return Subgroup(
        method=method,
        by=group[0],
        group=group[1],
        n_patients=n_patients,
        w_f1=values.get("w_f1"),
        w_f1_list=values.get("w_f1_list"),
        recall_at_10=values.get("recall_at_10"),
        recall_at_20=values.get("recall_at_20"),
        ci={name: [each.low, each.high] for name, each in measured.items()},
    )


def _within(test_sets: Sequence[Sample], members: Bool, inside: Sequence[Int64]) -> list[Sample]:
    """The metric over the members in each test set, `inside`."""
    return [
        Sample(rows, each.statistic.of(members[each.rows]))
        for rows, each in zip(inside, test_sets, strict=True)
    ]


def _in_order(label: str) -> tuple[bool, int, str]:
    number = re.match(r"\d+", label)
    return label == UNKNOWN, int(number.group()) if number else 0, label

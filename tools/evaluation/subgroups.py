"""Whether a method serves some people worse than others: its metrics by age, sex and number of visits."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

import numpy as np

from tools.evaluation.examples import Examples
from tools.evaluation.intervals import Resampling, Sample, intervals
from tools.evaluation.rankings import Rankings
from tools.evaluation.row import in_percent, samples
from tools.records.cohort import Cohort
from tools.records.demographics import Person
from tools.safety.errors import InputError

FEWEST = 20
SHOWN = ("w_f1", "w_f1_list", "recall_at_10", "recall_at_20")
UNKNOWN = "unknown"
_VISIT_BANDS = ((2, "2"), (3, "3"), (5, "4-5"))
_NOBODY = Person(None, None)


class Subgroup(TypedDict):
    """One line of the table.

    Attributes:
        grouping: `age`, `sex` or `visits`.
        label: of the subgroup, `unknown` for patients of whom it is not known.
        n_patients: distinct patients of it in the test sets.
        metrics: of the subgroup, [estimate, low, high] in %; None with fewer than 20 patients.
    """

    grouping: str
    label: str
    n_patients: int
    metrics: dict[str, list[float]] | None


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
    rankings: Sequence[Rankings],
    examples: Sequence[Examples],
    labels: Mapping[str, Sequence[str]],
    resampling: Resampling,
) -> list[Subgroup]:
    """The metrics of each subgroup, with intervals over its patients.

    Args:
        rankings: of each seed's test set.
        examples: the test sets, in the same order.
        labels: see `groupings`, of the whole cohort's patients.
        resampling: of all patients in the test sets.

    Raises:
        InputError: see `tools.evaluation.row.samples`; or a grouping is of another cohort.
    """
    whole = {name: each for name, each in samples(rankings, examples).items() if name in SHOWN}
    rows = np.unique(np.concatenate([truth.rows for truth in examples]))
    table = []
    for grouping, of_cohort in labels.items():
        if len(rows) and rows[-1] >= len(of_cohort):
            raise InputError("subgroups", "need a label for each of the cohort's patients")
        of_patient = np.asarray(of_cohort, dtype=object)
        for label in sorted(set(of_patient[rows]), key=_in_order):
            n_patients = int((of_patient[rows] == label).sum())
            found = {name: list(_within(each, of_patient == label)) for name, each in whole.items()}
            metrics = _metrics(found, resampling) if n_patients >= FEWEST else None
            table.append(Subgroup(grouping=grouping, label=label, n_patients=n_patients, metrics=metrics))
    return table


def _within(
    test_sets: Sequence[Sample], members: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> Iterator[Sample]:
    for rows, statistic in test_sets:
        inside = members[rows]
        yield Sample(rows[inside], statistic.of(inside))


def _metrics(found: Mapping[str, Sequence[Sample]], resampling: Resampling) -> dict[str, list[float]]:
    percent = {name: in_percent(name, each) for name, each in intervals(found, resampling).items()}
    return {name: list(each) for name, each in percent.items() if not np.isnan(each.estimate)}


def _in_order(label: str) -> tuple[bool, int, str]:
    number = re.match(r"\d+", label)
    return label == UNKNOWN, int(number.group()) if number else 0, label

"""Splits of a cohort by patient: who is learned from, who decides settings, who is predicted.

Only patients with two visits or more take part: the last visit is what is predicted.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from tools.records.cohort import Cohort, IntArray
from tools.records.formats import mimic4
from tools.safety.errors import InputError

Kind = Literal["80-20", "paper", "loo"]

TEST_SHARE = 5  # one patient in so many is predicted
MOST_LEFT_OUT = 500
_MIMIC3 = (6000, 493, 1000)  # training, validation, test: the paper's sizes
_MIMIC4 = (8000, 1000, 1000)


class Split(NamedTuple):
    """Rows of a cohort, each ascending, no row in two of them; all have two visits or more.

    Attributes:
        train: patients that every statistic and the vocabulary come from.
        validation: patients that settings are chosen on; may be empty.
        test: patients that are predicted.
    """

    train: IntArray
    validation: IntArray
    test: IntArray


def multi_visit_rows(cohort: Cohort) -> IntArray:
    """Rows of the patients with two visits or more, ascending."""
    return np.flatnonzero(cohort.visits_per_patient >= 2).astype(np.int64)


def split(cohort: Cohort, kind: Kind, seed: int, validation: float = 0.0) -> Split:
    """Split a cohort's patients at random.

    `80-20`: every fifth patient is predicted. `paper`: II-KEA's sizes, 6000/493/1000 of MIMIC-III and
    8000/1000/1000 of MIMIC-IV (10,000 sampled, where there are more), in proportion where the cohort has
    another number of patients. The paper's choice of admission years cannot be made: de-identified years are
    shifted.

    Args:
        cohort: to be split.
        kind: `80-20` or `paper`; for `loo` see `leave_one_out`.
        seed: of the permutation of the patients; one seed gives one test set, whatever `validation` is.
        validation: share of the training patients to set apart under `80-20`, at least 0 and below 1;
            `paper` has a validation set of its own.

    Raises:
        InputError: too few patients for each part to have one, or an argument out of its range.
    """
    if kind not in {"80-20", "paper"}:
        raise InputError("split", "80-20 or paper; leave-one-out is one split a patient, see leave_one_out")
    if seed < 0:
        raise InputError("seed", "a whole number, 0 or more")
    if not 0 <= validation < 1 or (validation and kind == "paper"):
        raise InputError("validation", "a share from 0 to below 1, with the split 80-20 only")
    order = np.random.default_rng(seed).permutation(multi_visit_rows(cohort))
    if kind == "paper":
        order, n_validation, n_test = _paper_sizes(cohort, order)
        smallest = min(n_validation, n_test)
    else:
        n_test = smallest = len(order) // TEST_SHARE
        n_validation = int(validation * (len(order) - n_test))
        smallest = min(smallest, n_validation) if validation else smallest
    if not smallest:
        raise InputError("records", f"too few patients with two visits ({len(order)}) for the split '{kind}'")
    return _parts(order, n_validation, n_test)


def _paper_sizes(cohort: Cohort, order: IntArray) -> tuple[IntArray, int, int]:
    """The patients that take part, and how many of them validate and test."""
    sizes = _MIMIC4 if cohort.source == mimic4.NAME else _MIMIC3
    if sizes is _MIMIC4:
        order = order[: sum(sizes)]
    return order, len(order) * sizes[1] // sum(sizes), len(order) * sizes[2] // sum(sizes)


def _parts(order: IntArray, n_validation: int, n_test: int) -> Split:
    test, rest = order[:n_test], order[n_test:]
    return Split(np.sort(rest[n_validation:]), np.sort(rest[:n_validation]), np.sort(test))


def set_apart(n_patients: int, seed: int = 0) -> tuple[IntArray, IntArray]:
    """Places of training patients to fit on and of every tenth to choose settings on, each ascending.

    For methods that tune themselves, where the split gave them no validation patients.

    Args:
        n_patients: of the training patients, 2 or more.
        seed: of the choice.

    Raises:
        InputError: fewer than 2 patients.
    """
    if n_patients < 2:
        raise InputError("records", "fewer than 2 training patients, so no setting can be chosen")
    order = np.random.default_rng(seed).permutation(n_patients)
    n_apart = max(1, n_patients // 10)
    return np.sort(order[n_apart:]), np.sort(order[:n_apart])


def leave_one_out(cohort: Cohort) -> Iterator[Split]:
    """One split for each patient, who is predicted from all others; for cohorts too small to split.

    Raises:
        InputError: fewer than 2 patients with two visits, or more than 500 (one model each).
    """
    rows = multi_visit_rows(cohort)
    if not 2 <= len(rows) <= MOST_LEFT_OUT:
        rule = f"leave-one-out takes 2 to {MOST_LEFT_OUT} patients with two visits, not {len(rows):,}"
        raise InputError("split", f"{rule}; use 80-20")
    nobody = np.empty(0, dtype=np.int64)
    return (Split(np.delete(rows, place), nobody, rows[[place]]) for place in range(len(rows)))

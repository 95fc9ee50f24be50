"""What a panel refuses, where it says the fault is, and that it tells no value."""

import numpy as np
import pytest

from tests.treatment.panels import VARIABLES, panel
from tools.safety.errors import InputError
from tools.treatment.panel import Panel, Variable

CANARY = 46.123456


def broken(change):
    values = panel().values.copy()
    change(values)
    return values


def at(place, value):
    def change(values):
        values[3, 2, place] = value

    return change


def column(place, value):
    def change(values):
        values[:, :, place] = value

    return change


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        (at(1, np.inf), "glucose", "infinite"),
        (at(1, -np.inf), "glucose", "infinite"),
        (at(1, 1e300), "glucose", "outside the plausible range"),
        (at(1, 4 + CANARY), "glucose", "outside the plausible range"),
        (column(1, CANARY), "glucose", "constant"),
        (column(1, np.nan), "glucose", "no observed cell"),
        (column(2, 1), "treated", "one arm alone"),
        (at(2, np.nan), "treated", "missing cells"),
        (at(0, CANARY), "age", "a static differs"),
        (at(0, np.nan), "age", "a static differs"),
    ],
)
def test_a_column_that_cannot_be_used_is_named_with_its_rule_and_no_value(change, field, said):
    with pytest.raises(InputError, match=said) as refused:
        Panel(broken(change), VARIABLES)
    assert refused.value.field == field
    assert [fault.column for fault in refused.value.faults] == [field]
    assert not any(str(value) in str(refused.value) for value in (CANARY, 4 + CANARY, "e+300"))


def test_the_patient_is_named_by_row_and_every_faulty_column_is_told():
    def change(values):
        values[6, 1, 1], values[:, :, 3] = np.inf, 2.0

    with pytest.raises(InputError, match="1 more") as refused:
        Panel(broken(change), VARIABLES)
    assert refused.value.row == 7
    assert [fault.column for fault in refused.value.faults] == ["glucose", "weight"]


@pytest.mark.parametrize(
    "values",
    [
        panel().values[:, :1],
        panel().values[:1],
        panel().values[:, :, :2],
        panel().values[0],
        np.empty((0, 3, 4)),
        np.empty((3, 0, 4)),
    ],
)
def test_another_shape_or_too_few_patients_or_steps_is_refused(values):
    with pytest.raises(InputError, match="panel"):
        Panel(values, VARIABLES)


def test_a_spread_that_would_underflow_is_constant():
    values = panel().values.copy()
    values[:, :, 1] = 0.0
    values[0, 0, 1] = 5e-324
    with pytest.raises(InputError, match="constant"):
        Panel(values, VARIABLES)


def test_names_are_identifiers_and_each_once():
    with pytest.raises(InputError, match="one name"):
        Panel(panel().values, (*VARIABLES[:3], VARIABLES[1]))
    for name in ("__class__", "a b", "", "a\n", "é", "a" * 65):
        with pytest.raises(ValueError, match="name"):
            Variable(name=name, kind="static", low=0, high=1)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (0, float("inf")), (float("nan"), 1), (0, 1e10)])
def test_a_plausible_range_is_finite_and_not_empty(low, high):
    with pytest.raises(ValueError, match=r"low|high|range"):
        Variable(name="a", kind="static", low=low, high=high)


def test_a_panel_is_a_copy_that_cannot_be_written_to():
    given = panel().values.copy()
    made = Panel(given, VARIABLES)
    given[:] = 0
    assert np.array_equal(made.values, panel().values, equal_nan=True)
    with pytest.raises(ValueError, match="read-only"):
        made.values[0, 0, 0] = 1
    assert made.incomplete == ("weight",)


@pytest.mark.parametrize("values", [[[["46.123456 kg"]]], [[[1.0], [2.0, 3.0]]], [[[{}]]]])
def test_what_is_no_table_of_numbers_is_refused_without_an_echo(values):
    with pytest.raises(InputError, match="not numbers") as refused:
        Panel(values, VARIABLES)
    assert "46" not in str(refused.value)
    assert refused.value.__cause__ is None

"""Errors name the place, the rule and the next step, and say what a command line ends with."""

import pytest

from tools.safety import errors
from tools.safety.errors import (
    BudgetExceeded,
    EngineError,
    Fault,
    IikeaError,
    InputError,
    ModelOutputError,
    ProviderError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("field", "rule"), 2),
        (ModelOutputError("prompt", ["problem"]), 3),
        (ProviderError("message"), 3),
        (BudgetExceeded("model calls", 3, 3), 4),
        (EngineError("imputation", "diagnostic"), 2),
    ],
)
def test_every_error_is_of_the_house_and_has_its_exit_code(error, code):
    assert isinstance(error, IikeaError)
    assert error.exit_code == code


def test_every_error_class_is_tried_above():
    kinds = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, IikeaError)
    }
    assert len(kinds - {IikeaError}) == 5


def test_an_input_error_names_field_row_and_rule():
    assert str(InputError("code", "give one")) == "code: give one"
    assert str(InputError("code", "give one", row=7)) == "code, row 7: give one"
    faults = (Fault(7, "code", "give one"),)
    assert InputError("file", "mend it", faults=faults).faults == faults


def test_a_model_output_error_joins_its_problems():
    error = ModelOutputError("decide", ["a: b", "c: d"])
    assert str(error) == "prompt 'decide': no usable answer: a: b; c: d"
    assert error.problems == ["a: b", "c: d"]


def test_a_budget_says_used_limit_and_next_step():
    assert str(BudgetExceeded("model calls", 60, 60)) == (
        "budget 'model calls' used up: 60 of 60; raise the limit to go on"
    )


def test_a_provider_error_keeps_status_and_wait():
    error = ProviderError("busy", 429, 30.0)
    assert (str(error), error.status, error.retry_after_s) == ("busy", 429, 30.0)

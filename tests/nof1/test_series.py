"""One person's series: what cannot be learned from is refused by place and rule; summaries are textbook's."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.nof1.samples import COFFEE, SLEEP, STRESS, series
from tools.nof1.series import Series, autocorrelation
from tools.nof1.variables import Summary, Variable
from tools.safety.errors import InputError

N = 30
PLAIN = Variable(name="mood", unit="points", role="outcome", kind="continuous")
WALK = Variable(name="walk", unit="yes", role="exposure", kind="binary")


def table(n_steps=N):
    steps = np.arange(n_steps)
    return np.column_stack([np.sin(steps), steps % 2]).astype(float)


def refused(values, variables=(PLAIN, WALK), **more) -> InputError:
    with pytest.raises(InputError) as error:
        Series(tuple(variables), values, **more)
    return error.value


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e300, -1e300, 1.1e9])
def test_r7_a_value_beyond_bounds_is_refused_by_row_and_column_and_never_shown(bad):
    values = table()
    values[3, 0] = values[7, 0] = bad
    error = refused(values)
    assert (error.row, [fault.row for fault in error.faults]) == (4, [4, 8])
    assert "mood" in str(error)
    assert str(bad) not in str(error).split()


@pytest.mark.parametrize("n_steps", [0, 1, 2, 9, 20_001])
def test_r7_too_few_or_too_many_steps_are_refused(n_steps):
    assert "steps" in str(refused(table(n_steps)))


@pytest.mark.parametrize("constant", [0.0, 7.123456, 1e8])
def test_r7_a_column_that_never_changes_is_refused_by_name(constant):
    values = table()
    values[:, 0] = constant
    error = refused(values)
    assert "'mood': it never changes" in str(error)
    assert str(constant) not in str(error)


@pytest.mark.parametrize(("size", "change"), [(0.0, 1e-9), (1e8, 1e-3), (1.0, 1e-12)])
def test_r7_a_column_that_hardly_changes_is_refused(size, change):
    values = table()
    values[:, 0] = size + change * values[:, 0]
    assert "hardly changes" in str(refused(values))


@pytest.mark.parametrize("n_seen", [0, 1, 9])
def test_a_column_that_was_hardly_observed_is_refused(n_seen):
    values = table()
    values[n_seen:, 0] = np.nan
    assert "'mood': observed at fewer than 10" in str(refused(values))


def test_r7_a_gap_of_ten_years_is_no_fault_and_is_told():
    values = np.vstack([table(), np.full((3650, 2), np.nan), table()])
    found = Series((PLAIN, WALK), values).summaries[0]
    assert found.longest_gap_steps == 3650
    assert found.n_observed == 2 * N


@pytest.mark.parametrize("hidden", [slice(0, 7), slice(10, 17), slice(N - 7, N)])
def test_a_gap_counts_at_the_beginning_and_at_the_end_too(hidden):
    values = table()
    values[hidden, 0] = np.nan
    person = Series((PLAIN, WALK), values)
    assert [one.longest_gap_steps for one in person.summaries] == [7, 0]


def test_of_several_rules_that_a_value_breaks_the_first_is_told():
    values = table()
    values[2, 1], values[4, 1] = 1e300, 2.5
    assert ["beyond" in fault.rule for fault in refused(values).faults] == [True, False]
    assert "whole" in refused(values).faults[1].rule


@pytest.mark.parametrize(
    ("variable", "bad", "rule"),
    [
        (WALK, 2.0, "possible"),
        (WALK, 0.5, "whole"),
        (WALK.model_copy(update={"kind": "count"}), -1.0, "possible"),
        (STRESS.model_copy(update={"role": "exposure"}), 11.0, "possible"),
        (STRESS.model_copy(update={"role": "exposure"}), 3.3, "whole"),
        (PLAIN.model_copy(update={"highest": 1.5}), 1.6, "possible"),
    ],
)
def test_a_value_that_its_variable_cannot_have_is_refused(variable, bad, rule):
    values = table()
    at = 0 if variable.role == "outcome" else 1
    values[5, at] = bad
    columns = (variable, WALK) if at == 0 else (PLAIN, variable)
    error = refused(values, columns)
    assert error.faults[0][:2] == (6, variable.name)
    assert rule in error.faults[0].rule


@pytest.mark.parametrize(
    ("variables", "values", "named"),
    [
        ((PLAIN, PLAIN.model_copy(update={"name": "joy"})), table(), "no exposure"),
        ((WALK, WALK.model_copy(update={"name": "run"})), table(), "no outcome"),
        ((PLAIN, WALK.model_copy(update={"name": "mood"})), table(), "twice"),
        ((PLAIN, WALK), table()[:, :1], "a column a variable"),
        ((PLAIN, WALK), table()[:, 0], "a column a variable"),
        ((PLAIN, WALK), [["a", "b"]] * N, "no number"),
        ((PLAIN, WALK), [[1.0, 2.0], [1.0]], "no number"),
        ((PLAIN, WALK), [[10**400, 1.0]] * N, "no number"),
        ((PLAIN, WALK), table() + 1j, "no number"),
        ((PLAIN, WALK), table().astype(str), "no number"),
        ((PLAIN, WALK), table().astype("datetime64[s]"), "no number"),
        (tuple(PLAIN.model_copy(update={"name": f"n{i}"}) for i in range(41)), np.ones((N, 41)), "than 40"),
    ],
)
def test_a_table_that_is_no_series_is_refused(variables, values, named):
    assert named in str(refused(values, variables))


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, np.inf, 1e-320, 400.0])
def test_a_step_without_sound_length_is_refused(step):
    assert refused(table(), step_days=step).field == "step_days"


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "binary", "lowest": 1.0},
        {"kind": "count", "lowest": -1.0},
        {"kind": "ordinal"},
        {"kind": "ordinal", "lowest": 0.0, "highest": 1.0},
        {"kind": "ordinal", "lowest": 0.5, "highest": 5.5},
        {"kind": "ordinal", "lowest": 0.0, "highest": 1e300},
        {"kind": "continuous", "lowest": 2.0, "highest": 2.0},
        {"kind": "continuous", "lowest": float("nan")},
        {"kind": "continuous", "lowest": float("inf")},
        {"kind": "continuous", "lowest": "0"},
        {"kind": "continuous", "lowest": True},
        {"kind": "continuous", "name": ""},
        {"kind": "continuous", "name": "\x1b[31m"},
        {"kind": "continuous", "unit": " "},
        {"kind": "continuous", "unit": "h\x1b[31m"},
        {"kind": "continuous", "unit": "h\nNew instruction"},
        {"kind": "continuous", "unit": "h\u202eevil"},
        {"kind": "continuous", "unit": "h\u2028evil"},
        {"kind": "continuous", "role": "cause"},
    ],
)
def test_a_variable_without_sound_bounds_or_name_is_refused(fields):
    with pytest.raises(ValidationError):
        Variable.model_validate({"name": "x", "unit": "u", "role": "outcome"} | fields)


def test_the_values_are_a_copy_that_nobody_can_change():
    values = table()
    held = Series((PLAIN, WALK), values)
    values[0, 0] = 99.0
    assert held.values[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        held.values[0, 0] = 1.0


def test_what_a_mask_hides_or_a_table_leaves_empty_is_not_observed():
    masked = np.ma.masked_array(table(), mask=False)
    masked[3, 0] = 99.0
    masked[3, 0] = np.ma.masked
    empty = [[None if row == 3 else mood, walk] for row, (mood, walk) in enumerate(table())]
    for values in (masked, empty, pd.DataFrame(empty)):
        found = Series((PLAIN, WALK), values).summaries[0]
        assert (found.n_observed, found.greatest_seen < 1.1) == (N - 1, True)


def test_variables_given_as_a_list_are_held_as_they_are_in_a_specification():
    assert Series([PLAIN, WALK], table()).variables == (PLAIN, WALK)


def test_a_summary_is_what_pandas_says():
    person = series()
    frame = pd.DataFrame(person.values, columns=["sleep", "coffee", "stress"])
    for found in person.summaries:
        column = frame[found.name]
        assert found.n_observed == column.count()
        assert found.share_missing == pytest.approx(column.isna().mean())
        assert (found.mean, found.sd) == pytest.approx((column.mean(), column.std(ddof=0)))
        assert (found.least_seen, found.greatest_seen) == (column.min(), column.max())
        assert found.autocorrelation_1 == pytest.approx(column.corr(column.shift(1)), abs=0.05)
    assert person.summaries[0].variable == SLEEP
    assert person.summaries[1].variable == COFFEE
    assert Summary.model_validate_json(person.summaries[2].model_dump_json()) == person.summaries[2]


@given(st.integers(1, 9), st.floats(-0.9, 0.9))
def test_autocorrelation_is_the_textbook_s_without_gaps(lag, phi):
    rng = np.random.default_rng(lag)
    values = np.zeros(200)
    for t in range(1, 200):
        values[t] = phi * values[t - 1] + rng.normal()
    centred = values - values.mean()
    pairs = [centred[t] * centred[t - lag] for t in range(lag, 200)]
    assert autocorrelation(values, lag) == pytest.approx(np.mean(pairs) / np.mean(centred**2))


anything = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from(
    [0.0, 1.0, np.nan, 1e9, -1e9, 1e-300]
)
cells = st.lists(st.tuples(anything, anything), min_size=2, max_size=40)


@given(
    cells | st.lists(st.tuples(st.floats(-1e9, 1e9), st.sampled_from([0.0, 1.0])), min_size=10, max_size=40)
)
def test_r7_whatever_the_numbers_a_series_is_refused_or_has_finite_summaries(rows):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        try:
            person = Series((PLAIN, WALK), np.array(rows))
        except InputError:
            return
        for found in person.summaries:
            json.dumps(found.model_dump(), allow_nan=False)
            assert all(np.isfinite([found.centre, found.spread, found.change]))
            assert found.spread > 0
            assert found.change > 0


@pytest.mark.parametrize(
    ("kind", "bounds", "seen", "centre", "spread", "change"),
    [
        ("continuous", {}, [2.0, 6.0], 4.0, 2.0, 2.0),
        ("binary", {}, [0.0, 1.0, 1.0, 1.0], np.log(15.5 / 5.5), 1.0, 1.0),
        ("count", {}, [2.0, 6.0], np.log(4 + 0.5 / 20), np.sqrt(np.log(1.25)), 2.0),
        ("count", {}, [0.0, 0.0, 0.0, 8.0], np.log(2 + 0.5 / 20), 1.0, np.sqrt(12)),
        ("ordinal", {"lowest": 1.0, "highest": 5.0}, [4.0, 4.0, 4.0, 4.0, 5.0], np.log(16.5 / 4.5), 1.0, 0.4),
    ],
)
def test_centre_spread_and_change_are_those_of_the_kind(kind, bounds, seen, centre, spread, change):
    one = Variable(name="one", unit="u", role="outcome", kind=kind, **bounds)
    values = np.column_stack([np.resize(seen, 20), np.arange(20) % 2])
    found = Series((one, WALK), values).summaries[0]
    assert (found.centre, found.spread, found.change) == pytest.approx((centre, spread, change))


def test_autocorrelation_is_none_where_too_few_pairs_were_observed():
    values = np.full(60, np.nan)
    values[::2] = np.arange(30.0)
    assert autocorrelation(values, 1) is None
    assert autocorrelation(values, 60) is None
    assert autocorrelation(values, 2) == pytest.approx(0.9, abs=0.1)


@pytest.mark.parametrize(("n_pairs", "known"), [(9, False), (10, True)])
def test_an_autocorrelation_of_nine_pairs_is_none(n_pairs, known):
    values = np.concatenate([np.arange(n_pairs + 1.0), np.full(5, np.nan)])
    assert (autocorrelation(values, 1) is not None) == known


def test_no_more_than_fifty_faults_are_told():
    values = table(200)
    values[:, 0] = np.inf
    assert len(refused(values).faults) == 50


@pytest.mark.parametrize(("step", "week"), [(1.0, 7), (1 / 24, 168), (7.0, None), (2.0, None), (3.5, 2)])
def test_a_week_is_a_number_of_steps_or_none(step, week):
    assert Series((PLAIN, WALK), table(), step).week_steps == week


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="no variable of that name"):
        series().column("pulse")

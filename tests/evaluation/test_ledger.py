"""A ledger survives the death of its writer at any byte."""

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tools.evaluation.ledger import Ledger, Outcome
from tools.safety.errors import InputError

chances = st.floats(0, 1)
outcomes = st.builds(
    lambda row, pairs, length: Outcome(
        row=row, codes=tuple(pairs), probabilities=tuple(pairs.values()), length=length
    ),
    row=st.integers(0, 50),
    pairs=st.dictionaries(st.text(max_size=5), chances, max_size=4),
    length=st.integers(0, 9),
)


@given(st.lists(outcomes, unique_by=lambda outcome: outcome.row))
def test_what_is_appended_is_read_back_bit_for_bit(tmp_path_factory, given_):
    path = tmp_path_factory.mktemp("ledger") / "a.jsonl"
    Ledger(path).append(given_)
    again = Ledger(path)
    assert again.outcomes() == {outcome.row: outcome for outcome in given_}
    assert again.rows == {outcome.row for outcome in given_}


def test_a_write_torn_at_any_byte_loses_no_whole_line_and_spoils_no_later_one(tmp_path):
    path = tmp_path / "a.jsonl"
    first, second = (Outcome(row=row, codes=("é\n",), probabilities=(0.1,)) for row in (1, 2))
    Ledger(path).append([first, second])
    whole = path.read_bytes()
    kept = len(whole.splitlines(keepends=True)[0])
    for end in range(kept, len(whole)):
        path.write_bytes(whole[:end])
        torn = Ledger(path)
        assert torn.rows == {1}
        torn.append([second])
        assert path.read_bytes() == whole


def test_a_damaged_line_is_named_and_not_skipped(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"row": 1}\n{"row": -1}\n')
    with pytest.raises(InputError, match=r"row 2.*a\.jsonl is damaged"):
        Ledger(path)


def test_of_a_patient_computed_twice_the_first_outcome_counts(tmp_path):
    ledger = Ledger(tmp_path / "a.jsonl")
    ledger.append([Outcome(row=1, length=3)])
    ledger.append([Outcome(row=1, length=4)])
    assert Ledger(tmp_path / "a.jsonl").outcomes()[1].length == 3


def test_only_the_owner_may_read_it(tmp_path):
    Ledger(tmp_path / "a.jsonl").append([Outcome(row=1)])
    assert stat.S_IMODE((tmp_path / "a.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize("fields", [{"codes": ("a",)}, {"codes": ("a", "a"), "probabilities": (0.1, 0.1)}])
def test_codes_stand_once_with_a_probability_each(fields):
    with pytest.raises(ValidationError):
        Outcome(row=0, **fields)

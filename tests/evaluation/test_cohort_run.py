"""Bounded, kept as it comes, within the budget, whatever ends it."""

import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from os import _exit

import pytest

from tools.evaluation.cohort_run import Budget, Task, run
from tools.evaluation.ledger import Ledger, Outcome
from tools.safety.errors import BudgetExceeded, InputError, ProviderError


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "a.jsonl")


def outcome(row, cost_usd=0.0):
    return [Outcome(row=row, cost_usd=cost_usd)]


def tasks(ledger, rows):
    return (Task(ledger, 1, row) for row in rows)


def test_every_patient_is_kept_and_no_more_are_in_flight_than_asked(ledger):
    now, peak, lock = 0, 0, threading.Lock()

    def compute(row):
        nonlocal now, peak
        with lock:
            now += 1
            peak = max(peak, now)
        time.sleep(0.001)
        with lock:
            now -= 1
        return outcome(row)

    told = []
    with ThreadPoolExecutor(20) as executor:
        run(tasks(ledger, range(60)), compute, executor, 3, progress=told.extend)
    assert ledger.rows == set(range(60))
    assert [one.row for one in told] == list(ledger.outcomes())
    assert 1 < peak <= 3


def test_tasks_are_taken_as_there_is_room(ledger):
    taken, ahead = 0, []

    def source():
        nonlocal taken
        for row in range(20):
            taken += 1
            yield Task(ledger, 1, row)

    with ThreadPoolExecutor(2) as executor:
        run(source(), outcome, executor, 2, progress=lambda kept: ahead.append(taken - len(ledger.rows)))
    assert len(ahead) == 20
    assert max(ahead) <= 2


def test_what_is_in_flight_when_one_fails_is_finished_and_kept(ledger):
    both_in = threading.Barrier(2)

    def compute(row):
        if row == 2:
            both_in.wait(10)
            raise ProviderError("the service is gone")
        if row == 3:
            both_in.wait(10)
            time.sleep(0.05)
        return outcome(row)

    with ThreadPoolExecutor(2) as executor, pytest.raises(ProviderError):
        run(tasks(ledger, range(10)), compute, executor, 2)
    assert {0, 1, 3} <= ledger.rows
    assert 2 not in ledger.rows
    assert len(ledger.rows) < 9


def test_an_interrupt_keeps_what_is_in_flight(ledger):
    def stopping(kept):
        if ledger.rows >= {0}:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as executor, pytest.raises(KeyboardInterrupt):
        run(tasks(ledger, range(100)), outcome, executor, 2, progress=stopping)
    assert 1 <= len(ledger.rows) <= 3


@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize(("limit", "patients"), [(1.0, 10), (0.95, 9), (0.0, 0)])
def test_no_patient_is_started_who_could_pass_the_limit(ledger, in_flight, limit, patients):
    budget = Budget(limit, dearest_usd=0.1)
    with ThreadPoolExecutor(4) as executor, pytest.raises(BudgetExceeded):
        run(tasks(ledger, range(50)), lambda row: outcome(row, 0.1), executor, in_flight, budget)
    assert len(ledger.rows) == patients
    assert budget.spent_usd <= limit + 1e-9


def test_a_dearer_patient_makes_the_budget_more_careful(ledger):
    budget = Budget(1.0, dearest_usd=0.1)
    with ThreadPoolExecutor(1) as executor, pytest.raises(BudgetExceeded):
        run(tasks(ledger, range(50)), lambda row: outcome(row, 0.4), executor, 1, budget)
    assert len(ledger.rows) == 2


def test_what_fits_is_run_to_the_end(ledger):
    with ThreadPoolExecutor(4) as executor:
        run(tasks(ledger, range(10)), lambda row: outcome(row, 0.1), executor, 4, Budget(1.01, 0.0, 0.1))
    assert len(ledger.rows) == 10


def dying(row):
    if row == 1:
        _exit(9)
    return outcome(row)


def test_a_lost_worker_is_named(ledger):
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor,
        pytest.raises(InputError, match="one was lost"),
    ):
        run(tasks(ledger, range(3)), dying, executor, 1)
    assert ledger.rows == {0}

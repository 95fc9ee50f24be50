"""The benchmark of the engine runs through at small sizes: its comparisons hold, and it judges every goal."""

import os
import subprocess
import sys

import pytest

from app.house import ROOT
from benchmarks.causal_engine import PARTS, verdicts
from benchmarks.engine.measure import Goal, at_least, at_most, ratio


def test_every_part_runs_and_every_acceptance_id_is_judged():
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.causal_engine", "--quick"],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode in {0, 1}, ended.stderr
    judged = {line[:2]: line[3:7] for line in ended.stdout.splitlines() if line.startswith("B")}
    assert set(judged) == {id_ for ids in PARTS.values() for id_ in ids}
    # Sizes do not matter to equality and to what is found of the truth.
    assert judged["B1"] == "PASS"
    recovery = [line for line in ended.stdout.splitlines() if line[5:].startswith("B6") and "CPU" not in line]
    assert len(recovery) > 5
    assert all(line.startswith("ok") for line in recovery)


def test_an_id_passes_where_all_of_its_goals_do(capsys):
    goals = [
        ratio("B2 fast", 400.0, 300.0),
        at_most("B3 lean", 3.0, 2.0, " MB"),
        at_least("B3 right", 0.9, 0.8),
    ]
    assert not verdicts(goals)
    assert capsys.readouterr().out.splitlines() == [
        "B2 PASS fast 400x (goal >= 300x)",
        "B3 FAIL lean 3 MB (goal <= 2 MB); right 0.9 (goal >= 0.8)",
    ]
    assert verdicts(goals[:1])


@pytest.mark.parametrize(("make", "better"), [(ratio, 1), (at_least, 1), (at_most, -1)])
def test_a_goal_is_met_at_its_bound_and_on_one_side_of_it(make, better):
    found: list[Goal] = [make("X", 2.0 + step, 2.0) for step in (-better, 0, better)]
    assert [goal.passed for goal in found] == [False, True, True]

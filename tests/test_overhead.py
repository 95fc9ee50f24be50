"""The benchmark of our own time a node runs through, and judges by its goals."""

import time

import pytest

from benchmarks import overhead
from graph.diagnosis import graph

NODES = set(graph.nodes) - {"__start__"}


def test_it_times_every_node_and_counts_requests_in_flight(capsys):
    code = overhead.main(["--runs", "1", "--together", "6"])
    head, *lines = capsys.readouterr().out.splitlines()
    *nodes, client, together, m11, l6 = lines
    assert head.split() == ["node", "times", "median", "p95", "ms"]
    assert {line.split()[0] for line in nodes} == NODES
    assert client.startswith("the client library takes ")
    assert together.startswith("6 predictions at one time in ")
    assert m11.startswith("M11 PASS 6 predictions at one time, ")
    assert l6.startswith("L6 PASS" if code == 0 else "L6 FAIL")


def test_the_time_of_tools_and_model_is_taken_off(monkeypatch):
    def busy(seconds):
        ends = time.thread_time() + seconds
        while time.thread_time() < ends:
            pass

    watch = overhead.Stopwatch()
    watch.on_chain_start({}, {}, run_id=1, name="fit", metadata={"langgraph_node": "fit"})
    busy(0.02)
    for begin, end in (
        (watch.on_tool_start, watch.on_tool_end),
        (watch.on_chat_model_start, watch.on_llm_end),
    ):
        begin({}, "", run_id=2, parent_run_id=1)
        busy(0.2)
        end("", run_id=2)
    watch.on_chain_end({}, run_id=1)
    ((node, seconds),) = watch.nodes
    assert node == "fit"
    assert 0.02 <= seconds < 0.2
    assert len(watch.models) == 1


@pytest.mark.parametrize(("n", "p95", "median"), [(1, 1, 1), (2, 2, 1), (20, 19, 10), (40, 38, 20)])
def test_a_percentile_is_the_least_value_that_the_share_does_not_exceed(n, p95, median):
    values = range(n, 0, -1)
    assert (overhead.percentile(values, 0.95), overhead.percentile(values, 0.5)) == (p95, median)


QUICK, SLOW = [1.0] * 99, [1.0] * 90 + [50.0] * 10


@pytest.mark.parametrize(
    ("last_ms", "peak", "passed"), [(10.0, 4, True), (10.1, 4, False), (1.0, 5, False), (0.0, 1, True)]
)
def test_both_goals_are_to_be_met(last_ms, peak, passed):
    assert overhead.verdict({"fit": [1.0, last_ms]}, peak, 4, 200)[0] is passed


def test_one_slow_node_fails_however_many_others_are_quick():
    found = {"fit": QUICK, "amend": SLOW[-20:], **{f"read {n}": QUICK for n in range(9)}}
    everything = [value for values in found.values() for value in values]
    assert overhead.percentile(everything, 0.95) <= overhead.GOAL_MS
    passed, lines = overhead.verdict(found, 4, 4, 200)
    assert not passed
    assert lines[1] == "L6 FAIL worst node amend p95 50.0 ms (goal 10 ms)"


def test_the_last_line_says_the_figure_and_its_goal():
    assert overhead.verdict({"fit": [2.0], "amend": [6.34]}, 4, 4, 200)[1] == [
        "M11 PASS 200 predictions at one time, 4 in flight (goal 4)",
        "L6 PASS worst node amend p95 6.3 ms (goal 10 ms)",
    ]


@pytest.mark.parametrize("few", [["--runs", "0"], ["--together", "0"]])
def test_too_few_are_refused(few, capsys):
    with pytest.raises(SystemExit):
        overhead.main(few)
    assert "1 or more" in capsys.readouterr().err

"""`iikea evaluate`: killed, resumed, spread over workers, replayed: the same table, and nothing twice."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from typer.testing import CliRunner

from app.cli import app
from tests.agents.service import MODEL, served
from tests.fakes.mind import Mind
from tests.fakes.replies import Usage, status, text
from tools.dataset.clinical import ClinicalDataset
from tools.evaluation.ledger import Ledger
from tools.evaluation.neural import PYTHON_VARIABLE, PeerRun
from tools.evaluation.splits import split
from tools.knowledge.lock import writing
from tools.prediction.forecast import NextVisitModel
from tools.records.read import read_cohort
from tools.records.rollup import columns_within, training_cohort
from tools.resources import DEMO_RECORDS

EVALUATE = ("evaluate", "--records", DEMO_RECORDS)
METHODS = ("--methods", "history_frequency,default,without_causal")
HEADLINES = ("w_f1", "w_f1_list", "recall_at_10", "recall_at_20")
N = 6


def command(out, *more):
    asked = [*EVALUATE, *METHODS, "--limit", N, "--out", out, *more]
    return [sys.executable, "-m", "app.main", *map(str, asked)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run that others are compared with."""
    out = tmp_path_factory.mktemp("finished")
    CliRunner().invoke(app, command(out)[3:], catch_exceptions=False)
    return out


def answered(out, name="default-0"):
    """What a method answered, without what a run took."""
    found = Ledger(out / "outcomes" / f"{name}.jsonl").outcomes()
    return {
        row: outcome.model_dump(exclude={"cost_usd", "seconds"}) for row, outcome in sorted(found.items())
    }


def whole_lines(out):
    return [
        line
        for path in sorted((out / "outcomes").glob("*.jsonl"))
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n")
    ]


def begun(out, patients, *more):
    """A run in a process of its own that has finished some patients."""
    process = subprocess.Popen(command(out, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(whole_lines(out)) < patients and process.poll() is None:
        time.sleep(0.02)
    return process


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def all_end(pids, within_s=120):
    """Whether processes end before long; one that has ended and is not yet taken note of has no command."""
    deadline = time.monotonic() + within_s
    while any(map(command_of, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_the_statistical_list_is_as_long_as_codes_are_expected(finished):
    """By the model of the run's training patients, over the whole vocabulary."""
    cohort = read_cohort(DEMO_RECORDS)
    people = list(cohort)
    training = training_cohort(cohort, split(cohort, "80-20", 0).train)
    model = NextVisitModel.fit(ClinicalDataset.build(training))
    for row, outcome in answered(finished).items():
        visits = [list(visit.codes) for visit in people[row].visits]
        expected = model.expected_codes(visits[:-1])
        assert outcome["length"] == max(round(expected), 1) < len(outcome["codes"])
        assert sum(outcome["probabilities"]) < expected


def test_the_table_has_a_row_a_method_and_what_the_default_gains(iikea, finished):
    table = json.loads((finished / "table.json").read_bytes())
    details = {"graphs", "subgroups", "reliability", "recall_by_frequency"}
    assert set(table) == {"rows", "differences", "manifest", *details}
    assert [row["method"] for row in table["rows"]] == ["history_frequency", "default", "without_causal"]
    for row in table["rows"]:
        assert row["n_predictions"] == N
        for metric in HEADLINES:
            low, high = row["ci"][metric]
            assert 0 <= low <= row[metric] <= high <= 100
    rows = {row["method"]: row for row in table["rows"]}
    assert {(d["against"], d["metric"]) for d in table["differences"]} == {
        (against, metric) for against in ("history_frequency", "without_causal") for metric in HEADLINES
    }
    for found in table["differences"]:
        expected = rows["default"][found["metric"]] - rows[found["against"]][found["metric"]]
        assert found["difference"] == pytest.approx(expected)
    shown = iikea(*EVALUATE, *METHODS, "--limit", N, "--out", finished)
    assert shown.code == 0
    assert "without_causal" in shown.out
    assert f"{rows['default']['w_f1']:.1f}" in shown.out


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_to_the_same_table_and_computes_nobody_twice(workers, iikea, tmp_path, finished):
    process = begun(tmp_path, 3, "--workers", workers)
    helpers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = whole_lines(tmp_path)
    assert 3 <= len(before) < 2 * N
    assert iikea(*command(tmp_path)[3:]).code == 0
    after = whole_lines(tmp_path)
    assert Counter(before) <= Counter(after)
    assert len(after) == 2 * N
    assert (tmp_path / "table.json").read_bytes() == (finished / "table.json").read_bytes()
    assert all_end(helpers)


def test_an_interrupted_run_says_that_it_goes_on(tmp_path):
    process = begun(tmp_path, 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "goes on from here" in said
    assert 1 <= len(whole_lines(tmp_path)) < 2 * N


def test_workers_of_a_cluster_give_the_same_table(iikea, tmp_path, finished):
    threads = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(host="127.0.0.1", protocol="tcp", **threads) as cluster:
        where = ("--scheduler", cluster.scheduler_address)
        ended = iikea(*EVALUATE, *METHODS, "--limit", N, "--out", tmp_path, *where, "--json")
    assert ended.code == 0
    assert (tmp_path / "table.json").read_bytes() == (finished / "table.json").read_bytes()
    assert answered(tmp_path) == answered(finished)


def test_nothing_of_the_last_visit_reaches_a_method(iikea, tmp_path, finished):
    """Other last visits of the test patients: not a byte of what is answered changes, but the score does."""
    cohort = read_cohort(DEMO_RECORDS)
    ids = {cohort.patient_ids[row] for row in split(cohort, "80-20", 0).test}
    table = pd.read_csv(DEMO_RECORDS, dtype=str)
    latest = table.groupby("patient")["time"].transform("max") == table["time"]
    changed = latest & table["patient"].isin(ids)
    table.loc[changed, "code"] = "4019"
    table.drop_duplicates().to_csv(tmp_path / "changed.csv", index=False)
    asked = ("evaluate", "--records", tmp_path / "changed.csv", *METHODS, "--limit", N)
    assert iikea(*asked, "--out", tmp_path / "out").code == 0
    assert answered(tmp_path / "out") == answered(finished)
    before, after = (
        json.loads((folder / "table.json").read_bytes())["rows"][1]["w_f1"]
        for folder in (finished, tmp_path / "out")
    )
    assert before != after


def test_more_patients_seeds_and_methods_are_added_to_what_is_there(iikea, tmp_path):
    asked = (*EVALUATE, "--methods", "default", "--out", tmp_path)
    assert iikea(*asked, "--limit", 2).code == 0
    before = whole_lines(tmp_path)
    more = (*EVALUATE, "--methods", "default,score_bic", "--out", tmp_path, "--limit", 3, "--seeds", 2)
    assert iikea(*more).code == 0
    assert Counter(before) <= Counter(whole_lines(tmp_path))
    assert len(whole_lines(tmp_path)) == 2 * 2 * 3


def test_another_run_is_refused_by_what_differs_and_so_is_a_second_at_a_time(iikea, finished):
    before = (finished / "table.json").read_bytes()
    other = iikea(*EVALUATE, *METHODS, "--out", finished, "--vocabulary", "category")
    assert other.code == 2
    assert "another data, vocabulary" in " ".join(other.err.split())
    with writing(finished):
        second = iikea(*EVALUATE, *METHODS, "--out", finished)
    assert second.code == 2
    assert "another evaluation is writing" in " ".join(second.err.split())
    assert (finished / "table.json").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--methods", "default,nothing"), "history_frequency"),
        (("--replay",), "statistical"),
        (("--model", "anthropic:claude"), "--price-in"),
        (("--scheduler", "tcp://127.0.0.1:1"), "nobody answers"),
        (("--split", "loo"), "500"),
    ],
)
def test_what_cannot_be_is_said_with_the_next_step(more, said, iikea, tmp_path, monkeypatch):
    monkeypatch.setattr("app.evaluation.executors.TIMEOUT", "1s")
    ended = iikea(*EVALUATE, "--limit", 2, "--out", tmp_path, *more)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())


@pytest.fixture
def small(tmp_path):
    """Records of 30 patients."""
    table = pd.read_csv(DEMO_RECORDS, dtype=str)
    ids = table["patient"].unique()[:30]
    table[table["patient"].isin(ids)].to_csv(tmp_path / "small.csv", index=False)
    return tmp_path / "small.csv"


def test_leave_one_out_is_one_table_over_all_patients(iikea, small, tmp_path):
    asked = ("evaluate", "--records", small, "--split", "loo", "--out", tmp_path / "out", "--json")
    ended = iikea(*asked, "--methods", "history_frequency,without_knowledge", "--limit", 8)
    assert [row["n_predictions"] for row in ended.json["rows"]] == [8, 8]
    assert [row["n_patients"] for row in ended.json["rows"]] == [8, 8]
    assert len(list((tmp_path / "out" / "stores").glob("*/*"))) == 8


def test_neural_peers_are_rows_trained_once_a_split(iikea, tmp_path, monkeypatch):
    trained = []

    def train(peer, train, whole, examples, seed):
        trained.append((peer, seed))
        shares = np.full((len(examples), len(whole)), -np.inf)
        shares[:, columns_within(train.vocabulary, whole)] = 0.1
        return PeerRun(scores=shares, epochs=1, validation_loss=0.1, versions={})

    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    monkeypatch.setattr("tools.evaluation.neural.train_peer", train)
    asked = (*EVALUATE, "--methods", "frequency,retain", "--limit", 5, "--seeds", 2, "--out", tmp_path)
    first, again = iikea(*asked, "--json"), iikea(*asked, "--json")
    assert trained == [("RETAIN", 0), ("RETAIN", 1)]
    assert first.json == again.json
    assert [row["method"] for row in first.json["rows"]] == ["frequency", "retain"]
    assert first.json["rows"][1]["ece"] is not None


ONE_METHOD = ("--methods", "default")
PRICES = ("--price-in", 1, "--price-out", 2)


def by_model(out, *more):
    return (*EVALUATE, *ONE_METHOD, "--limit", 3, "--model", MODEL, "--out", out, *PRICES, *more)


def test_a_model_is_asked_once_and_replayed_bit_for_bit_when_it_is_gone(iikea, tmp_path):
    with served(Mind()) as server:
        ended = iikea(*by_model(tmp_path))
        asked = len(server.bodies)
        assert (ended.code, iikea(*by_model(tmp_path)).code) == (0, 0)
        assert len(server.bodies) == asked > 3
    assert "USD" in ended.err
    spent = [
        outcome.cost_usd for outcome in Ledger(tmp_path / "outcomes" / "default-0.jsonl").outcomes().values()
    ]
    assert sum(spent) == pytest.approx(asked * (100 * 1 + 20 * 2) / 1e6)
    again = iikea(*by_model(tmp_path, "--replay"))
    assert (again.code, again.err) == (0, "")
    assert (tmp_path / "replayed" / "table.json").read_bytes() == (tmp_path / "table.json").read_bytes()
    assert answered(tmp_path / "replayed") == answered(tmp_path)
    (stored, *_) = (tmp_path / "answers").glob("*/*.json")
    stored.unlink()
    missing = iikea(*by_model(tmp_path, "--replay"))
    assert missing.code == 2
    assert "not stored" in missing.err


def test_a_service_that_goes_away_costs_no_answer_twice(iikea, tmp_path):
    mind = Mind()
    fails_after = 9

    def leaving(body):
        return mind(body) if sum(mind.asked.values()) < fails_after else status(401)

    with served(leaving):
        assert iikea(*by_model(tmp_path, "--in-flight", 1)).code == 3
    assert sum(mind.asked.values()) == fails_after
    with served(mind):
        assert iikea(*by_model(tmp_path, "--in-flight", 1)).code == 0
    whole = Mind()
    with served(whole):
        assert iikea(*by_model(tmp_path / "at-once", "--in-flight", 1)).code == 0
    assert sum(mind.asked.values()) == sum(whole.asked.values())
    assert (tmp_path / "table.json").read_bytes() == (tmp_path / "at-once" / "table.json").read_bytes()


def test_what_would_cost_too_much_is_not_begun(iikea, tmp_path):
    with served(Mind()) as server:
        ended = iikea(*by_model(tmp_path, "--max-cost", 0.001))
    assert ended.code == 4
    assert "estimated" in ended.err
    assert not server.bodies


def test_a_model_dearer_than_estimated_is_stopped_before_the_limit(iikea, tmp_path):
    wordy = Usage(prompt=1_000_000, completion=0)
    mind = Mind()
    with served(lambda body: replace(mind(body), usage=wordy)):
        whole = iikea(*by_model(tmp_path / "whole", "--in-flight", 1))
        found = Ledger(tmp_path / "whole" / "outcomes" / "default-0.jsonl").outcomes()
        first, second, _ = (outcome.cost_usd for outcome in found.values())
        limit = first + second + 0.5
        cut = iikea(*by_model(tmp_path / "cut", "--in-flight", 1, "--max-cost", limit))
    assert (whole.code, cut.code) == (0, 4)
    kept = Ledger(tmp_path / "cut" / "outcomes" / "default-0.jsonl").outcomes()
    assert 1 <= len(kept) <= 2
    assert sum(outcome.cost_usd for outcome in kept.values()) <= limit


def test_an_answer_that_is_none_is_a_refusal_and_counted(iikea, tmp_path):
    with served(Mind({"decide": [text("I would rather not.")]})):
        ended = iikea(*by_model(tmp_path, "--json"))
    assert ended.json["rows"][0]["refused"] == 3
    assert ended.json["rows"][0]["recall_at_10"] == 0
    assert {outcome["refusal"] for outcome in answered(tmp_path).values()} == {"ModelOutputError"}

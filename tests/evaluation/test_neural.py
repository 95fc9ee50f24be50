"""The door to the other interpreter, through one that only writes down what it is given; and, where
`IIKEA_PEERS_PYTHON` names an environment with PyHealth, through that.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.small_cohorts import cohort_of
from tools.evaluation.examples import examples
from tools.evaluation.neural import PEERS, PYTHON_VARIABLE, Effort, peer_python, train_peer
from tools.records.rollup import training_cohort
from tools.safety.errors import InputError

PEERS_PYTHON = os.environ.get(PYTHON_VARIABLE)

TRAIN = [
    [{"4019"}, set(), {"4019", "486"}, set()],
    [{"486"}, {"4280"}],
    [set(), {"4019"}],
    [{"4280"}, {"4280"}, {"486", "4019"}],
]
TEST = [[{"25000"}, set(), {"4019"}, {"V5861"}], [set(), {"4019"}]]


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts a script in the interpreter's place; it runs with `folder`, the request's, at hand."""

    def put(body: str) -> None:
        script = tmp_path / "python"
        lines = ["import json, os, pathlib, sys, time", "folder = pathlib.Path(sys.argv[3])", body]
        script.write_text(f"#!{sys.executable}\n" + "\n".join(lines) + "\n")
        script.chmod(0o755)
        monkeypatch.setenv(PYTHON_VARIABLE, str(script))

    return put


def train_on(patients, **options):
    cohort = cohort_of([*patients, *TEST])
    train = training_cohort(cohort, range(len(patients)))
    test = examples(cohort, range(len(patients), len(patients) + len(TEST)))
    return train_peer("RETAIN", train, cohort.vocabulary, test, **options), cohort


def answering(tmp_path: Path) -> str:
    return f"""
request = json.loads((folder / "request.json").read_text())
seen = {{"request": request, "environment": dict(os.environ), "folder": str(folder)}}
pathlib.Path({str(tmp_path / "seen.json")!r}).write_text(json.dumps(seen))
(folder / "answer.json").write_text(json.dumps({{"epochs": 2, "validation_loss": 0.5, "versions": {{}}}}))
import numpy
numpy.save(folder / "scores.npy", numpy.zeros((len(request["examples"]), request["n_codes"])))
"""


def as_sets(samples):
    return [([set(visit) for visit in sample["visits"]], set(sample["next"])) for sample in samples]


def test_it_is_told_visits_as_numbers_and_nothing_else(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    stand_in(answering(tmp_path))
    validation = cohort_of([[{"486"}, {"V5861"}]])
    run, cohort = train_on(TRAIN, validation=validation, effort=Effort(max_epochs=2))
    seen = json.loads((tmp_path / "seen.json").read_text())
    htn, pneumonia, failure, anticoagulants, diabetes = map(
        cohort.vocabulary.column, ("4019", "486", "4280", "V5861", "25000")
    )
    request = seen["request"]
    assert as_sets(request["train"]) == [
        ([{htn}], {htn, pneumonia}),
        ([{pneumonia}], {failure}),
        ([{failure}], {failure}),
        ([{failure}, {failure}], {pneumonia, htn}),
    ]
    assert as_sets(request["validation"]) == [([{pneumonia}], {anticoagulants})]
    assert as_sets(request["examples"]) == [([{diabetes}, {htn}], set()), ([], set())]
    assert "OPENAI_API_KEY" not in seen["environment"]
    assert cohort.patient_ids[0] not in json.dumps(request)
    assert not Path(seen["folder"]).exists()
    assert run.scores.shape == (len(TEST), len(cohort.vocabulary))
    assert (run.epochs, run.validation_loss) == (2, 0.5)


def test_every_tenth_training_patient_validates_where_nobody_was_named(stand_in, tmp_path):
    stand_in(answering(tmp_path))
    train_on([[{"4019"}, {"486"}]] * 30)
    request = json.loads((tmp_path / "seen.json").read_text())["request"]
    assert (len(request["train"]), len(request["validation"])) == (27, 3)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("sys.exit(3)", "has no PyHealth"),
        ("sys.exit(1)", "status 1"),
        ("os.kill(os.getpid(), 9)", "status -9"),
        ("time.sleep(60)", "lower max_epochs"),
    ],
)
def test_a_training_that_fails_says_so(stand_in, body, rule):
    stand_in(body)
    with pytest.raises(InputError, match=rule):
        train_on([[{"4019"}, {"486"}]] * 3, effort=Effort(timeout_s=2))


def test_an_interpreter_without_pyhealth_is_told_from_one_that_fails(monkeypatch):
    bare = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    monkeypatch.setenv(PYTHON_VARIABLE, str(bare))
    with pytest.raises(InputError, match="has no PyHealth"):
        train_on(TRAIN, validation=cohort_of([[{"486"}, {"V5861"}]]))


def test_a_file_that_is_no_interpreter_is_refused(tmp_path, monkeypatch):
    text = tmp_path / "notes.txt"
    text.write_text("not a program")
    monkeypatch.setenv(PYTHON_VARIABLE, str(text))
    with pytest.raises(InputError, match="cannot be started"):
        train_on(TRAIN, validation=cohort_of([[{"486"}, {"V5861"}]]))
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(InputError, match="names no file"):
        peer_python()
    monkeypatch.delenv(PYTHON_VARIABLE)
    if importlib.util.find_spec("pyhealth") is None:
        with pytest.raises(InputError, match="not set"):
            peer_python()


def test_nothing_to_learn_from_is_said_before_anything_is_started(stand_in):
    stand_in("sys.exit(1)")
    with pytest.raises(InputError, match="two visits"):
        train_on([[set(), {"4019"}]] * 4)


@pytest.mark.skipif(not PEERS_PYTHON, reason=f"set {PYTHON_VARIABLE} to a Python with PyHealth to run this")
@pytest.mark.parametrize("peer", PEERS)
def test_a_network_learns_what_always_follows(peer):
    patients = [[{"4019"}, {"486", "4280"}], [{"25000"}, {"V5861"}]] * 60
    cohort = cohort_of([*patients, [{"4019"}, {"25000", "4019", "V5861", "E8490", "E8497"}]])
    train, test = training_cohort(cohort, range(120)), examples(cohort, [120])
    effort = Effort(max_epochs=40, width=16, batch=16)
    run, again = (train_peer(peer, train, cohort.vocabulary, test, effort=effort) for _ in range(2))
    ranked = {cohort.vocabulary.keys[column] for column in np.argsort(-run.scores[0])[:2]}
    assert ranked == {"486", "4280"}
    assert np.isneginf(run.scores[0, cohort.vocabulary.column("E8490")])
    np.testing.assert_array_equal(run.scores, again.scores)
    assert set(run.versions) == {"pyhealth", "torch"}

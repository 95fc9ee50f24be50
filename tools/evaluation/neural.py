"""Neural peers, trained on the same split: RETAIN and the Transformer of PyHealth, in a Python of their own.

PyHealth 2 asks for Python 3.12 or 3.13 and pandas below 3, PyHealth 1 for pandas below 2: neither goes beside
this program's own pins. So it is trained by another interpreter, in a process that gets codes as numbers and
no patient id:

    python3.12 -m venv peers && peers/bin/pip install "pyhealth>=2.1,<3"
    export IIKEA_PEERS_PYTHON=$PWD/peers/bin/python
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from tools.evaluation import pyhealth_worker
from tools.evaluation.examples import Examples
from tools.evaluation.splits import set_apart
from tools.evaluation.training import Training
from tools.records.cohort import Cohort, Vocabulary
from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]
Peer = Literal["RETAIN", "Transformer"]

PYTHON_VARIABLE = "IIKEA_PEERS_PYTHON"
PEERS: tuple[Peer, ...] = get_args(Peer)


class Effort(NamedTuple):
    """How long and how wide a network is trained.

    Attributes:
        max_epochs: passes over the training visits, at most.
        patience: passes without a smaller validation loss after which it stops.
        width: of the embeddings, PyHealth's default.
        batch: patients a step.
        threads: of the CPU.
        timeout_s: after which the training is given up, seconds.
    """

    max_epochs: int = 50
    patience: int = 5
    width: int = 128
    batch: int = 64
    threads: int = 1
    timeout_s: float = 3600.0


class Sample(BaseModel):
    """What is known and what follows, as columns of the whole vocabulary; `next` is empty in an example."""

    visits: list[list[int]]
    next: list[int]


class PeerRequest(BaseModel):
    """What the other interpreter is told; see `Effort` for the numbers."""

    model: Peer
    seed: int
    n_codes: int
    max_epochs: int
    patience: int
    width: int
    batch: int
    threads: int
    train: list[Sample]
    validation: list[Sample]
    examples: list[Sample]


class PeerRun(BaseModel):
    """A trained network's answer.

    Attributes:
        scores: probability of each code of the whole vocabulary, -inf where no training patient gets it after
            an earlier visit; shape (n, n_codes).
        epochs: how many were run.
        validation_loss: mean binary cross-entropy of the kept weights on validation patients.
        versions: of PyHealth and PyTorch.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    scores: Float
    epochs: int
    validation_loss: float
    versions: dict[str, str]


def peer_python() -> Path:
    """The interpreter that has PyHealth: the one that is named, or this one where it has it.

    Raises:
        InputError: `IIKEA_PEERS_PYTHON` is not set and PyHealth is not installed here, or it names no file.
    """
    named = os.environ.get(PYTHON_VARIABLE)
    if not named and importlib.util.find_spec("pyhealth"):
        return Path(sys.executable)
    if not named:
        rule = "not set; name the interpreter of an environment with PyHealth"
        raise InputError(PYTHON_VARIABLE, rule)
    if not Path(named).is_file():
        raise InputError(PYTHON_VARIABLE, "names no file; give the path of the interpreter that has pyhealth")
    return Path(named)


def train_peer(
    peer: Peer,
    train: Cohort,
    whole: Vocabulary,
    examples: Examples,
    *,
    validation: Cohort | None = None,
    seed: int = 0,
    effort: Effort | None = None,
) -> PeerRun:
    """Train a network on every visit that has an earlier one, stop early, predict.

    Args:
        peer: which network.
        train: training patients with a vocabulary of only their codes (`training_cohort`).
        whole: the vocabulary of the whole cohort.
        examples: whom to predict. Their targets are not handed over.
        validation: patients, with codes of `whole` only, whose loss says when to stop and what to keep;
            every tenth training patient, set apart, when None.
        seed: of the weights, the dropout and the order of the patients.
        effort: how long and how wide; `Effort()` by default.

    Raises:
        InputError: no interpreter with PyHealth, nothing to learn or to stop by, or the training failed or
            took too long.
    """
    python, effort = peer_python(), effort or Effort()
    if validation is None:
        fitted, apart = set_apart(train.n_patients, seed)
        train, validation = train.subset(fitted), train.subset(apart)
    numbers = effort._asdict()
    timeout_s = numbers.pop("timeout_s")
    request = PeerRequest(
        model=peer,
        seed=seed,
        n_codes=len(whole),
        train=_samples(train, whole),
        validation=_samples(validation, whole),
        examples=[Sample(visits=_coded(visits), next=[]) for visits in examples.history],
        **numbers,
    )
    if not (request.train and request.validation and request.examples):
        raise InputError("peers", "no patient with two visits to train on, to validate on or to predict")
    return _run(python, request, timeout_s)


def _samples(cohort: Cohort, whole: Vocabulary) -> list[Sample]:
    columns = Training(cohort, whole).columns[cohort.codes].tolist()
    bounds = cohort.code_offsets.tolist()
    visits = [columns[a:b] for a, b in pairwise(bounds)]
    starts = cohort.visit_offsets.tolist()
    return [
        Sample(visits=_coded(visits[first:now]), next=visits[now])
        for first, end in pairwise(starts)
        for now in range(first + 1, end)
        if visits[now] and any(visits[first:now])
    ]


def _coded(visits: Iterable[Iterable[int]]) -> list[list[int]]:
    """The visits that have a code: the networks take a visit without one for the end of the history."""
    return [list(visit) for visit in visits if visit]


def _run(python: Path, request: PeerRequest, timeout_s: float) -> PeerRun:
    with TemporaryDirectory(prefix="iikea-peer-") as name:
        folder = Path(name)
        (folder / "request.json").write_text(request.model_dump_json(), encoding="utf-8")
        try:
            ended = subprocess.run(  # noqa: S603
                [python, "-I", pyhealth_worker.__file__, folder],
                env=_environment(folder),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InputError("peers", f"not trained within {timeout_s:g} s; lower max_epochs") from None
        except OSError:
            raise InputError(PYTHON_VARIABLE, "cannot be started; name a Python interpreter") from None
        if ended.returncode == pyhealth_worker.NOT_INSTALLED:
            raise InputError(PYTHON_VARIABLE, 'has no PyHealth; install "pyhealth>=2.1,<3" there')
        if ended.returncode:
            rule = f"{request.model} ended with status {ended.returncode}; check the PyHealth environment"
            raise InputError("peers", rule)
        answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
        return PeerRun(scores=np.load(folder / "scores.npy", allow_pickle=False), **answer)


def _environment(folder: Path) -> dict[str, str]:
    """Without this process's own, so that no key gets there; what libraries write goes with the folder."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    offline = {"HF_HUB_OFFLINE": "1", "OUTDATED_IGNORE": "1", "LITDATA_DISABLE_VERSION_CHECK": "1"}
    return kept | offline | {"HOME": str(folder), "TMPDIR": str(folder)}

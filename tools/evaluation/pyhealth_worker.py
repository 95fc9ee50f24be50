"""Trains one of PyHealth's networks in an environment of its own; run by `tools.evaluation.neural`.

    python -I pyhealth_worker.py FOLDER

It imports nothing of this project, beside whose packages PyHealth's cannot be installed. FOLDER holds
`request.json` (see `neural.PeerRequest`) and gets `scores.npy`, shape
(n_examples, n_codes), and `answer.json`.
"""

import importlib
import json
import random
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

NOT_INSTALLED = 3


def main(folder: Path) -> int:
    """Train, predict, write; returns the exit code."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    try:
        import numpy as np
        import torch

        data, models, training = map(
            importlib.import_module, ("pyhealth.datasets", "pyhealth.models", "pyhealth.trainer")
        )
    except ImportError:
        return NOT_INSTALLED
    torch.set_num_threads(request["threads"])
    random.seed(request["seed"])
    np.random.seed(request["seed"])
    torch.manual_seed(request["seed"])
    fitted = _fitted(data, request)
    loaders = {
        part: data.get_dataloader(_alike(data, fitted, request[part]), request["batch"], part == "train")
        for part in ("train", "validation", "examples")
    }
    network = getattr(models, request["model"])(dataset=fitted, embedding_dim=request["width"])
    trainer = training.Trainer(network, metrics=[], device="cpu", enable_logging=False)
    epochs = _Epochs(trainer)
    trainer.train(
        loaders["train"],
        loaders["validation"],
        epochs=request["max_epochs"],
        monitor="loss",
        monitor_criterion="min",
        patience=request["patience"],
    )
    _, chances, _ = trainer.inference(loaders["examples"])
    scores = np.full((len(chances), request["n_codes"]), -np.inf)
    columns = fitted.output_processors["next"].label_vocab
    scores[:, [int(code) for code in columns]] = chances[:, list(columns.values())]
    np.save(folder / "scores.npy", scores, allow_pickle=False)
    answer = {"epochs": epochs.run, "validation_loss": epochs.least, "versions": _versions()}
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    return 0


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in ("pyhealth", "torch")}


def _fitted(data: ModuleType, request: dict[str, Any]) -> "_Processors":
    """The training part as a data set, whose processors the other parts go through."""
    longer = _longest(request["validation"] + request["examples"]) - _longest(request["train"])
    visits = ("nested_sequence", {"padding": max(longer, 0)})
    made: _Processors = data.create_sample_dataset(
        _samples(request["train"]), {"visits": visits}, {"next": "multilabel"}
    )
    return made


class _Trainer(Protocol):
    evaluate: Callable[[object], dict[str, float]]


class _Processors(Protocol):
    input_processors: dict[str, Any]
    output_processors: dict[str, Any]


class _Epochs:
    """Counts validations and keeps the least loss, by standing before the trainer's `evaluate`."""

    def __init__(self, trainer: "_Trainer") -> None:
        self.run, self.least = 0, float("inf")
        self._evaluate, trainer.evaluate = trainer.evaluate, self

    def __call__(self, loader: object) -> dict[str, float]:
        scores = self._evaluate(loader)
        self.run, self.least = self.run + 1, min(self.least, scores["loss"])
        return scores


def _longest(part: list[dict[str, list[Any]]]) -> int:
    """Codes of the visit with most of them; a longer one than the processor has seen would be cut."""
    return max((len(visit) for sample in part for visit in sample["visits"]), default=0)


def _alike(data: ModuleType, fitted: _Processors, part: list[dict[str, list[Any]]]) -> object:
    """A part as a data set in the vocabulary of the training part, whatever codes it has itself."""
    return data.create_sample_dataset(
        _samples(part, set(fitted.output_processors["next"].label_vocab)),
        {"visits": "nested_sequence"},
        {"next": "multilabel"},
        input_processors=fitted.input_processors,
        output_processors=fitted.output_processors,
    )


def _samples(part: list[dict[str, list[Any]]], known: set[str] | None = None) -> list[dict[str, Any]]:
    return [
        {
            "patient_id": str(number),
            "visits": [[str(code) for code in visit] for visit in sample["visits"]],
            "next": [str(code) for code in sample["next"] if known is None or str(code) in known],
        }
        for number, sample in enumerate(part)
    ]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

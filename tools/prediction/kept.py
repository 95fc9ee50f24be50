"""The model of next visits of a store, kept beside its arrays so that it is learned once."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tools.causal.strata import Strata
from tools.dataset.clinical import ClinicalDataset
from tools.prediction import hazards, places
from tools.prediction.forecast import NextVisitModel
from tools.prediction.hazards import Hazards
from tools.prediction.places import Places
from tools.safety.files import write_whole

Array = npt.NDArray[Any]

NAME = "next_visit.model"
MODEL_VERSION = 1  # of what is computed; another number, and every store learns its model again
_PLAIN = tuple(name for name in Hazards.__dataclass_fields__ if name not in {"follows", "burden"})
_DIGEST_BYTES = hashlib.sha256().digest_size


def open_or_learn(dataset: ClinicalDataset, folder: Path) -> NextVisitModel:
    """The model kept in a store's folder, or a new one, which is kept there where that can be written to.

    What is kept counts only for the same data, the same version and constants of the model, and as it was
    written: its sha256 comes first, and nothing behind it is read before it is right. Else the model is
    learned again. As with the store's arrays, whoever can write to the folder is trusted.

    Args:
        dataset: of the store.
        folder: of the store.

    Raises:
        InputError: see `NextVisitModel.fit`.
    """
    target, stamp = folder / NAME, _stamp(dataset)
    kept = _read(target, stamp)
    if kept is not None:
        return _model(dataset, kept)
    model = NextVisitModel.fit(dataset)
    written = io.BytesIO()
    np.savez(written, **_arrays(model))  # type: ignore[arg-type]
    content = written.getvalue()
    try:
        mode = (folder / "manifest.json").stat().st_mode & 0o777
        write_whole(target, _digest(stamp, content) + content, mode)
    except OSError:
        return model  # a store that is only read is learned from anew by each process
    return model


def _stamp(dataset: ClinicalDataset) -> bytes:
    constants = [*vars(hazards).items(), *vars(places).items()]
    numbers = sorted(f"{name}={value!r}" for name, value in constants if isinstance(value, int | float))
    return f"{dataset.hash} {MODEL_VERSION} {' '.join(numbers)}\n".encode()


def _digest(stamp: bytes, content: bytes) -> bytes:
    digest = hashlib.sha256(stamp)
    digest.update(content)
    return digest.digest()


def _read(path: Path, stamp: bytes) -> Mapping[str, Array] | None:
    """The arrays of a file; None where there is none, or another than was written for this stamp."""
    try:
        found = path.read_bytes()
    except OSError:
        return None
    content = found[_DIGEST_BYTES:]
    if found[:_DIGEST_BYTES] != _digest(stamp, content):
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _arrays(model: NextVisitModel) -> dict[str, Array]:
    fitted = model.hazards
    return {name: getattr(fitted, name) for name in _PLAIN} | {
        "follows": fitted.follows.data,
        "sources": fitted.follows.indptr,
        "effects": fitted.follows.indices,
        "burden": fitted.burden.edges,
        "weights": model.places.weights,
        "thresholds": model.places.thresholds,
    }


def _model(dataset: ClinicalDataset, arrays: Mapping[str, Array]) -> NextVisitModel:
    pattern = (arrays["follows"], arrays["effects"], arrays["sources"])
    follows = sparse.csr_array(pattern, shape=(dataset.n_codes, dataset.n_codes))
    plain = {name: arrays[name] for name in _PLAIN}
    fitted = Hazards(**plain, follows=follows, burden=Strata(arrays["burden"]))
    return NextVisitModel(dataset.vocabulary, fitted, Places(arrays["weights"], arrays["thresholds"]))

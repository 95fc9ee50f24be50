"""The model of next visits of a store, kept beside its arrays so that it is learned once."""

import hashlib
import io
import zipfile
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

NAME = "next_visit.npz"
_PLAIN = tuple(name for name in Hazards.__dataclass_fields__ if name not in {"follows", "burden"})


def open_or_learn(dataset: ClinicalDataset, folder: Path) -> NextVisitModel:
    """The model kept in a store's folder, or a new one, which is kept there where that can be written to.

    What is kept counts only for the same data, the same constants of the model, and unchanged since it was
    written; else it is learned again, with the same outcome.

    Args:
        dataset: of the store.
        folder: of the store.

    Raises:
        InputError: see `NextVisitModel.fit`.
    """
    target = folder / NAME
    stamp = _stamp(dataset)
    kept = _read(target, stamp)
    if kept is not None:
        return _model(dataset, kept)
    model = NextVisitModel.fit(dataset)
    arrays = _arrays(model)
    written = io.BytesIO()
    np.savez(written, **arrays, digest=_digest(stamp, arrays))  # type: ignore[arg-type]
    try:
        write_whole(target, written.getvalue())
    except OSError:
        return model  # a store that is only read is learned from anew by each process
    return model


def _stamp(dataset: ClinicalDataset) -> str:
    constants = [*vars(hazards).items(), *vars(places).items()]
    numbers = sorted(f"{name}={value!r}" for name, value in constants if isinstance(value, int | float))
    return f"{dataset.hash} {' '.join(numbers)}"


def _digest(stamp: str, arrays: Mapping[str, Array]) -> Array:
    digest = hashlib.sha256(stamp.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return np.frombuffer(digest.digest(), dtype=np.uint8)


def _read(path: Path, stamp: str) -> dict[str, Array] | None:
    """The arrays of a file; None where there is none, or another than was written for this stamp."""
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError):
        return None
    digest = arrays.pop("digest", None)
    return arrays if digest is not None and np.array_equal(digest, _digest(stamp, arrays)) else None


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

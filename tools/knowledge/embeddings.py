"""Text embeddings: a hashed one that needs no download, models on this machine, models of a service."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import blake2b, sha256
from importlib.util import find_spec
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from tools.knowledge.lexical import words
from tools.safety.addresses import Address
from tools.safety.destinations import require_near, why_operator
from tools.safety.errors import InputError, ProviderError
from tools.safety.logs import withheld_details
from tools.safety.openai_service import client_options, openai_address, openai_key

if TYPE_CHECKING:
    from pydantic import SecretStr

HASHED = "hashed"
DENSE = "sentence-transformers/all-mpnet-base-v2"
_SERVICE = "openai:"
# Goes up when equal texts get other vectors: indexes on disk are then refused.
_HASHED_VERSION = 1
_DIMENSION = 1024
_COORDINATES_PER_TERM = 8
_GRAM = 4
_GRAM_WEIGHT = 0.6
_DEFINING_FILES = {"config.json", "modules.json", "sentence_bert_config.json", "tokenizer.json", "vocab.txt"}
_SAMPLES, _SAMPLE_BYTES = 64, 4_096
_MAX_REQUESTS = 4
_TIMEOUT_S = 60.0
_ADDRESS = "OPENAI_BASE_URL and the model's name"


class HashedEmbeddings(Embeddings):
    """Hashed vectors of words and of their four-letter pieces, of unit length.

    A word that stands tf times in a text weighs 1 + ln tf; a piece of words (with marks where a word begins
    and ends) weighs 0.6 of that, so that inflected and compound words are near each other. A term is added
    with hashed signs to 8 hashed coordinates, a sparse Johnson-Lindenstrauss transform (Kane and Nelson 2014,
    "Sparser Johnson-Lindenstrauss transforms"): the cosine of two vectors estimates that of the full term
    vectors with an error of about 1 / sqrt(dimension). A text's vector depends on no other text.

    Args:
        dimension: length of a vector.
    """

    def __init__(self, dimension: int = _DIMENSION) -> None:
        self.dimension = dimension

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, shape (n_texts, dimension)."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text, shape (dimension,)."""
        weights = _term_weights(text) or {text: 1.0}
        coordinates, signs = zip(*(_hashed(term, self.dimension) for term in weights), strict=True)
        added = np.concatenate(signs) * np.repeat(list(weights.values()), _COORDINATES_PER_TERM)
        vector = np.bincount(np.concatenate(coordinates), added, self.dimension)
        norm = float(np.linalg.norm(vector))
        unit: list[float] = (vector / norm if norm else vector).tolist()
        return unit


class LocalEmbeddings(Embeddings):
    """A sentence-transformers model in a folder, with vectors of unit length. Safe to share between threads.

    Args:
        folder: of the model; its weights are safetensors.

    Raises:
        InputError: the model cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        from huggingface_hub.utils.tqdm import disable_progress_bars
        from langchain_huggingface import HuggingFaceEmbeddings

        # Bars of files that are read, on the standard error of whoever searches.
        disable_progress_bars()
        # A tokenizer of the library `tokenizers` that two threads use at once can fail.
        self._lock = threading.Lock()
        try:
            self._model = HuggingFaceEmbeddings(
                model_name=str(folder),
                model_kwargs={"local_files_only": True, "model_kwargs": {"use_safetensors": True}},
                encode_kwargs={"normalize_embeddings": True},
            )
        except Exception as error:  # noqa: BLE001 - each module of a model fails with its own types
            rule = f"no model that sentence-transformers opens ({type(error).__name__}); fetch it again"
            raise InputError("embedding", rule) from None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, shape (n_texts, dimension)."""
        with self._lock:
            return self._model.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text, shape (dimension,)."""
        with self._lock:
            return self._model.embed_query(text)


class ServiceEmbeddings(Embeddings):
    """A model of OpenAI, or of a compatible server at OPENAI_BASE_URL. Texts and queries are sent there.

    Args:
        model: the name that the service knows.

    Raises:
        InputError: OPENAI_API_KEY is not set, which a server near needs not; or the operator has all that is
            sent stay near, and the service is not.
    """

    def __init__(self, model: str) -> None:
        from langchain_openai import OpenAIEmbeddings

        address = openai_address()
        if why := why_operator():
            require_near(address, "embedding", "texts and queries", why)
        # Texts go as text: token counts would need a download, and compatible servers do not take tokens.
        self._model = OpenAIEmbeddings(
            model=model,
            api_key=_key(address),
            check_embedding_ctx_length=False,
            max_retries=_MAX_REQUESTS - 1,
            timeout=_TIMEOUT_S,
            **client_options(address),
        )

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, shape (n_texts, dimension).

        Raises:
            ProviderError: the service stayed away, refused, or sent no vectors.
        """
        return _asked(lambda: self._model.embed_documents(texts), len(texts))

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text, shape (dimension,).

        Raises:
            ProviderError: the service stayed away, refused, or sent no vector.
        """
        return self.embed_documents([text])[0]


def open_embeddings(name: str) -> Embeddings:
    """The embeddings a user asked for by name; never another one, and nothing is downloaded.

    Args:
        name: `hashed`; the folder of a sentence-transformers model, or the name of one in the Hugging Face
            cache; or `openai:MODEL` for a model of OpenAI or of a compatible server.

    Raises:
        InputError: the extra `embeddings` is not installed, the model is not on this machine, or
            OPENAI_API_KEY is not set.
    """
    if name == HASHED:
        return HashedEmbeddings()
    if is_service(name):
        return ServiceEmbeddings(name.removeprefix(_SERVICE))
    if find_spec("sentence_transformers") is None:
        raise InputError("embedding", "dense models need an extra: pip install 'ii-kea[embeddings]'")
    return _local_model(_model_folder(name), embedding_id(name))


def embedding_id(name: str) -> str:
    """A mark of the vectors that a name stands for; it changes when the model does.

    The mark of a model on this machine is a hash of its configuration, its vocabulary and samples of its
    weights.

    Args:
        name: see `open_embeddings`.

    Raises:
        InputError: the model is not on this machine.
    """
    if name == HASHED:
        return f"{HASHED}-v{_HASHED_VERSION}"
    if is_service(name):
        return name
    folder = _model_folder(name)
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        if path.name in _DEFINING_FILES or path.suffix == ".safetensors":
            digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
            digest.update(_sample(path))
    return f"{Path(name).name}-{digest.hexdigest()[:12]}"


def is_service(name: str) -> bool:
    """Whether texts and queries leave this machine to be embedded."""
    return name.startswith(_SERVICE)


@lru_cache(maxsize=2)
def _local_model(folder: Path, mark: str) -> LocalEmbeddings:
    """The model of a folder; `mark` changes when its files do."""
    return LocalEmbeddings(folder)


def _model_folder(name: str) -> Path:
    if name and (Path(name) / "modules.json").is_file():
        return Path(name).resolve()
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for repository in (name, f"sentence-transformers/{name}"):
        try:
            found = try_to_load_from_cache(repository, "modules.json")
        except HFValidationError:
            continue
        if isinstance(found, str):
            return Path(found).parent
    rule = f"this model is not on this machine; fetch it, as in `hf download {DENSE}`, or use '{HASHED}'"
    raise InputError("embedding", rule)


def _sample(path: Path) -> bytes:
    """A small file as it is; of a large one, evenly spaced pieces."""
    size = path.stat().st_size
    if size <= _SAMPLES * _SAMPLE_BYTES:
        return path.read_bytes()
    with path.open("rb") as file:
        return b"".join(_pieces(file, size))


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    for piece in range(_SAMPLES):
        file.seek((size - _SAMPLE_BYTES) * piece // (_SAMPLES - 1))
        yield file.read(_SAMPLE_BYTES)


def _key(address: Address) -> "SecretStr":
    key = openai_key(address)
    if key is None:
        raise InputError("embedding", "a model of a service needs a key; set OPENAI_API_KEY")
    return key


def _asked(ask: Callable[[], list[list[float]]], n_texts: int) -> list[list[float]]:
    if not n_texts:
        return []
    try:
        with withheld_details():
            vectors = np.asarray(ask(), dtype=float)
    except Exception as error:  # noqa: BLE001 - every client library has its own exceptions: map them all
        raise _provider_error(error) from None
    if vectors.ndim != 2 or len(vectors) != n_texts or not np.isfinite(vectors).all():
        raise ProviderError(f"embedding service: not one vector a text; check {_ADDRESS}")
    checked: list[list[float]] = vectors.tolist()
    return checked


def _provider_error(error: Exception) -> ProviderError:
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        advice = "OPENAI_API_KEY" if status in {401, 403} else _ADDRESS
        return ProviderError(f"embedding service answered {status}: check {advice}", status)
    return ProviderError(f"embedding service: no vectors ({type(error).__name__}); check {_ADDRESS}")


def _term_weights(text: str) -> dict[str, float]:
    found = words(text)
    grams = (gram for word in found for gram in _grams(word))
    weights = {word: 1 + log(count) for word, count in Counter(found).items()}
    # No word holds a space, so that a piece is never taken for a word.
    weights.update({f" {gram}": _GRAM_WEIGHT * (1 + log(n)) for gram, n in Counter(grams).items()})
    return weights


def _grams(word: str) -> Iterator[str]:
    marked = f"<{word}>"
    for start in range(len(marked) - _GRAM + 1):
        yield marked[start : start + _GRAM]


@lru_cache(maxsize=16_384)
def _hashed(term: str, dimension: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The coordinates that a term is added to, and its signs there."""
    digest = blake2b(term.encode("utf-8", "surrogatepass"), digest_size=4 * _COORDINATES_PER_TERM).digest()
    bits = np.frombuffer(digest, dtype="<u4").astype(np.int64)
    return (bits >> 1) % dimension, np.where(bits & 1, 1.0, -1.0)

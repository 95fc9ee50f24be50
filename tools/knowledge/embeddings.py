"""Text embeddings: a lexical one that needs no download, and dense models that are already on the machine."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from importlib.util import find_spec
from itertools import pairwise
from math import log
from pathlib import Path

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from tools.safety.errors import InputError

_WORD = re.compile(r"[^\W_]+")
_STOP_WORDS = re.compile(
    r"(a|an|and|are|as|at|be|been|but|by|can|for|from|had|has|have|in|into|is|it|its|may|of|on|or|such|that|the|their"
    r"|them|these|they|this|those|to|was|were|what|when|which|who|with)"
)
_COORDINATES_PER_TERM = 8


class LexicalEmbeddings(Embeddings):
    """Hashed TF-IDF vectors of words and word pairs, of unit length.

    A term t of a text weighs (1 + ln tf) (1 + ln((1 + n) / (1 + df))), with n texts in the corpus of which df
    hold t (the smooth idf of scikit-learn). It is added with hashed signs to 8 hashed coordinates, a sparse
    Johnson-Lindenstrauss transform (Kane and Nelson 2014, "Sparser Johnson-Lindenstrauss transforms"): the
    cosine of two vectors estimates that of the full term vectors with an error of about 1 / sqrt(dimension).
    Equal texts give equal vectors in every process.

    Args:
        corpus: the texts that the document frequencies are counted on.
        dimension: length of a vector.
    """

    def __init__(self, corpus: Iterable[str], dimension: int = 1024) -> None:
        self.dimension = dimension
        self._n_texts = 0
        self._frequency: Counter[str] = Counter()
        for text in corpus:
            self._n_texts += 1
            self._frequency.update(set(_terms(text)))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, shape (n_texts, dimension)."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text, shape (dimension,)."""
        vector: list[float] = self._vector(text).tolist()
        return vector

    def _vector(self, text: str) -> npt.NDArray[np.float64]:
        vector = np.zeros(self.dimension)
        counts = Counter(_terms(text)) or Counter([text])
        for term, count in counts.items():
            coordinates, signs = _hashed(term, self.dimension)
            np.add.at(vector, coordinates, signs * (1 + log(count)) * self._idf(term))
        norm = float(np.linalg.norm(vector))
        return vector / norm if norm else vector

    def _idf(self, term: str) -> float:
        return 1 + log((1 + self._n_texts) / (1 + self._frequency[term]))


def open_embeddings(name: str, corpus: Iterable[str]) -> Embeddings:
    """The embeddings a user asked for by name; never another one.

    Args:
        name: `lexical`, the folder of a sentence-transformers model, or the name of one that is in the
            Hugging Face cache (nothing is downloaded here).
        corpus: the library's texts, for `lexical`.

    Raises:
        InputError: the extra `embeddings` is not installed, or the model is not on this machine.
    """
    if name == "lexical":
        return LexicalEmbeddings(corpus)
    if find_spec("sentence_transformers") is None:
        raise InputError("embedding", "dense models need an extra: pip install 'ii-kea[embeddings]'")
    model = _local_model(name)
    from langchain_huggingface import HuggingFaceEmbeddings

    return HuggingFaceEmbeddings(
        model_name=model,
        model_kwargs={"local_files_only": True},
        encode_kwargs={"normalize_embeddings": True},
    )


def _local_model(name: str) -> str:
    if (Path(name) / "modules.json").is_file() or (Path(name) / "config.json").is_file():
        return name
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for repository in (name, f"sentence-transformers/{name}"):
        try:
            found = try_to_load_from_cache(repository, "config.json")
        except HFValidationError:
            continue
        if isinstance(found, str):
            return repository
    raise InputError(
        "embedding", "this model is not on this machine; fetch it with `hf download MODEL` or use 'lexical'"
    )


def _hashed(term: str, dimension: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The coordinates that a term is added to, and its signs there."""
    digest = blake2b(term.encode(), digest_size=4 * _COORDINATES_PER_TERM).digest()
    bits = np.frombuffer(digest, dtype="<u4").astype(np.int64)
    return (bits >> 1) % dimension, np.where(bits & 1, 1.0, -1.0)


def _terms(text: str) -> Iterator[str]:
    words = [_stem(word) for word in _WORD.findall(text.casefold()) if not _STOP_WORDS.fullmatch(word)]
    yield from words
    yield from (f"{first} {second}" for first, second in pairwise(words))


def _stem(word: str) -> str:
    """Plural to singular (the S-stemmer of Harman 1991, "How effective is suffixing?")."""
    if len(word) < 4 or word.endswith(("us", "ss", "is")) or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    return word[:-1]

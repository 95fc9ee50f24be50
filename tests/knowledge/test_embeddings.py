import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.knowledge.samples import in_a_new_process
from tools.knowledge import embeddings
from tools.knowledge.embeddings import LexicalEmbeddings, open_embeddings
from tools.safety.errors import InputError

CORPUS = [
    "Gout is caused by urate crystals in joints.",
    "Heart failure is caused by coronary artery disease and hypertension.",
    "Heart failure can lead to pleural effusion.",
    "Pneumonia is an infection of the lungs.",
]
LEXICAL = LexicalEmbeddings(CORPUS)


def _vector(text: str) -> np.ndarray:
    return np.array(LEXICAL.embed_query(text))


@given(st.text())
def test_every_text_has_a_finite_vector_of_unit_length(text: str) -> None:
    vector = _vector(text)
    assert vector.shape == (1024,)
    assert np.isclose(np.linalg.norm(vector), 1, rtol=1e-12)


@given(st.text(), st.text())
def test_no_text_is_nearer_to_a_text_than_itself(text: str, other: str) -> None:
    assert _vector(text) @ _vector(other) <= _vector(text) @ _vector(text) + 1e-12


@given(st.lists(st.text(), max_size=5))
def test_documents_and_queries_are_embedded_alike(texts: list[str]) -> None:
    assert LEXICAL.embed_documents(texts) == [LEXICAL.embed_query(text) for text in texts]


@given(st.sampled_from(CORPUS))
def test_case_plural_punctuation_and_stop_words_make_no_difference(text: str) -> None:
    varied = text.upper().replace(".", " !!!").replace("IS ", "are the ")
    assert np.allclose(_vector(varied), _vector(text))
    assert np.allclose(_vector("heart failures"), _vector("Heart failure"))


def _exact_terms(text: str) -> list[str]:
    stop = {"is", "by", "in", "and", "can", "to", "an", "of", "the"}
    words = [w.removesuffix("s") for w in text.lower().rstrip(".").split() if w not in stop]
    return words + [f"{a} {b}" for a, b in pairwise(words)]


def _exact_cosine(first: str, second: str) -> float:
    """The cosine of the full TF-IDF vectors, term by term."""

    def weights(text: str) -> dict[str, float]:
        terms = _exact_terms(text)
        df = {t: sum(t in _exact_terms(c) for c in CORPUS) for t in terms}
        return {t: (1 + np.log(terms.count(t))) * (1 + np.log(5 / (1 + df[t]))) for t in terms}

    a, b = weights(first), weights(second)
    dot = sum(a[t] * b.get(t, 0) for t in a)
    return float(dot / np.sqrt(sum(v**2 for v in a.values()) * sum(v**2 for v in b.values())))


def test_the_cosine_estimates_that_of_the_full_term_vectors() -> None:
    wide = LexicalEmbeddings(CORPUS, dimension=2**18)
    texts = [*CORPUS, "heart heart heart gout", "gout gout crystals"]
    for first in texts:
        for second in texts:
            exact = _exact_cosine(first, second)
            full = np.dot(wide.embed_query(first), wide.embed_query(second))
            assert full == pytest.approx(exact, abs=2e-3)
            assert _vector(first) @ _vector(second) == pytest.approx(exact, abs=4 / np.sqrt(1024))


@given(st.sampled_from(CORPUS), st.sampled_from(CORPUS))
def test_rare_words_weigh_more_than_common_ones(text: str, other: str) -> None:
    assume(text != other)
    assert _vector("heart") @ _vector("heart crystals") < _vector("crystals") @ _vector("heart crystals")
    assert _vector(text) @ _vector(other) < _vector(text) @ _vector(text)


def test_texts_without_a_common_word_are_unrelated_on_average() -> None:
    texts = [" ".join(f"w{i}x{j}" for j in range(10)) for i in range(60)]
    cosines = np.array(LEXICAL.embed_documents(texts)) @ np.array(LEXICAL.embed_documents(texts)).T
    assert abs(cosines[~np.eye(60, dtype=bool)].mean()) < 0.01


def test_another_process_with_another_hash_seed_gives_the_same_vectors() -> None:
    code = (
        "import json; from tools.knowledge.embeddings import LexicalEmbeddings;"
        f"print(json.dumps(LexicalEmbeddings({CORPUS!r}).embed_query('heart failure and gout')))"
    )
    here = json.loads(json.dumps(LEXICAL.embed_query("heart failure and gout")))
    assert [in_a_new_process(code, PYTHONHASHSEED=seed) for seed in ("1", "2")] == [here, here]


def test_lexical_is_opened_by_name() -> None:
    assert open_embeddings("lexical", CORPUS).embed_query("gout") == LEXICAL.embed_query("gout")


def test_a_dense_model_without_its_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"ii-kea\[embeddings\]"):
        open_embeddings("sentence-transformers/all-mpnet-base-v2", CORPUS)


@pytest.mark.parametrize("name", ["no-such-model", "nobody/no-such-model", "../a//b", ""])
def test_a_dense_model_that_is_not_here_is_refused_without_a_download(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embeddings, "find_spec", lambda name: object())
    with pytest.raises(InputError, match="hf download"):
        open_embeddings(name, CORPUS)

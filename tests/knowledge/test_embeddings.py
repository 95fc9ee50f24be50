import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.knowledge.samples import in_a_new_process
from tests.knowledge.tiny_model import write_tiny_model
from tools.knowledge import embeddings
from tools.knowledge.embeddings import HashedEmbeddings, embedding_id, open_embeddings
from tools.safety.errors import InputError

TEXTS = [
    "Gout is caused by urate crystals in joints.",
    "Heart failure is caused by coronary artery disease and hypertension.",
    "Heart failure can lead to pleural effusion.",
    "Pneumonia is an infection of the lungs.",
]
HASHED = HashedEmbeddings()


def _vector(text: str) -> np.ndarray:
    return np.array(HASHED.embed_query(text))


@given(st.text())
def test_every_text_has_a_finite_vector_of_unit_length(text: str) -> None:
    vector = _vector(text)
    assert vector.shape == (1024,)
    assert np.isclose(np.linalg.norm(vector), 1, rtol=1e-12)


@given(st.text(), st.text())
def test_no_text_is_nearer_to_a_text_than_itself(text: str, other: str) -> None:
    assert _vector(text) @ _vector(other) <= _vector(text) @ _vector(text) + 1e-12


@given(st.lists(st.text(), max_size=5))
def test_a_vector_depends_on_no_other_text(texts: list[str]) -> None:
    assert HASHED.embed_documents(texts) == [HashedEmbeddings().embed_query(text) for text in texts]


@given(st.sampled_from(TEXTS))
def test_case_plural_punctuation_and_stop_words_make_no_difference(text: str) -> None:
    varied = text.upper().replace(".", " !!!").replace("IS ", "are the ")
    assert np.allclose(_vector(varied), _vector(text))
    assert np.allclose(_vector("heart failures"), _vector("Heart failure"))


def _exact_weights(text: str) -> dict[str, float]:
    stop = {"is", "by", "in", "and", "can", "to", "an", "of", "the"}
    found = [w.removesuffix("s") for w in text.lower().rstrip(".").split() if w not in stop]
    pieces = [f"<{w}>"[i : i + 4] for w in found for i in range(len(w) - 1)]
    return {w: 1 + np.log(found.count(w)) for w in found} | {
        f"piece {p}": 0.6 * (1 + np.log(pieces.count(p))) for p in pieces
    }


def _exact_cosine(first: str, second: str) -> float:
    """The cosine of the full term vectors, term by term."""
    a, b = _exact_weights(first), _exact_weights(second)
    dot = sum(a[t] * b.get(t, 0) for t in a)
    return float(dot / np.sqrt(sum(v**2 for v in a.values()) * sum(v**2 for v in b.values())))


def test_the_cosine_estimates_that_of_the_full_term_vectors() -> None:
    wide = HashedEmbeddings(dimension=2**18)
    texts = [*TEXTS, "heart heart heart gout", "gout gout crystals", "crystal"]
    for first in texts:
        for second in texts:
            exact = _exact_cosine(first, second)
            full = np.dot(wide.embed_query(first), wide.embed_query(second))
            assert full == pytest.approx(exact, abs=3e-3)
            assert _vector(first) @ _vector(second) == pytest.approx(exact, abs=4 / np.sqrt(1024))


def test_inflected_and_compound_words_are_nearer_than_unrelated_ones() -> None:
    for word, near in [
        ("diabetes", "diabetic"),
        ("hypertension", "hypertensive"),
        ("cirrhosis", "cirrhotic"),
    ]:
        assert _vector(word) @ _vector(near) > 0.25 > _vector(word) @ _vector("gout")


def test_texts_without_a_common_word_are_unrelated_on_average() -> None:
    texts = [" ".join(f"{i:03}{j:03}" * 2 for j in range(10)) for i in range(60)]
    cosines = np.array(HASHED.embed_documents(texts)) @ np.array(HASHED.embed_documents(texts)).T
    exact = [[_exact_cosine(a, b) for a in texts[:5]] for b in texts[5:10]]
    assert abs(cosines[5:10, :5] - exact).mean() < 2 / np.sqrt(1024)


def test_another_process_with_another_hash_seed_gives_the_same_vectors() -> None:
    code = (
        "import json; from tools.knowledge.embeddings import open_embeddings;"
        "print(json.dumps(open_embeddings('hashed').embed_query('heart failure and gout')))"
    )
    here = json.loads(json.dumps(HASHED.embed_query("heart failure and gout")))
    assert [in_a_new_process(code, PYTHONHASHSEED=seed) for seed in ("1", "2")] == [here, here]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def wider_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("wider"), dimension=32)


def test_a_model_is_opened_by_its_folder(tiny_model: Path, wider_model: Path) -> None:
    for folder, dimension in ((tiny_model, 16), (wider_model, 32)):
        vectors = np.array(open_embeddings(str(folder)).embed_documents(TEXTS))
        assert vectors.shape == (len(TEXTS), dimension)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_documents_and_queries_are_embedded_alike(tiny_model: Path) -> None:
    model = open_embeddings(str(tiny_model))
    assert np.allclose(model.embed_documents(TEXTS), [model.embed_query(text) for text in TEXTS], atol=1e-6)


def test_another_model_under_the_same_name_is_noticed(
    tiny_model: Path, wider_model: Path, tmp_path: Path
) -> None:
    again = write_tiny_model(tmp_path / "again")
    retrained = write_tiny_model(tmp_path / "retrained", seed=1)
    marks = {folder: embedding_id(str(folder)) for folder in (tiny_model, again, retrained, wider_model)}
    assert marks[tiny_model] == marks[again]
    assert len(set(marks.values())) == 3
    assert all(mark.startswith("model-") for mark in marks.values())


@pytest.mark.parametrize("part", ["config.json", "tokenizer.json", "1_Pooling/config.json"])
def test_a_change_of_a_defining_file_is_noticed(part: str, tiny_model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (copy / "README.md").write_text("other words")
    assert embedding_id(str(copy)) == embedding_id(str(tiny_model))
    (copy / part).write_text((copy / part).read_text() + "\n")
    assert embedding_id(str(copy)) != embedding_id(str(tiny_model))


def test_a_large_file_is_sampled_from_end_to_end(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    weights = tmp_path / "model.safetensors"
    marks = set()
    for place in (None, 0, 10_000_000 // 63 * 31, 9_999_999):
        content = bytearray(10_000_000)
        if place is not None:
            content[place] = 1
        weights.write_bytes(content)
        marks.add(embedding_id(str(tmp_path)))
    assert len(marks) == 4


def test_a_changed_model_is_opened_anew(tmp_path: Path) -> None:
    first = write_tiny_model(tmp_path / "first")
    before = open_embeddings(str(first)).embed_query("gout")
    other = write_tiny_model(tmp_path / "other", seed=1)
    shutil.copytree(other, first, dirs_exist_ok=True)
    assert not np.allclose(open_embeddings(str(first)).embed_query("gout"), before, atol=1e-3)


@pytest.mark.parametrize("spoil", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_model_is_refused(spoil: str, tiny_model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (copy / spoil).write_text("{")
    with pytest.raises(InputError, match="fetch it again"):
        open_embeddings(str(copy))


def test_pickled_weights_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    copy = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    network = SentenceTransformer(str(tiny_model))[0].auto_model
    torch.save(network.state_dict(), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(InputError, match="fetch it again"):
        open_embeddings(str(copy))


def test_a_model_in_the_cache_is_opened_by_its_name_without_a_word(tiny_model: Path, tmp_path: Path) -> None:
    repository = tmp_path / "models--sentence-transformers--tiny"
    shutil.copytree(tiny_model, repository / "snapshots/0123")
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("0123")
    code = (
        "import contextlib, io, json; from tools.knowledge.embeddings import embedding_id, open_embeddings\n"
        "names = ('tiny', 'sentence-transformers/tiny')\n"
        "with contextlib.redirect_stderr(io.StringIO()) as said:\n"
        "    found = [[embedding_id(n), open_embeddings(n).embed_query('gout')] for n in names]\n"
        "print(json.dumps([found, said.getvalue()]))"
    )
    there = in_a_new_process(code, HF_HUB_CACHE=str(tmp_path), HOME=str(tmp_path))
    found, said = there  # type: ignore[misc]
    digest = embedding_id(str(tiny_model)).removeprefix("model")
    for mark, vector in found:
        assert mark == f"tiny{digest}"
        assert np.allclose(vector, open_embeddings(str(tiny_model)).embed_query("gout"), atol=1e-6)
    assert "%" not in said


def test_a_dense_model_without_its_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"ii-kea\[embeddings\]"):
        open_embeddings(embeddings.DENSE)


@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("name", [embeddings.DENSE, "no-such-model", "nobody/no-such-model", "../a//b", ""])
def test_a_model_that_is_not_here_is_refused_without_a_download(
    name: str, online: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    if online:
        monkeypatch.delenv("HF_HUB_OFFLINE")
    for use in (open_embeddings, embedding_id):
        with pytest.raises(InputError, match="hf download"):
            use(name)

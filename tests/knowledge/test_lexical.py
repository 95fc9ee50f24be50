import json
import logging
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.knowledge.samples import in_a_new_process
from tools.knowledge.lexical import K1, B, Bm25Index, words

CORPUS = [
    "Gout is caused by urate crystals in joints.",
    "Heart failure is caused by coronary artery disease and hypertension.",
    "Heart failure can lead to pleural effusion, and heart failure to edema.",
    "Pneumonia is an infection of the lungs.",
    "...",
]
WORDS = st.sampled_from(["heart", "failure", "gout", "kidney", "joint", "edema"])
TEXTS = st.lists(st.lists(WORDS, max_size=8).map(" ".join), max_size=12)
QUERY = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)


def _index(texts: list[str], k1: float = K1, b: float = B) -> Bm25Index:
    return Bm25Index([f"p{number:02}" for number in range(len(texts))], texts, k1, b)


def _textbook(texts: list[str], query: str, k1: float = K1, b: float = B) -> dict[str, float]:
    """BM25 word by word, as the docstring of the index gives it."""
    bags = [words(text) for text in texts]
    mean = sum(map(len, bags)) / max(len(bags), 1)
    scores = {}
    for number, bag in enumerate(bags):
        score = 0.0
        for word in set(words(query)):
            df = sum(word in other for other in bags)
            tf = bag.count(word)
            idf = log(1 + (len(bags) - df + 0.5) / (df + 0.5))
            score += idf * tf / (tf + k1 * (1 - b + b * len(bag) / mean)) if tf else 0
        if score:
            scores[f"p{number:02}"] = score
    return scores


@given(TEXTS, QUERY, st.floats(0.01, 3), st.floats(0, 1))
def test_scores_are_those_of_the_textbook(texts: list[str], query: str, k1: float, b: float) -> None:
    for found, expected in (
        (_index(texts).search(query, 20), _textbook(texts, query)),
        (_index(texts, k1, b).search(query, 20), _textbook(texts, query, k1, b)),
    ):
        assert dict(found) == pytest.approx(expected, rel=1e-12)


@given(TEXTS, QUERY, st.integers(1, 14))
def test_the_best_k_are_the_first_k_of_all(texts: list[str], query: str, k: int) -> None:
    index = _index(texts)
    everything = index.search(query, 100)
    assert everything == sorted(everything, key=lambda hit: (-hit[1], hit[0]))
    assert index.search(query, k) == everything[:k]


@given(TEXTS, QUERY)
def test_only_passages_with_a_word_of_the_query_are_found(texts: list[str], query: str) -> None:
    holding = {f"p{n:02}" for n, text in enumerate(texts) if set(words(text)) & set(words(query))}
    assert {key for key, _ in _index(texts).search(query, 100)} == holding


@given(QUERY)
def test_a_word_asked_twice_counts_once(query: str) -> None:
    index = _index(CORPUS)
    assert index.search(f"{query} {query}", 9) == index.search(query, 9)


@pytest.mark.parametrize("query", ["", "...", "what is it", "xylophone"])
def test_a_query_without_a_known_word_finds_nothing(query: str) -> None:
    assert _index(CORPUS).search(query, 5) == []


@pytest.mark.parametrize("texts", [[], [""], ["...", "it is"]])
def test_a_library_without_a_word_is_searched_all_the_same(texts: list[str]) -> None:
    assert _index(texts).search("gout", 5) == []


@given(st.text())
def test_any_text_can_be_indexed_and_finds_itself(text: str) -> None:
    found = Bm25Index(["it", "other"], [text, "gout"]).search(text, 2)
    assert ("it" in dict(found)) == bool(words(text))


def test_as_many_texts_as_ids() -> None:
    with pytest.raises(ValueError, match="zip"):
        Bm25Index(["a"], [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Heart failures", "heart failure"),
        ("biopsies", "biopsy"),
        ("Ménière disease", "meniere disease"),
        ("Sjo\u0308gren", "Sjögren"),
        ("FUSS", "fuß"),
        ("the cause of gout", "cause gout"),
    ],
)
def test_case_accents_plurals_and_stop_words_make_no_difference(one: str, other: str) -> None:
    assert words(one) == words(other)


@pytest.mark.parametrize("word", ["sinus", "abscess", "sepsis"])
def test_an_s_that_is_no_plural_stays(word: str) -> None:
    assert words(word) == [word]


def test_another_process_with_another_hash_seed_finds_the_same() -> None:
    code = (
        "import json; from tools.knowledge.lexical import Bm25Index;"
        f"print(json.dumps(Bm25Index(list('abcde'), {CORPUS!r}).search('what causes heart failure', 5)))"
    )
    here = json.loads(json.dumps(Bm25Index(list("abcde"), CORPUS).search("what causes heart failure", 5)))
    assert [in_a_new_process(code, PYTHONHASHSEED=seed) for seed in ("1", "2")] == [here, here]


def test_an_index_says_nothing(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG):
        _index(CORPUS).search("heart failure", 5)
    assert not [record for record in caplog.records if record.name.startswith("bm25s")]
    assert capfd.readouterr() == ("", "")

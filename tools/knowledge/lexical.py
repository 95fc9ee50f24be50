"""Search by words: BM25 over passages, and what counts as a word."""

import logging
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

_WORD = re.compile(r"[^\W_]+")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a an and are as at be been but by can for from had has have in into is it its may of on or such that"
        " the their them these they this those to was were what when which who with"
    )
)
# Chosen by benchmarks/retrieval.py on half of its queries. The usual 1.2 and 0.75 reward a passage that
# repeats one disease; a small k1 rewards one that names all that were asked for, as a cited finding does.
K1 = 0.4
B = 0.25


class Bm25Index:
    """Passages by the words they share with a query: BM25 (Robertson and Zaragoza 2009) as Lucene has it.

    score(q, d) = sum over words w of q of idf(w) tf(w, d) / (tf(w, d) + k1 (1 - b + b |d| / mean |d|)),
    idf(w) = ln(1 + (n - df(w) + 1/2) / (df(w) + 1/2)),
    with n passages of which df(w) hold w. A word counts once in a query, however often it stands there.
    Equal texts give equal scores in every process. Safe to share between threads.

    Args:
        ids: of the passages, unique.
        texts: of the passages, as many.
        k1: how much a word's further occurrences in a passage add.
        b: how much long passages are held back, 0 to 1.
    """

    def __init__(self, ids: Sequence[str], texts: Sequence[str], k1: float = K1, b: float = B) -> None:
        # Imports numba, which takes a second.
        import bm25s  # type: ignore[import-untyped]

        logging.getLogger("bm25s").setLevel(logging.WARNING)
        self._ids = tuple(ids)
        self._vocabulary: dict[str, int] = {}
        bags = [[self._number(word) for word in words(text)] for _, text in zip(ids, texts, strict=True)]
        self._index = bm25s.BM25(k1=k1, b=b, dtype="float64")
        if self._vocabulary:
            self._index.index((bags, self._vocabulary), create_empty_token=False, show_progress=False)

    def search(self, query: str, k: int) -> list[tuple[str, float]]:
        """Ids and scores of the best k passages that hold a word of the query; ties in the order of ids."""
        asked = dict.fromkeys(words(query))
        known = [self._vocabulary[word] for word in asked if word in self._vocabulary]
        if not known or k < 1:
            return []
        scores = self._index.get_scores_from_ids(known)
        found = scores.nonzero()[0]
        if len(found) > k:
            found = found[scores[found] >= np.partition(scores[found], -k)[-k]]
        ranked = sorted((-float(scores[place]), self._ids[place]) for place in found)
        return [(key, -score) for score, key in ranked[:k]]

    def _number(self, word: str) -> int:
        return self._vocabulary.setdefault(word, len(self._vocabulary))


def words(text: str) -> list[str]:
    """The words of a text that a search goes by: no stop words, no case, no accents, singular for plural."""
    plain = text.casefold()
    if not plain.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return [_singular(word) for word in _WORD.findall(plain) if word not in _STOP_WORDS]


def _singular(word: str) -> str:
    """The S-stemmer (Harman 1991, "How effective is suffixing?")."""
    if len(word) < 4 or word.endswith(("us", "ss", "is")) or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    return word[:-1]

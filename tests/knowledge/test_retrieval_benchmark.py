"""The benchmark of retrieval: its measures are the textbook's, its judgements are what the passages say."""

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.knowledge.measures import Interval, interval, ndcg, recall
from benchmarks.knowledge.queries import judged_queries
from benchmarks.retrieval import DENSE, HASHED, WORDS, WORDS_DENSE, WORDS_HASHED, quality_verdict
from tests.knowledge.samples import DEMO
from tools.knowledge.library import KnowledgeLibrary

GRADES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 2), min_size=1)
RANKING = st.lists(st.sampled_from("abcdefgh"), unique=True)
QUERIES = judged_queries(library := KnowledgeLibrary(DEMO))


@given(GRADES, RANKING)
def test_gains_lie_between_nothing_and_the_ideal(grades: dict[str, int], ranking: list[str]) -> None:
    ideal = sorted(grades, key=lambda key: -grades[key])
    for measure in (ndcg, recall):
        assert measure(ideal, grades) == pytest.approx(1)
        assert 0 <= measure(ranking, grades) <= 1 + 1e-12
        assert measure([], grades) == 0


@given(GRADES, RANKING)
def test_ndcg_is_the_discounted_gain_over_the_best(grades: dict[str, int], ranking: list[str]) -> None:
    def gain(order: list[str]) -> float:
        return sum(
            (2 ** grades.get(key, 0) - 1) / log2(rank + 1) for rank, key in enumerate(order[:5], start=1)
        )

    ideal = sorted(grades, key=lambda key: -grades[key])
    assert ndcg(ranking, grades) == pytest.approx(gain(ranking) / gain(ideal))


def test_an_interval_holds_the_mean_and_narrows_with_more_topics() -> None:
    values = np.random.default_rng(0).random(400)
    few = interval(values, [f"{n % 10}" for n in range(400)])
    many = interval(values, [f"{n}" for n in range(400)])
    assert many.low < values.mean() < many.high
    assert many.mean == few.mean == pytest.approx(values.mean())
    half_width = 1.96 * values.std() / 20
    assert many.high - many.low == pytest.approx(2 * half_width, rel=0.15)


def test_topics_are_drawn_again_as_a_whole() -> None:
    same = interval(np.repeat([0.0, 1.0], 50), ["a"] * 50 + ["b"] * 50)
    assert (same.low, same.mean, same.high) == (0.0, 0.5, 1.0)


def test_the_same_seed_asks_the_same() -> None:
    assert judged_queries(library) == QUERIES
    assert judged_queries(library, seed=1) != QUERIES


@pytest.mark.parametrize("kind", ["pairs", "lists", "sections"])
def test_every_query_has_an_answer_in_the_library_and_both_halves_have_queries(kind: str) -> None:
    halves = [query.is_held_out for query in QUERIES[kind]]
    assert 0.3 < np.mean(halves) < 0.7
    for query in QUERIES[kind]:
        assert query.grades.keys() <= library.passages.keys()
        assert set(query.grades.values()) <= {1, 2}
        assert query.grades


def test_both_orders_of_a_pair_are_judged_alike_and_held_out_together() -> None:
    by_topic: dict[str, list[dict[str, int]]] = {}
    for query in QUERIES["pairs"]:
        by_topic.setdefault(query.topic, []).append(query.grades)
    assert {len(grades) for grades in by_topic.values()} == {2}
    assert all(first == second for first, second in by_topic.values())


def test_what_is_judged_relevant_names_both_diseases() -> None:
    for query in QUERIES["pairs"][::20]:
        for key in query.grades:
            passage = library.passages[key]
            text = passage.text.lower()
            for disease in query.topic.split():
                entry = library.entries[disease]
                named = any(name.lower() in text for name in (entry.title, *entry.aliases))
                assert named or passage.doc_id == disease


NEAR, FAR = Interval(0.0, -0.1, 0.1), Interval(0.2, 0.1, 0.3)
BEHIND = Interval(-0.2, -0.3, -0.1)


@pytest.mark.parametrize(
    ("hybrid", "dense", "both", "passes"),
    [
        (NEAR, None, None, True),
        (FAR, None, None, False),
        (NEAR, BEHIND, NEAR, True),
        (NEAR, BEHIND, BEHIND, False),
        (NEAR, FAR, NEAR, False),
    ],
)
def test_the_verdict_is_on_the_default_and_on_the_hybrid(
    hybrid: Interval,
    dense: Interval | None,
    both: Interval | None,
    passes: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = {WORDS: Interval(0.0, 0.0, 0.0), HASHED: BEHIND, WORDS_HASHED: hybrid}
    if dense is not None and both is not None:
        rows |= {DENSE: dense, WORDS_DENSE: both}
    assert quality_verdict(rows, WORDS) == passes
    assert capsys.readouterr().out.startswith(f"K4 {'PASS' if passes else 'FAIL'}")

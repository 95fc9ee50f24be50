from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tools.knowledge.fusion import HYBRID_WEIGHTS, fuse

RANKING = st.lists(st.sampled_from("abcdefgh"), unique=True)
RANKINGS = st.lists(RANKING, max_size=4)


@given(RANKINGS, st.integers(0, 100))
def test_scores_are_sums_of_reciprocal_ranks(rankings: list[list[str]], k0: int) -> None:
    exact = {
        key: sum(Fraction(1, k0 + ranking.index(key) + 1) for ranking in rankings if key in ranking)
        for key in {key for ranking in rankings for key in ranking}
    }
    assert dict(fuse(rankings, k0=k0)) == pytest.approx({key: float(score) for key, score in exact.items()})


@given(RANKINGS)
def test_best_first_and_ties_in_the_order_of_ids(rankings: list[list[str]]) -> None:
    fused = fuse(rankings)
    assert fused == sorted(fused, key=lambda scored: (-scored[1], scored[0]))


@given(RANKING, st.integers(1, 3), st.integers(0, 100))
def test_equal_rankings_are_kept(ranking: list[str], times: int, k0: int) -> None:
    assert [key for key, _ in fuse([ranking] * times, k0=k0)] == ranking


@given(RANKING, RANKING)
def test_what_both_rankings_put_first_stays_first(first: list[str], second: list[str]) -> None:
    best = "z"
    assert fuse([[best, *first], [best, *second]], HYBRID_WEIGHTS)[0][0] == best


@given(RANKING, RANKING)
def test_a_weight_counts_as_that_many_rankings(first: list[str], second: list[str]) -> None:
    assert dict(fuse([first, second], [3.0, 1.0])) == pytest.approx(dict(fuse([first] * 3 + [second])))


@given(RANKING, st.data())
def test_to_rise_in_one_ranking_never_lowers_the_joint_place(ranking: list[str], data: st.DataObject) -> None:
    assume(len(ranking) > 1)
    other = data.draw(st.permutations(ranking))
    place = data.draw(st.integers(1, len(ranking) - 1))
    risen = [*ranking[: place - 1], ranking[place], ranking[place - 1], *ranking[place + 1 :]]

    def joint_place(first: list[str]) -> int:
        return [key for key, _ in fuse([first, other], HYBRID_WEIGHTS)].index(ranking[place])

    assert joint_place(risen) <= joint_place(ranking)


def test_a_weight_too_few_or_too_many_is_a_mistake() -> None:
    for weights in ([], [1.0], [1.0, 1.0, 1.0]):
        with pytest.raises(ValueError, match="zip"):
            fuse([["a"], ["b"]], weights)


def test_nothing_fuses_to_nothing() -> None:
    assert fuse([]) == []
    assert fuse([[], []]) == []

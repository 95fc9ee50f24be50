"""One ranking out of several."""

from collections.abc import Sequence

# Of words and of vectors. Chosen by benchmarks/retrieval.py: of the settings that lose nothing to words alone
# on any kind of query, the best. With equal weights and k0 = 60, as published, words alone find more of the
# passages that name two diseases.
HYBRID_WEIGHTS = (6.0, 1.0)
_K0 = 1.0


def fuse(
    rankings: Sequence[Sequence[str]], weights: Sequence[float] | None = None, k0: float = _K0
) -> list[tuple[str, float]]:
    """Weighted reciprocal rank fusion (Cormack, Clarke and Buettcher 2009).

    score(d) = sum over rankings r that hold d of weight(r) / (k0 + rank(d, r)), with ranks from 1.

    Args:
        rankings: ids, best first, each at most once in a ranking.
        weights: one a ranking, positive; without them all weigh the same.
        k0: how little the first places count more than the next ones, not negative.

    Returns:
        Every id of any ranking with its score, best first; ties in the order of ids.
    """
    scores: dict[str, float] = {}
    weighing = [1.0] * len(rankings) if weights is None else weights
    for ranking, weight in zip(rankings, weighing, strict=True):
        for rank, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + weight / (k0 + rank)
    return sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))

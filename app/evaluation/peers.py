"""Neural peers trained on the splits of a run, their outcomes kept like all others."""

from collections.abc import Callable, Mapping, Sequence

from app.evaluation.asked import PEERS
from app.evaluation.folds import Fold
from tools.evaluation.ledger import Ledger, Outcome
from tools.evaluation.rankings import Rankings, rank_scores

_KEPT = 100


def train_missing(
    method: str,
    folds: Sequence[Fold],
    ledgers: Mapping[int, Ledger],
    progress: Callable[[Sequence[Outcome]], None],
) -> None:
    """Trains a network for each split that has a patient without an outcome, and keeps what it predicts.

    Args:
        method: a key of `PEERS`.
        folds: the splits.
        ledgers: by seed.
        progress: told of outcomes when they have been kept.

    Raises:
        InputError: see `tools.evaluation.neural.train_peer`.
    """
    from tools.evaluation.neural import train_peer

    for fold in folds:
        ledger = ledgers[fold.seed]
        missing = [place for place, row in enumerate(fold.test.tolist()) if row not in ledger.rows]
        if not missing:
            continue
        training = fold.learned()
        run = train_peer(PEERS[method], training.cohort, training.whole, fold.examples, seed=fold.seed)
        length = training.codes_per_visit
        ranked = rank_scores(run.scores, _KEPT, length, are_probabilities=True)
        keys = {column: key for key, column in fold.columns().items()}
        outcomes = [_outcome(int(fold.test[place]), ranked, place, keys) for place in missing]
        ledger.append(outcomes)
        progress(outcomes)


def _outcome(row: int, ranked: Rankings, place: int, keys: Mapping[int, str]) -> Outcome:
    kept = ranked.ranked[place]
    probabilities = () if ranked.probabilities is None else ranked.probabilities[place, kept].tolist()
    return Outcome(
        row=row,
        codes=tuple(keys[column] for column in ranked.codes[place, kept].tolist()),
        probabilities=tuple(probabilities),
        length=int(ranked.length[place]),
    )

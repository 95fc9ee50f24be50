"""Recall of rare and of common codes, in bands by how many training patients have a code."""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from scipy import sparse

from tools.evaluation.intervals import Interval, Resampling, Sample, intervals
from tools.evaluation.metrics import UNSEEN, Codes, Int64, banded, prevalence_bands, recall
from tools.evaluation.rankings import Rankings
from tools.evaluation.row import DEPTHS, known
from tools.records.cohort import IntArray
from tools.safety.errors import InputError

N_BANDS = 5
NOT_SEEN = "unseen"


class FrequencyBand(TypedDict):
    """One method's recall of the codes of one band.

    Attributes:
        method: its name.
        band: `1`, the rarest fifth of the training patients' codes, to `5`, the most common; `unseen` for
            codes that no training patient has, which no method can rank.
        training_patients: fewest and most training patients of a code in it, over all splits.
        n_true: true codes of the band in all test sets.
        recall_at_10: see `tools.evaluation.metrics.recall`, in %; None where nobody has such a code.
        recall_at_20: likewise.
        ci: 95 % interval [low, high] of each that has a value.
    """

    method: str
    band: str
    training_patients: list[int]
    n_true: int
    recall_at_10: float | None
    recall_at_20: float | None
    ci: dict[str, list[float]]


class Banded(NamedTuple):
    """The true codes of a test set by band of each code, in the training patients of its split.

    Attributes:
        rows: of the cohort, shape (n,).
        codes: of each band, shape (n, n_codes).
        training_patients: fewest and most of a code in the band; bands without a code are left out.
    """

    rows: IntArray
    codes: dict[int, Codes]
    training_patients: dict[int, tuple[int, int]]


def by_band(rows: IntArray, target: Codes, counts: Int64) -> Banded:
    """The true codes of one split's test set by band.

    Args:
        rows: of the cohort, shape (n,).
        target: true codes, shape (n, n_codes).
        counts: training patients of this split with each code, shape (n_codes,).

    Raises:
        InputError: counts of another vocabulary.
    """
    if len(counts) != target.shape[1]:
        raise InputError("bands", f"counts of {len(counts):,} codes where there are {target.shape[1]:,}")
    bands = prevalence_bands(counts, N_BANDS)
    held = {band: counts[bands == band] for band in np.unique(bands).tolist()}
    return Banded(
        rows,
        banded(target, bands, (*range(N_BANDS), UNSEEN)),
        {band: (int(of_codes.min()), int(of_codes.max())) for band, of_codes in held.items()},
    )


def joined(parts: Sequence[Banded]) -> Banded:
    """Test sets of several splits as one; each keeps the bands of its own training patients."""
    codes = {
        band: sparse.csr_array(sparse.vstack([part.codes[band] for part in parts], format="csr"))
        for band in parts[0].codes
    }
    return Banded(np.concatenate([part.rows for part in parts]), codes, _spans(parts))


def recall_by_frequency(
    method: str, rankings: Sequence[Rankings], truth: Sequence[Banded], resampling: Resampling
) -> list[FrequencyBand]:
    """A method's recall in each band that a code lies in, the rarest first, with intervals over patients.

    Args:
        method: its name.
        rankings: of each seed's test set.
        truth: the test sets, in the same order.
        resampling: of all their patients.

    Raises:
        InputError: not one ranking for each test set, or what `tools.evaluation.metrics.recall` refuses.
    """
    if not rankings or len(rankings) != len(truth):
        raise InputError("rankings", "give one for each test set, and one test set at least")
    spans = _spans(truth)
    found = {
        f"{band}_at_{k}": [
            Sample(each.rows, recall(ranked, each.codes[band], k))
            for ranked, each in zip(rankings, truth, strict=True)
        ]
        for band in spans
        for k in DEPTHS
    }
    measured = intervals(found, resampling)
    return [
        _line(
            method,
            band,
            span,
            sum(each.codes[band].nnz for each in truth),
            known({f"recall_at_{k}": measured[f"{band}_at_{k}"] for k in DEPTHS}),
        )
        for band, span in spans.items()
    ]


def _line(
    method: str, band: int, span: tuple[int, int], n_true: int, recalls: dict[str, Interval]
) -> FrequencyBand:
    values = {name: each.estimate for name, each in recalls.items()}
    return FrequencyBand(
        method=method,
        band=NOT_SEEN if band == UNSEEN else str(band + 1),
        training_patients=list(span),
        n_true=n_true,
        recall_at_10=values.get("recall_at_10"),
        recall_at_20=values.get("recall_at_20"),
        ci={name: [each.low, each.high] for name, each in recalls.items()},
    )


def _spans(parts: Sequence[Banded]) -> dict[int, tuple[int, int]]:
    """Fewest and most training patients of each band that any split has a code in, the rarest first."""
    found: dict[int, tuple[int, int]] = {}
    for part in parts:
        for band, (fewest, most) in part.training_patients.items():
            low, high = found.get(band, (fewest, most))
            found[band] = min(low, fewest), max(high, most)
    return dict(sorted(found.items()))

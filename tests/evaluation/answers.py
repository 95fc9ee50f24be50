"""Random patients and rankings, as arrays and as the lists and sets that slow references work on."""

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

from tools.evaluation.examples import Examples
from tools.evaluation.rankings import Rankings

CODES = 7
code_sets = st.frozensets(st.integers(0, CODES - 1), max_size=4)
shares = st.floats(0, 1) | st.sampled_from([0.0, 0.05, 0.3, 1.0])


@st.composite
def patients(draw):
    """One patient: (true codes, repeats among them, [(code, probability)], length of the own list)."""
    true = draw(code_sets)
    repeats = frozenset(c for c in true if draw(st.booleans()))
    ranked = draw(st.lists(st.integers(0, CODES - 1), unique=True, max_size=5))
    return true, repeats, [(c, draw(shares)) for c in ranked], draw(st.integers(0, 7))


cohorts = st.lists(patients(), min_size=1, max_size=8)


def matrix(sets, n_codes=CODES):
    dense = np.zeros((len(sets), n_codes), dtype=bool)
    for row, codes in enumerate(sets):
        dense[row, list(codes)] = True
    return sparse.csr_array(dense)


def target(people):
    return matrix([true for true, *_ in people])


def repeated(people):
    return matrix([repeats for _, repeats, *_ in people])


def rankings(people, k=5, sure=True):
    codes = np.full((len(people), k), -1, dtype=np.int32)
    probabilities = np.full((len(people), k), np.nan)
    for row, (_, _, ranked, _) in enumerate(people):
        for place, (code, probability) in enumerate(ranked):
            codes[row, place], probabilities[row, place] = code, probability
    length = np.array([length for *_, length in people], dtype=np.int64)
    return Rankings(codes, probabilities if sure else None, length)


def examples(people, rows=None):
    rows = np.arange(len(people)) if rows is None else np.asarray(rows)
    return Examples(rows, tuple(((),) for _ in people), target(people), repeated(people))


def simulated(rng, n, n_codes=40, k=20, refused=0.0):
    """n patients whose codes happen with the probabilities that rank them."""
    p = rng.beta(0.4, 4, (n, n_codes))
    happened = rng.random((n, n_codes)) < p
    best = np.argsort(-p, axis=1)[:, :k]
    probabilities = np.take_along_axis(p, best, axis=1)
    codes = best.astype(np.int32)
    out = rng.random(n) < refused
    codes[out], probabilities[out] = -1, np.nan
    again = sparse.csr_array(happened & (rng.random((n, n_codes)) < 0.5))
    truth = Examples(np.arange(n), ((),) * n, sparse.csr_array(happened), again)
    return Rankings(codes, probabilities, np.full(n, 3)), truth

"""What brings each code to the next visit: a noisy-OR over the whole history, fitted to all codes at once.

At a step from some visits of a patient to the next, code b comes with probability 1 - exp(-L_b),

    L_b = h (base_b + sum_a w_a theta_ab) + [b in the history] g m_b,

a over the other codes of the history. w_a = 0.7^(age - 1), age the visits since a was last seen (1: the visit
before); h is a factor of the patient's burden group, how many different codes they had; g is the recurrence
rate of the pattern (age, times seen, visits so far) and m_b how prone b is to recur. It is the leaky noisy-OR
of Henrion (1989) in hazards, theta = -log(1 - lambda), with every code of the history as a cause.

Fitted to every step by 20 rounds in the manner of expectation-maximisation (Dempster 1977): each coming of b
is credited to the terms of L_b in proportion (see `hazard_kernels.attribute`), then each term is its credit
over its exposure. Each pair is drawn to 0 by K = 50 pseudo-visits, so that a handful of visits cannot claim
certainty; what a pair loses by that goes to the base, so that about as many comings are expected as there
were. A pair starts at a twentieth of b's share of visits and grows by what it explains better than the base
does: what the two explain alike stays with the base, for stopping after 20 rounds leaves it there. Drawing
to 0 leaves high chances of new diseases somewhat low.

K, the 0.7, the twentieth and the pseudo-comings of m_b were chosen on validation patients of one data set;
the other constants of this module, of `steps` and of `places` were set. All are the same for all records.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tools.causal.strata import MAX_LAGGED_STRATA, Strata
from tools.numerics.runs import offsets
from tools.prediction.steps import N_PATTERNS, Int32, Int64, Steps, Transitions, Uint8
from tools.safety.errors import InputError

Float = npt.NDArray[np.float64]
Matrix: TypeAlias = "sparse.csr_array[np.float64]"

PSEUDO_VISITS = 50.0  # K, behind each pair
FADING = 0.7  # of a source, with each visit since it was last seen
PSEUDO_COMINGS = 5.0  # behind each proneness
ROUNDS = 20
_START_BASE, _START_PAIR, _START_RECURRENCE = 0.5, 0.05, 0.3  # the first two in shares of visits
_LEAST_BASE = 0.05  # likewise: a base at 0 could never grow
_PSEUDO_BURDEN = 50.0  # comings behind each burden factor


@dataclass(frozen=True, eq=False)
class Hazards:
    """A fitted model; the symbols are those of the module's equation.

    Attributes:
        base: shape (n_codes,).
        base_comings: that it stands for, likewise.
        follows: theta_ab, CSR of shape (n_codes, n_codes), 0 where b never came after a.
        informed: beside `follows.data`, how many comings tell theta_ab from the other terms: the sum of
            (h w_a theta_ab / L_b)^2 over the comings of b, its observed information times theta_ab^2.
        exposure: sum of h w_a over all steps, visits, shape (n_codes,).
        recurrence: g of each pattern, shape (27,).
        recurrence_credits: credits that it rests on, likewise.
        proneness: m, shape (n_codes,).
        proneness_credits: credits that it rests on, likewise.
        burden: groups by the number of different codes of a history.
        factors: h of each group.
    """

    base: Float
    base_comings: Float
    follows: Matrix
    informed: Float
    exposure: Float
    recurrence: Float
    recurrence_credits: Float
    proneness: Float
    proneness_credits: Float
    burden: Strata
    factors: Float

    def weights(self, steps: Steps) -> Matrix:
        """The weight h w_a of each code a of each history, shape (n_steps, n_codes)."""
        factors = np.repeat(self.factors[self.burden.of(steps.sizes)], steps.sizes)
        shape = (len(steps.sizes), len(self.base))
        return sparse.csr_array((factors * faded(steps.ages), steps.codes, steps.offsets), shape=shape)

    def again(self, steps: Steps) -> Float:
        """The hazard g m_b of each code of each history, as long as `steps.codes`."""
        return np.asarray(self.recurrence[steps.patterns] * self.proneness[steps.codes])

    def totals(self, steps: Steps) -> Float:
        """L, shape (n_steps, n_codes)."""
        factors = self.factors[self.burden.of(steps.sizes)]
        found = (self.weights(steps) @ self.follows).toarray() + factors[:, None] * self.base
        rows = np.repeat(np.arange(len(steps.sizes)), steps.sizes)
        found[rows, steps.codes] += self.again(steps)
        return np.asarray(found)


def faded(ages: Uint8) -> Float:
    """The weights 0.7^(age - 1)."""
    return np.asarray(FADING ** (ages.astype(np.float64) - 1.0))


def fit(moved: Transitions, n_codes: int) -> Hazards:
    """Fit the model to every step of a data set.

    Args:
        moved: its steps, see `tools.prediction.steps.transitions`.
        n_codes: of its vocabulary.

    Raises:
        InputError: no patient has a second visit.
    """
    if not len(moved.steps.sizes):
        raise InputError("records", "no patient has a second visit; next visits cannot be learned from them")
    data = _Data.of(moved, n_codes)
    state = data.start()
    for _ in range(ROUNDS):
        state = data.improved(state)
    return data.fitted(state)


def _sums(places: npt.NDArray[np.integer], values: Float, size: int) -> Float:
    """The sum of the values at each place, shape (size,)."""
    return np.asarray(np.bincount(places, values, minlength=size), dtype=np.float64)


class _State(NamedTuple):
    """The parameters of a round."""

    follows: Float
    base: Float
    recurrence: Float
    proneness: Float
    factors: Float


class _Credits(NamedTuple):
    """See `hazard_kernels.attribute`."""

    pairs: Float
    squares: Float
    bases: Float
    repeats: Float
    by_pattern: Float
    by_burden: Float


@dataclass(frozen=True, eq=False)
class _Data:
    """The steps of a cohort, laid out for the fit."""

    moved: Transitions
    weights: Float
    burden: Strata
    groups: Uint8
    came_offsets: Int64
    came_steps: Int64
    ends: Int64
    sources: Int32
    effects: Int64
    shares: Float

    @classmethod
    def of(cls, moved: Transitions, n_codes: int) -> "_Data":
        from tools.prediction import hazard_kernels

        steps, codes = moved.steps, moved.next_codes
        n_steps = len(steps.sizes)
        order = np.argsort(codes, kind="stable")
        came = np.repeat(np.arange(n_steps), np.diff(moved.next_offsets))[order]
        n_came = np.bincount(codes, minlength=n_codes)
        came_offsets = offsets(n_came)
        ends, sources = hazard_kernels.preceded_by(steps.offsets, steps.codes, came_offsets, came, n_codes)
        burden = Strata.over(steps.sizes, MAX_LAGGED_STRATA)
        effects = np.repeat(np.arange(n_codes), np.diff(ends))
        return cls(
            moved=moved,
            weights=faded(steps.ages),
            burden=burden,
            groups=burden.of(steps.sizes).astype(np.uint8),
            came_offsets=came_offsets,
            came_steps=came,
            ends=ends,
            sources=sources,
            effects=effects,
            shares=np.asarray((n_came + 0.5) / (n_steps + 1.0), dtype=np.float64),
        )

    def start(self) -> _State:
        return _State(
            follows=_START_PAIR * self.shares[self.effects],
            base=_START_BASE * self.shares,
            recurrence=np.full(N_PATTERNS, _START_RECURRENCE),
            proneness=np.ones(len(self.shares)),
            factors=np.ones(self.burden.size),
        )

    def exposure(self, state: _State) -> Float:
        """The sum of h w_a over steps, for each code a, visits."""
        steps = self.moved.steps
        factors = np.repeat(state.factors[self.groups], steps.sizes)
        return _sums(steps.codes, factors * self.weights, len(self.shares))

    def credits(self, state: _State) -> _Credits:
        from tools.prediction import hazard_kernels

        steps = self.moved.steps
        histories = (steps.offsets, steps.codes, self.weights, steps.patterns, self.groups)
        pattern = (self.came_offsets, self.came_steps, self.ends, self.sources)
        pairs, squares = np.empty((2, len(self.sources)))
        found = hazard_kernels.attribute(*histories, *pattern, *state, pairs, squares)
        return _Credits(pairs, squares, *found)

    def improved(self, state: _State) -> _State:
        """One round: expectation, then each parameter in turn.

        The base has its own credit, and what the pairs have lost by being drawn to 0: K theta each.
        """
        from tools.prediction import hazard_kernels

        found, exposure = self.credits(state), self.exposure(state)
        follows = found.pairs
        of_effect, of_source = hazard_kernels.drawn_to_zero(
            self.ends, self.sources, follows, exposure, PSEUDO_VISITS
        )
        visits = float(state.factors[self.groups].sum())
        base = (found.bases + PSEUDO_VISITS * of_effect) / visits
        base = np.maximum(base, _LEAST_BASE * self.shares)
        recurrence, proneness = self._recurrence(state, found)
        expected = self._onsets_by_group(of_source, base)
        factors = (found.by_burden + _PSEUDO_BURDEN) / (expected + _PSEUDO_BURDEN)
        return _State(follows, base, recurrence, proneness, factors)

    def _recurrence(self, state: _State, found: _Credits) -> tuple[Float, Float]:
        steps = self.moved.steps
        exposed = np.bincount(steps.patterns, state.proneness[steps.codes], minlength=N_PATTERNS)
        recurrence = np.divide(found.by_pattern, exposed, out=np.zeros(N_PATTERNS), where=exposed > 0)
        expected = np.bincount(steps.codes, recurrence[steps.patterns], minlength=len(self.shares))
        return recurrence, (found.repeats + PSEUDO_COMINGS) / (expected + PSEUDO_COMINGS)

    def _onsets_by_group(self, from_each: Float, base: Float) -> Float:
        """Expected comings of all codes but by recurrence, in each burden group, were its factor 1."""
        steps = self.moved.steps
        entries = np.repeat(self.groups, steps.sizes)
        found = np.bincount(entries, self.weights * from_each[steps.codes], minlength=self.burden.size)
        return np.asarray(found + base.sum() * np.bincount(self.groups, minlength=self.burden.size))

    def fitted(self, state: _State) -> Hazards:
        """The model of the last round, with what each of its parameters rests on."""
        found = self.credits(state)
        return Hazards(
            base=state.base,
            base_comings=state.base * float(state.factors[self.groups].sum()),
            follows=self._by_source(state.follows),
            informed=self._by_source(found.squares).data,
            exposure=self.exposure(state),
            recurrence=state.recurrence,
            recurrence_credits=found.by_pattern,
            proneness=state.proneness,
            proneness_credits=found.repeats + PSEUDO_COMINGS,
            burden=self.burden,
            factors=state.factors,
        )

    def _by_source(self, values: Float) -> Matrix:
        """A row for each source; equal patterns give equal places, zeros are kept."""
        size = len(self.shares)
        by_effect = sparse.csc_array((values, self.sources, self.ends), shape=(size, size))
        return sparse.csr_array(by_effect.tocsr())

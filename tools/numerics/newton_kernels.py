"""Compiled Newton climb over one family after the other; `newton` says what is maximised.

The Hessian is an arrow: the intercepts of two strata share no cell, so their block is diagonal. Eliminating
them (Schur complement, Boyd and Vandenberghe 2004, appendix C.4) leaves one equation a parent. In a noisy-OR
exp(-eta), in a logistic exp(eta), is a factor of the stratum times one of the pattern of parents, so a cell
costs no exponential. Arrays have these shapes and meanings throughout:

    point, step, ahead      (m,)                    a place in the box; a step, as far as it goes; all the way
    linear, gradient        (m,)                    f = linear . point + sum curved phi(eta); its derivatives
    held                    (m,)                    which parameters have their part of the step given
    curved                  (n_patterns, n_strata)  the counts that multiply phi
    busy, weights           (n_patterns,)           whether there are any; sum of -curved phi'' over strata
    present, absent         (n_strata,)             the factor of each stratum, and 1 less it
    factor, complement      (n_patterns,)           the factor of each pattern, and 1 less it
    inverse                 (n_strata,)             of the intercepts' diagonal of the negated Hessian
    shared                  (n_parents, n_strata)   its block of parents by intercepts
    mutual, schur           (n_parents, n_parents)  its block of parents, and what elimination leaves of it
    slope, weight           (n_strata,)             curved phi' and -curved phi'' of one pattern

They are passed one by one: to take them from a tuple is to count references, at twice the time.
"""

from functools import partial

import numpy as np
import numpy.typing as npt

from tools.numerics.jit import compiled

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

LAST = 1e-7  # nats
RIDGE = 1e-10  # of the diagonal: two parents that always come together share their strength
NO_CURVATURE = 1e-18
SHORTEST = 1e-9
FLOOR = 1e-12
DEEPEST = 0.1

vectorised = partial(compiled, any_order=True)


@vectorised
def maximise(
    start: Float,
    counts: Float,
    fixed: Bool,
    n_strata: int,
    low: float,
    high: float,
    vanishing: bool,
    max_steps: int,
) -> tuple[Float, Float]:
    """Maximise each family of a batch; arguments and result as those of `newton.maximise`."""
    n, m = start.shape
    n_parents, n_patterns = m - n_strata, counts.shape[1] // n_strata
    best, value = start.copy(), np.empty(n)
    point, step, ahead, linear, gradient = np.empty(m), np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    held, busy = np.empty(m, dtype=np.bool_), np.empty(n_patterns, dtype=np.bool_)
    present, absent, inverse = np.empty(n_strata), np.empty(n_strata), np.empty(n_strata)
    slope, weight = np.empty(n_strata), np.empty(n_strata)
    factor, complement, weights = np.empty(n_patterns), np.empty(n_patterns), np.empty(n_patterns)
    curved, shared = np.empty((n_patterns, n_strata)), np.empty((n_parents, n_strata))
    mutual, schur = np.empty((n_parents, n_parents)), np.empty((n_parents, n_parents))
    for i in range(n):
        here = best[i]
        _read(counts[i], vanishing, linear, curved, busy)
        _factors(here, vanishing, present, absent, factor, complement)
        _differentiate(
            vanishing, linear, curved, busy, present, absent, factor, complement,
            slope, weight, weights, gradient, inverse, shared, mutual,
        )  # fmt: skip
        for _ in range(max_steps):
            _hold(here, gradient, fixed[i], low, high, held, step, ahead)
            blocked = True
            while blocked:
                _solve(gradient, inverse, shared, mutual, held, schur, slope, weight, ahead)
                blocked = _walk_to_side(here, low, high, ahead, held, step)
            promised = _dot(gradient, step)
            if promised <= LAST:
                _go(here, step, 1.0, low, high, here)
                break
            length = _longest(here, step, curved, busy) if vanishing else 1.0
            while length > SHORTEST:
                _go(here, step, length, low, high, point)
                _factors(point, vanishing, present, absent, factor, complement)
                _differentiate(
                    vanishing, linear, curved, busy, present, absent, factor, complement,
                    slope, weight, weights, gradient, inverse, shared, mutual,
                )  # fmt: skip
                if _dot(gradient, step) >= -0.5 * promised:
                    break
                length *= 0.5
            if length <= SHORTEST:
                break
            _go(here, step, length, low, high, here)
        _factors(here, vanishing, present, absent, factor, complement)
        value[i] = _value(here, vanishing, linear, curved, busy, present, absent, factor, complement)
    return best, value


@vectorised
def _read(counts: Float, vanishing: bool, linear: Float, curved: Float, busy: Bool) -> None:
    """Split a table into the part that is linear in the parameters and the part that is not."""
    n_patterns, n_strata = curved.shape
    for i in range(len(linear)):
        linear[i] = 0.0
    for p in range(n_patterns):
        total, busy[p] = 0.0, False
        for s in range(n_strata):
            cell = s * n_patterns + p
            without, events = counts[cell, 0], counts[cell, 1]
            curved[p, s] = events if vanishing else without + events
            straight = -without if vanishing else events
            if curved[p, s] != 0.0:
                busy[p] = True
            linear[s] += straight
            total += straight
        for a in range(len(linear) - n_strata):
            if p >> a & 1:
                linear[n_strata + a] += total


@vectorised
def _go(here: Float, step: Float, length: float, low: float, high: float, there: Float) -> None:
    """Fill the place some way along a step, kept in the box against rounding."""
    for i in range(len(here)):
        there[i] = min(max(here[i] + length * step[i], low), high)


@vectorised
def _dot(left: Float, right: Float) -> float:
    total = 0.0
    for i in range(len(left)):
        total += left[i] * right[i]
    return total


@vectorised
def _factors(
    point: Float, vanishing: bool, present: Float, absent: Float, factor: Float, complement: Float
) -> None:
    """Fill the factor of each stratum and pattern and 1 less it, without cancellation where phi vanishes."""
    n_strata = len(present)
    for s in range(n_strata):
        present[s], absent[s] = _factor(point[s], vanishing)
    factor[0], complement[0] = 1.0, 0.0
    for a in range(len(point) - n_strata):
        kept, lost = _factor(point[n_strata + a], vanishing)
        for p in range(1 << a):
            complement[p | 1 << a] = complement[p] + lost * factor[p]
            factor[p | 1 << a] = factor[p] * kept


@vectorised
def _factor(parameter: float, vanishing: bool) -> tuple[float, float]:
    if vanishing:
        complement = -np.expm1(-parameter)
        return 1.0 - complement, complement
    factor = np.exp(parameter)
    return factor, 1.0 - factor


@vectorised
def _value(
    point: Float,
    vanishing: bool,
    linear: Float,
    curved: Float,
    busy: Bool,
    present: Float,
    absent: Float,
    factor: Float,
    complement: Float,
) -> float:
    """F at a point, from its factors."""
    value = _dot(linear, point)
    for p in range(len(busy)):
        if busy[p]:
            for s in range(len(present)):
                if curved[p, s] != 0.0:
                    if vanishing:
                        phi = np.log(max(absent[s] + present[s] * complement[p], FLOOR))
                    else:
                        phi = -np.log1p(present[s] * factor[p])
                    value += curved[p, s] * phi
    return value


@vectorised
def _differentiate(
    vanishing: bool,
    linear: Float,
    curved: Float,
    busy: Bool,
    present: Float,
    absent: Float,
    factor: Float,
    complement: Float,
    slope: Float,
    weight: Float,
    weights: Float,
    gradient: Float,
    inverse: Float,
    shared: Float,
    mutual: Float,
) -> None:
    """Fill the gradient and the blocks of the negated Hessian at a point, from its factors."""
    n_parents, n_strata = shared.shape
    for i in range(len(linear)):
        gradient[i] = linear[i]
    for s in range(n_strata):
        inverse[s] = 0.0
        for a in range(n_parents):
            shared[a, s] = 0.0
    for p in range(len(busy)):
        weights[p] = 0.0
        if not busy[p]:
            continue
        _bend(vanishing, curved[p], present, absent, factor[p], complement[p], slope, weight)
        slopes = total = 0.0
        for s in range(n_strata):
            gradient[s] += slope[s]
            inverse[s] += weight[s]
            slopes += slope[s]
            total += weight[s]
        weights[p] = total
        for a in range(n_parents):
            if p >> a & 1:
                gradient[n_strata + a] += slopes
                for s in range(n_strata):
                    shared[a, s] += weight[s]
    for s in range(n_strata):
        inverse[s] = 1.0 / (inverse[s] * (1.0 + RIDGE) + NO_CURVATURE)
    _sum_patterns(weights, mutual)


@vectorised
def _bend(
    vanishing: bool,
    curved: Float,
    present: Float,
    absent: Float,
    factor: float,
    complement: float,
    slope: Float,
    weight: Float,
) -> None:
    """Fill curved phi' and -curved phi'' in the cells of one pattern."""
    if vanishing:
        for s in range(len(present)):
            odds = present[s] * factor / max(absent[s] + present[s] * complement, FLOOR)
            slope[s] = curved[s] * odds
            weight[s] = slope[s] * (1.0 + odds)
    else:
        for s in range(len(present)):
            spared = 1.0 / (1.0 + present[s] * factor)
            slope[s] = -curved[s] * (present[s] * factor * spared)
            weight[s] = -slope[s] * spared


@vectorised
def _sum_patterns(weights: Float, mutual: Float) -> None:
    """Curvature by the parents from that of the patterns."""
    n_parents = len(mutual)
    for a in range(n_parents):
        for b in range(a + 1):
            both = 1 << a | 1 << b
            total = 0.0
            for p in range(1 << a, len(weights)):
                if p & both == both:
                    total += weights[p]
            mutual[a, b] = mutual[b, a] = total
        mutual[a, a] = mutual[a, a] * (1.0 + RIDGE) + NO_CURVATURE


@vectorised
def _hold(
    here: Float, gradient: Float, fixed: Bool, low: float, high: float, held: Bool, step: Float, ahead: Float
) -> None:
    """Hold what is fixed or pressed against a side of the box, and begin a step."""
    for i in range(len(here)):
        pressed_down = here[i] <= low and gradient[i] <= 0.0
        pressed_up = here[i] >= high and gradient[i] >= 0.0
        held[i] = fixed[i] or pressed_down or pressed_up
        step[i] = ahead[i] = 0.0


@vectorised
def _walk_to_side(here: Float, low: float, high: float, ahead: Float, held: Bool, step: Float) -> bool:
    """Take `step` to `ahead` or the first side of the box in between; hold what meets it, if anything does.

    The quadratic model rises all the way, so f rises where the step begins.
    """
    first, share, met = -1, 1.0, 0.0
    for i in range(len(here)):
        side = min(max(here[i] + ahead[i], low), high)
        if not held[i] and side != here[i] + ahead[i]:
            room = (side - here[i] - step[i]) / (ahead[i] - step[i])
            if room < share:
                first, share, met = i, room, side
    for i in range(len(here)):
        step[i] += share * (ahead[i] - step[i])
    if first < 0:
        return False
    step[first] = ahead[first] = met - here[first]
    held[first] = True
    return True


@vectorised
def _solve(
    gradient: Float,
    inverse: Float,
    shared: Float,
    mutual: Float,
    held: Bool,
    schur: Float,
    pull: Float,
    free: Float,
    ahead: Float,
) -> None:
    """Fill `ahead`, the top of the quadratic model, for what is not held, given it for what is.

    Without parents, an intercept would move by its `pull`. Eliminating the intercepts leaves the parents'
    equations schur ahead = right; until they are solved, the parents' part of `ahead` is `right`.
    """
    n_parents, n_strata = shared.shape
    for s in range(n_strata):
        free[s] = 0.0 if held[s] else inverse[s]
        pull[s] = ahead[s] if held[s] else gradient[s] * inverse[s]
    for a in range(n_parents):
        for b in range(a + 1):
            total = 0.0
            for s in range(n_strata):
                total += shared[a, s] * shared[b, s] * free[s]
            schur[a, b] = schur[b, a] = mutual[a, b] - total
    for a in range(n_parents):
        if not held[n_strata + a]:
            ahead[n_strata + a] = gradient[n_strata + a] - _dot(shared[a], pull)
            for b in range(n_parents):
                if held[n_strata + b]:
                    ahead[n_strata + a] -= schur[a, b] * ahead[n_strata + b]
    _eliminate(schur, mutual, held[n_strata:], ahead[n_strata:])
    for s in range(n_strata):
        ahead[s] = pull[s]
        for a in range(n_parents):
            ahead[s] -= shared[a, s] * ahead[n_strata + a] * free[s]


@vectorised
def _eliminate(schur: Float, mutual: Float, held: Bool, right: Float) -> None:
    """Turn the right-hand side of the parents' equations into their solution, the held ones left out."""
    n_parents = len(right)
    for a in range(n_parents):
        if held[a]:
            continue
        schur[a, a] = max(schur[a, a], 0.1 * RIDGE * mutual[a, a])
        for b in range(a + 1, n_parents):
            if not held[b]:
                share = schur[b, a] / schur[a, a]
                right[b] -= share * right[a]
                for c in range(a + 1, n_parents):
                    schur[b, c] -= share * schur[a, c]
    for a in range(n_parents - 1, -1, -1):
        if not held[a]:
            for b in range(a + 1, n_parents):
                if not held[b]:
                    right[a] -= schur[a, b] * right[b]
            right[a] /= schur[a, a]


@vectorised
def _longest(here: Float, step: Float, curved: Float, busy: Bool) -> float:
    """At most 1, and no further than to where eta of a cell with events is a tenth of what it was.

    Near 0, log(1 - exp(-eta)) is a logarithm, on which Newton's method only doubles eta at each step back.
    """
    n_patterns, n_strata = curved.shape
    length = 1.0
    for p in range(n_patterns):
        if not busy[p]:
            continue
        eta_p = change_p = 0.0
        for a in range(len(here) - n_strata):
            if p >> a & 1:
                eta_p += here[n_strata + a]
                change_p += step[n_strata + a]
        for s in range(n_strata):
            eta, change = eta_p + here[s], change_p + step[s]
            if curved[p, s] > 0.0 and -change * length > (1.0 - DEEPEST) * eta:
                length = (1.0 - DEEPEST) * eta / -change
    return length

"""Compiled passes over the visits of a cohort; `tools.prediction.hazards` says what they are for."""

import numpy as np
import numpy.typing as npt

from tools.numerics.jit import compiled

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Uint8 = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float64]

MOST = 255  # what ages and counts are capped at


@compiled
def history_sizes(visit_offsets: Int64, code_offsets: Int64, codes: Int32, n_codes: int) -> Int64:
    """How many different codes came before each visit that has an earlier one; shape (n_steps,)."""
    n_steps = 0
    for p in range(len(visit_offsets) - 1):
        n_steps += max(visit_offsets[p + 1] - visit_offsets[p] - 1, 0)
    sizes = np.zeros(n_steps, dtype=np.int64)
    last_owner = np.full(n_codes, -1, dtype=np.int64)
    step = 0
    for p in range(len(visit_offsets) - 1):
        known = 0
        for v in range(visit_offsets[p], visit_offsets[p + 1]):
            if v > visit_offsets[p]:
                sizes[step] = known
                step += 1
            for j in range(code_offsets[v], code_offsets[v + 1]):
                if last_owner[codes[j]] != p:
                    last_owner[codes[j]] = p
                    known += 1
    return sizes


@compiled
def histories(
    visit_offsets: Int64, code_offsets: Int64, codes: Int32, n_codes: int, offsets: Int64
) -> tuple[Int32, Uint8, Uint8, Uint8, Int64]:
    """What came before each visit that has an earlier one; visits without a code do not count as visits.

    Returns:
        For each code of a history, in the runs that `offsets` cut: the code; how many visits ago it was last
        seen, 1 for the visit before; in how many visits. For each step: how many visits came before, and the
        number of the visit that is predicted. Ages and counts are capped at 255.
    """
    n_steps, n_entries = len(offsets) - 1, offsets[-1]
    held = np.empty(n_entries, dtype=np.int32)
    ages = np.empty(n_entries, dtype=np.uint8)
    seen = np.empty(n_entries, dtype=np.uint8)
    before = np.empty(n_steps, dtype=np.uint8)
    predicted = np.empty(n_steps, dtype=np.int64)
    last = np.full(n_codes, -1, dtype=np.int64)
    times = np.zeros(n_codes, dtype=np.int64)
    known = np.empty(n_codes, dtype=np.int32)
    step = 0
    for p in range(len(visit_offsets) - 1):
        n_known, t = 0, 0
        for v in range(visit_offsets[p], visit_offsets[p + 1]):
            if v > visit_offsets[p]:
                begin = offsets[step]
                for i in range(n_known):
                    code = known[i]
                    held[begin + i] = code
                    ages[begin + i] = min(t + 1 - last[code], MOST)
                    seen[begin + i] = min(times[code], MOST)
                before[step], predicted[step] = min(t, MOST), v
                step += 1
            if code_offsets[v] < code_offsets[v + 1]:
                t += 1
            for j in range(code_offsets[v], code_offsets[v + 1]):
                code = codes[j]
                if last[code] < 0:
                    known[n_known] = code
                    n_known += 1
                last[code] = t
                times[code] += 1
        for i in range(n_known):
            last[known[i]], times[known[i]] = -1, 0
    return held, ages, seen, before, predicted


@compiled
def preceded_by(
    offsets: Int64, held: Int32, came_offsets: Int64, came_steps: Int64, n_codes: int
) -> tuple[Int64, Int32]:
    """For each code the other codes that ever came before it: offsets and codes of a sparse pattern.

    Args:
        offsets: of the histories.
        held: their codes, see `histories`.
        came_offsets: of each code's steps in `came_steps`.
        came_steps: the steps at which each code came.
        n_codes: size of the vocabulary.
    """
    ends = np.zeros(n_codes + 1, dtype=np.int64)
    mark = np.full(n_codes, -1, dtype=np.int64)
    for b in range(n_codes):
        found = 0
        for q in range(came_offsets[b], came_offsets[b + 1]):
            for i in range(offsets[came_steps[q]], offsets[came_steps[q] + 1]):
                if held[i] != b and mark[held[i]] != b:
                    mark[held[i]] = b
                    found += 1
        ends[b + 1] = ends[b] + found
    sources = np.empty(ends[-1], dtype=np.int32)
    mark[:] = -1
    for b in range(n_codes):
        place = ends[b]
        for q in range(came_offsets[b], came_offsets[b + 1]):
            for i in range(offsets[came_steps[q]], offsets[came_steps[q] + 1]):
                if held[i] != b and mark[held[i]] != b:
                    mark[held[i]] = b
                    sources[place] = held[i]
                    place += 1
    return ends, sources


@compiled
def attribute(
    offsets: Int64,
    held: Int32,
    weights: Float,
    patterns: Uint8,
    burden: Uint8,
    came_offsets: Int64,
    came_steps: Int64,
    ends: Int64,
    sources: Int32,
    follows: Float,
    base: Float,
    recurrence: Float,
    proneness: Float,
    factors: Float,
    pairs: Float,
    squares: Float,
) -> tuple[Float, Float, Float, Float]:
    """Credit each coming of a code to what may have brought it (the expectation step).

    Where code b came at a step with hazard L = sum_j l_j, source j is credited l_j / (1 - exp(-L)): the
    expected number of its events in a Poisson process that had one at least.

    Args:
        offsets: of the histories.
        held: their codes.
        weights: beside `held`, fading with age.
        patterns: beside `held`.
        burden: the burden group of each step.
        came_offsets: see `preceded_by`.
        came_steps: likewise.
        ends: what `preceded_by` gives.
        sources: likewise.
        follows: a value for each of these pairs; this and the rest as in `tools.prediction.hazards.Hazards`.
        base: of each code, shape (n_codes,).
        recurrence: of each pattern.
        proneness: of each code.
        factors: of each burden group.
        pairs: to be filled, the credits of each pair.
        squares: to be filled, the sum of each pair's squared shares of L.

    Returns:
        Credits of each code's base, of its recurrence, of each recurrence pattern, and of each burden group.
    """
    n_codes = len(base)
    bases, repeats = np.zeros(n_codes), np.zeros(n_codes)
    by_pattern, by_burden = np.zeros(len(recurrence)), np.zeros(len(factors))
    value, credit, square = np.zeros(n_codes), np.zeros(n_codes), np.zeros(n_codes)
    for b in range(n_codes):
        for k in range(ends[b], ends[b + 1]):
            value[sources[k]] = follows[k]
            credit[sources[k]], square[sources[k]] = 0.0, 0.0
        for q in range(came_offsets[b], came_offsets[b + 1]):
            step = came_steps[q]
            factor, again, pattern = factors[burden[step]], 0.0, 0
            total = factor * base[b]
            for i in range(offsets[step], offsets[step + 1]):
                if held[i] == b:
                    pattern = patterns[i]
                    again = recurrence[pattern] * proneness[b]
                    total += again
                else:
                    total += factor * weights[i] * value[held[i]]
            per_hazard = 1.0 / -np.expm1(-total)
            for i in range(offsets[step], offsets[step + 1]):
                if held[i] != b:
                    part = factor * weights[i] * value[held[i]]
                    credit[held[i]] += part * per_hazard
                    square[held[i]] += (part / total) ** 2
            bases[b] += factor * base[b] * per_hazard
            repeats[b] += again * per_hazard
            by_pattern[pattern] += again * per_hazard
            by_burden[burden[step]] += (total - again) * per_hazard
        for k in range(ends[b], ends[b + 1]):
            pairs[k], squares[k] = credit[sources[k]], square[sources[k]]
    return bases, repeats, by_pattern, by_burden


@compiled
def drawn_to_zero(
    ends: Int64, sources: Int32, pairs: Float, exposure: Float, pseudo_visits: float
) -> tuple[Float, Float]:
    """Make credits over exposures of `pairs`, in place.

    Args:
        ends: what `preceded_by` gives.
        sources: likewise.
        pairs: credits of each pair; theta_ab = credit / (exposure_a + pseudo_visits) afterwards.
        exposure: of each source, visits.
        pseudo_visits: K.

    Returns:
        sum_a theta_ab of each code b, and sum_b theta_ab of each source a.
    """
    n_codes = len(exposure)
    of_effect, of_source = np.zeros(n_codes), np.zeros(n_codes)
    for b in range(n_codes):
        for k in range(ends[b], ends[b + 1]):
            theta = pairs[k] / (exposure[sources[k]] + pseudo_visits)
            pairs[k] = theta
            of_effect[b] += theta
            of_source[sources[k]] += theta
    return of_effect, of_source

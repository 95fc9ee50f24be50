"""The fit of `tools.prediction.hazards` once more, from its equations, with dictionaries and loops."""

import math
from collections import defaultdict

from tools.causal.strata import MAX_LAGGED_STRATA, Strata
from tools.prediction.steps import step_after

K, FADING, PRONE, ROUNDS = 50.0, 0.7, 5.0, 20
LEAST_BASE, BURDEN = 0.05, 50.0


class Slow:
    """Parameters by code, by pair, by pattern and by group; the symbols are the module's."""

    def __init__(self, patients, n_codes):
        import numpy as np

        pairs = [(p[:t], set(p[t])) for p in patients for t in range(1, len(p))]
        self.steps = []
        self.codes = range(n_codes)
        sizes = np.array([len({c for v in before for c in v}) for before, _ in pairs], dtype=np.int64)
        self.burden = Strata.over(sizes, MAX_LAGGED_STRATA)
        for (before, came), size in zip(pairs, sizes, strict=True):
            step = step_after(before)
            held = {
                int(a): (FADING ** (int(age) - 1), int(number))
                for a, age, number in zip(step.codes, step.ages, step.patterns, strict=True)
            }
            self.steps.append((held, came, int(self.burden.of(size))))
        n = len(self.steps)
        self.pi = [(sum(b in came for _, came, _ in self.steps) + 0.5) / (n + 1) for b in self.codes]
        self.theta = defaultdict(float)
        for held, came, _ in self.steps:
            for b in came:
                self.theta |= {(a, b): 0.05 * self.pi[b] for a in held if a != b}
        self.base = [0.5 * p for p in self.pi]
        self.g = [0.3] * 27
        self.m = [1.0 for _ in self.codes]
        self.h = [1.0] * self.burden.size
        for _ in range(ROUNDS):
            self.round()

    def exposure(self):
        exposure = [0.0 for _ in self.codes]
        for held, _, group in self.steps:
            for a, (w, _) in held.items():
                exposure[a] += self.h[group] * w
        return exposure

    def terms(self, held, group, b):
        found = {"base": self.h[group] * self.base[b]}
        for a, (w, number) in held.items():
            if a == b:
                found["again"] = self.g[number] * self.m[b]
            else:
                found[a] = self.h[group] * w * self.theta[a, b]
        return found

    def total(self, held, group, b):
        return math.fsum(self.terms(held, group, b).values())

    def round(self):
        exposure = self.exposure()
        pairs, bases, again = defaultdict(float), defaultdict(float), defaultdict(float)
        by_pattern, by_group = defaultdict(float), defaultdict(float)
        for held, came, group in self.steps:
            for b in came:
                terms = self.terms(held, group, b)
                total = math.fsum(terms.values())
                for source, term in terms.items():
                    credit = term / -math.expm1(-total)
                    if source == "again":
                        again[b] += credit
                        by_pattern[held[b][1]] += credit
                        continue
                    by_group[group] += credit
                    if source == "base":
                        bases[b] += credit
                    else:
                        pairs[source, b] += credit
        theta = defaultdict(float, {(a, b): r / (exposure[a] + K) for (a, b), r in pairs.items()})
        visits = sum(self.h[group] for _, _, group in self.steps)
        base = []
        for b in self.codes:
            lost = sum(r - theta[a, x] * exposure[a] for (a, x), r in pairs.items() if x == b)
            found = (bases[b] + lost) / visits
            base.append(max(found, LEAST_BASE * self.pi[b]))
        exposed, expected_again = defaultdict(float), defaultdict(float)
        for held, _, _ in self.steps:
            for b, (_, number) in held.items():
                exposed[number] += self.m[b]
        g = [by_pattern[x] / exposed[x] if exposed[x] else 0.0 for x in range(27)]
        for held, _, _ in self.steps:
            for b, (_, number) in held.items():
                expected_again[b] += g[number]
        expected = [0.0] * len(self.h)
        for held, _, group in self.steps:
            expected[group] += sum(base)
            for a, (w, _) in held.items():
                expected[group] += w * sum(theta[a, b] for b in self.codes)
        self.theta, self.base, self.g = theta, base, g
        self.m = [(again[b] + PRONE) / (expected_again[b] + PRONE) for b in self.codes]
        self.h = [(by_group[x] + BURDEN) / (e + BURDEN) for x, e in enumerate(expected)]

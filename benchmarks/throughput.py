"""How many patients a second the statistical mind diagnoses on one core, and whether memory stays flat: E6.

    IIKEA_REAL_DATA=FOLDER python -m benchmarks.throughput [--patients 300] [--memory-patients 5000]

FOLDER holds `diabetes130/`. The whole graph runs for each patient, with reading and the causal loop but
without the resamples behind edge confidence, from a store of the training patients (seed 0, 80-20). No
patient is run twice, so that nothing is answered from memory but what patients have in common. Speed is in
CPU seconds, which other load changes little. Forty minutes on one core.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.engine.measure import pin_threads, resident_bytes
from tools.safety.errors import InputError

Visits = list[list[str]]

WARM_UP = 30
GOAL, AIM = 5.0, 20.0  # patients a second
MOST_GROWTH_MB = 50.0
_SETTLED = 5  # memory is watched from a fifth of the patients on: until then, what patients share is learned
_SAID_EVERY_S = 20.0


def histories(records: Path, store: Path) -> Iterator[Visits]:
    """Earlier visits of patients in random order, those of the test first; the others are kept at `store`."""
    import numpy as np

    from tools.dataset.clinical import ClinicalDataset
    from tools.evaluation.examples import examples
    from tools.evaluation.splits import split
    from tools.records.read import read_cohort
    from tools.records.rollup import training_cohort

    cohort = read_cohort(records)
    parts, random = split(cohort, "80-20", 0), np.random.default_rng(0)
    ClinicalDataset.build(training_cohort(cohort, parts.train)).save(store)
    columns = cohort.vocabulary.columns
    spelled = [f"{system}:{code}" for system, code in zip(columns.system, columns.code, strict=True)]
    for row in (*random.permutation(parts.test), *random.permutation(parts.train)):
        visits = examples(cohort, [row]).history[0]
        yield [[spelled[code] for code in visit] for visit in visits]


def run(patients: Iterator[Visits], n: int, settings: dict[str, Any], said: str) -> tuple[int, float]:
    """Diagnoses n patients, dropping each result at once.

    Returns:
        How many there were, and the CPU seconds of all threads.

    Raises:
        InputError: there are fewer patients, or one of them got no fitted graph.
    """
    from app.evaluation.patients import Case, diagnose

    begun, heard, done = time.process_time(), time.monotonic(), 0
    for history in islice(patients, n):
        result = diagnose(Case(done, history), settings, None)
        if result["refusal"] or not result["graph"]["scores"]:
            raise InputError("patients", "one got no fitted graph, so its time says nothing; mend the run")
        done += 1
        if time.monotonic() - heard > _SAID_EVERY_S:
            heard = time.monotonic()
            megabytes = resident_bytes() / 1e6
            print(f"{said}: {done:,} of {n:,}, {megabytes:.0f} MB", file=sys.stderr, flush=True)
    if done < n:
        raise InputError("patients", f"there are {done:,} where {n:,} were asked for; ask for fewer")
    return done, time.process_time() - begun


def verdict(rate: float, growth_mb: float, n_settled: int, n: int) -> tuple[bool, str]:
    """Whether the goals are met, and the line that says so."""
    passed = rate >= GOAL and growth_mb < MOST_GROWTH_MB
    said = f"{rate:.1f} patients/s (goal {GOAL:.0f}, aim {AIM:.0f}), memory {growth_mb:+.0f} MB over the last"
    goal = f"(goal < {MOST_GROWTH_MB:.0f})"
    return passed, f"E6 {'PASS' if passed else 'FAIL'} {said} {n - n_settled:,} of {n:,} patients {goal}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures both; 0 where both goals are met, 1 where one is not or there are no data."""
    about = "How many patients a second the statistical mind diagnoses, and whether memory stays flat."
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=about)
    parser.add_argument("--patients", type=int, default=300, help="whose time is taken")
    parser.add_argument("--memory-patients", type=int, default=5_000, help="over whom memory is watched")
    chosen = parser.parse_args(arguments)
    if chosen.patients < 1 or chosen.memory_patients < _SETTLED:
        parser.error(f"--patients is 1 or more, --memory-patients {_SETTLED} or more")
    given = os.environ.get("IIKEA_REAL_DATA")
    if not given:
        print("E6 not run: set IIKEA_REAL_DATA to the folder that holds diabetes130/")
        return 1
    n_settled = chosen.memory_patients // _SETTLED
    with TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        settings = {"model": "statistical", "store": str(store), "top_k": 100, "resamples": 0}
        patients = histories(Path(given) / "diabetes130", store)
        run(patients, WARM_UP, settings, "warm-up")
        n, seconds = run(patients, chosen.patients, settings, "time")
        print(f"{n:,} patients in {seconds:.1f} CPU seconds, {n / seconds:.2f} a second")
        # These patients follow those already run, so that memory is filled no less than by as many alone.
        settled, _ = run(patients, n_settled, settings, "memory")
        before = resident_bytes()
        rest, later = run(patients, chosen.memory_patients - n_settled, settings, "memory, settled")
        after = resident_bytes()
    print(
        f"memory {before / 1e6:.0f} MB after {settled:,} patients, {after / 1e6:.0f} after {settled + rest:,}"
    )
    print(f"the last {rest:,} of them at {rest / later:.2f} a second")
    passed, line = verdict(n / seconds, (after - before) / 1e6, settled, settled + rest)
    print(line)
    return 0 if passed else 1


if __name__ == "__main__":
    pin_threads()
    sys.exit(main())

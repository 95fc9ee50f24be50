"""The causal engine beside its peers: values, speed, memory, recovery.

    python -m benchmarks.causal_engine [--quick] [--only B2 B3]

Needs the extra `bench`. Every comparison first asserts equal values. Speeds are CPU seconds of one thread,
ours and the peer's measured in this run, the least of several; figures of memory are the kernel's. Each goal
is printed with its figure as it is measured, and at the end one verdict for each acceptance id.
"""

import argparse
import importlib
import platform
import sys
import time
import warnings
from importlib import metadata

from benchmarks.engine.measure import Goal, pin_threads

PARTS = {
    "values": ("B1",),
    "scoring": ("B2", "B3"),
    "scale": ("B4", "B5"),
    "climbing": ("B6",),
    "sharing": ("B7",),
}
PACKAGES = ("numpy", "scipy", "numba", "pgmpy", "pyagrum", "duckdb")


def main() -> int:
    """Run the parts asked for; 0 where every goal is met, 1 where one is not."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.causal_engine", description="The causal engine beside its peers."
    )
    ids = sorted({id_ for part in PARTS.values() for id_ in part})
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: tries the program, measures nothing"
    )
    parser.add_argument("--only", nargs="+", choices=ids, default=ids, help="acceptance ids")
    chosen = parser.parse_args()
    pin_threads()
    warnings.simplefilter("ignore")
    print(f"Python {platform.python_version()}, {', '.join(f'{p} {metadata.version(p)}' for p in PACKAGES)}")
    found: list[Goal] = []
    for part, covers in PARTS.items():
        if set(covers) & set(chosen.only):
            begun = time.monotonic()
            module = importlib.import_module(f"benchmarks.engine.{part}")
            new = [goal for goal in module.goals(chosen.quick) if goal.name[:2] in chosen.only]
            found += new
            for goal in new:
                print(f"{'ok  ' if goal.passed else 'FAIL'} {goal.name}: {goal.said}", flush=True)
            print(f"     ({part}: {time.monotonic() - begun:.0f} s)", flush=True)
    return 0 if verdicts(found) else 1


def verdicts(found: list[Goal]) -> bool:
    """Print one line an acceptance id; True where all pass."""
    passed = True
    for id_ in sorted({goal.name[:2] for goal in found}):
        goals = [goal for goal in found if goal.name[:2] == id_]
        fine = all(goal.passed for goal in goals)
        passed &= fine
        said = "; ".join(f"{goal.name[3:]} {goal.said}" for goal in goals)
        print(f"{id_} {'PASS' if fine else 'FAIL'} {said}")
    return passed


if __name__ == "__main__":
    sys.exit(main())

"""The baselines on diabetes130 beside the same measured by other code: E1.

    IIKEA_REAL_DATA=FOLDER python -m benchmarks.evaluation

FOLDER holds `diabetes130/`. Two minutes on one core.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

COLUMNS = ("w_f1", "recall_at_10", "recall_at_20")
# In %; 80/20 by patient, five seeds, two visits or more. Measured apart, before this code was written.
EXPECTED = {
    "full": {
        "frequency": (4.6, 36.0, 50.8),
        "history_frequency": (26.9, 47.7, 59.9),
        "transition_noisy_or": (25.5, 50.5, 63.4),
        "history_transition": (26.3, 50.4, 63.0),
        "linear": (23.9, 51.0, 62.9),
    },
    "category": {
        "frequency": (8.8, 42.8, 57.7),
        "history_frequency": (29.9, 53.4, 65.5),
        "transition_noisy_or": (28.4, 55.8, 67.9),
        "history_transition": (29.2, 55.7, 67.7),
        "linear": (26.7, 56.4, 67.6),
    },
}
GOAL = 1.0


def rows(records: Path, vocabulary: str, out: Path) -> dict[str, dict[str, Any]]:
    """The table of `iikea evaluate`, a row for each method."""
    methods = ",".join([*EXPECTED[vocabulary], "transition_sum"])
    command = [sys.executable, "-m", "app.main", "evaluate", "--records", str(records), "--json"]
    command += ["--format", "diabetes130", "--vocabulary", vocabulary, "--seeds", "5"]
    command += ["--methods", methods, "--out", str(out / vocabulary)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own command
    return {row["method"]: row for row in json.loads(done.stdout)["rows"]}


def main() -> int:
    """Prints the table and whether each figure is within a point of what was expected."""
    given = os.environ.get("IIKEA_REAL_DATA")
    if not given:
        print("E1 not run: set IIKEA_REAL_DATA to the folder that holds diabetes130/")
        return 1
    furthest = 0.0
    with TemporaryDirectory() as folder:
        for vocabulary, expected in EXPECTED.items():
            found = rows(Path(given) / "diabetes130", vocabulary, Path(folder))
            for method, row in sorted(found.items()):
                print(f"{vocabulary:9}{method:21}" + "".join(f"{row[column]:8.2f}" for column in COLUMNS))
            furthest = max(
                [furthest]
                + [
                    abs(found[method][column] - figure)
                    for method, figures in expected.items()
                    for column, figure in zip(COLUMNS, figures, strict=True)
                ]
            )
    verdict = "PASS" if furthest <= GOAL else "FAIL"
    print(f"E1 {verdict} furthest from the expected table: {furthest:.2f} points (goal {GOAL:.0f})")
    return 0 if verdict == "PASS" else 1


if __name__ == "__main__":
    raise SystemExit(main())

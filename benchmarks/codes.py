"""How many diagnoses get a name, and what mapping codes to the other ICD and back loses: J4.

    IIKEA_REAL_DATA=FOLDER python -m benchmarks.codes

FOLDER holds `mimic3_demo/`. Seconds on one core.
"""

import os
import sys
from collections import Counter
from pathlib import Path

NAMED_GOAL = 99.0  # % of diagnosis rows with another name than "unlisted"


def named(records: Path) -> bool:
    """Prints where the names of the records' diagnoses come from; whether the goal is met."""
    from tools.records.check import check

    found = check(records)
    sources = ", ".join(f"{source} {rows:,}" for source, rows in found.named_by.items())
    share = 100 * found.share_of_rows_named
    is_whole = sum(found.named_by.values()) == found.rows
    passed = is_whole and share >= NAMED_GOAL
    said = f"{share:.2f} % of {found.rows:,} rows named (goal {NAMED_GOAL:.0f} %), by source: {sources}"
    print(f"J4 {'PASS' if passed else 'FAIL'} {said}")
    return passed


def mapped() -> None:
    """Prints what becomes of each ICD-9-CM leaf on its way to ICD-10-CM and back."""
    from tools.records.concepts.names import icd9_leaves
    from tools.records.concepts.published import gem_to_icd10, round_trip

    leaves, gem = icd9_leaves(), gem_to_icd10()
    there = Counter(
        "none" if code not in gem else "several" if len(gem[code].codes) > 1 else
        "one, approximate" if gem[code].is_approximate else "one"
        for code in leaves
    )  # fmt: skip
    for title, found in (("targets", there), ("and back", Counter(map(round_trip, leaves)))):
        print(f"GEM {title}: {', '.join(f'{kind} {n:,}' for kind, n in found.most_common())}")


def main() -> int:
    """Prints both; 0 where the goal is met."""
    mapped()
    given = os.environ.get("IIKEA_REAL_DATA")
    if not given:
        print("J4 not run: set IIKEA_REAL_DATA to the folder that holds mimic3_demo/")
        return 1
    return 0 if named(Path(given) / "mimic3_demo") else 1


if __name__ == "__main__":
    sys.exit(main())

"""How good predictions are on diabetes130: E1 by running, E2 to E4 from the results of runs that were kept.

    IIKEA_REAL_DATA=FOLDER python -m benchmarks.evaluation
    python -m benchmarks.evaluation --results [FOLDER]

E1: the baselines beside the same measured by other code; FOLDER holds `diabetes130/`. Two minutes on one
core. E2 (the default beside the best baseline), E3 (calibration) and E4 (ablations) are read from FOLDER,
`benchmarks/results` when left out: `full.json`, `category.json` and `ablations.json`, each what
`iikea evaluate --json` printed of diabetes130, split 80-20, five seeds and the statistical model. The first
two are of all test patients, all baselines and one version of the code; the third may have a limit.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from app.evaluation.asked import ABLATIONS as WITHOUT
from app.evaluation.asked import BASELINES, DEFAULT
from tools.evaluation.graphs import GAIN
from tools.evaluation.manifest import RunManifest
from tools.safety.errors import InputError

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

RESULTS = Path(__file__).parent / "results"
MAIN = {"full": "full", "category": "3-digit"}
ABLATIONS = "ablations"
# What a kept file has to be of: field of its manifest, value, option of the command.
ASKED: dict[str, tuple[object, str]] = {
    "format": ("diabetes130", "--format diabetes130"),
    "split": ("80-20", "--split 80-20"),
    "model": ("statistical", "--model statistical"),
    "roles": ({}, "--model for every role, and no fallback"),
    "seeds": ((0, 1, 2, 3, 4), "--seeds 5"),
}
AIMS = {"full": (28.0, 52.0, 64.0), "category": (31.0, 57.3, 68.6)}
ECE_GOAL = 2.0
SAME = WITHOUT[0]
LOGLIK = "score_loglik"
ABLATED = (DEFAULT, *WITHOUT, LOGLIK)
SHORT = {"w_f1_list": "w_f1 of its own list", "recall_at_10": "recall@10", "recall_at_20": "recall@20"}


class Row(BaseModel):
    """A method's figures, %."""

    model_config = ConfigDict(allow_inf_nan=False)

    method: str
    w_f1: float
    recall_at_10: float
    recall_at_20: float
    ece: float | None


class Difference(BaseModel):
    """The default less another method in one metric, with its paired 95 % interval.

    In points; a gain of graphs in nats a patient.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    against: str
    is_best_baseline: bool
    metric: str
    difference: float
    ci: tuple[float, float]

    def told(self) -> str:
        """With its interval, without the metric's name."""
        digits = 4 if self.metric == GAIN else 2
        low, high = self.ci
        return f"{self.difference:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


class Kept(BaseModel):
    """What `iikea evaluate --json` printed, as far as it is judged."""

    rows: list[Row]
    differences: list[Difference]
    manifest: RunManifest

    @property
    def leading(self) -> Row:
        """The default's figures; where it was left out, those of the row that predicts the same.

        The statistical mind's probabilities and order are those without a graph, which
        `tests/prediction/test_forecast.py` holds it to.
        """
        rows = {row.method: row for row in self.rows}
        return rows.get(DEFAULT) or rows[SAME]

    @property
    def told_row(self) -> str:
        """Which row is judged, where it is not the default's."""
        return "" if self.leading.method == DEFAULT else f" (row {SAME}, whose predictions are the same)"

    def best_baseline(self, metric: str) -> float:
        """The best figure of any baseline in a metric."""
        figures: list[float] = [getattr(row, metric) for row in self.rows if row.method in BASELINES]
        return max(figures)

    def less(self, other: str) -> list[Difference]:
        """The default less another method."""
        return [each for each in self.differences if each.against == other]


class Verdict(NamedTuple):
    """One acceptance id, judged."""

    name: str
    passed: bool
    said: str

    def tell(self) -> bool:
        """Prints its line; whether it passed."""
        print(f"{self.name} {'PASS' if self.passed else 'FAIL'} {self.said}")
        return self.passed


def rows(records: Path, vocabulary: str, out: Path) -> dict[str, dict[str, Any]]:
    """The table of `iikea evaluate`, a row for each method."""
    methods = ",".join([*EXPECTED[vocabulary], "transition_sum"])
    asked = [sys.executable, "-m", "app.main", "evaluate", "--records", str(records), "--json"]
    asked += ["--format", "diabetes130", "--vocabulary", vocabulary, "--seeds", "5"]
    asked += ["--methods", methods, "--out", str(out / vocabulary)]
    done = subprocess.run(asked, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own command
    return {row["method"]: row for row in json.loads(done.stdout)["rows"]}


def parsed(path: Path) -> Kept:
    """A file of kept results, whatever run they are of.

    Raises:
        InputError: it is missing, or is no output of `iikea evaluate --json` with numbers that are finite.
    """
    try:
        return Kept.model_validate_json(path.read_bytes())
    except OSError:
        raise InputError(str(path), f"cannot be read; {_remade(path)}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the JSON"
        finite = first["type"] == "finite_number"
        fault = "is NaN or infinite" if finite else "is not as that command prints it"
        raise InputError(str(path), f"{where} {fault}; {_remade(path)}") from None


def _remade(path: Path) -> str:
    return f"write it by `iikea evaluate ... --json > {path.name}`"


def read(folder: Path, name: str, needed: Sequence[str]) -> Kept:
    """A file of kept results that is of the run that is judged.

    Args:
        folder: that holds it.
        name: without `.json`; those of `MAIN` are of that vocabulary and of all test patients.
        needed: methods that it must have a row of.

    Raises:
        InputError: as `parsed`, or it is of another run than `ASKED`, or lacks a method.
    """
    path = folder / f"{name}.json"
    kept = parsed(path)
    asked = dict(ASKED)
    if name in MAIN:
        asked |= {"vocabulary": (name, f"--vocabulary {name}"), "limit": (None, "no --limit")}
    found = {field: getattr(kept.manifest, field) for field in asked}
    if others := [field for field, (value, _) in asked.items() if found[field] != value]:
        rule = ", ".join(f"the {field} {found[field]}" for field in others)
        options = ", ".join(asked[field][1] for field in others)
        raise InputError(str(path), f"is of {rule}; {_remade(path)}, with {options}")
    methods = [row.method for row in kept.rows]
    if missing := [method for method in needed if method not in methods]:
        rule = f"has no row of {', '.join(missing)}; {_remade(path)}, with these among its --methods"
        raise InputError(str(path), rule)
    if not {DEFAULT, SAME} & set(methods):
        rule = f"has no row of {DEFAULT} or {SAME}; {_remade(path)}, with one of them among its --methods"
        raise InputError(str(path), rule)
    return kept


def read_all(folder: Path, needed: Mapping[str, Sequence[str]]) -> dict[str, Kept]:
    """Files that are judged together, each by name with the methods that it needs.

    Raises:
        InputError: as `read`, or they are of more than one version of the code.
    """
    files = {name: read(folder, name, methods) for name, methods in needed.items()}
    if len({kept.manifest.code for kept in files.values()}) > 1:
        paths = " and ".join(str(folder / f"{name}.json") for name in files)
        codes = " and ".join(kept.manifest.code[:12] for kept in files.values())
        raise InputError(paths, f"are of different code, {codes}; write both again by one version of it")
    return files


def command(manifest: RunManifest) -> str:
    """The command that made a file, as far as its manifest tells: not where the records were."""
    limit = "" if manifest.limit is None else f" --limit {manifest.limit}"
    model = "" if manifest.model == "statistical" else f" --model {manifest.model}"
    return (
        f"iikea evaluate --records RECORDS --format {manifest.format} --split {manifest.split} "
        f"--vocabulary {manifest.vocabulary} --seeds {len(manifest.seeds)}{limit}{model} "
        f"--methods {','.join(manifest.methods)} --json"
    )


def e2(files: dict[str, Kept]) -> Verdict:
    """Whether the default surely beats the best baseline in each metric and vocabulary.

    Surely: the interval of their difference lies above 0; a metric without one fails.
    """
    passed, parts = True, []
    for vocabulary, kept in files.items():
        figures = []
        for metric, aim in zip(COLUMNS, AIMS[vocabulary], strict=True):
            found: float = getattr(kept.leading, metric)
            best = kept.best_baseline(metric)
            over = [each for each in kept.differences if each.is_best_baseline and each.metric == metric]
            passed &= found > best and bool(over) and all(each.ci[0] > 0 for each in over)
            told = [each.told() for each in over] or ["no difference"]
            beside = ", ".join([f"best baseline {best:.2f}", *told])
            reached = "reached" if found >= aim else "not reached"
            figures.append(f"{SHORT.get(metric, metric)} {found:.2f} ({beside}; aim {aim:.1f} {reached})")
        parts.append(f"{MAIN[vocabulary]}{kept.told_row}: {', '.join(figures)}")
    return Verdict("E2", passed, "; ".join(parts))


def e3(files: dict[str, Kept]) -> Verdict:
    """Whether the default's expected calibration error is below the goal in each vocabulary."""
    errors = {MAIN[name]: kept.leading.ece for name, kept in files.items()}
    told = ", ".join(f"{'none' if e is None else f'{e:.2f} %'} {name}" for name, e in errors.items())
    passed = all(error is not None and error <= ECE_GOAL for error in errors.values())
    return Verdict("E3", passed, f"ECE {told} (goal {ECE_GOAL:g} %)")


def e4(kept: Kept) -> Verdict:
    """Whether the ablations are measured and graphs accepted by likelihood alone are worse.

    Worse: in one metric at least the interval of the difference lies above 0, and in none below. The gain of
    the accepted graphs is one of the metrics; where predictions do not depend on the graph, it is the only
    one that can differ, and the line says so.
    """
    found = {other: kept.less(other) for other in (*WITHOUT, LOGLIK)}
    loglik = found[LOGLIK]
    is_worse = any(each.ci[0] > 0 for each in loglik) and not any(each.ci[1] < 0 for each in loglik)
    told = [
        f"less {other}: " + ", ".join(f"{each.told()} {SHORT.get(each.metric, each.metric)}" for each in many)
        for other, many in found.items()
    ]
    limit = kept.manifest.limit
    said = "" if limit is None else f" (of {limit:,} test patients a split at most)"
    return Verdict("E4", is_worse and all(found.values()), f"default {'; '.join(told)}{said}")


def judged(folder: Path) -> bool:
    """Prints E2 to E4 from a folder of kept results, and before them how each file was made.

    Returns:
        Whether all were judged and pass.
    """
    passed = True
    main = dict.fromkeys(MAIN, BASELINES)
    for ids, needed in (("E2 E3", main), ("E4", {ABLATIONS: ABLATED})):
        try:
            files = read_all(folder, needed)
        except InputError as error:
            print(f"{ids} not judged: {error}")
            passed = False
            continue
        for name, kept in files.items():
            print(f"{name}.json: {command(kept.manifest)} (code {kept.manifest.code[:12]})")
        found = [e4(files[ABLATIONS])] if ABLATIONS in files else [e2(files), e3(files)]
        for verdict in found:
            passed &= verdict.tell()
    return passed


def baselines() -> bool:
    """E1: whether each figure of the baselines is within a point of what was expected."""
    given = os.environ.get("IIKEA_REAL_DATA")
    if not given:
        print("E1 not run: set IIKEA_REAL_DATA to the folder that holds diabetes130/")
        return False
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
    said = f"furthest from the expected table: {furthest:.2f} points (goal {GOAL:.0f})"
    return Verdict("E1", furthest <= GOAL, said).tell()


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line for each id; 0 where all pass."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--results", nargs="?", const=RESULTS, type=Path, metavar="FOLDER")
    folder = parser.parse_args(arguments).results
    return 0 if (judged(folder) if folder else baselines()) else 1


if __name__ == "__main__":
    raise SystemExit(main())

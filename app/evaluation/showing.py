"""The results for people, and the progress of a run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.table import Table

from app.console import err, out, plain
from app.evaluation.asked import BASELINES, DEFAULT, of_graph
from app.evaluation.table import HEADLINES
from tools.evaluation.graphs import GAIN
from tools.evaluation.subgroups import FEWEST
from tools.records.faults import counted

if TYPE_CHECKING:
    from tools.evaluation.ledger import Outcome
    from tools.evaluation.manifest import RunManifest

_SHOWN = {
    "w_f1": "w-F1",
    "w_f1_list": "list",
    "recall_at_10": "R@10",
    "recall_at_20": "R@20",
    "ece": "ECE",
}
_LEGEND = (
    "Under each value its 95 % interval over patients. w-F1: weighted F1, told the number of true codes; "
    "list: of the method's own list; R@k: recall at k; ECE: expected calibration error; "
    "n: predictions; ref: refused, a miss in all of these."
)
_GRAPHS_LEGEND = (
    "Means over test patients. gain: over a graph without edges, cross-validated log-likelihood of the leaky "
    "noisy-OR, nats a patient of the records, whatever score accepted the graph.\n"
)
_GROUPS = {"age": "age {}", "sex": "sex {}", "visits": "{} visits"}
_GROUPS_LEGEND = (
    "n: different patients; too few: fewer than "
    f"{FEWEST}. Under each value its 95 % interval over the patients of the group. Age at the last visit; "
    "visits with the predicted one."
)


@contextmanager
def progress(total: int, spent_usd: float) -> "Iterator[Callable[[Sequence[Outcome]], None]]":
    """A bar on standard error while the block runs, where that is a terminal: patients, rate, cost so far.

    Args:
        total: patients to be computed.
        spent_usd: in earlier runs.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("patients"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}{task.fields[cost]}"),
        TimeRemainingColumn(),
    )
    spent = spent_usd

    def told(outcomes: "Sequence[Outcome]") -> None:
        nonlocal spent
        spent += sum(outcome.cost_usd for outcome in outcomes)
        bar.advance(task, len(outcomes))
        speed = bar.tasks[0].speed
        cost = f"  {spent:,.2f} USD" if spent else ""
        bar.update(task, rate=f"{speed:.1f}/s" if speed else "", cost=cost)

    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total, rate="", cost="")
        yield told


def show(table: dict[str, Any], manifest: "RunManifest") -> None:
    """The table of all methods, and below it how much better the default is."""
    out.print(_rows(table["rows"], manifest))
    if table["graphs"]:
        out.print(_graphs(table["graphs"], table["differences"]))
    if table["differences"]:
        out.print(_differences(table["differences"]))


def show_subgroups(table: dict[str, Any], manifest: "RunManifest") -> None:
    """How one method does for whom, see `shown_by_group`."""
    method = shown_by_group(manifest.methods)
    out.print(_groups(method, [group for group in table["subgroups"] if group["method"] == method]))


def shown_by_group(methods: Sequence[str]) -> str:
    """The default, or else the last method of the graph, of the baselines, or of all."""
    if DEFAULT in methods:
        return DEFAULT
    baselines = [method for method in methods if method in BASELINES]
    return [*methods, *baselines, *of_graph(methods)][-1]


def _table(title: str, first: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.collapse_padding = True
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _rows(rows: Sequence[dict[str, Any]], manifest: "RunManifest") -> Table:
    title = "The next visit, predicted from the earlier ones, %"
    shown = _table(title, "method", *_SHOWN.values(), "n", "ref")
    for row in rows:
        values = (_value(row[metric], row["ci"].get(metric)) for metric in _SHOWN)
        shown.add_row(row["method"], *values, str(row["n_predictions"]), str(row["refused"]))
    shown.caption, shown.caption_justify = _caption(rows, manifest), "left"
    return shown


def _value(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" + (f"\n[dim]{interval[0]:.1f}-{interval[1]:.1f}[/]" if interval else "")


def _groups(method: str, groups: Sequence[dict[str, Any]]) -> Table:
    metrics = {metric: _SHOWN[metric] for metric in HEADLINES}
    shown = _table(f"{method}, by group of patients, %", "group", "n", *metrics.values())
    for group in groups:
        values = [_value(group[metric], group["ci"].get(metric)) for metric in metrics]
        name = _GROUPS[group["by"]].format(group["group"])
        shown.add_row(name, f"{group['n_patients']:,}", *(values if group["ci"] else ["too few"]))
    missing = [word for word in ("age", "sex") if word not in {group["by"] for group in groups}]
    untold = f" The records do not tell {' or '.join(missing)}." if missing else ""
    shown.caption, shown.caption_justify = f"{_GROUPS_LEGEND}{untold}\n", "left"
    return shown


def _caption(rows: Sequence[dict[str, Any]], manifest: "RunManifest") -> str:
    stores = ", ".join(digest[:12] for digest in manifest.stores.values())
    limit = "" if manifest.limit is None else f" of {manifest.limit:,} test patients at most"
    others = (f"{role} {name}" for role, name in manifest.roles.items())
    models = ", ".join((manifest.model, *others))
    people = counted(rows[0]["n_patients"], "different patient") if rows else "nobody"
    return (
        f"{plain(manifest.format)}, split {manifest.split}, {counted(len(manifest.seeds), 'seed')}{limit}, "
        f"{people}; vocabulary {manifest.vocabulary}; model {plain(models)}; training data {stores}."
        f"\n{_LEGEND}\n"
    )


def _differences(differences: Sequence[dict[str, Any]]) -> Table:
    headings = (_SHOWN[metric] for metric in HEADLINES)
    shown = _table(f"The row {differences[0]['method']} less another, points", "less", *headings)
    for against in dict.fromkeys(each["against"] for each in differences):
        mine = {each["metric"]: each for each in differences if each["against"] == against}
        values = (_signed(mine.get(metric)) for metric in HEADLINES)
        is_best = any(each["is_best_baseline"] for each in mine.values())
        shown.add_row(f"{against}{' *' if is_best else ''}", *values)
    shown.caption, shown.caption_justify = "* the best of the baselines in these columns", "left"
    return shown


def _graphs(graphs: Sequence[dict[str, Any]], differences: Sequence[dict[str, Any]]) -> Table:
    """How large the accepted graphs are, what they gain, and how much more the default's do."""
    shown = _table("The accepted graphs", "method", "edges", "gain", "default more")
    less = {each["against"]: each for each in differences if each["metric"] == GAIN}
    for line in graphs:
        low, high = line["ci"][GAIN]
        more = less.get(line["method"])
        shown.add_row(
            line["method"],
            f"{line['edges']:.1f}",
            f"{line[GAIN]:.4f}\n[dim]{low:.4f}..{high:.4f}[/]",
            ""
            if more is None
            else f"{more['difference']:+.4f}\n[dim]{more['ci'][0]:+.4f}..{more['ci'][1]:+.4f}[/]",
        )
    shown.caption, shown.caption_justify = _GRAPHS_LEGEND, "left"
    return shown


def _signed(difference: dict[str, Any] | None) -> str:
    if difference is None:
        return ""
    low, high = difference["ci"]
    return f"{difference['difference']:+.1f}\n[dim]{low:+.1f}..{high:+.1f}[/]"

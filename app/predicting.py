"""Runs the diagnosis graph for one patient, with its progress shown, and prints the result."""

from datetime import UTC, datetime
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal

from rich.box import SIMPLE
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from agents.recording import Recording, recording
from app.console import err, out, plain
from graph.context import DiagnosisContext
from graph.state import DiagnosisInput
from tools.records.faults import counted
from tools.reporting.cost import cost_in_words
from tools.reporting.result import DiagnosisResult, Finding, GraphScores, IdentifiedBy, Knowledge
from tools.reporting.words import STOPPED, scored_by, share, sign

if TYPE_CHECKING:
    from tools.reporting.labels import LabelKey

_ONE_LINE = frozenset({"#", "visit", "chance", "strength", "95 % interval", "confidence"})
_NAME_WIDTH = 56
_UNTOLD: dict[IdentifiedBy, str] = {"time": "", "score": " [yellow]~[/]", "nothing": " [yellow]?[/]"}
_STAGES = {
    "prepare": "history admitted",
    "select": "candidates selected",
    "query": "query written",
    "retrieve": "passages retrieved",
    "read": "passage read",
    "gather": "findings gathered",
    "propose": "graph proposed",
    "fit": "graph fitted",
    "amend": "graph amended",
    "settle": "best graph taken",
    "decide": "predictions made",
    "conclude": "result put together",
}


def run(
    history: list[list[str]],
    comment: str,
    comment_checked: bool,
    context: DiagnosisContext,
    to: Recording | None = None,
) -> DiagnosisResult:
    """One prediction, with a progress line on standard error where that is a terminal.

    Args:
        history: codes by visit, oldest first.
        comment: of the clinician.
        comment_checked: whether somebody has looked at it for identifiers.
        context: settings of the run.
        to: what the answers of models go through.
    """
    from graph.diagnosis import graph

    given = DiagnosisInput(history=history, comment=comment, comment_checked=comment_checked)
    stages = _stages(context)
    result: dict[str, Any] = {}
    with _progress() as progress, recording(to):
        task = progress.add_task("starting", total=None)
        for update in graph.stream(given, context=context, stream_mode="updates"):
            for node, change in update.items():
                progress.update(task, description=_said(stages, node, change))
                result = (change or {}).get("result", result)
    return DiagnosisResult.model_validate(result)


def _progress() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _stages(context: DiagnosisContext) -> dict[str, str]:
    """What is said when a node is done; before the first graph, that edges are being resampled."""
    if context.without_causal or not context.resamples:
        return _STAGES
    last = "select" if context.without_knowledge else "gather"
    said = f"{_STAGES[last]}; edge confidence from {context.resamples} resamples"
    return _STAGES | {last: said}


def _said(stages: dict[str, str], node: str, change: dict[str, Any] | None) -> str:
    said = stages.get(node, node)
    if node == "fit" and change:
        trial = change["trials"][0]
        return f"{said} (iteration {trial['iteration']}, score {trial['score']:.1f})"
    return said


def write_report(result: DiagnosisResult, path: Path) -> None:
    """The HTML report of a result.

    Raises:
        InputError: the file cannot be written.
    """
    from tools.reporting import html

    html.write(result, path)


def write_fhir(result: DiagnosisResult, subject: str | None, path: Path) -> None:
    """The result as a FHIR Bundle, made at this moment.

    Raises:
        InputError: the file cannot be written, or there is no prediction.
    """
    from tools.reporting import fhir

    fhir.write(result, subject, datetime.now(UTC), path)


def write_table(result: DiagnosisResult, path: Path) -> None:
    """The predictions as CSV.

    Raises:
        InputError: the file cannot be written, or there is no prediction.
    """
    from tools.reporting import table

    table.write(result, path)


def write_labels(result: DiagnosisResult, key: "LabelKey", path: Path) -> None:
    """The predictions as MEDS labels.

    Raises:
        InputError: the file cannot be written, or there is no prediction.
    """
    from tools.reporting import labels

    labels.write(result, key, path)


def show(result: DiagnosisResult) -> None:
    """A result for people."""
    if result.refusal:
        out.print(f"[bold]No prediction: {plain(result.refusal.kind)}.[/] {plain(result.refusal.reason)}.")
        out.print(f"Next step: {plain(result.refusal.next_step)}.")
    else:
        out.print(_history(result))
        out.print(_predictions(result))
        out.print(_edges(result))
        if result.scores:
            out.print(_scores(result))
        _show_knowledge(result)
    for notice in result.notices:
        out.print(f"[yellow]notice[/] {plain(notice)}")
    if result.cost.requests:
        out.print(f"[dim]Cost: {plain(cost_in_words(result.cost))}.[/]")
    data = result.data
    size = f"{counted(data.patients, 'patient')}, {counted(data.visits, 'visit')}"
    size += ", credentialed" if data.credentialed else ""
    out.print(
        f"[dim]Model {plain(_models(result))}. Data {data.hash[:12]} ({plain(data.source)}, {size}).[/]"
    )
    out.print("[dim]Not a medical device.[/]")


def _models(result: DiagnosisResult) -> str:
    """The model, and who else answered in which role."""
    others = [
        f"{one.role} {one.model}{' in its place' if one.fell_back else ''}"
        for one in result.answered
        if one.fell_back or one.model != result.model
    ]
    return "; ".join([result.model, *others])


def _name(result: DiagnosisResult, code: str) -> str:
    disease = result.diseases[code]
    return f"{disease.dotted} {plain(disease.display)}"


def _table(title: str, *headings: str, right: frozenset[str] = frozenset()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False)
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, no_wrap=heading in _ONE_LINE)
    return table


def _history(result: DiagnosisResult) -> Table:
    table = _table("History", "visit", "diagnoses", right=frozenset({"visit"}))
    for number, visit in enumerate(result.history, start=1):
        table.add_row(str(number), "\n".join(_name(result, code) for code in visit))
    return table


def _predictions(result: DiagnosisResult) -> Table:
    expected = result.expected_codes
    title = "Next visit" if expected is None else f"Next visit, {expected:.1f} diagnoses expected in all"
    table = _table(title, "#", "chance", "diagnosis, and why", right=frozenset({"#", "chance"}))
    table.caption, table.caption_justify = f"{plain(result.explanation)}\n", "left"
    for prediction in result.predictions:
        kind = "had before" if prediction.repeat else "new"
        why = [f"{kind}; 95 % interval {_interval(prediction.interval, '{:.1%}')}"]
        why += [plain(prediction.reason)]
        why += [f"Source: {plain(source)}" for source in prediction.evidence]
        why += [f"Against: {plain(prediction.counter_evidence)}"] if prediction.counter_evidence else []
        table.add_row(
            str(prediction.rank),
            f"{prediction.probability:.1%}",
            f"[bold]{_name(result, prediction.code)}[/]\n[dim]" + "\n".join(why) + "[/]",
        )
    return table


def _interval(interval: tuple[float, float] | None, form: str) -> str:
    return " to ".join(form.format(end) for end in interval) if interval else "not given"


def _edges(result: DiagnosisResult) -> Table:
    headings = ("strength", "95 % interval", "confidence", "cause, and effect")
    title = "Causal graph, edges of the largest gain first"
    table = _table(title, *headings, right=frozenset({"strength", "confidence"}))
    table.caption, table.caption_justify = _legend(result.graph.scores), "left"
    for edge in sorted(result.graph.edges, key=lambda edge: (-edge.gain, edge.cause, edge.effect)):
        cause, effect = (
            shorten(_name(result, code), _NAME_WIDTH, placeholder=" …") for code in (edge.cause, edge.effect)
        )
        table.add_row(
            f"{edge.strength:.2f}",
            _interval(edge.interval, "{:.2f}"),
            share(edge.confidence),
            f"{cause}\n→ {effect}{_UNTOLD[edge.identified_by]}",
        )
    return table


def _legend(scores: GraphScores | None) -> str:
    """What the columns and marks of the edges mean, and what the whole graph is worth."""
    if scores is None:
        return ""
    legend = "strength: chance that the cause alone brings the effect."
    if scores.resamples:
        legend += (
            f" confidence: share of {scores.resamples} random halves of the patients in which a search finds "
            "the edge, not the probability that it is true."
        )
    return (
        f"{legend} Direction: told by onsets; ~ only by the score, given the other edges; ? not identified.\n"
        f"Accepted by {plain(scored_by(scores))}: {scores.gain_per_patient:+.3f} nats a patient over no "
        f"edges, {scores.held_out_gain_per_patient:+.3f} in the cross-validated log-likelihood (given the "
        "edges, which the same patients chose: it leans high)."
    )


def _scores(result: DiagnosisResult) -> Table:
    title = f"Loop: {counted(result.iterations, 'graph')} fitted, stopped: {result.stopped}"
    headings = ("iteration", "score", "gain/patient", "cross-val.", "log-lik.", "edges", "change")
    table = _table(title, *headings, right=frozenset(headings))
    table.caption, table.caption_justify = STOPPED[result.stopped], "left"
    for score in result.scores:
        change = "" if score.change is None else f"{score.change:.0%}"
        table.add_row(
            str(score.iteration),
            f"{score.accepted_score:.1f}",
            f"{score.gain_per_patient:+.3f}",
            f"{score.held_out_gain_per_patient:+.3f}",
            f"{score.log_likelihood:.1f}",
            str(score.n_edges),
            change,
        )
    return table


def _show_knowledge(result: DiagnosisResult) -> None:
    """What was read: each quote with its passage and findings; never more of a passage than was quoted."""
    if result.knowledge is None:
        return
    knowledge = result.knowledge
    for library in knowledge.libraries:
        how = f"by {plain(library.retrieval)}, version {plain(library.version[:12])}"
        out.print(f"[bold]Read[/] in {plain(library.title)} (trust {library.trust}), {how}")
    said: dict[tuple[str, str], list[Finding]] = {}
    for finding in knowledge.findings:
        said.setdefault((finding.passage, finding.quote), []).append(finding)
    for (passage, quote), findings in said.items():
        out.print(f"  “{plain(quote)}” [dim]{plain(passage)}[/]")
        out.print(
            f"    [dim]{plain('; '.join(_claim(result, knowledge, finding) for finding in findings))}[/]"
        )
    quoted = {finding.passage for finding in knowledge.findings}
    unused = [passage for passage in knowledge.passages if passage.id not in quoted]
    if unused:
        sources = ", ".join(f"{plain(passage.id)} ({plain(passage.source)})" for passage in unused)
        out.print(f"  [dim]Nothing was taken from {sources}.[/]")
    if knowledge.passages:
        signs = (
            "↑ raises the chance of, ↓ lowers it, = does not change it; a claim of its source, not a fact."
        )
        out.print(f"  [dim]{signs} `iikea knowledge show ID` prints a whole passage.[/]")


def _claim(result: DiagnosisResult, knowledge: Knowledge, finding: Finding) -> str:
    """A finding by its codes, and which passages say otherwise."""
    cause, effect = (
        result.diseases[code].dotted if code else "another" for code in (finding.cause, finding.effect)
    )
    judged = "" if finding.strength == "unstated" else f" ({finding.strength})"
    others = dict.fromkeys(knowledge.findings[place].passage for place in finding.contradicts)
    against = f", contradicted by {', '.join(others)}" if others else ""
    return f"{cause} {sign(finding.direction)} {effect}{judged}{against}"

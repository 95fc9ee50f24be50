"""The report: one self-contained HTML file that asks nothing of the network and runs no script.

Everything in a result that a model or a document wrote is text here: escaped, stripped of control
characters, and never a link.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from tools.reporting import figures
from tools.reporting.cost import cost_in_words
from tools.reporting.result import DiagnosisResult, Finding, IterationScore, Prediction
from tools.reporting.templates import fill
from tools.reporting.words import LEAST_SHARE, STOPPED, percent, percent_range
from tools.reporting.writing import write_result
from tools.safety.errors import InputError


class Disagreement(NamedTuple):
    """Two findings that contradict each other, the more trusted first."""

    one: Finding
    other: Finding


def render(result: DiagnosisResult) -> str:
    """The report as an HTML document; the same result gives the same bytes.

    Of a passage it shows the words that its findings quote, and where the rest is to be read.

    Raises:
        InputError: the result names a disease or cites a passage that it does not hold, its graph has a
            cycle, or a number in it is not finite.
    """
    _require_complete(result)
    graph, knowledge = result.graph, result.knowledge
    passages = knowledge.passages if knowledge else ()
    disagreements = _disagreements(knowledge.findings) if knowledge else []
    return fill(
        "report.html.j2",
        result=result,
        cost=cost_in_words(result.cost),
        verdict=verdict(result),
        least_share=LEAST_SHARE,
        diseases=result.diseases,
        passage_number={passage.id: i for i, passage in enumerate(passages, start=1)},
        quotes={passage.id: _quotes(result, passage.id) for passage in passages},
        disagreements=disagreements,
        disputed={p.rank: _disputed(p, disagreements) for p in result.predictions},
        step_evidence={(edge.cause, edge.effect): edge.evidence for edge in graph.edges},
        edges=sorted(graph.edges, key=lambda edge: (-edge.gain, edge.cause, edge.effect)),
        graph_figure=Markup(figures.causal_graph(graph, {p.code: p.rank for p in result.predictions})),  # noqa: S704
        score_figure=Markup(figures.score_chart(result.scores)),  # noqa: S704
        best=_best(result.scores),
        stopped=STOPPED[result.stopped],
    )


def verdict(result: DiagnosisResult) -> str:
    """The result in one sentence."""
    if result.refusal:
        return f"No prediction: {result.refusal.reason}"
    if not result.predictions:
        return "No diagnosis stood out for the next visit."
    likely = sorted(result.predictions, key=lambda prediction: (-prediction.probability, prediction.rank))
    new = next((prediction for prediction in likely if not prediction.repeat), None)
    if new is None:
        return (
            f"Most likely at the next visit: {_chance(likely[0])}. None of the predictions is a new disease."
        )
    if new is likely[0]:
        return f"Most likely at the next visit: {_chance(new)}, new to this patient."
    return f"Most likely at the next visit: {_chance(likely[0])}. Most likely new disease: {_chance(new)}."


def _chance(prediction: Prediction) -> str:
    interval = f" ({percent_range(prediction.interval)})" if prediction.interval else ""
    return f"{prediction.display} ({prediction.dotted}), {percent(prediction.probability)}{interval}"


def _quotes(result: DiagnosisResult, passage: str) -> dict[str, list[Finding]]:
    """The words quoted from a passage, each with the findings it was quoted for."""
    quotes: dict[str, list[Finding]] = {}
    for finding in _findings(result):
        if finding.passage == passage:
            quotes.setdefault(finding.quote, []).append(finding)
    return quotes


def _disagreements(findings: Sequence[Finding]) -> list[Disagreement]:
    """Each pair of findings that contradict each other once, in their order."""
    return [
        Disagreement(finding, findings[other])
        for place, finding in enumerate(findings)
        for other in finding.contradicts
        if place < other
    ]


def _disputed(prediction: Prediction, disagreements: Sequence[Disagreement]) -> list[int]:
    """Numbers of the disagreements, from 1, about a step of a prediction's path or by a passage it cites."""
    steps = set(pairwise(prediction.path))
    return [
        number
        for number, pair in enumerate(disagreements, start=1)
        if any((f.cause, f.effect) in steps or _backs(f, prediction) for f in pair)
    ]


def _backs(finding: Finding, prediction: Prediction) -> bool:
    return finding.effect == prediction.code and finding.passage in prediction.evidence


def write(result: DiagnosisResult, path: str | os.PathLike[str]) -> None:
    """Writes the report; an earlier file stays whole until the new one has been written whole.

    The file is readable by its owner only, for it is about a patient.

    Raises:
        InputError: see `render`; or the folder does not exist or cannot be written to.
    """
    write_result(Path(path), render(result), "report")


def _best(scores: Iterable[IterationScore]) -> int | None:
    """Position of the best accepted score, the earliest of equals."""
    values = [score.accepted_score for score in scores]
    return values.index(max(values)) if values else None


def _require_complete(result: DiagnosisResult) -> None:
    if not set(_named(result)) <= result.diseases.keys():
        raise InputError("result", "names a disease that `diseases` does not hold; add it there")
    retrieved = {passage.id for passage in result.knowledge.passages} if result.knowledge else set()
    if not set(_cited(result)) <= retrieved:
        raise InputError("result", "cites a passage that was not retrieved; remove the citation")
    findings = _findings(result)
    if not {place for finding in findings for place in finding.contradicts} <= set(range(len(findings))):
        raise InputError("result", "a finding contradicts one that is not there; mend `contradicts`")


def _named(result: DiagnosisResult) -> Iterator[str]:
    for visit in result.history:
        yield from visit
    for prediction in result.predictions:
        yield from prediction.path
        yield from (part.source for part in prediction.parts if part.source is not None)
    for edge in result.graph.edges:
        yield from (edge.cause, edge.effect)
    for finding in _findings(result):
        yield from (key for key in (finding.cause, finding.effect) if key is not None)


def _cited(result: DiagnosisResult) -> Iterator[str]:
    for prediction in result.predictions:
        yield from prediction.evidence
    for edge in result.graph.edges:
        yield from edge.evidence
    yield from (finding.passage for finding in _findings(result))


def _findings(result: DiagnosisResult) -> tuple[Finding, ...]:
    return result.knowledge.findings if result.knowledge else ()

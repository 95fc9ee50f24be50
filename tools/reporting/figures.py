"""Pictures as self-contained SVG: the causal graph, and the scores of the loop.

The same input gives the same bytes. Colours follow the reader's light or dark setting, and nothing is
said by colour alone.
"""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, product
from typing import NamedTuple

from tools.causal.dag import CausalGraph, Edge
from tools.reporting.layout import Box, Layout, Point, lay_out, layers
from tools.reporting.result import Graph, GraphEdge, GraphNode, IterationScore
from tools.reporting.templates import fill
from tools.reporting.words import (
    identified,
    number,
    percent,
    percent_range,
    printable,
    reversal,
    share,
    time_counts,
)

_LINE_HEIGHT = 17.0
_PADDING = 10.0
_HEAD = 8.0
_LABEL = (32.0, 15.0)
_CHART = Box(64, 18, 420, 190)
_LABEL_ROOM = 38.0


class _Format(NamedTuple):
    """Width of a box, and the letters and lines of a name that fit in it."""

    box_width: float
    letters: int
    lines: int


_WIDE, _NARROW = _Format(180, 20, 3), _Format(156, 17, 4)
_MANY_LAYERS = 7


class _DrawnNode(NamedTuple):
    box: Box
    lines: list[str]
    node: GraphNode
    rank: int | None


class _DrawnEdge(NamedTuple):
    path: str
    end: Point
    label: Point
    width: float
    edge: GraphEdge
    title: str


class _Line(NamedTuple):
    name: str
    points: list[Point]
    texts: list[str]


def causal_graph(graph: Graph, ranks: Mapping[str, int] | None = None) -> str:
    """The causal graph as SVG, causes to the left of their effects.

    Line width and number: strength. Dashed: only the score tells the direction; dotted: nothing does.
    Nodes without an edge are counted, not drawn.

    Args:
        graph: acyclic.
        ranks: rank among the predictions by node key, shown in the boxes.

    Raises:
        InputError: a cycle, or an edge to a node that is not given.
    """
    dag = CausalGraph([n.code for n in graph.nodes], [(e.cause, e.effect) for e in graph.edges])
    joined = {node for edge in dag.edges for node in edge}
    if not joined:
        return fill("empty.svg.j2", message="No causal edge was accepted.")
    dag = CausalGraph([node for node in dag.nodes if node in joined], dag.edges)
    nodes = {node.code: node for node in graph.nodes}
    form = _NARROW if max(layers(dag).values()) + 1 >= _MANY_LAYERS else _WIDE
    lines = {key: _wrap(nodes[key].display, form) for key in dag.nodes}
    layout = lay_out(dag, {key: _height(text) for key, text in lines.items()}, form.box_width)
    return fill(
        "graph.svg.j2",
        nodes=[_DrawnNode(layout.boxes[k], lines[k], nodes[k], (ranks or {}).get(k)) for k in dag.nodes],
        edges=_draw_edges(graph, layout),
        layout=layout,
        n_alone=len(graph.nodes) - len(joined),
    )


def _wrap(name: str, form: _Format) -> list[str]:
    shortened = textwrap.wrap(
        printable(name), form.letters, max_lines=form.lines, placeholder="\u2026", break_on_hyphens=False
    )
    return shortened or [""]


def _height(lines: Sequence[str]) -> float:
    return 2 * _PADDING + _LINE_HEIGHT * (len(lines) + 1)


def _draw_edges(graph: Graph, layout: Layout) -> list[_DrawnEdge]:
    names = {node.code: node.display for node in graph.nodes}
    labels = _place_labels(layout.routes)
    return [
        _DrawnEdge(
            path=_curve(layout.routes[key]),
            end=layout.routes[key][-1],
            label=labels[key],
            width=1.2 + 5 * edge.strength,
            edge=edge,
            title=f"{names[edge.cause]} \u2192 {names[edge.effect]}: {edge_summary(edge)}",
        )
        for edge in sorted(graph.edges, key=lambda e: (e.cause, e.effect))
        for key in [Edge(edge.cause, edge.effect)]
    ]


def edge_summary(edge: GraphEdge) -> str:
    """Strength, confidence, gain and direction of an edge in one line."""
    confidence = "" if edge.confidence is None else f"confidence {share(edge.confidence)}, "
    return (
        f"strength {percent(edge.strength)} (95% interval {percent_range(edge.interval)}), {confidence}"
        f"gain {number(edge.gain)} nats, {number(edge.held_out_gain)} cross-validated; direction "
        f"{identified(edge.identified_by)}: {time_counts(edge.direction)}; {reversal(edge.reversal)}"
    )


def _curve(route: Sequence[Point]) -> str:
    """Path data: a flat S over each gap, straight through the layers, short of the arrow head."""
    ends = [*route[:-1], route[-1]._replace(x=route[-1].x - _HEAD + 1)]
    parts = []
    for start, end in zip(ends[::2], ends[1::2], strict=True):
        middle = (start.x + end.x) / 2
        parts.append(
            f"{start.x:.1f} {start.y:.1f}"
            f"C{middle:.1f} {start.y:.1f} {middle:.1f} {end.y:.1f} {end.x:.1f} {end.y:.1f}"
        )
    return "M" + "L".join(parts)


def _place_labels(routes: Mapping[Edge, Sequence[Point]]) -> dict[Edge, Point]:
    """A place on each curve, the nearest to its middle where no label is yet (else the emptiest).

    The flattest curves go first: along a steep one there is more room to choose from.
    """
    placed: dict[Edge, Point] = {}
    for edge, route in sorted(routes.items(), key=lambda item: (_climb(item[1]), item[0])):
        curves = list(zip(route[::2], route[1::2], strict=True))
        places = [_on_curve(*ends, t) for t, ends in product((0.5, 0.35, 0.65, 0.22, 0.78), curves)]
        placed[edge] = min(places, key=lambda place: _overlap(place, placed.values()))
    return placed


def _climb(route: Sequence[Point]) -> float:
    return sum(abs(start.y - end.y) for start, end in pairwise(route))


def _on_curve(start: Point, end: Point, t: float) -> Point:
    x, y = 1.5 * t * (1 - t) + t**3, t * t * (3 - 2 * t)
    return Point(start.x + x * (end.x - start.x), start.y + y * (end.y - start.y))


def _overlap(place: Point, others: Iterable[Point]) -> float:
    width, height = _LABEL
    return sum(
        max(width - abs(place.x - other.x), 0) * max(height - abs(place.y - other.y), 0) for other in others
    )


def score_chart(scores: Sequence[IterationScore]) -> str:
    """Accepted score and log-likelihood of each iteration as SVG, relative to the first, in nats.

    Raises:
        InputError: a score is not finite.
    """
    if not scores:
        return fill("empty.svg.j2", message="The loop did not run.")
    gains = {
        "Accepted score": [s.accepted_score - scores[0].accepted_score for s in scores],
        "Log-likelihood": [s.log_likelihood - scores[0].log_likelihood for s in scores],
    }
    texts = {name: [number(gain, signed=True) for gain in line] for name, line in gains.items()}
    ticks = _ticks(*(extreme(gain for line in gains.values() for gain in line) for extreme in (min, max)))
    stride = _CHART.width / max(len(scores) - 1, 1)
    lines = [
        _Line(
            name, [Point(_CHART.x + i * stride, _y(gain, ticks)) for i, gain in enumerate(line)], texts[name]
        )
        for name, line in gains.items()
    ]
    shown = range(0, len(scores), math.ceil(len(scores) / 12))
    return fill(
        "scores.svg.j2",
        area=_CHART,
        ticks=[(_y(tick, ticks), tick) for tick in ticks],
        digits=max(0, -math.floor(math.log10(ticks[1] - ticks[0]))),
        iterations=[(_CHART.x + i * stride, scores[i].iteration) for i in shown],
        lines=list(zip(lines, _apart(*(line.points[-1].y for line in lines)), strict=True)),
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, three to seven, from at or below `low` to at or above `high`."""
    rough = ((high - low) or 1.0) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.floor(low / step)
    return [i * step for i in range(first, max(math.ceil(high / step), first + 1) + 1)]


def _y(value: float, ticks: Sequence[float]) -> float:
    return _CHART.y + _CHART.height * (ticks[-1] - value) / (ticks[-1] - ticks[0])


def _apart(first: float, second: float) -> tuple[float, float]:
    """Two heights moved apart until a two-line label fits beside each."""
    push = max(_LABEL_ROOM - abs(first - second), 0) / 2
    return (first - push, second + push) if first <= second else (first + push, second - push)

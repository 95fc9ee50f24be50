"""Places for the boxes and curves of a causal graph, causes to the left of their effects.

The layered method of Sugiyama, Tagawa and Toda (1981): layers by longest path, an edge over several
layers bends through a slot in each, barycenter sweeps lower the crossings, and slots are drawn towards
their neighbours as far as the order and the room between them allow.
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from tools.causal.dag import CausalGraph, Edge

MARGIN = 12.0
_PAGE_WIDTH = 1080.0
_GAP_MIN, _GAP_MAX = 68.0, 190.0
_BOX_SPACE, _BEND_SPACE = 18.0, 10.0
_BEND_HEIGHT = 6.0
_PORT_STEP = 11.0
_SWEEPS = 24


class Point(NamedTuple):
    """A place in the drawing; y grows downwards."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle by its top left corner."""

    x: float
    y: float
    width: float
    height: float


class Layout(NamedTuple):
    """Where everything goes.

    Attributes:
        boxes: one a node.
        routes: for each edge the points it passes, from the right side of its cause to the left side of
            its effect: in pairs, each the two ends of a curve across the gap between two layers.
        width: of the drawing, margins included.
        height: likewise.
    """

    boxes: dict[str, Box]
    routes: dict[Edge, tuple[Point, ...]]
    width: float
    height: float


class _Slots(NamedTuple):
    """Numbered places: first the nodes, then one bend for each layer that an edge passes through.

    `before[s]` and `after[s]` are the slots of the neighbouring layers that an edge joins to s.
    """

    layers: list[list[int]]
    before: list[list[int]]
    after: list[list[int]]
    height: list[float]
    chains: dict[Edge, list[int]]
    n_nodes: int


def lay_out(graph: CausalGraph, heights: Mapping[str, float], box_width: float) -> Layout:
    """Places every node and edge; the same input gives the same places.

    Args:
        graph: with at least one node.
        heights: of each node's box, in the units of the drawing.
        box_width: of every box, likewise.
    """
    slots = _order(_slots(graph, heights))
    y = _settle(slots)
    n_gaps = max(len(slots.layers) - 1, 1)
    gap = (_PAGE_WIDTH - 2 * MARGIN - len(slots.layers) * box_width) / n_gaps
    stride = box_width + min(max(gap, _GAP_MIN), _GAP_MAX)
    x = {slot: MARGIN + i * stride for i, layer in enumerate(slots.layers) for slot in layer}
    top = min(y[s] - slots.height[s] / 2 for s in x) - MARGIN
    y = [centre - top for centre in y]
    boxes = {
        node: Box(x[s], y[s] - slots.height[s] / 2, box_width, slots.height[s])
        for s, node in enumerate(graph.nodes)
    }
    return Layout(
        boxes,
        _routes(slots, x, y, box_width),
        width=max(x.values()) + box_width + MARGIN,
        height=max(y[s] + slots.height[s] / 2 for s in x) + MARGIN,
    )


def layers(graph: CausalGraph) -> dict[str, int]:
    """Layer of each node: longest path from a root, then moved right where that shortens its edges."""
    layer: dict[str, int] = {}
    for node in graph.order:
        layer[node] = max((layer[p] + 1 for p in graph.parents(node)), default=0)
    for node in reversed(graph.order):
        children = graph.children(node)
        if len(children) > len(graph.parents(node)):
            layer[node] = min(layer[child] for child in children) - 1
    return layer


def _slots(graph: CausalGraph, heights: Mapping[str, float]) -> _Slots:
    layer = layers(graph)
    number = {node: i for i, node in enumerate(graph.nodes)}
    rows: list[list[int]] = [[] for _ in range(max(layer.values()) + 1)]
    for node in graph.order:
        rows[layer[node]].append(number[node])
    height = [heights[node] for node in graph.nodes]
    chains = {}
    for edge in graph.edges:
        chain = [number[edge.cause]]
        for passed in range(layer[edge.cause] + 1, layer[edge.effect]):
            chain.append(len(height))
            rows[passed].append(len(height))
            height.append(_BEND_HEIGHT)
        chains[edge] = [*chain, number[edge.effect]]
    before: list[list[int]] = [[] for _ in height]
    after: list[list[int]] = [[] for _ in height]
    for chain in chains.values():
        for left, right in pairwise(chain):
            before[right].append(left)
            after[left].append(right)
    return _Slots(rows, before, after, height, chains, len(graph.nodes))


def _order(slots: _Slots) -> _Slots:
    """The slots with each layer in the order that gave the fewest crossings in all sweeps."""
    rows, fewest = slots.layers, _crossings(slots.layers, slots.after)
    best = rows
    for sweep in range(_SWEEPS):
        rows = _sweep(rows, slots.after, -1) if sweep % 2 else _sweep(rows, slots.before, 1)
        crossings = _crossings(rows, slots.after)
        if crossings < fewest:
            best, fewest = rows, crossings
    return slots._replace(layers=best)


def _sweep(rows: list[list[int]], near: list[list[int]], step: int) -> list[list[int]]:
    place = {slot: float(i) for row in rows for i, slot in enumerate(row)}
    swept = []
    for row in rows[::step]:
        centre = {s: fmean(place[n] for n in near[s]) if near[s] else place[s] for s in row}
        ordered = sorted(row, key=lambda s: (centre[s], place[s]))
        place |= {slot: float(i) for i, slot in enumerate(ordered)}
        swept.append(ordered)
    return swept[::step]


def _crossings(rows: list[list[int]], after: list[list[int]]) -> int:
    place = {slot: i for row in rows for i, slot in enumerate(row)}
    total = 0
    for row in rows:
        seen: list[int] = []
        for slot in row:
            ends = sorted(place[n] for n in after[slot])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _settle(slots: _Slots) -> list[float]:
    """Vertical centre of each slot."""
    y = [0.0] * len(slots.height)
    both = [left + right for left, right in zip(slots.before, slots.after, strict=True)]
    sweeps = [(slots.before, 1), (slots.after, -1)] * (_SWEEPS // 2) + [(both, 1), (both, -1)]
    for near, step in sweeps:
        for row in slots.layers[::step]:
            wanted = [fmean(y[n] for n in near[s]) if near[s] else y[s] for s in row]
            for slot, centre in zip(row, _separate(row, wanted, slots), strict=True):
                y[slot] = centre
    return y


def _separate(row: Sequence[int], wanted: Sequence[float], slots: _Slots) -> list[float]:
    """The centres nearest to the wanted ones (least squares) that keep order and room.

    With the room taken off, the constraint is that values do not fall: an isotonic regression.
    Bends weigh more than boxes, so that long edges run straight.
    """
    from scipy.optimize import isotonic_regression

    room = [0.0]
    for upper, lower in pairwise(row):
        space = _BOX_SPACE if max(upper, lower) < slots.n_nodes else _BEND_SPACE
        room.append(room[-1] + (slots.height[upper] + slots.height[lower]) / 2 + space)
    weights = [1.0 if slot < slots.n_nodes else 3.0 for slot in row]
    fit = isotonic_regression([w - r for w, r in zip(wanted, room, strict=True)], weights=weights)
    return [float(value) + r for value, r in zip(fit.x, room, strict=True)]


def _routes(
    slots: _Slots, x: Mapping[int, float], y: Sequence[float], box_width: float
) -> dict[Edge, tuple[Point, ...]]:
    leaves = _ports(slots, y, {edge: chain[:2] for edge, chain in slots.chains.items()})
    enters = _ports(slots, y, {edge: chain[:-3:-1] for edge, chain in slots.chains.items()})
    routes = {}
    for edge, (first, *bends, last) in slots.chains.items():
        inner = [Point(x[s] + side, y[s]) for s in bends for side in (0.0, box_width)]
        start, end = Point(x[first] + box_width, leaves[edge]), Point(x[last], enters[edge])
        routes[edge] = (start, *inner, end)
    return routes


def _ports(slots: _Slots, y: Sequence[float], ends: Mapping[Edge, list[int]]) -> dict[Edge, float]:
    """Height at which each edge touches a box, given as [box, next slot], spread to avoid crossings."""
    sharing: dict[int, list[Edge]] = {}
    for edge, (box, _) in ends.items():
        sharing.setdefault(box, []).append(edge)
    ports = {}
    for box, edges in sharing.items():
        step = min(_PORT_STEP, (slots.height[box] - _PORT_STEP) / len(edges))
        for i, edge in enumerate(sorted(edges, key=lambda e: (y[ends[e][1]], e))):
            ports[edge] = y[box] + (i - (len(edges) - 1) / 2) * step
    return ports

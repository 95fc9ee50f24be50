"""Laws of the layered layout, over random acyclic graphs."""

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.reporting.example import example, graphs
from tools.causal.dag import CausalGraph
from tools.reporting import layout
from tools.reporting.layout import Box, Layout, lay_out
from tools.reporting.result import Graph


def as_dag(graph: Graph) -> CausalGraph:
    return CausalGraph([node.code for node in graph.nodes], [(e.cause, e.effect) for e in graph.edges])


def placed(graph: Graph) -> Layout:
    return lay_out(
        as_dag(graph), {node.code: 40.0 + 17 * (i % 3) for i, node in enumerate(graph.nodes)}, 170.0
    )


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@given(graphs())
def test_every_cause_is_left_of_its_effect(graph: Graph) -> None:
    boxes = placed(graph).boxes
    for edge in graph.edges:
        cause, effect = boxes[edge.cause], boxes[edge.effect]
        assert cause.x + cause.width < effect.x


@given(graphs())
def test_no_two_boxes_overlap_and_all_lie_in_the_drawing(graph: Graph) -> None:
    drawing = placed(graph)
    assert drawing.boxes.keys() == {node.code for node in graph.nodes}
    for one, other in combinations(drawing.boxes.values(), 2):
        assert not overlap(one, other)
    for box in drawing.boxes.values():
        assert box.x > 0
        assert box.x + box.width < drawing.width
        assert box.y > 0
        assert box.y + box.height < drawing.height


@given(graphs())
def test_a_route_runs_rightwards_from_its_cause_to_its_effect_and_through_no_box(graph: Graph) -> None:
    drawing = placed(graph)
    for edge, route in drawing.routes.items():
        cause, effect = drawing.boxes[edge.cause], drawing.boxes[edge.effect]
        assert route[0].x == cause.x + cause.width
        assert cause.y < route[0].y < cause.y + cause.height
        assert route[-1].x == effect.x
        assert effect.y < route[-1].y < effect.y + effect.height
        assert all(left.x < right.x for left, right in pairwise(route))
        for enter, leave in zip(route[1:-1:2], route[2:-1:2], strict=True):
            assert enter.y == leave.y
            passing = Box(enter.x, enter.y, leave.x - enter.x, 0.1)
            assert not any(overlap(passing, box) for box in drawing.boxes.values())


@given(graphs(), st.randoms(use_true_random=False))
def test_layers_increase_along_edges_whatever_the_order_of_nodes(graph: Graph, random: object) -> None:
    nodes = list(graph.nodes)
    random.shuffle(nodes)  # type: ignore[attr-defined]
    layer = layout.layers(as_dag(graph.model_copy(update={"nodes": tuple(nodes)})))
    assert min(layer.values()) >= 0
    assert all(layer[edge.cause] < layer[edge.effect] for edge in graph.edges)


def slow_crossings(rows: list[list[int]], after: list[list[int]]) -> int:
    place = {slot: i for row in rows for i, slot in enumerate(row)}
    links = [(row, place[s], place[n]) for row, slots in enumerate(rows) for s in slots for n in after[s]]
    return sum(
        row == other_row and (start - other_start) * (end - other_end) < 0
        for (row, start, end), (other_row, other_start, other_end) in combinations(links, 2)
    )


@given(graphs(max_nodes=12))
def test_crossings_are_counted_as_by_comparing_every_pair_and_never_rise(graph: Graph) -> None:
    slots = layout._slots(as_dag(graph), dict.fromkeys((n.code for n in graph.nodes), 40.0))
    ordered = layout._order(slots)
    before, after = (slow_crossings(s.layers, s.after) for s in (slots, ordered))
    assert layout._crossings(slots.layers, slots.after) == before
    assert layout._crossings(ordered.layers, ordered.after) == after
    assert after <= before
    assert [sorted(row) for row in ordered.layers] == [sorted(row) for row in slots.layers]


def test_a_tangle_that_needs_no_crossing_is_drawn_without() -> None:
    nodes = [*"abcdefgh"]
    slots = layout._slots(
        CausalGraph(nodes, [("a", "h"), ("b", "g"), ("c", "f"), ("d", "e")]), dict.fromkeys(nodes, 40.0)
    )
    assert layout._crossings(slots.layers, slots.after) > 0
    ordered = layout._order(slots)
    assert layout._crossings(ordered.layers, ordered.after) == 0


def test_the_same_graph_gets_the_same_places() -> None:
    assert placed(example().graph) == placed(example().graph)

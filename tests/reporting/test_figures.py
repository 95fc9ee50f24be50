"""The pictures: well-formed, complete, deterministic, readable without colour."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.reporting.example import edge, example, graphs
from tools.reporting.figures import causal_graph, score_chart
from tools.reporting.result import Graph, GraphNode, IterationScore
from tools.safety.errors import InputError

SVG = "{http://www.w3.org/2000/svg}"
finite = st.floats(-1e12, 1e12)


def parse(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    return root


def groups(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [g for g in root.iter(f"{SVG}g") if name in (g.get("class") or "").split()]


def texts(root: ElementTree.Element) -> str:
    return " ".join(" ".join(text.itertext()) for text in root.iter(f"{SVG}text"))


def scores(*rows: tuple[float, float]) -> tuple[IterationScore, ...]:
    return tuple(
        IterationScore(
            iteration=i,
            method="bic",
            accepted_score=a,
            gain_per_patient=0.1,
            held_out_gain_per_patient=0.1,
            log_likelihood=b,
            n_edges=i,
        )
        for i, (a, b) in enumerate(rows)
    )


@given(graphs())
def test_every_edge_and_every_joined_node_is_drawn_once(graph: Graph) -> None:
    root = parse(causal_graph(graph))
    joined = {code for e in graph.edges for code in (e.cause, e.effect)}
    assert len(groups(root, "node")) == len(joined)
    assert len(groups(root, "edge")) == len(graph.edges)
    n_alone = len(graph.nodes) - len(joined)
    if graph.edges and n_alone:
        assert f"{n_alone} disease" in texts(root)


@given(st.text(), st.text())
def test_any_text_gives_well_formed_xml(name: str, code: str) -> None:
    nodes = (
        GraphNode(code="1", dotted=code, display=name, role="history"),
        GraphNode(code="2", dotted="2", display=name[::-1], role="candidate"),
    )
    root = parse(causal_graph(Graph(nodes=nodes, edges=(edge("1 2 .2 y", 1.0),))))
    assert len(groups(root, "node")) == 2


def test_the_example_shows_roles_ranks_doubts_and_tooltips() -> None:
    root = parse(causal_graph(example().graph, {"5859": 2}))
    assert "#2" in texts(root)
    assert "2 diseases have no edge and are not drawn." in texts(root)
    for told in ("time", "score", "nothing"):
        drawn = [g for g in groups(root, f"by-{told}") if "edge" in g.get("class", "")]
        assert len(drawn) == sum(e.identified_by == told for e in example().graph.edges) > 0
    title = next(t.text for g in groups(root, "edge") for t in g if t.text and "Tobacco" in t.text)
    for part in (
        *("strength", "95% interval", "confidence 100%", "gain", "cross-validated", "direction by time"),
        *("cause first in", "effect first in", "lagged gain", "turned round: \u22129.3 nats"),
    ):
        assert part in title
    shapes = {
        role: {rect.get("rx") for g in groups(root, role) for rect in g.iter(f"{SVG}rect")}
        for role in ("history", "candidate")
    }
    assert not shapes["history"] & shapes["candidate"], "roles differ in shape, not only in colour"


def test_a_stronger_edge_is_wider() -> None:
    nodes = tuple(GraphNode(code=code, dotted=code, display=code, role="history") for code in "abc")
    graph = Graph(nodes=nodes, edges=(edge("a b .1 y", 1.0), edge("b c .4 y", 1.0)))
    curves = [p for g in groups(parse(causal_graph(graph)), "edge") for p in g.iter(f"{SVG}path")]
    weak, strong = (float(p.get("stroke-width", "")) for p in curves if p.get("class") == "curve")
    assert weak < strong


def test_a_graph_without_edges_says_so() -> None:
    assert "No causal edge was accepted." in texts(parse(causal_graph(Graph())))


@pytest.mark.parametrize("links", [["4019 5859 .2 y", "5859 4019 .2 y"], ["4019 nowhere .2 y"]])
def test_a_cycle_or_an_unknown_node_is_refused(links: list[str]) -> None:
    graph = example().graph.model_copy(update={"edges": tuple(edge(link, 1.0) for link in links)})
    with pytest.raises(InputError):
        causal_graph(graph)


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=40))
def test_the_chart_keeps_order_and_stays_in_its_frame(rows: list[tuple[float, float]]) -> None:
    root = parse(score_chart(scores(*rows)))
    width, height = map(float, root.get("viewBox", "").split()[2:])
    lines = list(root.iter(f"{SVG}polyline"))
    assert len(lines) == 2
    for line, column in zip(lines, (0, 1), strict=True):
        points = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
        assert len(points) == len(rows)
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
        for (_, y), row in zip(points, rows, strict=True):
            for (_, other_y), other in zip(points, rows, strict=True):
                assert y <= other_y or row[column] <= other[column]
    assert all(float(text.get("y", 0)) <= height for text in root.iter(f"{SVG}text"))


def test_the_chart_says_its_numbers_to_those_who_cannot_see_it() -> None:
    label = parse(score_chart(scores((-10, -8), (-7.5, -6)))).get("aria-label", "")
    assert "Accepted score: 0.0, +2.5" in label
    assert "Log-likelihood: 0.0, +2.0" in label


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        scores((-1, -1), (bad, -1))
    sound = scores((-1, -1))
    broken = sound[0].model_copy(update={"iteration": 1, "accepted_score": bad})
    with pytest.raises(InputError, match="not finite"):
        score_chart((*sound, broken))


def test_no_iterations_gives_a_picture_that_says_so() -> None:
    assert "The loop did not run." in texts(parse(score_chart(())))


def test_the_same_input_gives_the_same_bytes() -> None:
    assert causal_graph(example().graph) == causal_graph(example().graph)
    assert score_chart(example().scores) == score_chart(example().scores)

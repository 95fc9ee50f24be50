"""The page: complete, escaped, the same bytes each time, written whole or not at all."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reporting.example import example, hostile, refused
from tools.reporting import html
from tools.reporting.html import render, verdict, write
from tools.reporting.result import DiagnosisResult, Graph, Knowledge, PartName
from tools.reporting.words import IDENTIFIED, number, percent, percent_range, printable
from tools.safety.errors import InputError

VOID = {"meta", "link", "br"}
ACTIVE = {
    "script",
    "img",
    "iframe",
    "object",
    "embed",
    "form",
    "input",
    "base",
    "video",
    "audio",
    "image",
    "use",
}


class Page(HTMLParser):
    """Elements, attributes and visible text of a page; every element must be closed in turn."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def having(self, name: str) -> list[str]:
        return [tag for tag, attrs in self.tags if name in (attrs.get("class") or "").split()]


def shown(text: str) -> str:
    return " ".join(printable(text).split())


def model_texts(result: DiagnosisResult) -> Iterator[str]:
    for prediction in result.predictions:
        yield from (prediction.reason, prediction.counter_evidence, prediction.display, prediction.dotted)
    if result.knowledge:
        yield result.knowledge.query
        for passage in result.knowledge.passages:
            yield from (passage.title, passage.source, passage.licence, passage.id, passage.library)
            yield from (text for text in (passage.url, passage.revision) if text)
        for finding in result.knowledge.findings:
            yield from (finding.claim, finding.quote, finding.library)
        for library in result.knowledge.libraries:
            yield from (library.title, library.version, library.embedding, library.retrieval)
    yield from (result.explanation, result.comment, *result.notices, *result.assumptions)
    yield from (result.model, *result.versions, *result.versions.values())


def test_everything_in_the_result_is_in_the_page() -> None:
    result = example()
    page = Page(render(result))
    assert len(page.having("prediction")) == len(result.predictions) == 10
    assert len(page.having("edge-row")) == len(page.having("edge")) == len(result.graph.edges) == 35
    assert len(page.having("passage")) == len(result.knowledge.passages if result.knowledge else ()) == 5
    assert len(page.having("finding")) == len(result.knowledge.findings if result.knowledge else ()) == 6
    assert len(page.having("score-row")) == len(result.scores)
    assert len(page.having("candidate-row")) == len(result.candidates)
    for text in model_texts(result):
        assert shown(text) in page.text
    for prediction in result.predictions:
        assert percent(prediction.probability) in page.text
    for visit in result.history:
        for key in visit:
            assert f"{result.diseases[key].display} {result.diseases[key].dotted}" in page.text


def cells(page: str, label: str) -> list[str]:
    """The texts of a column of the edges."""
    return [
        " ".join(unescape(re.sub(r"<[^>]*>", " ", cell)).split())
        for cell in re.findall(rf'<td data-label="{label}"[^>]*>(.*?)</td>', page, re.DOTALL)
    ]


def test_each_edge_has_its_confidence_and_what_tells_its_direction() -> None:
    edges = sorted(example().graph.edges, key=lambda edge: -edge.gain)
    page = render(example())
    assert cells(page, "Confidence") == [percent(edge.confidence or 0) for edge in edges]
    for told, edge in zip(cells(page, "Direction"), edges, strict=True):
        assert told.startswith(IDENTIFIED[edge.identified_by])
        assert ("cannot be turned round" in told) == (edge.reversal is None)
    for gain, edge in zip(cells(page, "Gain, nats"), edges, strict=True):
        assert gain == f"{number(edge.gain)} cross-validated {number(edge.held_out_gain)}"
    text = Page(page).text
    assert "share of 20 random halves" in text
    assert "not the probability that the edge is true" in text
    assert "noisy_or_bic among patients of like burden: +1.236 nats a patient" in text
    assert "\u22128,211.4 for the codes outside the graph" in text


def test_without_resamples_the_page_has_no_confidence() -> None:
    graph = example().graph
    assert graph.scores
    undrawn = graph.model_copy(
        update={
            "edges": tuple(edge.model_copy(update={"confidence": None}) for edge in graph.edges),
            "scores": graph.scores.model_copy(update={"resamples": 0}),
        }
    )
    page = render(example(graph=undrawn))
    assert set(cells(page, "Confidence")) == {"\u2013"}
    assert "resamples" not in Page(page).text
    assert "nats a patient over the graph" not in Page(render(example(graph=Graph(nodes=graph.nodes)))).text


def test_the_parts_of_a_prediction_are_named_in_their_order_but_for_the_smallest() -> None:
    result = example()
    rows = re.findall(r'<tr class="prediction">.*?</tr>', render(result), re.DOTALL)
    for row, prediction in zip(rows, result.predictions, strict=True):
        assert sum(part.value for part in prediction.parts) == pytest.approx(prediction.probability, abs=1e-9)
        (listed,) = re.findall(r'<ul class="parts">.*?</ul>', row, re.DOTALL)
        shown = [Page(item).text for item in re.findall(r"<li>(.*?)</li>", listed, re.DOTALL)]
        sizeable = [part for part in prediction.parts if part.value >= 0.001]
        for text, part in zip(shown, sizeable, strict=True):
            name = result.diseases[part.source].display if part.source else part.name.capitalize()
            without_edge = " (by association)" if part.name == "association" else ""
            interval = percent_range((part.low, part.high))
            assert text == f"{name}{without_edge} {percent(part.value)} {interval}"
    every = [part for prediction in result.predictions for part in prediction.parts]
    assert {part.name for part in every} == set(get_args(PartName))
    assert any(part.value < 0.001 for part in every)
    assert "Parts below 0.1% are left out." in Page(render(result)).text


def test_the_page_says_how_the_parts_add_up_and_how_the_list_is_ordered_where_they_do() -> None:
    text = Page(render(example())).text
    assert "add up to the probability" in text
    assert "list is by tens of probability" in text
    by_model = example(
        model="openai:gpt-4o-mini",
        predictions=tuple(p.model_copy(update={"parts": ()}) for p in example().predictions),
    )
    text = Page(render(by_model)).text
    assert "add up to the probability" not in text
    assert "ten most probable" not in text


def skeleton(page: Page) -> list[tuple[str, list[str]]]:
    """Elements with the names of their attributes; lines of a name in the picture may wrap differently."""
    return [(tag, sorted(attrs)) for tag, attrs in page.tags if tag != "text"]


@settings(max_examples=40)
@given(
    st.text(alphabet=st.characters(exclude_categories=()))
    | st.sampled_from(["<b>", "&lt;", '" onload="', "]]>", "{{ 7 * 7 }}", "</style><script>"])
)
def test_text_of_any_kind_stays_text(text: str) -> None:
    page, plain = Page(render(hostile(f"begin {text} end"))), Page(render(hostile("begin end")))
    assert skeleton(page) == skeleton(plain)
    assert shown(f"begin {text} end") in page.text


def test_the_page_has_nothing_that_acts_or_leads_out() -> None:
    page = Page(
        render(hostile("![x](http://evil.example/a.png) <script>alert(1)</script> javascript:alert(1)"))
    )
    assert not ACTIVE & {tag for tag, _ in page.tags}
    for tag, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on") or name in {"src", "srcset", "action"}]
        if "href" in attrs:
            assert (attrs["href"] or "").startswith("#") or (tag, attrs["href"]) == ("link", "data:,")
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert (policy or "").startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def test_every_link_leads_somewhere_on_the_page() -> None:
    for result in (example(), refused(), example(knowledge=None, predictions=(), graph=Graph())):
        page = Page(render(result))
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        assert {a["href"] for t, a in page.tags if t == "a"} <= {f"#{name}" for name in ids}


def test_a_refusal_stands_first_and_no_prediction_is_shown() -> None:
    page = Page(render(refused()))
    assert page.text.index("No prediction: the history holds no disease") < page.text.index("History 1 visit")
    assert "Give at least one visit with a known code." in page.text
    assert not page.having("prediction")
    assert not page.having("causal-graph")


def test_the_page_says_what_it_is_not() -> None:
    for result in (example(), refused()):
        assert "Not a medical device. For research and education" in Page(render(result)).text


def test_the_verdict_names_the_likeliest_and_the_likeliest_new_disease() -> None:
    result = example()
    assert verdict(result).startswith(
        "Most likely at the next visit: Unspecified essential hypertension (401.9), 62%"
    )
    assert "Most likely new disease: Chronic kidney disease, unspecified (585.9), 43%" in verdict(result)
    new_first = example(predictions=result.predictions[1:])
    turned = [p.model_copy(update={"rank": 11 - p.rank}) for p in reversed(result.predictions)]
    assert verdict(example(predictions=tuple(turned))) == verdict(result), "by probability, not by place"
    assert verdict(new_first).endswith("new to this patient.")
    repeats = example(predictions=tuple(p for p in result.predictions if p.repeat))
    assert "None of the predictions is a new disease." in verdict(repeats)
    assert verdict(example(predictions=())) == "No diagnosis stood out for the next visit."


def test_a_passage_is_shown_by_what_was_taken_from_it_and_where_the_rest_is() -> None:
    page = render(example())
    passages = re.findall(r'<li class="passage".*?</li>\n(?=<li class="passage"|</ol>)', page, re.DOTALL)
    knowledge = example().knowledge
    assert knowledge
    assert len(passages) == len(knowledge.passages)
    for passage, shown_as in zip(knowledge.passages, passages, strict=True):
        text = Page(shown_as).text
        quotes = {finding.quote for finding in knowledge.findings if finding.passage == passage.id}
        assert shown_as.count("<blockquote>") == len(quotes)
        assert all(quote in text for quote in quotes)
        assert ("Nothing was taken from it." in text) == (not quotes)
        assert (f", {passage.section}" in text) == bool(quotes)
        assert (f", page {passage.page}" in text) == bool(quotes and passage.page)
        assert f"Id: {passage.id}" in text
    assert "iikea knowledge show ID" in Page(page).text


def test_a_quote_that_carries_two_findings_is_shown_once() -> None:
    page = render(example())
    assert page.count("<blockquote>&ldquo;Diabetes is the most common cause") == 2
    assert len(Page(page).having("finding")) == 6


def test_passages_that_back_a_step_of_a_path_stand_at_that_step() -> None:
    result = example()
    evidence = {(edge.cause, edge.effect): edge.evidence for edge in result.graph.edges}
    keys = {passage.id: f"P{n}" for n, passage in enumerate(result.knowledge.passages, start=1)}  # type: ignore[union-attr]
    paths = [p.path for p in sorted(result.predictions, key=lambda p: p.rank) if p.path]
    written = re.findall(r'<p class="path">(.*?)</p>', render(result), re.DOTALL)
    assert any(evidence.get(step) for path in paths for step in pairwise(path))
    for path, told in zip(paths, written, strict=True):
        for (cause, effect), piece in zip(pairwise(path), told.split("&rarr;")[1:], strict=True):
            said = piece.partition(result.diseases[effect].display)[0]
            assert re.findall(r"P\d+", re.sub(r"<[^>]*>", "", said)) == [
                keys[i] for i in evidence.get((cause, effect), ())
            ]


def test_what_contradicts_stands_side_by_side_once_with_its_trust_and_is_linked_from_predictions() -> None:
    page = render(example())
    assert len(Page(page).having("disagreement")) == 2
    pairs = re.findall(r'<div class="sides">(.*?</div>)\n</div>', page, re.DOTALL)
    assert len(pairs) == 2
    for pair in pairs:
        text = Page(pair).text
        assert "trust 1" in text
        assert "trust 2" in text
        assert "does not lead to kidney disease" in text
    rows = re.findall(r'<tr class="prediction">.*?</tr>', page, re.DOTALL)
    disputed = [row for row in rows if "#disagreement-1" in row]
    assert len(disputed) == 2
    assert all("Chronic kidney disease" in row for row in disputed)
    assert page.count('<span class="tag doubt">contradicted</span>') == 3


def test_every_library_that_was_searched_is_named_with_its_version_even_where_nothing_was_found() -> None:
    knowledge = example().knowledge
    assert knowledge
    empty = knowledge.model_copy(update={"passages": (), "findings": ()})
    bare = example(knowledge=empty, predictions=(), graph=Graph())
    text = Page(render(bare)).text
    assert "No passage was found." in text
    for library in knowledge.libraries:
        assert f"searched by {library.retrieval}" in text
        assert library.version in text


def contradicting_nothing() -> Knowledge:
    knowledge = example().knowledge
    assert knowledge
    astray = knowledge.findings[0].model_copy(update={"contradicts": (99,)})
    return knowledge.model_copy(update={"findings": (astray,)})


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"diseases": {}}, "names a disease"),
        ({"knowledge": None}, "cites a passage that was not retrieved"),
        ({"knowledge": contradicting_nothing()}, "contradicts one that is not there"),
        (
            {"scores": (example().scores[0].model_copy(update={"log_likelihood": float("nan")}),)},
            "not finite",
        ),
    ],
)
def test_a_result_that_does_not_hold_together_is_refused(changes: dict[str, object], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        render(example(**changes))


def test_the_same_result_gives_the_same_bytes_in_every_process() -> None:
    code = (
        "from hashlib import sha256; from tests.reporting.example import example; "
        "from tools.reporting.html import render; print(sha256(render(example()).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": "C", "PYTHONPATH": "."},
            cwd=Path(html.__file__).parents[2],
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_file_is_the_page_for_its_owner_only_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("earlier")
    write(example(), target)
    assert target.read_text(encoding="utf-8") == render(example())
    assert list(tmp_path.iterdir()) == [target]
    assert target.stat().st_mode & 0o077 == 0


def test_a_missing_folder_and_a_folder_for_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="create the folder first"):
        write(example(), tmp_path / "none" / "report.html")
    with pytest.raises(InputError, match="name a file in it"):
        write(example(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_write_leaves_the_earlier_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    target = tmp_path / "report.html"
    target.write_text("earlier")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync", refuse), "replace": (Path, "replace", refuse)}[failing])
    with pytest.raises(InputError, match="No space left on device"):
        write(example(), target)
    assert target.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [target]

import string
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.knowledge.samples import DEMO
from tools.knowledge.cutting import MAX_PASSAGE_CHARS, cut, spans
from tools.knowledge.formats.reading import read_source
from tools.knowledge.passage import Extract, Section, text_hash
from tools.knowledge.text import sentences, slug

words = st.text(string.ascii_letters + "éß.-", min_size=1, max_size=30)
sentence = st.lists(words, min_size=1, max_size=40).map(lambda ws: f"A{' '.join(ws)}.")
prose = st.lists(sentence, min_size=1, max_size=40).map(" ".join)
section = st.builds(
    Section,
    heading=st.sampled_from(["", "Causes", "Causes 2", "causes!", "Ursachen", "原因"]),
    page=st.none() | st.integers(1, 3),
    text=st.lists(prose, min_size=1, max_size=4).map("\n".join),
)
extracts = st.builds(
    Extract, media=st.just("text"), title=st.just("T"), sections=st.lists(section, max_size=8).map(tuple)
)


@given(extracts)
def test_passages_are_slices_of_the_text_that_lose_nothing_and_keep_the_order(extract: Extract) -> None:
    passages = cut("doc", "T", extract)
    whole = extract.plain_text
    assert all(passage.text == whole[passage.start : passage.end] for passage in passages)
    assert all(0 < len(passage.text) <= MAX_PASSAGE_CHARS for passage in passages)
    assert all(passage.text == passage.text.strip() for passage in passages)
    assert all(first.end <= second.start for first, second in pairwise(passages))
    assert "".join("".join(p.text for p in passages).split()) == "".join(whole.split())


@given(extracts)
def test_a_passage_lies_in_one_section_and_on_its_page(extract: Extract) -> None:
    start = 0
    passages = list(cut("doc", "T", extract))
    for found in extract.sections:
        end = start + len(found.text)
        within = [p for p in passages if start <= p.start < end]
        assert within
        assert {(p.section, p.page) for p in within} == {(found.heading, found.page)}
        assert all(p.end <= end for p in within)
        start = end + 2


@given(extracts)
def test_ids_are_unique_and_end_with_the_hash_of_their_text(extract: Extract) -> None:
    passages = cut("doc", "T", extract)
    assert len({p.id.rpartition(".")[0] for p in passages}) == len(passages)
    for passage in passages:
        label, _, digest = passage.id.removeprefix("doc#").rpartition(".")
        assert digest == text_hash(passage.text)
        assert label.startswith(slug(passage.section) or "text")


@given(prose, st.integers(5, 200))
def test_any_limit_is_kept(text: str, limit: int) -> None:
    places = list(spans(text, limit))
    assert all(0 < end - start <= limit for start, end in places)
    assert "".join("".join(text[start:end] for start, end in places).split()) == "".join(text.split())


@given(st.text(), st.integers(1, 20))
def test_text_of_any_characters_is_cut_whole(text: str, limit: int) -> None:
    places = list(spans(text, limit))
    assert "".join("".join(text[start:end] for start, end in places).split()) == "".join(text.split())


@given(prose)
def test_parts_end_between_sentences_where_they_fit(text: str) -> None:
    longest = max(len(s) for s in sentences(text))
    places = list(spans(text, 3 * longest))
    assert [s for start, end in places for s in sentences(text[start:end])] == list(sentences(text))


def test_the_end_of_a_block_goes_before_that_of_a_sentence_and_that_before_a_word() -> None:
    assert [*spans("Aa bb. Cc\nDd ee. Ff", 16)] == [(0, 9), (10, 19)]
    assert [*spans("Aa bb. Cc dd ee", 12)] == [(0, 6), (7, 15)]
    assert [*spans("aa bb cc dd", 8)] == [(0, 8), (9, 11)]
    assert [*spans("aaaaaaaaaa", 8)] == [(0, 8), (8, 10)]


def test_each_section_of_a_demo_document_is_one_passage() -> None:
    paths = [path for path in DEMO.rglob("*.md") if path.name != "README.md"]
    assert paths
    for path in paths:
        document = read_source(path, path.name)
        texts = [passage.text for passage in cut("demo", document.title, document)]
        assert texts == [found.text for found in document.sections]


def test_the_same_heading_again_is_numbered_on_and_does_not_take_a_name_that_is_used() -> None:
    headings = ["Causes", "Causes 2", "Causes", "", "原因"]
    sections = tuple(Section(heading=heading, text="Text.") for heading in headings)
    passages = cut("gout", "Gout", Extract(media="text", title="Gout", sections=sections))
    labels = [p.id.removeprefix("gout#").rpartition(".")[0] for p in passages]
    assert labels == ["causes", "causes-2", "causes-3", "text", "text-2"]

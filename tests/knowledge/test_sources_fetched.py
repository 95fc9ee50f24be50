"""A fetched document as a Markdown file: its words are read as the words that they were, and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.knowledge.formats.blocks import Block, as_heading, fold
from tools.knowledge.formats.markdown import read_markdown
from tools.knowledge.passage import FrontMatter
from tools.knowledge.sources.fetched import compose
from tools.safety.errors import InputError

MARKUP = [
    "# Not a heading",
    "## Nor this",
    "Not setext\n===",
    "---",
    "***",
    "- - -",
    "+ item",
    "- item",
    "1. item",
    "123456789) item",
    "1234567890. item",
    "> quote",
    "    code",
    "```",
    "~~~",
    "| a | b |\n|---|---|\n| c | d |",
    "<script>x</script>",
    "<!-- x -->",
    "</p>\n# x",
    "&amp; &#35; &lt;",
    "[a](https://x.test) ![b](c)",
    "[a]: https://x.test",
    "<https://x.test>",
    "a\\",
    "\\# a",
    "a `b` **c** __d__ ~~e~~",
    "title: x\n---\n",
    "ends with two spaces  ",
    "# closes #",
    "\u2028# x",
    "\u202eleft\u202c",
    "a\x00b\x0cc",
    "=",
    ": x",
    "\ud800",
]
WORDS = st.text(max_size=60) | st.sampled_from(MARKUP)
BLOCKS = st.lists(st.builds(Block, WORDS, st.integers(min_value=0, max_value=6)), max_size=8)


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("words", MARKUP)
def test_markup_in_fetched_words_is_read_as_words(words: str, level: int) -> None:
    blocks = [Block(words, level), Block("Text.")]
    fetched = compose(FrontMatter(title="Gout"), blocks, "wiki", "7")
    expected = [Block(fold(block.text), block.level) for block in blocks]
    assert list(read_markdown(fetched.markdown, "gout.md").blocks) == expected


@given(BLOCKS)
def test_fetched_words_read_as_markdown_are_the_same_words(blocks: list[Block]) -> None:
    fetched = compose(FrontMatter(title="Gout"), blocks, "wiki", "7")
    fetched.markdown.encode()
    found = [block for block in read_markdown(fetched.markdown, "gout.md").blocks if block.text]
    texts = [Block(fold(block.text), block.level) for block in blocks if fold(block.text)]
    assert [block for block in found if not block.level] == [block for block in texts if not block.level]
    headings = iter(texts)
    assert all(heading in headings for heading in found if heading.level)


@given(BLOCKS)
def test_a_heading_is_kept_if_and_only_if_text_stands_below_it(blocks: list[Block]) -> None:
    found = [
        block.level
        for block in read_markdown(compose(FrontMatter(title="A"), blocks, "w", "1").markdown, "a").blocks
    ]
    texts = [block for block in blocks if fold(block.text)]
    expected = []
    for position, block in enumerate(texts):
        below = (below.level for below in texts[position + 1 :])
        first = next((level for level in below if level == 0 or level <= block.level), None)
        if block.level == 0 or first == 0:
            expected.append(block.level)
    assert found == expected


TITLES = st.text(min_size=1, max_size=60).map(fold).filter(bool) | st.sampled_from(
    [
        "a: b",
        "- a",
        "# a",
        "'a' \"b\"",
        "---",
        "{a}",
        "[a]",
        "!a",
        "null",
        "true",
        "1",
        "1e3",
        "2020-01-01",
        "a\\nb",
        "@a",
        "%a",
        "|",
        ">",
    ]
)


@given(title=TITLES, source=TITLES)
def test_front_matter_says_what_was_said_and_no_more(title: str, source: str) -> None:
    front = FrontMatter(
        title=title, source=source, url="https://en.wikipedia.org/w/index.php?oldid=1", revision="1"
    )
    fetched = compose(front, [Block("Text.")], "wiki", "7")
    assert re.fullmatch(r"wiki-[a-z0-9]+(-[a-z0-9]+)*", fetched.file_stem)
    try:
        reading = read_markdown(fetched.markdown, "a.md")
    except InputError as refused:
        assert refused.field == "a.md, source"
        return
    assert reading.front == front.model_copy(update={"title": as_heading(title) or None})
    assert [block.text for block in reading.blocks] == ["Text."]

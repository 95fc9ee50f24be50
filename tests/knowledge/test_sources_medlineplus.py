"""Health topics of MedlinePlus: what is read of the publisher's file, and what a file cannot do."""

import tracemalloc
from collections.abc import Iterator
from datetime import date
from html import escape
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.knowledge.formats.reading import read_source
from tools.knowledge.sources.door import Door
from tools.knowledge.sources.medlineplus import FILE_LIMITS, MAX_TOPIC_BYTES, fetch, read_topics
from tools.safety.errors import InputError, ProviderError

DTD = '<!DOCTYPE health-topics SYSTEM "https://medlineplus.gov/xml/mplus_topics.dtd">\n'
SITE = """<site title="Other" url="https://other.test/"><information-category>Start</information-category>
<organization>Somebody</organization><also-called>No alias</also-called></site>"""
SUMMARY = """<h3>What is gout?</h3>
<p>Gout is a form of <a href="https://medlineplus.gov/arthritis.html">arthritis</a>.</p>
<h3>What causes gout?</h3><p>Causes include:</p>
<ul><li>Too much uric acid</li><li>Beer &amp; meat</li></ul><script>alert(1)</script>
<p class="attribution">NIH: National Institute of Arthritis</p>"""


def topic(
    title: str = "Gout",
    summary: str = SUMMARY,
    language: str = "English",
    aliases: tuple[str, ...] = (),
    url: str = "https://medlineplus.gov/gout.html",
) -> str:
    called = "".join(f"<also-called>{escape(alias)}</also-called>" for alias in aliases)
    said = f'title="{escape(title)}" url="{escape(url)}" id="123" language="{language}"'
    return (
        f'<health-topic meta-desc="x" {said}>{called}<full-summary>{escape(summary)}</full-summary>'
        '<group id="1">Bones</group><mesh-heading><descriptor id="D006073">Gout</descriptor></mesh-heading>'
        f"{SITE}"
        "</health-topic>"
    )


def file_of(*topics: str, dtd: str = DTD) -> bytes:
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n{dtd}'
    root = '<health-topics total="1" date-generated="11/24/2026 02:30:39">'
    return f"{head}{root}{''.join(topics)}</health-topics>\n".encode()


def test_a_topic_comes_with_its_sections_its_names_and_its_source(tmp_path: Path) -> None:
    aliases = ("Gouty Arthritis", "Podagra", "podagra", "GA", "MSU", "Flu", "x" * 81, "")
    (fetched,) = read_topics(file_of(topic(aliases=aliases)))
    path = tmp_path / f"{fetched.file_stem}.md"
    path.write_text(fetched.markdown, encoding="utf-8")
    extract = read_source(path, path.name)
    assert (extract.title, path.name) == ("Gout", "medlineplus-gout-123.md")
    assert [(section.heading, section.text) for section in extract.sections] == [
        ("What is gout?", "Gout is a form of arthritis."),
        (
            "What causes gout?",
            "Causes include:\nToo much uric acid\nBeer & meat\nNIH: National Institute of Arthritis",
        ),
    ]
    assert extract.front == fetched.front
    assert extract.front.aliases == ("gouty arthritis", "podagra", "flu")
    assert extract.front.url == "https://medlineplus.gov/gout.html"
    assert "Public domain" in (extract.front.licence or "")
    assert "MedlinePlus" in (extract.front.source or "")


def test_the_file_may_be_on_disk_and_its_html_escaped_or_not(tmp_path: Path) -> None:
    path = tmp_path / "mplus_topics_2026-11-24.xml"
    path.write_bytes(file_of(topic().replace(escape(SUMMARY), f"<![CDATA[{SUMMARY}]]>")))
    assert [found.title for found in read_topics(path)] == ["Gout"]
    assert list(read_topics(path)) == list(read_topics(file_of(topic())))
    unescaped = SUMMARY.replace("<script>alert(1)</script>", "")
    path.write_bytes(file_of(topic().replace(escape(SUMMARY), unescaped)))
    assert list(read_topics(path)) == list(read_topics(file_of(topic(summary=unescaped))))
    link = tmp_path / "link.xml"
    link.symlink_to(path)
    with pytest.raises(InputError):
        list(read_topics(link))


def test_topics_are_found_by_title_and_by_what_they_are_also_called() -> None:
    topics = file_of(topic(), topic("High Blood Pressure", aliases=("Hypertension", "HBP")), topic("Asthma"))
    assert [found.title for found in read_topics(topics)] == ["Gout", "High Blood Pressure", "Asthma"]
    assert [found.title for found in read_topics(topics, ["hbp", " GOUT "])] == [
        "Gout",
        "High Blood Pressure",
    ]
    assert list(read_topics(topics, [])) == []
    found = read_topics(topics, ["gout", "Pseudogout"])
    assert next(found).title == "Gout"
    with pytest.raises(InputError, match="Pseudogout"):
        next(found)


def test_only_topics_of_the_language_with_a_summary_come() -> None:
    topics = file_of(topic(), topic("Gota", language="Spanish"), topic("Empty", summary=" "))
    assert [found.title for found in read_topics(topics)] == ["Gout"]
    assert [found.title for found in read_topics(topics, language="Spanish")] == ["Gota"]
    with pytest.raises(InputError):
        list(read_topics(topics, ["Gota"]))


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_every_word_of_a_summary_comes_and_no_other(words: list[str]) -> None:
    from tools.knowledge.formats.blocks import fold
    from tools.knowledge.formats.markdown import read_markdown

    summary = "".join(f"<p>{escape(word)}</p>" for word in words)
    found = list(read_topics(file_of(topic(summary=summary))))
    blocks = [block.text for fetched in found for block in read_markdown(fetched.markdown, "a.md").blocks]
    assert blocks == [fold(word) for word in words if fold(word)]


BROKEN = {
    "empty": b"",
    "no XML": b"Not XML",
    "another root": b"<rss></rss>",
    "cut off": file_of(topic())[:-20],
    "entities": file_of(topic("&a;"), dtd='<!DOCTYPE health-topics [<!ENTITY a "b">]>'),
    "a bomb of entities": file_of(
        topic(),
        dtd='<!DOCTYPE health-topics [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ),
    "a file as an entity": file_of(
        topic(), dtd='<!DOCTYPE health-topics [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    ),
    "another encoding": file_of(topic("\u00e9")).replace(b"UTF-8", b"UTF-16"),
    "an unknown encoding": file_of(topic()).replace(b"UTF-8", b"rot-13"),
    "another publisher's address": file_of(topic(url="https://medlineplus.gov.evil.test/gout.html")),
    "a script as address": file_of(topic(url="javascript:alert(1)")),
    "no title": file_of(topic("")),
    "a title that is a text": file_of(topic("x" * 201)),
    "a summary that is a book": file_of(topic(summary="x" * 300_000)),
    "a topic without end": file_of(topic().replace(SITE, SITE * (MAX_TOPIC_BYTES // len(SITE) + 1_000))),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_not_the_publishers_is_refused(kind: str) -> None:
    with pytest.raises(InputError) as refused:
        list(read_topics(BROKEN[kind]))
    assert refused.value.field == "topics"
    assert len(str(refused.value)) < 200


def test_memory_holds_one_topic_however_many_there_are(tmp_path: Path) -> None:
    path = tmp_path / "topics.xml"
    unwanted = f"<site>{'<standard-description>x y z</standard-description>' * 2_000}</site></health-topic>"
    one = topic().replace("</health-topic>", unwanted)
    path.write_bytes(file_of(*[one] * 200))

    def peak() -> int:
        tracemalloc.start()
        try:
            for _ in read_topics(path):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    list(read_topics(file_of(topic())))
    assert peak() < path.stat().st_size / 5


def answering(status: int, body: bytes, media: str, asked: list[httpx.Request]) -> Door:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, headers={"Content-Type": media}, stream=httpx.ByteStream(body))

    return Door(
        "curator@example.org",
        resolve=lambda host, port: ["130.14.16.40"],
        connect=lambda trust: httpx.MockTransport(answer),
    )


def test_the_edition_of_a_day_is_asked_for() -> None:
    asked: list[httpx.Request] = []
    body = file_of(topic())
    assert fetch(date(2026, 11, 4), answering(200, body, "application/xml", asked)) == body
    assert asked[0].url.path == "/xml/mplus_topics_2026-11-04.xml"
    assert asked[0].headers["Host"] == "medlineplus.gov"
    assert FILE_LIMITS.max_bytes > 30_000_000


def test_a_day_without_an_edition_is_told() -> None:
    with pytest.raises(InputError) as refused:
        fetch(date(2026, 11, 1), answering(404, b"", "text/html", []))
    assert refused.value.field == "date"
    with pytest.raises(ProviderError):
        fetch(date(2026, 11, 4), answering(500, b"", "text/html", []))


def test_topics_are_read_one_by_one() -> None:
    whole = file_of(*[topic(str(number)) for number in range(2_000)])
    topics: Iterator[object] = read_topics(whole[: len(whole) // 2])
    assert next(topics)
    with pytest.raises(InputError):
        list(topics)

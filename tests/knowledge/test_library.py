import gc
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.knowledge.samples import BY, DAY, DEMO, ROOT, curated, in_a_new_process, markdown, said, unindexed
from tools.knowledge.chroma import memory_client
from tools.knowledge.embeddings import open_embeddings
from tools.knowledge.index import searched_text
from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.manifest import Manifest
from tools.safety.errors import InputError


@pytest.fixture(scope="module")
def demo() -> KnowledgeLibrary:
    return KnowledgeLibrary(DEMO)


@pytest.fixture(scope="module")
def vectors(demo: KnowledgeLibrary) -> dict[str, np.ndarray]:
    model = open_embeddings("hashed")
    texts = [searched_text(demo.entries[p.doc_id], p) for p in demo.passages.values()]
    return dict(zip(demo.passages, np.array(model.embed_documents(texts)), strict=True))


@pytest.mark.parametrize("query", ["gout kidney", "heart failure", "what does diabetes lead to", "zzz"])
def test_dense_search_is_that_of_a_slow_exact_scan(
    demo: KnowledgeLibrary, vectors: dict[str, np.ndarray], query: str
) -> None:
    asked = np.array(open_embeddings("hashed").embed_query(query))
    scores = {key: float(vector @ asked) for key, vector in vectors.items()}
    hits = demo.search(query, 5, "dense")
    assert [hit.score for hit in hits] == pytest.approx(sorted(scores.values(), reverse=True)[:5], abs=1e-5)
    assert [hit.score for hit in hits] == pytest.approx([scores[h.passage.id] for h in hits], abs=1e-5)


@settings(max_examples=12)
@given(
    st.text(min_size=1).filter(str.strip), st.integers(1, 40), st.sampled_from(["lexical", "dense", "hybrid"])
)
def test_hits_are_ranked_distinct_and_a_prefix_of_a_longer_search(query: str, k: int, retrieval: str) -> None:
    demo = _demo()
    hits = demo.search(query, k, retrieval)
    assert len({hit.passage.id for hit in hits}) == len(hits) <= k
    assert list(hits) == sorted(hits, key=lambda hit: (-hit.score, hit.passage.id))
    assert hits == demo.search(query, k, retrieval)
    assert hits == demo.search(query, k + 7, retrieval)[:k]


def _demo(opened: list[KnowledgeLibrary] = []) -> KnowledgeLibrary:  # noqa: B006
    opened[:] = opened or [KnowledgeLibrary(DEMO)]
    return opened[0]


def test_hybrid_hits_are_those_of_words_or_vectors_with_their_places(demo: KnowledgeLibrary) -> None:
    query = "does chronic kidney disease lead to gout"
    by_words, by_vectors = (
        {hit.passage.id: place for place, hit in enumerate(demo.search(query, 20, how), start=1)}
        for how in ("lexical", "dense")
    )
    for hit in demo.search(query, 5, "hybrid"):
        assert hit.ranks
        for name, places in (("lexical", by_words), ("dense", by_vectors)):
            if hit.passage.id in places:
                assert hit.ranks[name] == places[hit.passage.id]


def test_more_than_there_is_gives_all(demo: KnowledgeLibrary) -> None:
    n = len(demo.passages)
    assert len(demo.search("heart failure", n + 1000, "dense")) == n


@pytest.mark.parametrize("retrieval", ["lexical", "dense", "hybrid"])
def test_equal_passages_are_ordered_by_id(tmp_path: Path, retrieval: str) -> None:
    library = unindexed(tmp_path, **dict.fromkeys("dbca", said("Gout hurts.")))
    assert [hit.passage.doc_id for hit in library.search("hurts", 3, retrieval)] == ["a", "b", "c"]


def test_another_process_finds_the_same(demo: KnowledgeLibrary) -> None:
    query = "what does diabetes lead to"
    code = (
        "import json; from tools.knowledge.library import KnowledgeLibrary;"
        f"l = KnowledgeLibrary({str(DEMO)!r});"
        "f = lambda how: [(h.passage.id, h.score) for h in l.search("
        f"{query!r}, 20, how)];"
        "print(json.dumps([l.version, f('lexical'), f('hybrid')]))"
    )

    def found(how: str) -> list[tuple[str, float]]:
        return [(h.passage.id, h.score) for h in demo.search(query, 20, how)]

    here = json.loads(json.dumps([demo.version, found("lexical"), found("hybrid")]))
    assert in_a_new_process(code, PYTHONHASHSEED="7") == here


def test_libraries_and_threads_do_not_mix(tmp_path: Path) -> None:
    names = [f"disease{i}" for i in range(6)]

    def search(name: str) -> list[str]:
        library = unindexed(tmp_path / name, doc=said(f"All about {name}.", name))
        found = [library.search(query, 10, "dense") for query in names for _ in range(5)]
        assert all(len(hits) == 1 for hits in found)
        return sorted({hits[0].passage.title for hits in found})

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(search, names)) == [[name] for name in names]


@pytest.mark.parametrize("retrieval", ["lexical", "hybrid"])
def test_one_library_serves_many_threads_from_the_start(retrieval: str, demo: KnowledgeLibrary) -> None:
    queries = [entry.title for entry in list(demo.entries.values())[:20]]
    expected = [demo.search(query, 5, retrieval) for query in queries]
    fresh = KnowledgeLibrary(DEMO)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda query: fresh.search(query, 5, retrieval), queries * 3)) == expected * 3


def test_an_index_leaves_memory_with_its_library(tmp_path: Path) -> None:
    library = unindexed(tmp_path, doc=said("Gout."))
    before = {collection.name for collection in memory_client().list_collections()}
    library.search("gout", 1, "dense")
    during = {collection.name for collection in memory_client().list_collections()} - before
    assert len(during) == 1
    del library
    gc.collect()
    assert not during & {collection.name for collection in memory_client().list_collections()}


def test_an_empty_library_finds_nothing(tmp_path: Path) -> None:
    for library in (unindexed(tmp_path / "a"), _published_empty(tmp_path / "b")):
        assert all(library.search("gout", 5, how) == () for how in ("lexical", "dense", "hybrid"))
        assert library.aliases("4280", "ICD9CM") == ()
        assert library.metadata["n_passages"] == 0
        assert library.retrieval == "lexical"


def _published_empty(folder: Path) -> KnowledgeLibrary:
    curated(folder)
    return KnowledgeLibrary(folder)


@pytest.mark.parametrize(
    ("query", "k"), [("", 5), (" \n\t", 5), ("x" * 10_001, 5), ("gout", 0), ("gout", -1)]
)
def test_queries_that_cannot_be_answered_are_refused(demo: KnowledgeLibrary, query: str, k: int) -> None:
    with pytest.raises(InputError) as error:
        demo.search(query, k)
    assert error.value.field == ("k" if k < 1 else "query")


def test_aliases_are_those_of_the_longest_prefix(tmp_path: Path) -> None:
    section = ("Overview", "Text.")
    library = unindexed(
        tmp_path,
        a=markdown(section, title='"Heart failure"', codes='["428"]', aliases='["chf"]'),
        b=markdown(section, title='"Systolic failure"', codes='["42820", "4282"]', aliases='["weak"]'),
        c=markdown(section, title='"Pump failure"', codes='["4282"]', aliases='["weak", "pump"]'),
    )
    assert library.aliases("4280", "ICD9CM") == ("Heart failure", "chf")
    assert library.aliases("42821", "ICD9CM") == ("Systolic failure", "weak", "Pump failure", "pump")
    assert library.aliases("42820", "ICD9CM") == ("Systolic failure", "weak")
    assert library.aliases("4280", "SNOMED") == library.aliases("4280", "ICD10CM") == ()
    nothing = (library.aliases(code, "ICD9CM") for code in ("42", "4019", ""))
    assert set(nothing) == {()}


def test_the_version_is_of_content_manifest_and_retrieval(tmp_path: Path) -> None:
    def version(name: str, text: str = "Gout.", **manifest: str) -> str:
        return unindexed(tmp_path / name, Manifest(title="A", **manifest), doc=said(text)).version

    versions = [
        version("a"),
        version("b", "Gout hurts."),
        version("c", description="other"),
        version("d", retrieval="hybrid"),
        version("e"),
    ]
    assert versions[0] == versions[4]
    assert len(set(versions)) == 4


def test_where_the_index_is_makes_no_other_version(tmp_path: Path) -> None:
    curated(tmp_path / "a", doc=said("Gout."))
    library = KnowledgeLibrary(tmp_path / "a")
    (tmp_path / "a" / "index" / "CURRENT").unlink()
    assert KnowledgeLibrary(tmp_path / "a").version == library.version


@pytest.mark.parametrize("retrieval", ["lexical", "dense", "hybrid"])
def test_a_published_index_finds_what_the_sources_say(tmp_path: Path, retrieval: str) -> None:
    texts = {
        f"d{i}": said(f"Gout of kind {i} hurts the {part}.", f"Gout {i}") for i, part in enumerate("abc")
    }
    curated(tmp_path / "a", **texts)
    on_disk = KnowledgeLibrary(tmp_path / "a")
    (tmp_path / "a" / "index" / "CURRENT").unlink()
    in_memory = KnowledgeLibrary(tmp_path / "a")
    assert on_disk.passages == in_memory.passages
    assert on_disk.search("gout kind 2", 9, retrieval) == in_memory.search("gout kind 2", 9, retrieval)


def test_expired_documents_are_not_retrieved(tmp_path: Path) -> None:
    curated(tmp_path / "a", BY._replace(expires=DAY), old=said("Gout old."))
    curated(tmp_path / "a", new=said("Gout new."))
    for retrieval in ("lexical", "dense", "hybrid"):
        on_the_day = KnowledgeLibrary(tmp_path / "a", DAY)
        the_day_after = KnowledgeLibrary(tmp_path / "a", DAY + timedelta(days=1))
        assert {hit.passage.doc_id for hit in on_the_day.search("gout", 5, retrieval)} == {"new", "old"}
        assert {hit.passage.doc_id for hit in the_day_after.search("gout", 5, retrieval)} == {"new"}
        assert on_the_day.version != the_day_after.version
        assert not the_day_after.aliases("2749", "SNOMED")


def test_readers_keep_what_was_published_while_a_writer_adds(tmp_path: Path) -> None:
    curated(tmp_path / "a", one=said("Gout hurts."))
    reader = KnowledgeLibrary(tmp_path / "a", date(2026, 11, 25))
    curated(tmp_path / "a", two=said("Gout hurts more."))
    assert [hit.passage.doc_id for hit in reader.search("gout", 5, "hybrid")] == ["one"]
    again = KnowledgeLibrary(tmp_path / "a", date(2026, 11, 25))
    assert {hit.passage.doc_id for hit in again.search("gout", 5, "hybrid")} == {"one", "two"}


def test_the_metadata_are_json_and_count_what_is_there(demo: KnowledgeLibrary) -> None:
    metadata = demo.metadata
    assert json.loads(json.dumps(metadata)) == metadata
    assert metadata["title"] == demo.title
    assert metadata["n_documents"] == len(metadata["topics"]) == len(demo.entries)
    assert metadata["sections"][0] == "Overview"


def test_the_retrieval_in_force_is_said(tmp_path: Path) -> None:
    words = unindexed(tmp_path / "a", doc=said("Gout."))
    both = unindexed(tmp_path / "b", Manifest(title="B", retrieval="hybrid"), doc=said("Gout."))
    assert (words.described, words.embedding) == ("words (BM25)", "none")
    assert "BM25" in both.described
    assert both.embedding in both.described
    assert words.described_as("hybrid") == both.described


def test_a_library_searched_by_words_never_opens_its_embedding(tmp_path: Path) -> None:
    curated(tmp_path / "a", doc=said("Gout hurts."))
    manifest = tmp_path / "a" / "library.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"embedding": "openai:some-model"}))
    library = KnowledgeLibrary(tmp_path / "a")
    assert library.search("gout")[0].passage.text == "Gout hurts."
    assert library.notices() == ()
    assert "sent to the embedding service" in library.notices("dense")[0]
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        library.search("gout", 1, "dense")


def test_nothing_is_written_or_sent_and_importing_loads_no_index(tmp_path: Path) -> None:
    code = f"""
import json, sys
connections = []
sys.addaudithook(lambda event, args: connections.append(event) if event == "socket.connect" else None)
import tools.knowledge.library as library
before = "chromadb" in sys.modules
library.KnowledgeLibrary({str(DEMO)!r}).search("heart failure", 5, "hybrid")
print(json.dumps([before, "chromadb" in sys.modules, connections]))
"""
    places = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    answer = in_a_new_process(code, cwd=tmp_path, PYTHONDONTWRITEBYTECODE="1", **places)
    assert answer == [False, True, []]
    assert list(tmp_path.iterdir()) == []
    assert not list(ROOT.glob("chroma*"))
    assert not (DEMO / "index").exists()


def test_settings_of_the_surroundings_do_not_redirect_the_index(tmp_path: Path) -> None:
    store = tmp_path / "store"
    redirect = (
        f"CHROMA_API_IMPL=chromadb.api.fastapi.FastAPI\nIS_PERSISTENT=TRUE\nPERSIST_DIRECTORY={store}\n"
    )
    (tmp_path / ".env").write_text(f"{redirect}OPENAI_API_KEY=none\n")
    curated(tmp_path / "library", doc=said("Gout."))
    surroundings = dict(line.split("=", 1) for line in redirect.split())
    for folder, n in ((DEMO, 3), (tmp_path / "library", 1)):
        code = (
            "import json; from tools.knowledge.library import KnowledgeLibrary;"
            f"print(json.dumps(len(KnowledgeLibrary({str(folder)!r}).search('gout', 3, 'dense'))))"
        )
        assert in_a_new_process(code, cwd=tmp_path) == n
        assert in_a_new_process(code, cwd=tmp_path, **surroundings) == n
    assert not store.exists()

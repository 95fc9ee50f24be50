import gc
import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.knowledge.samples import DEMO, ROOT, in_a_new_process, markdown, write
from tools.knowledge import library as library_module
from tools.knowledge.embeddings import LexicalEmbeddings
from tools.knowledge.library import KnowledgeLibrary, Manifest
from tools.safety.errors import InputError


@pytest.fixture(scope="module")
def demo() -> KnowledgeLibrary:
    return KnowledgeLibrary.open(DEMO)


def _one(folder: Path, text: str, title: str = '"Gout"') -> KnowledgeLibrary:
    return KnowledgeLibrary.open(write(folder, doc=markdown(("Overview", text), title=title)))


@settings(max_examples=15)
@given(
    st.lists(
        st.sampled_from(["heart", "failure", "gout", "kidney", "lead", "lung", "zzz"]), min_size=1, max_size=6
    )
)
def test_search_is_that_of_a_slow_exact_scan(words: list[str]) -> None:
    demo = KnowledgeLibrary.open(DEMO)
    passages = [(d, p) for d in demo.documents for p in d.passages]
    texts = [library_module._indexed_text(d, p) for d, p in passages]
    model, matrix = _scan(tuple(texts))
    query = " ".join(words)
    scores = dict(zip([p.id for _, p in passages], matrix @ model.embed_query(query), strict=True))
    hits = demo.search(query, 5)
    best = sorted(scores.values(), reverse=True)[:5]
    assert [hit.score for hit in hits] == pytest.approx(best, abs=1e-5)
    assert [hit.score for hit in hits] == pytest.approx([scores[h.passage.id] for h in hits], abs=1e-5)


@cache
def _scan(texts: tuple[str, ...]) -> tuple[LexicalEmbeddings, np.ndarray]:
    model = LexicalEmbeddings(texts)
    return model, np.array(model.embed_documents(list(texts)))


@settings(max_examples=15)
@given(st.text(min_size=1).filter(str.strip), st.integers(1, 40))
def test_hits_are_ranked_distinct_and_a_prefix_of_a_longer_search(query: str, k: int) -> None:
    demo = KnowledgeLibrary.open(DEMO)
    hits = demo.search(query, k)
    assert len({hit.passage.id for hit in hits}) == len(hits) == k
    assert list(hits) == sorted(hits, key=lambda hit: (-hit.score, hit.passage.id))
    assert hits == demo.search(query, k)
    assert [hit.score for hit in hits] == pytest.approx([h.score for h in demo.search(query, k + 7)[:k]])


def test_more_than_there_is_gives_all(demo: KnowledgeLibrary) -> None:
    n = demo.metadata["n_passages"]
    assert len(demo.search("heart failure", n + 1000)) == n


def test_equal_passages_are_ordered_by_id(tmp_path: Path) -> None:
    text = markdown(("Overview", "Gout hurts."))
    library = KnowledgeLibrary.open(write(tmp_path, **dict.fromkeys("dbca", text)))
    assert [hit.passage.doc_id for hit in library.search("gout", 3)] == ["a", "b", "c"]


def test_another_process_finds_the_same(demo: KnowledgeLibrary) -> None:
    query = "what does diabetes lead to"
    code = (
        "import json; from tools.knowledge.library import KnowledgeLibrary;"
        f"l = KnowledgeLibrary.open({str(DEMO)!r});"
        f"print(json.dumps([l.version, [(h.passage.id, h.score) for h in l.search({query!r}, 20)]]))"
    )
    here = json.loads(json.dumps([demo.version, [(h.passage.id, h.score) for h in demo.search(query, 20)]]))
    assert in_a_new_process(code, PYTHONHASHSEED="7") == here


def test_libraries_and_threads_do_not_mix(tmp_path: Path) -> None:
    names = [f"disease{i}" for i in range(6)]

    def search(name: str) -> list[str]:
        library = _one(tmp_path / name, f"All about {name}.", title=f'"{name}"')
        found = [library.search(query, 10) for query in names for _ in range(5)]
        assert all(len(hits) == 1 for hits in found)
        return sorted({hits[0].passage.title for hits in found})

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(search, names)) == [[name] for name in names]


def test_one_library_serves_many_threads(demo: KnowledgeLibrary) -> None:
    queries = [document.title for document in demo.documents[:20]]
    expected = [demo.search(query) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(demo.search, queries * 3)) == expected * 3


def test_a_folder_is_indexed_once_while_its_content_stays(tmp_path: Path) -> None:
    first = _one(tmp_path, "Gout hurts.")
    assert KnowledgeLibrary.open(str(tmp_path)) is first
    changed = _one(tmp_path, "Gout hurts badly.")
    assert changed.version != first.version
    assert first.search("gout")[0].passage.text == "Gout hurts."
    assert changed.search("gout")[0].passage.text == "Gout hurts badly."
    assert _one(tmp_path, "Gout hurts.").version == first.version


def test_an_index_leaves_memory_with_its_library(tmp_path: Path) -> None:
    library = KnowledgeLibrary(Manifest(title="A"), _one(tmp_path, "Gout.").documents)
    client = library._index._client
    name = library._index._collection.name
    assert name in [collection.name for collection in client.list_collections()]
    del library
    gc.collect()
    assert name not in [collection.name for collection in client.list_collections()]


def test_a_library_outlives_its_twin(tmp_path: Path) -> None:
    documents = _one(tmp_path, "Gout.").documents
    twins = [KnowledgeLibrary(Manifest(title="A"), documents) for _ in range(2)]
    assert twins[0].version == twins[1].version
    twins.pop()
    gc.collect()
    assert len(twins[0].search("gout")) == 1


def test_the_index_is_filled_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module, "_BATCH", 2)
    sections = [(f"Section {i}", f"Text number {i}.") for i in range(5)]
    library = KnowledgeLibrary.open(write(tmp_path, a=markdown(*sections)))
    assert {hit.passage.section for hit in library.search("text", 9)} == {name for name, _ in sections}


def test_an_empty_library_finds_nothing(tmp_path: Path) -> None:
    library = KnowledgeLibrary.open(tmp_path)
    assert library.search("heart failure") == ()
    assert library.aliases("4280", "ICD9CM") == ()
    assert library.metadata["n_passages"] == 0
    assert library.embedding == "lexical-1024"


@pytest.mark.parametrize(
    ("query", "k"), [("", 5), (" \n\t", 5), ("x" * 10_001, 5), ("gout", 0), ("gout", -1)]
)
def test_queries_that_cannot_be_answered_are_refused(demo: KnowledgeLibrary, query: str, k: int) -> None:
    with pytest.raises(InputError) as error:
        demo.search(query, k)
    assert error.value.field == ("k" if k < 1 else "query")


def test_passages_are_found_by_id(demo: KnowledgeLibrary) -> None:
    for document in demo.documents:
        for passage in document.passages:
            assert demo.passage(passage.id) is passage
    with pytest.raises(InputError, match="no passage with this id") as error:
        demo.passage("gout#secret")
    assert "secret" not in str(error.value)


def test_aliases_are_those_of_the_longest_prefix(tmp_path: Path) -> None:
    section = ("Overview", "Text.")
    library = KnowledgeLibrary.open(
        write(
            tmp_path,
            a=markdown(section, title='"Heart failure"', codes='["428"]', aliases='["chf"]'),
            b=markdown(section, title='"Systolic failure"', codes='["42820", "4282"]', aliases='["weak"]'),
            c=markdown(section, title='"Pump failure"', codes='["4282"]', aliases='["weak", "pump"]'),
        )
    )
    assert library.aliases("4280", "ICD9CM") == ("Heart failure", "chf")
    assert library.aliases("42821", "ICD9CM") == ("Systolic failure", "weak", "Pump failure", "pump")
    assert library.aliases("42820", "ICD9CM") == ("Systolic failure", "weak")
    assert library.aliases("4280", "SNOMED") == library.aliases("4280", "ICD10CM") == ()
    passage = library.documents[0].passages[0]
    assert library.is_about(passage, passage.codes[0] + "1", "ICD9CM")
    assert not library.is_about(passage, passage.codes[0] + "1", "SNOMED")
    assert (
        library.aliases("42", "ICD9CM")
        == library.aliases("4019", "ICD9CM")
        == library.aliases("", "ICD9CM")
        == ()
    )


def test_the_version_is_of_content_manifest_and_embedding(tmp_path: Path) -> None:
    documents = _one(tmp_path, "Gout.").documents
    versions = [
        KnowledgeLibrary(Manifest(title=title), docs).version
        for title, docs in [("A", documents), ("B", documents), ("A", documents[:0]), ("A", documents)]
    ]
    assert versions[0] == versions[3]
    assert len(set(versions)) == 3


def test_another_embedding_is_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lexical = _one(tmp_path, "Gout.")
    monkeypatch.setattr(library_module, "open_embeddings", lambda name, corpus: LexicalEmbeddings(corpus, 8))
    small = KnowledgeLibrary(lexical.manifest, lexical.documents, "some/folder/small-model")
    assert small.embedding == "small-model-8"
    assert small.version != lexical.version


def test_the_metadata_are_json_and_count_what_is_there(demo: KnowledgeLibrary) -> None:
    metadata = demo.metadata
    assert json.loads(json.dumps(metadata)) == metadata
    assert metadata["title"] == demo.title
    assert metadata["description"] == demo.description
    assert metadata["n_documents"] == len(metadata["topics"]) == len(demo.documents)
    assert metadata["sections"][0] == "Overview"


def test_a_manifest_may_be_left_out(tmp_path: Path) -> None:
    library = _one(tmp_path / "my-notes", "Gout.")
    assert (library.title, library.metadata["sections"]) == ("my-notes", ["Overview"])


@pytest.mark.parametrize("content", ["{", "[]", '{"title": 5}', '{"title": "A", "key": 1}', "{}"])
def test_a_poor_manifest_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "library.json").write_text(content)
    with pytest.raises(InputError, match=r"library\.json"):
        KnowledgeLibrary.open(tmp_path)


def test_a_manifest_that_leads_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "other.json").write_text('{"title": "A"}')
    (tmp_path / "library" / "library.json").symlink_to(tmp_path / "other.json")
    with pytest.raises(InputError, match="leads out"):
        KnowledgeLibrary.open(tmp_path / "library")


def test_nothing_is_written_or_sent_and_importing_loads_no_index(tmp_path: Path) -> None:
    code = f"""
import json, sys
connections = []
sys.addaudithook(lambda event, args: connections.append(event) if event == "socket.connect" else None)
import tools.knowledge.library as library
before = "chromadb" in sys.modules
library.KnowledgeLibrary.open({str(DEMO)!r}).search("heart failure")
print(json.dumps([before, "chromadb" in sys.modules, connections]))
"""
    places = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    answer = in_a_new_process(code, cwd=tmp_path, PYTHONDONTWRITEBYTECODE="1", **places)
    assert answer == [False, True, []]
    assert list(tmp_path.iterdir()) == []
    assert not list(ROOT.glob("chroma*"))


def test_settings_of_the_surroundings_do_not_redirect_the_index(tmp_path: Path) -> None:
    store = tmp_path / "store"
    redirect = (
        f"CHROMA_API_IMPL=chromadb.api.fastapi.FastAPI\nIS_PERSISTENT=TRUE\nPERSIST_DIRECTORY={store}\n"
    )
    (tmp_path / ".env").write_text(f"{redirect}OPENAI_API_KEY=none\n")
    code = (
        "import json; from tools.knowledge.library import KnowledgeLibrary;"
        f"print(json.dumps(len(KnowledgeLibrary.open({str(DEMO)!r}).search('gout', 3))))"
    )
    surroundings = dict(line.split("=", 1) for line in redirect.split())
    assert in_a_new_process(code, cwd=tmp_path) == 3
    assert in_a_new_process(code, cwd=tmp_path, **surroundings) == 3
    assert not store.exists()


def test_libraries_made_at_once_by_hand_do_not_mix(tmp_path: Path) -> None:
    documents = [_one(tmp_path / name, f"All about {name}.").documents for name in ("gout", "stroke")]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda docs: KnowledgeLibrary(Manifest(title="A"), docs), documents * 2))
    assert [lib.search("about", 9)[0].passage.text for lib in made] == [
        "All about gout.",
        "All about stroke.",
    ] * 2

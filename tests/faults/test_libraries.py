"""Faults of a library's index: D6, D7 and D9; and the index on a server."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from graph.diagnosis import graph
from tests.knowledge.samples import ROOT, curated, said, unindexed
from tools import resources
from tools.knowledge.chroma import open_client
from tools.knowledge.curation import curate
from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.manifest import read_states
from tools.knowledge.probe import Place, probe
from tools.safety.errors import InputError

LIMIT_S = 15


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "library"
    curated(folder, **{f"d{i}": said(f"Disease number {i} leads to gout.", f"Disease {i}") for i in range(8)})
    return folder


@pytest.fixture
def library(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "library"))


def _database(library: Path) -> Path:
    return library / "index" / "1" / "chroma"


def _refused(library: Path) -> InputError:
    """Opens a library in a process of its own: it must live, refuse, and name the next step, soon enough."""
    code = (
        "import json, sys\nfrom tools.safety.errors import InputError\n"
        "from tools.knowledge.library import KnowledgeLibrary\n"
        f"try: KnowledgeLibrary({str(library)!r}); print(json.dumps(None))\n"
        "except InputError as error: print(json.dumps([error.field, error.rule]))"
    )
    start = time.monotonic()
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert time.monotonic() - start < LIMIT_S
    said = json.loads(run.stdout)
    assert said is not None, "it was opened"
    return InputError(*said)


def _rebuilt_as(library: Path, sound: Path) -> None:
    with curate(library) as curator:
        curator.rebuild()
    before, after = KnowledgeLibrary(sound), KnowledgeLibrary(library)
    assert after.passages == before.passages
    query = "disease number 3"
    assert after.search(query, 8, "hybrid") == before.search(query, 8, "hybrid")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_d6_a_truncated_database(library: Path, sound: Path, share: float) -> None:
    file = _database(library) / "chroma.sqlite3"
    os.truncate(file, int(file.stat().st_size * share))
    assert "rebuild" in _refused(library).rule
    _rebuilt_as(library, sound)


def test_d6_truncated_vectors(tmp_path: Path) -> None:
    """More passages than Chroma keeps in its log, so that the vectors lie in files of their own."""
    folder = tmp_path / "many"
    text = "\n\n".join(f"## Section {i}\n\nDisease number {i} leads to gout." for i in range(1_200))
    curated(folder, many=text)
    before = KnowledgeLibrary(folder).passages
    files = [path for path in _database(folder).rglob("*.bin") if path.stat().st_size]
    assert files
    for path in files:
        os.truncate(path, path.stat().st_size // 3)
    assert "rebuild" in _refused(folder).rule
    with curate(folder) as curator:
        curator.rebuild()
    assert KnowledgeLibrary(folder).passages == before


def test_d6_an_index_that_is_gone(library: Path, sound: Path) -> None:
    shutil.rmtree(library / "index" / "1")
    assert "rebuild" in _refused(library).rule
    _rebuilt_as(library, sound)


def test_d6_a_locked_database(library: Path) -> None:
    holder = sqlite3.connect(_database(library) / "chroma.sqlite3", isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    refusal = _refused(library)
    assert "another program holds it" in refusal.rule
    holder.close()
    assert len(KnowledgeLibrary(library).passages) == 8


@pytest.mark.parametrize("version", ["99.0.0", "1.9999.1", "0.5.0", "", "none"])
def test_d6_a_database_of_another_version(library: Path, sound: Path, version: str) -> None:
    (library / "index" / "1" / "chromadb").write_text(version)
    assert "rebuild" in _refused(library).rule
    if version == "99.0.0":
        _rebuilt_as(library, sound)


def test_d6_a_database_of_another_schema(library: Path, sound: Path) -> None:
    database = sqlite3.connect(_database(library) / "chroma.sqlite3")
    database.execute("UPDATE migrations SET hash = '0' WHERE version = 2")
    database.commit()
    database.close()
    assert "rebuild" in _refused(library).rule
    _rebuilt_as(library, sound)


def test_d6_adding_to_a_damaged_library_loses_nothing(library: Path, sound: Path) -> None:
    os.truncate(_database(library) / "chroma.sqlite3", 100)
    with pytest.raises(InputError, match="rebuild"):
        curated(library, more=said("One more disease.", "More"))
    _rebuilt_as(library, sound)
    curated(library, more=said("One more disease.", "More"))
    assert len(KnowledgeLibrary(library).passages) == 9


def test_d7_an_empty_library(tmp_path: Path) -> None:
    curated(tmp_path / "empty")
    result = graph.invoke(
        {"history": [["4019", "25000"]]},
        context={"libraries": (str(tmp_path / "empty"),), "resamples": 0, "max_iterations": 0},
    )["result"]
    assert result["predictions"]
    assert result["knowledge"]["passages"] == []
    assert any("hold no passage" in notice for notice in result["notices"])


@pytest.mark.parametrize("retrieval", ["lexical", "dense", "hybrid"])
def test_d7_more_than_there_is(library: Path, retrieval: str) -> None:
    assert len(KnowledgeLibrary(library).search("disease", 1_000, retrieval)) == 8


def test_d7_another_dimension_names_both(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.knowledge import embeddings, opening

    monkeypatch.setattr(opening, "open_embeddings", lambda name: embeddings.HashedEmbeddings(48))
    with pytest.raises(InputError, match=r"1024 dimensions.*48 dimensions"):
        KnowledgeLibrary(library).search("gout", 5, "hybrid")


def test_d9_two_patients_at_once_on_one_library(library: Path) -> None:
    histories = ([["4280", "5849"]], [["25000", "2724"]], [["49121"]], [["5712", "30390"]])

    def predicted(history: list[list[str]]) -> str:
        context = {
            "libraries": (str(library), str(resources.DEMO_LIBRARY)),
            "resamples": 0,
            "max_iterations": 1,
        }
        return json.dumps(graph.invoke({"history": history}, context=context)["result"], sort_keys=True)

    alone = [predicted(history) for history in histories]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(predicted, histories * 2))
    assert together == alone * 2


class Served(NamedTuple):
    """A Chroma server and its process."""

    url: str
    process: "subprocess.Popen[bytes]"

    def collections(self) -> list[str]:
        client = open_client(self.url)
        try:
            return [collection.name for collection in client.list_collections()]
        finally:
            client.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port = probe_socket.getsockname()[1]
    program = str(Path(sys.executable).with_name("chroma"))
    command = [program, "run", "--path", str(tmp_path / "server"), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield Served(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(10)


def test_an_index_that_moves_leaves_nothing_behind_on_a_server(library: Path, server: Served) -> None:
    seen = []
    for changes in ({"server": server.url}, {}):
        with curate(library) as curator:
            assert curator.rebuild(**changes).left_behind is None
        (collection,) = server.collections()
        assert len(KnowledgeLibrary(library).passages) == 8
        seen.append(collection)
    assert seen[0] != seen[1]
    with curate(library) as curator:
        curator.rebuild(server=None)
    assert server.collections() == []
    assert len(KnowledgeLibrary(library).passages) == 8


def test_an_index_on_a_server_is_rebuilt_with_another_embedding(
    library: Path, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.knowledge import embeddings, opening

    with curate(library) as curator:
        curator.rebuild(server=server.url)
    monkeypatch.setattr(opening, "open_embeddings", lambda name: embeddings.HashedEmbeddings(48))
    with curate(library) as curator:
        curator.rebuild()
    assert len(KnowledgeLibrary(library).search("disease", 8, "dense")) == 8


def test_a_server_that_is_gone_can_be_left(library: Path, server: Served) -> None:
    with curate(library) as curator:
        curator.rebuild(server=server.url)
    server.process.kill()
    server.process.wait(10)
    with curate(library) as curator:
        assert curator.rebuild(server=None).left_behind.where == server.url
    assert len(KnowledgeLibrary(library).passages) == 8


def test_a_server_that_dies_while_it_is_used_is_a_typed_error(library: Path, server: Served) -> None:
    with curate(library) as curator:
        curator.rebuild(server=server.url)
    opened = KnowledgeLibrary(library)
    assert opened.search("disease number 3", 1, "dense")
    server.process.kill()
    server.process.wait(10)
    with pytest.raises(InputError, match="index"):
        opened.search("disease number 3", 1, "dense")
    with curate(library) as curator, pytest.raises(InputError, match="index"):
        curator.retire("d3", "wrong")
        curator.publish()
    assert "d3" in [entry.id for entry in read_states(library) if entry.retired_at]


def test_an_index_on_a_server_is_the_same_index(
    library: Path, sound: Path, server: Served, tmp_path: Path
) -> None:
    sound = Path(shutil.copytree(sound, tmp_path / "sound"))
    with curate(library) as curator:
        curator.rebuild(server=server.url)
    curated(library, more=said("One more disease.", "More"))
    curated(sound, more=said("One more disease.", "More"))
    here, there = KnowledgeLibrary(sound), KnowledgeLibrary(library)
    assert there.passages == here.passages
    assert not (library / "index" / "2" / "chroma").exists()
    for retrieval in ("lexical", "dense", "hybrid"):
        found, expected = (
            [(hit.passage, hit.score, hit.ranks) for hit in one.search("disease number 3", 9, retrieval)]
            for one in (there, here)
        )
        assert found == expected
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: there.search(f"disease number {i}", 1, "dense"), range(8)))
    assert [hits[0].passage.doc_id for hits in found] == [f"d{i}" for i in range(8)]


def test_a_server_that_is_not_there_is_named(library: Path) -> None:
    with pytest.raises(InputError, match="chroma run"):
        probe(Place("http://127.0.0.1:9", "passages"))


def test_a_server_that_says_nothing_is_left_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(InputError, match="no answer within 3 s"):
            probe(Place(f"http://127.0.0.1:{silent.getsockname()[1]}", "passages"), time_limit_s=3)


def test_a_server_elsewhere_must_be_reached_by_https(tmp_path: Path) -> None:
    unindexed(tmp_path / "a", doc=said("Gout."))
    with curate(tmp_path / "a") as curator, pytest.raises(InputError, match="https"):
        curator.rebuild(server="http://chroma.example.org:8000")

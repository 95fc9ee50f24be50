"""A library in a run that must stay near: no query, nor its vector, goes to a service that is not."""

import pytest

from tests.knowledge.samples import said, unindexed
from tools.catalogue import search_knowledge
from tools.knowledge.manifest import Manifest
from tools.knowledge.opening import place_of
from tools.resources import open_shelf
from tools.safety.errors import InputError

WHY = "the run is local-only"
AWAY = "https://embeddings.example.org/v1"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Makes a library of a manifest's fields and returns its folder; its service is elsewhere."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("OPENAI_BASE_URL", AWAY)

    def make(**fields: str) -> str:
        return str(
            unindexed(tmp_path / "library", Manifest(title="Ours", **fields), gout=said("Gout hurts.")).folder
        )

    return make


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        ({"embedding": "openai:tiny", "retrieval": "dense"}, "embeddings.example.org"),
        ({"embedding": "openai:tiny", "retrieval": "hybrid"}, "embeddings.example.org"),
        ({"server": "https://index.example.org:8000", "retrieval": "dense"}, "index.example.org"),
    ],
)
def test_a_query_that_would_leave_is_refused_before_anything_is_sent(fields, host, folder, monkeypatch):
    given = {"query": "gout", "libraries": (folder(**fields),), "stay_near": WHY}
    with pytest.raises(InputError) as refused:
        search_knowledge.invoke(given)
    for words in (host, WHY, "Ours", "IIKEA_MODEL_HOSTS", "nothing was sent"):
        assert words in str(refused.value)
    assert "gout" not in str(refused.value)


@pytest.mark.parametrize("fields", [{}, {"retrieval": "dense"}, {"embedding": "openai:tiny"}])
def test_a_library_that_is_searched_here_is_searched(fields, folder):
    given = {"query": "gout", "libraries": (folder(**fields),), "stay_near": WHY}
    assert search_knowledge.invoke(given)["passages"]


def test_what_the_operator_sets_holds_for_who_asks_without_a_reason(folder, monkeypatch):
    monkeypatch.setenv("IIKEA_LOCAL_ONLY", "1")
    away = folder(server="https://index.example.org:8000", retrieval="dense")
    with pytest.raises(InputError, match="IIKEA_LOCAL_ONLY"):
        search_knowledge.invoke({"query": "gout", "libraries": (away,)})


def test_a_listed_service_passes(folder, monkeypatch):
    monkeypatch.setenv("IIKEA_MODEL_HOSTS", "embeddings.example.org")
    assert open_shelf([folder(embedding="openai:tiny", retrieval="dense")], WHY).libraries


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_an_index_server_of_this_machine_is_not_asked_by_a_proxy(variable, tmp_path, monkeypatch):
    """The client of Chroma takes the environment's proxy, and none of ours can be given to it."""
    near = Manifest(title="Ours", server="http://127.0.0.1:9", retrieval="dense")
    monkeypatch.setenv(variable, "http://proxy.example.org:3128")
    with pytest.raises(InputError, match=r"library\.json, server: .*list 127\.0\.0\.1 in NO_PROXY"):
        place_of(near, tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert place_of(near, tmp_path).is_server

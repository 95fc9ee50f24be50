"""The reading of passages as a model is put to it: marked, fenced, alone, the same in a replay."""

import json

import pytest

from agents import knowledge
from tests.fakes.mind import Mind
from tests.fakes.model_server import ModelServer
from tests.fakes.replies import text
from tests.graph.runs import HISTORY, run
from tools.knowledge.quarantine import MARK, unfenced
from tools.resources import open_library, open_shelf
from tools.safety.errors import ModelOutputError

FIELDS = ("title", "section", "text")


def requests(monkeypatch, mind=None, **settings):
    """What a run asks of a model service: each request's case and its bytes, in order of their bytes."""
    with ModelServer(mind or Mind()) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        result = run(model="openai:scripted", **settings)
    told = sorted(json.dumps(body["messages"], ensure_ascii=False) for body in server.bodies)
    return result, told, [json.loads(m["content"]) for b in server.bodies for m in b["messages"][1:2]]


def passages(cases):
    return [case["passage"] for case in cases if case["task"] == "read_passage"]


@pytest.fixture
def read(monkeypatch):
    result, _, cases = requests(monkeypatch)
    return result, cases


def test_words_of_a_document_are_marked_and_fenced_where_they_are_read(read):
    result, cases = read
    shown = passages(cases)
    assert len(shown) == len(result.knowledge.passages)
    assert len({passage["fence"] for passage in shown}) == len(shown)
    for passage in shown:
        for field in FIELDS:
            inside = (
                passage[field].removeprefix(f"[{passage['fence']}]").removesuffix(f"[/{passage['fence']}]")
            )
            assert passage[field] == f"[{passage['fence']}]{inside}[/{passage['fence']}]"
            assert " " not in inside
        assert MARK in passage["text"]
        assert all(" " not in name for name in passage["other_names"])
    texts = {" ".join(unfenced(p["text"], p["fence"]).split()) for p in shown}
    held = {" ".join(open_library().passages[p.id].text.split()) for p in result.knowledge.passages}
    assert texts == held


def test_no_other_request_holds_a_word_of_a_passage(read):
    result, cases = read
    others = [json.dumps(case, ensure_ascii=False) for case in cases if case["task"] != "read_passage"]
    assert {case["task"] for case in cases} > {"read_passage", "write_query", "decide"}
    for finding in result.knowledge.findings:
        words = finding.quote.split()
        pieces = [" ".join(words[at : at + 4]) for at in range(len(words) - 3)]
        assert not [piece for piece in pieces for other in others if piece in other]
    for passage in result.knowledge.passages:
        assert not [other for other in others if passage.id in other]


def test_a_replay_asks_the_same_bytes_and_a_fence_hangs_on_text_library_patient_and_seed(monkeypatch):
    _, first, cases = requests(monkeypatch)
    assert requests(monkeypatch)[1] == first
    fences = {passage["fence"] for passage in passages(cases)}
    for other in ({"seed": 1}, {"max_candidates": 9}):
        changed = {passage["fence"] for passage in passages(requests(monkeypatch, **other)[2])}
        assert not fences & changed


def test_a_reading_that_fails_names_its_passage(monkeypatch):
    mind = Mind({"read_passage": [text("lorem ipsum")]})
    with pytest.raises(ModelOutputError, match=r"passage [\w-]+#[\w-]+\.[0-9a-f]{6}") as refused:
        requests(monkeypatch, mind, passages=1)
    assert "lorem" not in str(refused.value)


def test_of_many_topics_the_query_is_told_the_first(monkeypatch):
    monkeypatch.setattr(knowledge, "_MAX_TOPICS", 3)
    _, _, cases = requests(monkeypatch, history=HISTORY)
    (query,) = [case for case in cases if case["task"] == "write_query"]
    assert query["library"]["topics"] == open_shelf().metadata["topics"][:3]

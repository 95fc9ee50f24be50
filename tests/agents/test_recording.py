"""Answers are asked for once, survive exactly, and can be replayed with nobody there."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from agents.answers import Query
from agents.providers import open_model, request
from agents.recording import Rehearsal, StoredAnswers, recording
from tests.agents.service import MODEL, served
from tests.fakes.replies import Usage, status, text, tool_call
from tools.safety.errors import InputError, ProviderError

ASKED = [SystemMessage("Answer."), HumanMessage("What is there?")]


def answered(to, messages=ASKED, name=MODEL, seed=0, tools=()):
    with recording(to):
        model = open_model(name, seed)
        return request(model.bind_tools(tools, tool_choice="any") if tools else model, messages, "host")


def said(message):
    return message.model_dump(exclude={"id"})


def test_an_answer_is_asked_for_once_and_comes_back_whole(tmp_path):
    with served([tool_call("Query", {"query": "é" * 3}, Usage(70, 7))]) as server:
        first = StoredAnswers(tmp_path)
        live = answered(first, tools=[Query])
        again = StoredAnswers(tmp_path)
        stored = answered(again, tools=[Query])
    assert len(server.bodies) == 1
    assert said(stored) == said(live)
    assert stored.tool_calls[0]["args"] == {"query": "ééé"}
    assert first.tally == (1, 70, 7, 70, 7)
    assert again.tally == (1, 70, 7, 0, 0)
    assert again.paid() == {MODEL: (70, 7)}


def test_a_replay_needs_neither_service_nor_key(tmp_path, monkeypatch):
    with served([text("yes")]):
        live = answered(StoredAnswers(tmp_path))
    assert said(answered(StoredAnswers(tmp_path, replay=True))) == said(live)
    with pytest.raises(InputError, match="not stored"):
        answered(StoredAnswers(tmp_path, replay=True), [HumanMessage("Something else?")])


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [*ASKED, HumanMessage("Again.")]},
        {"messages": [ASKED[0], HumanMessage("What is here?")]},
        {"messages": [HumanMessage("Answer."), HumanMessage("What is there?")]},
        {"name": "openai:another"},
        {"seed": 1},
        {"tools": [Query]},
    ],
)
def test_whatever_is_asked_otherwise_is_asked_anew(other, tmp_path):
    with served([text("one"), text("two")]) as server:
        answered(StoredAnswers(tmp_path))
        answered(StoredAnswers(tmp_path), **other)
    assert len(server.bodies) == 2


def test_a_dialogue_goes_on_from_stored_answers(tmp_path):
    """What a run gives a message besides its words, such as an id, does not make it another request."""

    def dialogue():
        response = answered(StoredAnswers(tmp_path), tools=[Query])
        call = response.tool_calls[0]
        return answered(
            StoredAnswers(tmp_path), [*ASKED, response, ToolMessage("done", tool_call_id=call["id"])]
        )

    with served([tool_call("Query", {"query": "a"}), text("b")]) as server:
        first, second = dialogue(), dialogue()
    assert len(server.bodies) == 2
    assert first.text == second.text == "b"


def test_what_is_asked_of_the_service_is_the_same_with_and_without_a_recording(tmp_path):
    with served([text("a"), text("a"), text("a"), text("a")]) as server:
        for tools in ([], [Query]):
            answered(None, tools=tools)
            answered(StoredAnswers(tmp_path), tools=tools)
    plain, recorded, plain_tools, recorded_tools = server.bodies
    assert plain == recorded
    assert plain_tools == recorded_tools


def test_each_model_has_a_tally_of_its_own(tmp_path):
    to = StoredAnswers(tmp_path)
    with served([text("a", Usage(10, 1)), text("b", Usage(20, 2)), text("c", Usage(5, 1))]):
        answered(to)
        answered(to, name="openai:another")
        answered(to, [HumanMessage("Else?")])
    assert to.tallies == {MODEL: (2, 15, 2, 15, 2), "openai:another": (1, 20, 2, 20, 2)}
    assert to.tally == (3, 35, 4, 35, 4)
    assert to.paid() == {MODEL: (15, 2), "openai:another": (20, 2)}


AWAY = status(503, {"Retry-After": "0"})


@pytest.mark.parametrize("n_failed", [1, 4])
def test_a_service_that_stays_away_does_so_in_the_replay_until_it_has_answered(n_failed, tmp_path):
    fails = [status(529, {"Retry-After": "0"}), *[AWAY] * 3][-n_failed:]
    with served([*fails, text("yes")]) as server:
        if n_failed == 4:
            with pytest.raises(ProviderError, match="503") as live:
                answered(StoredAnswers(tmp_path))
            with pytest.raises(ProviderError) as replayed:
                answered(StoredAnswers(tmp_path, replay=True))
            assert str(replayed.value) == str(live.value)
            assert (replayed.value.status, replayed.value.stayed_away) == (503, True)
            assert StoredAnswers(tmp_path).paid() == {}
            assert len(server.bodies) == 4
        assert answered(StoredAnswers(tmp_path)).text == "yes"
    assert answered(StoredAnswers(tmp_path, replay=True)).text == "yes"
    assert len(list(tmp_path.glob("*/*.json"))) == 1


@pytest.mark.parametrize("then", [text("second"), status(503, {"Retry-After": "0"})])
def test_of_two_who_ask_at_one_time_both_go_on_with_the_first_answer(then, tmp_path):
    """Both runs are replayed as they went, whoever wrote last."""
    first: list[str] = []

    def answer(body):
        if not first:
            first.append("asked")
            first.append(answered(StoredAnswers(tmp_path)).text)
            return then
        return text("first") if len(first) == 1 else then

    with served(answer):
        second = answered(StoredAnswers(tmp_path)).text
    assert [first[1], second] == ["first"] * 2
    assert answered(StoredAnswers(tmp_path, replay=True)).text == "first"


def test_a_failure_that_is_stored_last_hides_no_answer(tmp_path, monkeypatch):
    """Two processes: the one looks, finds nothing and stores its failure after the other's answer."""
    with served([text("yes")]):
        answered(StoredAnswers(tmp_path))
    monkeypatch.setattr(StoredAnswers, "_load", lambda *_: None)
    with served(lambda body: AWAY), pytest.raises(ProviderError):
        answered(StoredAnswers(tmp_path))
    monkeypatch.undo()
    assert answered(StoredAnswers(tmp_path, replay=True)).text == "yes"


def test_a_service_that_cannot_be_reached_is_so_in_the_replay(tmp_path, monkeypatch):
    monkeypatch.setattr("agents.providers._wait_s", lambda state: 0.0)
    with served([]) as server:
        pass
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    with pytest.raises(ProviderError, match="no answer") as live:
        answered(StoredAnswers(tmp_path))
    with pytest.raises(ProviderError) as replayed:
        answered(StoredAnswers(tmp_path, replay=True))
    assert (str(replayed.value), replayed.value.stayed_away) == (str(live.value), True)


def test_a_refusal_is_retried_by_nobody_and_not_stored(tmp_path):
    with served([status(401)]), pytest.raises(ProviderError):
        answered(StoredAnswers(tmp_path), [HumanMessage("Else?")])
    assert not list(tmp_path.glob("*/*.json"))


def test_an_answer_that_cannot_be_parsed_is_paid_for_once_and_replays_as_such(tmp_path):
    with served([tool_call("Query", "[1, 2]")]) as server:
        for _ in range(2):
            with pytest.raises((RecursionError, ValueError)):
                answered(StoredAnswers(tmp_path), tools=[Query])
    assert len(server.bodies) == 1


def test_stored_answers_are_private_and_name_no_request(tmp_path):
    with served([text("yes")]):
        answered(StoredAnswers(tmp_path / "answers"))
    (path,) = (tmp_path / "answers").glob("*/*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "answers").stat().st_mode) & 0o077 == 0
    assert "there" not in path.read_text()


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", '{"answer": null}', '{"model": "m", "answer": 3}', '{"model": "m", "failed": 3}'),
        '{"model": "m", "answer": {"type": "human", "data": {"content": ""}}}',
    ],
)
def test_a_damaged_answer_is_named(content, tmp_path):
    with served([text("yes")]):
        answered(StoredAnswers(tmp_path))
        (path,) = tmp_path.glob("*/*.json")
        path.write_text(content)
        with pytest.raises(InputError, match="damaged"):
            answered(StoredAnswers(tmp_path))


def test_an_answer_that_finds_no_room_is_an_error_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("agents.recording.write_first", full)
    with served([text("yes")]) as server, pytest.raises(InputError, match=r"No space left.*make room"):
        answered(StoredAnswers(tmp_path))
    assert len(server.requests) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_threads_count_together_and_nobody_outside_is_recorded(tmp_path):
    to = StoredAnswers(tmp_path)
    with served(lambda body: text("yes", Usage(10, 1))) as server:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: answered(to, [HumanMessage(str(i))]), range(40)))
        request(open_model(MODEL), ASKED, "host")
    assert to.tally == (40, 400, 40, 400, 40)
    assert len(server.bodies) == 41


def test_a_rehearsal_asks_nobody_and_counts_characters(monkeypatch):
    to = Rehearsal()
    message = answered(to)
    assert isinstance(message, AIMessage)
    assert to.tally.requests == 1
    shorter = Rehearsal()
    answered(shorter, ASKED[1:])
    assert to.tally.tokens_in > shorter.tally.tokens_in > 0

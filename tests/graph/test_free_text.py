"""A comment that may identify a person is held at the first node and in review, unless it was looked at."""

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graph.diagnosis import build, graph
from tests.graph.runs import HISTORY
from tools.safety.audit import audit_log
from tools.safety.audit_check import latest
from tools.safety.errors import InputError
from tools.safety.free_text import Held

TELLING = "kidneys, call 555-123-4567"
SMALL = {"max_candidates": 8, "passages": 2, "resamples": 0, "max_iterations": 0}


def test_a_comment_that_tells_of_a_person_is_held_before_any_model_is_asked(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(Held) as caught:
        graph.invoke({"history": HISTORY, "comment": TELLING}, context=SMALL | {"model": "openai:scripted"})
    assert caught.value.field == "comment"
    assert "phone (characters 15 to 26)" in str(caught.value)
    assert "comment_checked" in str(caught.value)
    assert "555" not in str(caught.value)


def test_one_that_was_looked_at_passes_and_says_so_for_one_run_only():
    app = build().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "one"}}
    given = {"history": HISTORY, "comment": TELLING}
    result = app.invoke(given | {"comment_checked": True}, config, context=SMALL)["result"]
    assert result["comment"] == TELLING
    with pytest.raises(Held):
        app.invoke(given, config, context=SMALL)


@pytest.mark.parametrize("given", ["yes", 1, [True]])
def test_only_true_says_that_it_was_looked_at(given):
    with pytest.raises(InputError, match="comment_checked"):
        graph.invoke({"history": HISTORY, "comment": TELLING, "comment_checked": given}, context=SMALL)


def waiting():
    app = build().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "one"}}
    app.invoke({"history": HISTORY}, config, context=SMALL | {"review": True})

    def resume(decision):
        return app.invoke(Command(resume={"decisions": [decision]}), config)

    return resume


def edit(**arguments):
    return {"type": "edit", "edited_action": {"name": "accept_predictions", "args": arguments}}


def test_a_reviewer_s_words_are_held_too_and_asked_for_again():
    resume = waiting()
    for decision in (edit(comment=TELLING), {"type": "reject", "message": TELLING}):
        (request,) = resume(decision)["__interrupt__"]
        told = request.value["action_requests"][0]["description"]
        assert "phone (characters 15 to 26)" in told
        assert "555" not in told
    again = resume(edit(comment=TELLING, comment_checked=True))["__interrupt__"][0]
    assert again.value["action_requests"][0]["args"]["comment"] == TELLING


def test_decisions_of_a_review_are_logged_without_its_words():
    resume = waiting()
    resume(edit(comment="kidneys"))
    resume({"type": "approve"})
    entries = [entry for entry in latest(audit_log().path, 10) if entry["event"] == "curation"]
    assert [entry["action"] for entry in entries] == ["review: edit", "review: approve"]
    assert "kidneys" not in audit_log().path.read_text()

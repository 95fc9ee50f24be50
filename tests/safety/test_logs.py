"""What client libraries write while a service is asked loses its words, at whatever level it is written."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda

from agents.providers import request
from tools.knowledge import embeddings
from tools.safety.logs import silence_server, withheld_details

PROMPT = "Zebediah has hypertension"
_NAMES = count()


def new_logger():
    """One that no library has made yet."""
    return logging.getLogger(f"client{next(_NAMES)}._base_client")


def written(caplog):
    return caplog.text + "".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("level", [1, logging.DEBUG, logging.INFO - 1])
def test_a_detail_loses_its_words_and_keeps_its_place(caplog, level):
    caplog.set_level(1)
    before = new_logger()
    with withheld_details():
        for logger in (before, new_logger(), logging.getLogger()):
            logger.log(level, "Request options: %s", {"messages": [PROMPT]})
            try:
                raise ValueError(PROMPT)
            except ValueError:
                logger.log(level, "Encountered %s", PROMPT, exc_info=True, stack_info=True)
    assert PROMPT not in written(caplog)
    assert [record.levelno for record in caplog.records] == [level] * 6
    assert caplog.records[0].name == before.name
    assert "withheld" in caplog.text


def test_what_is_no_detail_and_what_is_written_after_it_is_left_as_it_is(caplog):
    caplog.set_level(logging.DEBUG)
    logger = new_logger()
    with withheld_details():
        logger.info("retrying in %d s", 2)
    with pytest.raises(ValueError, match="x"), withheld_details():
        raise ValueError("x")
    logger.debug("after")
    assert [record.getMessage() for record in caplog.records] == ["retrying in 2 s", "after"]


def test_a_client_s_own_threads_write_no_words_either(caplog):
    """Neither one that it starts nor one that waited for work; while another still asks, nothing changes."""
    caplog.set_level(logging.DEBUG)
    logger = new_logger()
    with ThreadPoolExecutor(1) as pool, withheld_details():
        with withheld_details():
            started = threading.Thread(target=logger.debug, args=(PROMPT,))
            started.start()
            started.join()
        pool.submit(logger.debug, PROMPT).result()
    assert len(caplog.records) == 2
    assert PROMPT not in written(caplog)


def test_a_field_that_a_line_carries_is_kept_without_its_words(caplog):
    """As formatters write fields, and some cannot do without theirs."""
    caplog.set_level(logging.DEBUG)
    with withheld_details():
        new_logger().debug("Sending request", extra={"payload": {"messages": [PROMPT]}})
    assert PROMPT not in written(caplog)
    assert "withheld" in caplog.records[0].payload


def test_another_library_may_set_a_record_factory_meanwhile(caplog):
    caplog.set_level(logging.DEBUG)
    with withheld_details():
        pass
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    try:
        with withheld_details():
            new_logger().debug("Request options: %s", PROMPT)
    finally:
        logging.setLogRecordFactory(before)
    assert PROMPT not in written(caplog)


def test_a_formatter_may_copy_a_record_meanwhile(caplog):
    caplog.set_level(logging.DEBUG)
    with withheld_details():
        new_logger().debug("Request options: %s", PROMPT)
        copied = logging.makeLogRecord(caplog.records[0].__dict__)
    assert copied.levelno == logging.DEBUG
    assert copied.getMessage() == caplog.records[0].getMessage()


def test_a_client_that_writes_prompts_is_asked_without_them(caplog):
    logger = new_logger()
    caplog.set_level(logging.DEBUG, logger.name)

    def answer(messages):
        logger.debug("Request options: %s", messages)
        return AIMessage("ready")

    assert request(RunnableLambda(answer), [HumanMessage(PROMPT)], "test").content == "ready"
    assert [record.levelname for record in caplog.records if record.name == logger.name] == ["DEBUG"]
    assert PROMPT not in written(caplog)


def test_a_client_that_writes_what_it_embeds_is_asked_without_it(caplog, monkeypatch):
    logger = new_logger()
    caplog.set_level(logging.DEBUG, logger.name)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")

    def vectors(_, texts):
        logger.debug("Request options: %s", texts)
        return [[1.0]] * len(texts)

    service = embeddings.open_embeddings("openai:text-embedding-3-small")
    monkeypatch.setattr(type(service._model), "embed_documents", vectors)
    assert service.embed_query(PROMPT) == [1.0]
    assert [record.levelname for record in caplog.records if record.name == logger.name] == ["DEBUG"]
    assert PROMPT not in written(caplog)


def test_the_server_s_lines_with_results_are_dropped(caplog):
    silence_server()
    logger = logging.getLogger("langgraph_runtime_inmem.ops")
    caplog.set_level(logging.DEBUG, logger.name)
    logger.debug("Streamed run event", extra={"data": PROMPT})
    logger.info("Run deleted")
    assert [record.getMessage() for record in caplog.records] == ["Run deleted"]

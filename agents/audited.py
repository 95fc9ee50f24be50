"""Every request to a model service in the audit log: before it is sent, and what came of it."""

import json
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from agents.budget import tokens_told
from tools.safety.audit import audit_log


def audited(model: BaseChatModel, name: str, host: str) -> BaseChatModel:
    """The client of a service, so that no request leaves it that is not in the log.

    Args:
        model: the client; its callbacks are set.
        name: of the model, as `agents.providers.open_model` takes it.
        host: that the client asks, without user and password.
    """
    model.callbacks = [_ServiceAudit(name, host)]
    return model


class _ServiceAudit(BaseCallbackHandler):
    """Two lines a request; one that cannot be logged is not sent."""

    raise_error = True
    run_inline = True

    def __init__(self, name: str, host: str) -> None:
        self._name, self._host = name, host
        self._lines: dict[UUID, int] = {}

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        log = audit_log()
        said = json.dumps([[message.type, message.content] for batch in messages for message in batch])
        self._lines[run_id] = log.append(
            "model request",
            host=self._host,
            model=self._name,
            task=_task(messages[0]),
            request=log.pseudonym("request", said),
        )

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ANN401
        generation = response.generations[0][0] if response.generations[0] else None
        message = generation.message if isinstance(generation, ChatGeneration) else None
        n_in, n_out = tokens_told(message) or (None, None)
        audit_log().append("model answer", of=self._lines.pop(run_id, None), tokens_in=n_in, tokens_out=n_out)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ANN401
        failed = str(getattr(error, "status_code", None) or type(error).__name__)
        audit_log().append("model answer", of=self._lines.pop(run_id, None), failed=failed)


def _task(messages: list[BaseMessage]) -> str:
    """The task of the case; a look whether the service answers has none."""
    for message in messages:
        try:
            case = json.loads(message.text)
        except ValueError:
            continue
        if isinstance(case, dict) and isinstance(case.get("task"), str):
            return str(case["task"])
    return "none"

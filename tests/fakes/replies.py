"""What a scripted model service can answer: an answer, a fault of the service, a fault of the wire.

A reply is data; `tests.fakes.model_server` ssteps it. `text("yes")` is an answer, and
`drip(drop(text("yes"), after=40), pause_s=1)` is the same answer sent a byte a second and cut after 40.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

JSON = "application/json"
FOR_EVER = float("inf")
PIECE = 7


@dataclass(frozen=True)
class Usage:
    """Tokens that a reply says it cost."""

    prompt: int = 100
    completion: int = 20

    def dump(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }


@dataclass(frozen=True)
class Reply:
    """One answer of the service.

    Attributes:
        message: the assistant's message, sent as JSON or as a stream, as the request asks; or None.
        finish_reason: why the message steps.
        usage: tokens reported with the message; None reports none.
        status: HTTP status.
        headers: HTTP headers beside the ordinary ones.
        body: sent as it is, where there is no message.
        delay_s: seconds from the request's arrival to the first byte.
        pause_s: seconds between single bytes; 0 ssteps all at once.
        cut_after: bytes of the body after which the connection closes; None ssteps all.
        announced: whether the client can tell a cut body from a whole one (length or chunks given).
    """

    message: Mapping[str, Any] | None = None
    finish_reason: str = "stop"
    usage: Usage | None = field(default_factory=Usage)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})
    body: bytes = b""
    delay_s: float = 0
    pause_s: float = 0
    cut_after: int | None = None
    announced: bool = True

    def content_headers(self, request: Mapping[str, Any] | None) -> dict[str, str]:
        """The headers, with the content type of a stream where one is asked for."""
        streamed = self.message is not None and _is_streamed(request)
        return {**self.headers, "Content-Type": "text/event-stream"} if streamed else dict(self.headers)

    def content(self, request: Mapping[str, Any] | None) -> bytes:
        """The whole body, in the form that the request asks for."""
        if self.message is None:
            return self.body
        head = {"id": "chatcmpl-scripted", "created": 0, "model": (request or {}).get("model", "scripted")}
        if _is_streamed(request):
            return _events(
                self, head, bool(((request or {}).get("stream_options") or {}).get("include_usage"))
            )
        choice = {"index": 0, "message": self.message, "finish_reason": self.finish_reason, "logprobs": None}
        completion = {**head, "object": "chat.completion", "choices": [choice], **_reported(self)}
        return json.dumps(completion).encode()


def _reported(reply: Reply) -> dict[str, Any]:
    return {"usage": reply.usage.dump()} if reply.usage else {}


def _is_streamed(request: Mapping[str, Any] | None) -> bool:
    return bool(request and request.get("stream"))


def _events(reply: Reply, head: Mapping[str, Any], with_usage: bool) -> bytes:
    chunk: dict[str, Any] = {**head, "object": "chat.completion.chunk", "usage": None}
    steps: list[tuple[dict[str, Any], str | None]] = [(delta, None) for delta in _deltas(reply.message or {})]
    steps.append(({}, reply.finish_reason))
    choices = [{"index": 0, "delta": delta, "finish_reason": reason} for delta, reason in steps]
    chunks = [{**chunk, "choices": [choice]} for choice in choices]
    if with_usage and reply.usage:
        chunks.append({**chunk, "choices": [], "usage": reply.usage.dump()})
    lines = [*(json.dumps(event) for event in chunks), "[DONE]"]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def _deltas(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for name in ("content", "refusal"):
        yield from ({name: piece} for piece in _pieces(message.get(name) or ""))
    for index, call in enumerate(message.get("tool_calls", ())):
        function = {**call["function"], "arguments": ""}
        yield {"tool_calls": [{**call, "index": index, "function": function}]}
        for piece in _pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _pieces(whole: str) -> list[str]:
    return [whole[start : start + PIECE] for start in range(0, len(whole), PIECE)]


def text(content: str, usage: Usage | None = Usage()) -> Reply:
    """An answer in words."""
    return Reply({"role": "assistant", "content": content}, usage=usage)


def tool_call(name: str, arguments: Mapping[str, Any] | str, usage: Usage = Usage()) -> Reply:
    """A call of one tool; arguments given as a string are sent as they are, valid JSON or not."""
    return tool_calls([(name, arguments)], usage)


def tool_calls(calls: Sequence[tuple[str, Mapping[str, Any] | str]], usage: Usage = Usage()) -> Reply:
    """Calls of several tools in one message."""
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
                },
            }
            for number, (name, arguments) in enumerate(calls)
        ],
    }
    return Reply(message, finish_reason="tool_calls", usage=usage)


def refusal(reason: str = "I cannot help with that.") -> Reply:
    """The model declines, in the field that the service has for it."""
    return Reply({"role": "assistant", "content": None, "refusal": reason})


def finish(finish_reason: str, reply: Reply | str = "") -> Reply:
    """The reply, ending for another reason: `length`, `content_filter`."""
    return replace(text(reply) if isinstance(reply, str) else reply, finish_reason=finish_reason)


def status(
    code: int,
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    message: str = "scripted fault",
) -> Reply:
    """An HTTP error: the service's error object with this message, or a body as it is given."""
    if body is None:
        body = json.dumps({"error": {"message": message, "type": "scripted", "code": None, "param": None}})
    return Reply(status=code, headers={"Content-Type": JSON, **(headers or {})}, body=body.encode())


def html() -> Reply:
    """Status 200 with a page, as a captive portal or a misconfigured proxy answers."""
    return Reply(headers={"Content-Type": "text/html"}, body=b"<html><body>Sign in to continue</body></html>")


def no_choices() -> Reply:
    """Status 200 with a completion that holds no choice."""
    body = {"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "scripted", "choices": []}
    return Reply(body=json.dumps(body).encode())


def late(reply: Reply, delay_s: float) -> Reply:
    """The reply, `delay_s` seconds after the request."""
    return replace(reply, delay_s=delay_s)


def hang() -> Reply:
    """No byte, ever; the connection stays open."""
    return Reply(delay_s=FOR_EVER)


def drip(reply: Reply, pause_s: float) -> Reply:
    """The reply, a byte every `pause_s` seconds, so that no read of the client ever times out."""
    return replace(reply, pause_s=pause_s)


def drop(reply: Reply | None = None, after: int = 0, announced: bool = True) -> Reply:
    """The connection closes after so many bytes of the body, or before any answer where there is no reply.

    Args:
        reply: what is cut, None for nothing at all.
        after: bytes of the body that arrive.
        announced: False steps the body as if it were whole, which only its content gives away.
    """
    if reply is None:
        return Reply(status=0, cut_after=0)
    return replace(reply, cut_after=after, announced=announced)

"""What came of a request that gave no answer, whichever client library raised it."""

import re
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from langchain_core.exceptions import ModelConnectionError, ModelTimeoutError
from langchain_core.messages import AIMessage, BaseMessage, UsageMetadata

from agents.budget import tokens_told
from tools.safety.errors import ProviderError
from tools.safety.limits import SECONDS, request_seconds

_TRANSIENT = {408, 409, 429, *range(500, 600)}
_FORM = "the model's name and the form of answers (`iikea doctor --model` tells which forms it knows)"
_SETTINGS = {
    400: _FORM,
    401: "the API key (OPENAI_API_KEY for OpenAI and compatible servers)",
    402: "the credit of the account",
    403: "the permissions of the API key (OPENAI_API_KEY for OpenAI and compatible servers)",
    404: "the model's name and the address (base_url or OPENAI_BASE_URL)",
    413: "how much it takes, and name a model that reads longer questions or set fewer `passages`",
    422: _FORM,
}
_LATER = "try again later, or name one to fall back on (fallback_model)"
_ADDRESS = "its address (base_url or OPENAI_BASE_URL; AZURE_OPENAI_ENDPOINT for Azure)"
_LONGEST_S = 1e9
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def retry_after_s(error: BaseException) -> float | None:
    """The wait that a service asked for, in seconds or by a date; None where it did not."""
    text = getattr(getattr(error, "response", None), "headers", {}).get("retry-after", "")
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST_S)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _is_connection(error: BaseException) -> bool:
    return isinstance(error, ModelConnectionError | ModelTimeoutError | OSError)


def is_transient(error: BaseException) -> bool:
    """Whether the same request may get an answer a little later."""
    return _status(error) in _TRANSIENT or _is_connection(error)


def provider_error(error: Exception) -> ProviderError:
    """The failure by host, setting and remedy, without a word of what was sent or came."""
    status, host = _status(error), _host(error)
    if status in _SETTINGS:
        return ProviderError(f"model service at {host} answered {status}: check {_SETTINGS[status]}", status)
    if status in _TRANSIENT:
        said = f"model service at {host} answered {status}: {_LATER}"
        return ProviderError(said, status, retry_after_s(error), stayed_away=True)
    if status is not None:
        return ProviderError(f"model service at {host} answered {status}: check {_ADDRESS}", status)
    if isinstance(error, ModelTimeoutError):
        said = (
            f"no whole answer from the model service at {host} in {request_seconds():g} s: check {_ADDRESS}, "
        )
        return ProviderError(f"{said}or raise {SECONDS}", stayed_away=True)
    if _is_connection(error):
        said = f"no answer from the model service at {host}: check {_ADDRESS}"
        return ProviderError(said, stayed_away=True)
    return ProviderError(
        f"model service at {host}: not a chat completion ({type(error).__name__}); check {_ADDRESS}"
    )


def require_answer(said: BaseMessage) -> AIMessage:
    """What came of a request, if it is a model's answer, with its tokens where they can be true.

    Clients do not check what a service says of them, and with a word there an answer could not be kept.

    Raises:
        TypeError: its role is one that nobody knows, of which clients make a message of another kind.
    """
    if not isinstance(said, AIMessage):
        raise TypeError("no message of a model")
    if said.usage_metadata is None:
        return said
    tokens = tokens_told(said)
    counted = tokens and UsageMetadata(
        input_tokens=tokens[0], output_tokens=tokens[1], total_tokens=sum(tokens)
    )
    return said.model_copy(update={"usage_metadata": counted})


def _host(error: Exception) -> str:
    """Host and port of the request that failed, where the error tells; never the user and password."""
    url = getattr(getattr(error, "request", None), "url", None)
    host = urlsplit(str(url)).netloc.rpartition("@")[2] if url else ""
    return host or "the configured address"

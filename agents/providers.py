"""Chat models by name, and the one place that retries a request to their service."""

import os
from functools import cache, lru_cache
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable
from pydantic import ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_before_delay

from agents.audited import audited
from agents.endpoints import (
    ASKED,
    STATISTICAL,
    addresses,
    endpoint_of,
    provider_of,
    require_near_client,
    why_near,
)
from agents.failures import is_transient, provider_error, require_answer, retry_after_s
from agents.reasoner import StatisticalReasoner
from agents.recording import recorded
from agents.settings import Settings
from tools.safety.destinations import require_near
from tools.safety.errors import IikeaError, InputError
from tools.safety.limits import a_place, pace, request_seconds
from tools.safety.logs import withheld_details

_MAX_REQUESTS = 4
_MAX_WAIT_S = 60.0
_READ = ("OPENAI_", "AZURE_OPENAI_")
_VARIABLES = ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_KEY", "OPENAI_API_VERSION")


def open_model(name: str, seed: int = 0, base_url: str = "", stay_near: str = "") -> BaseChatModel:
    """The chat model of a name: `statistical`, or `provider:model` as `init_chat_model` takes it.

    The client never retries. The seed goes to the providers that take one (`openai`, `azure_openai`). While
    answers are recorded (see `agents.recording`), the service is set up when it must be asked.

    Args:
        name: of the model.
        seed: for it.
        base_url: see `agents.endpoints.endpoint_of`.
        stay_near: why the model must be on this machine or a listed host; empty: it may be anywhere.

    Raises:
        InputError: the provider is unknown, lacks a setting or its package, or may not be asked.
    """
    if name == STATISTICAL:
        return _statistical()
    if ":" not in name or not provider_of(name):
        raise InputError("model", f"write `{STATISTICAL}` or `provider:model`, such as openai:gpt-4o-mini")
    return recorded(name, seed, lambda: _service(name, seed, base_url, stay_near))


@cache
def _statistical() -> StatisticalReasoner:
    return StatisticalReasoner()


def require_admissible(settings: Settings) -> str:
    """Refuses a run before it begins if any of its models is where it must not be.

    Returns:
        Why the run may ask this machine and listed hosts only, see `agents.endpoints.why_near`.

    Raises:
        InputError: a model's service is too far away, or nobody knows where it is; or `base_url` cannot be
            used, or is of no use.
    """
    why = why_near(settings)
    models = {field: name for field, name in settings.models.items() if name != STATISTICAL}
    if settings.base_url and not any(provider_of(name) == "openai" for name in models.values()):
        raise InputError("base_url", "is read by models openai:NAME only; name one, or leave it out")
    for field, name in models.items():
        endpoint = endpoint_of(name, settings.base_url)
        if why and endpoint.address is not None:
            require_near(endpoint.address, field, ASKED, why)
        elif why:
            open_model(name, settings.seed, settings.base_url, why)
    return why


def _service(name: str, seed: int, base_url: str, stay_near: str) -> BaseChatModel:
    endpoint = endpoint_of(name, base_url)
    if stay_near and endpoint.address is not None:
        require_near_client(endpoint, None, stay_near)
    pacing = pace(endpoint.host(name))
    options = endpoint.options | ({"rate_limiter": pacing} if pacing else {})
    model = _client(name, seed, options) if endpoint.address is None else _kept_client(name, seed, options)
    if stay_near:
        require_near_client(endpoint, model, stay_near)
    known = [str(address) for address in addresses(endpoint, model) if address]
    return audited(model, name, ", ".join(dict.fromkeys(known)) or "the provider's own")


def _kept_client(name: str, seed: int, of_endpoint: dict[str, Any]) -> BaseChatModel:
    """The client of a service of OpenAI's family, one for all who ask the same in the same environment."""
    read = ((variable, os.environ[variable]) for variable in os.environ if variable.startswith(_READ))
    return _made_client(name, seed, frozenset(of_endpoint.items()), frozenset(read), request_seconds())


@lru_cache(maxsize=32)
def _made_client(
    name: str,
    seed: int,
    of_endpoint: frozenset[tuple[str, Any]],
    _read: frozenset[tuple[str, str]],
    _seconds: float,
) -> BaseChatModel:
    return _client(name, seed, dict(of_endpoint))


def _client(name: str, seed: int, of_endpoint: dict[str, Any]) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    provider = provider_of(name)
    options: dict[str, Any] = {
        "temperature": 0,
        "max_retries": 0,
        "timeout": request_seconds(),
        "disable_streaming": True,
        **({"seed": seed} if provider in {"openai", "azure_openai"} else {}),
        **of_endpoint,
    }
    try:
        model: BaseChatModel = init_chat_model(name.partition(":")[2], model_provider=provider, **options)
    except ImportError as error:
        raise InputError("model", f"provider '{provider}' needs a package: {error}") from error
    except Exception as error:  # noqa: BLE001 - each provider raises its own types for a missing setting
        raise InputError("model", f"the provider is unknown or not set up: {_setting(error)}") from None
    return model


def _setting(error: Exception) -> str:
    named = [name for name in _VARIABLES if name in str(error) or name.lower() in str(error)]
    return (
        f"set {' or '.join(named)}" if named else "write one that LangChain knows, or see its documentation"
    )


def request(
    model: Runnable[list[BaseMessage], AIMessage], messages: list[BaseMessage], host: str
) -> AIMessage:
    """One answer of a model service, with at most four requests, the last begun within 60 s.

    Retries 408, 409, 429, 5xx and lost connections, honouring Retry-After. It waits first for a place among
    the few requests that a host gets at one time (see `tools.safety.limits`), and keeps it while it retries.

    Args:
        model: asked in some form.
        messages: put before it.
        host: of the model, see `agents.endpoints.host_of`.

    Raises:
        ProviderError: the service stayed away, refused, or spoke no OpenAI-compatible answer.
        InputError: the answer was to come from stored ones and is not there, or the model is not set up.
        RecursionError, pydantic.ValidationError: the arguments of a tool call are no JSON object.
    """
    retrying = Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(_MAX_REQUESTS) | stop_before_delay(_MAX_WAIT_S),
        wait=_wait_s,
        reraise=True,
    )
    try:
        with a_place(host), withheld_details():
            return require_answer(retrying(model.invoke, messages))
    except (RecursionError, ValidationError, IikeaError):
        raise
    except Exception as error:  # noqa: BLE001 - every client library has its own exceptions: map them all
        raise provider_error(error) from None


def _wait_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    wanted_s = retry_after_s(error) if error else None
    return wanted_s if wanted_s is not None else min(0.5 * 2.0**state.attempt_number, 8.0)

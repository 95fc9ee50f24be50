"""Where a model is: which host a run's questions go to, and whether they may."""

import os
from typing import Any, NamedTuple

from agents.settings import Settings
from tools.resources import open_dataset
from tools.safety.addresses import Address, address_of, has_user
from tools.safety.destinations import HOSTS_SETTING, is_near, require_direct, require_near, why_operator
from tools.safety.errors import InputError
from tools.safety.openai_service import client_options, openai_address, openai_key

STATISTICAL = "statistical"
ASKED = "questions about the patient"
_AZURE_SETTING = "AZURE_OPENAI_ENDPOINT"
# Where clients of LangChain keep their address; OpenAI's family keeps the true one in `root_client`.
_ADDRESSES = ("base_url", "api_base", "openai_api_base", "anthropic_api_url", "azure_endpoint", "endpoint")


class Endpoint(NamedTuple):
    """A model's service.

    Attributes:
        address: where it is; None where only its client knows.
        options: what the client is given for it; a key among them is a `SecretStr`.
    """

    address: Address | None
    options: dict[str, Any]

    def host(self, model: str) -> str:
        """Whose requests are counted together: host and port of the service, else the model's provider."""
        return str(self.address or provider_of(model))


def provider_of(model: str) -> str:
    """The provider of `provider:name`, in the spelling of LangChain."""
    return model.partition(":")[0].replace("-", "_").lower()


def endpoint_of(model: str, base_url: str = "") -> Endpoint:
    """The service of a model.

    Args:
        model: `provider:name`.
        base_url: of the run's settings, read by `openai:NAME` in the place of the environment's.

    Raises:
        InputError: an address cannot be read; or that of the settings, which a client of a server may have
            chosen to be sent the key, is neither of this machine nor listed by the operator.
    """
    provider = provider_of(model)
    if provider == "openai":
        address = _chosen(base_url) if base_url else openai_address()
        key = openai_key(address)
        # The client reads the environment's address itself, for one with a password would stand in its repr.
        named = {"base_url": base_url} if base_url else {}
        options = {"use_responses_api": False} | named | ({"api_key": key} if key else {})
        return Endpoint(address, options | client_options(address))
    azure = os.environ.get(_AZURE_SETTING, "")
    if provider == "azure_openai" and azure:
        address = address_of(azure, _AZURE_SETTING)
        return Endpoint(address, {"azure_endpoint": azure} | client_options(address))
    return Endpoint(None, {})


def host_of(model: str, base_url: str = "") -> str:
    """See `Endpoint.host`."""
    return endpoint_of(model, base_url).host(model)


def _chosen(base_url: str) -> Address:
    address = address_of(base_url, "base_url")
    if has_user(base_url):
        raise InputError(
            "base_url", "holds a user or a password; leave it out, keys stand in the environment"
        )
    if not is_near(address):
        rule = (
            f"{address} is neither on this machine nor listed in {HOSTS_SETTING}, so that the key could go "
            f"to a stranger: nothing was sent; list {address.host} there, or set OPENAI_BASE_URL in its place"
        )
        raise InputError("base_url", rule)
    return address


def why_near(settings: Settings) -> str:
    """Why a run may ask this machine and the listed hosts only; empty where it may ask any."""
    if why := why_operator():
        return why
    if settings.store and open_dataset(settings.store).credentialed:
        return "the records of the store are credentialed, which third parties must not see"
    return "the run is local-only" if settings.local_only else ""


def require_near_client(endpoint: Endpoint, client: object, why: str) -> None:
    """Refuses a client that would ask a host that is not near, or of which nobody knows.

    Args:
        endpoint: of the model.
        client: of its service, which may tell its address where the endpoint does not.
        why: the run may not.

    Raises:
        InputError: see above; or a client that is not ours to set up would take a proxy.
    """
    for address in addresses(endpoint, client) or [None]:
        require_near(address, "model", ASKED, why)
    for url in _told(client) if endpoint.address is None else ():
        require_direct(url, "model")


def addresses(endpoint: Endpoint, client: object) -> list[Address | None]:
    """Every address that the endpoint or its client tells; None for what is none."""
    return [*([endpoint.address] if endpoint.address else []), *map(_read, _told(client))]


def _told(client: object) -> list[str]:
    root = getattr(client, "root_client", None)
    told = [getattr(root, "base_url", None)] if root else [getattr(client, name, None) for name in _ADDRESSES]
    return [str(url) for url in told if url]


def _read(url: str) -> Address | None:
    try:
        return address_of(url, "model")
    except InputError:
        return None

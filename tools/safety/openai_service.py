"""OpenAI's service, or the compatible server that the operator's environment names: address, key, client."""

import os
from typing import Any

from pydantic import SecretStr

from tools.safety.addresses import Address, address_of
from tools.safety.destinations import is_near
from tools.safety.limits import request_seconds
from tools.safety.timed_client import timed_client

_OPENAI = "https://api.openai.com/v1"
_KEY = "OPENAI_API_KEY"
_PROXY = "OPENAI_PROXY"


def openai_address() -> Address:
    """Where OpenAI's service is, or the server that the environment names instead, in the order of LangChain.

    Raises:
        InputError: what it names is no address.
    """
    named = os.environ.get("OPENAI_API_BASE") or os.environ.get("OPENAI_BASE_URL")
    return address_of(named or _OPENAI, "OPENAI_BASE_URL")


def openai_key(address: Address) -> SecretStr | None:
    """The environment's key; without one a word for a server that is near, as clients want some key."""
    key = os.environ.get(_KEY, "")
    if not key and is_near(address):
        key = "none"
    return SecretStr(key) if key else None


def client_options(address: Address) -> dict[str, Any]:
    """What has a client end each request in time, and go to the very address where that is near.

    A near address is asked by no proxy, and no redirect is followed.

    Raises:
        InputError: the operator's limit of time is none.
    """
    near, proxy = is_near(address), os.environ.get(_PROXY) or None
    client = timed_client(request_seconds(), is_direct=near, proxy=None if near else proxy)
    return {"http_client": client, "openai_proxy": None}

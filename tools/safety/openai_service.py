"""OpenAI's service, or the compatible server that the operator's environment names: address, key, client."""

import os
from functools import cache
from typing import Any

from pydantic import SecretStr

from tools.safety.addresses import Address, address_of
from tools.safety.destinations import is_near

_OPENAI = "https://api.openai.com/v1"
_KEY = "OPENAI_API_KEY"


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
    """What has a client go to the very address, where that is near: by no proxy, to no redirect."""
    return {"http_client": _direct_client(), "openai_proxy": None} if is_near(address) else {}


@cache
def _direct_client() -> object:
    from openai import DefaultHttpxClient

    return DefaultHttpxClient(trust_env=False, follow_redirects=False)

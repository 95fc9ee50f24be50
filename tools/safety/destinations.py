"""Which machines may be asked: this one, those that the operator lists, or any.

A patient's data go to models and to embedding services. What an operator sets in the environment holds
against the settings of a run, which may come from a client of the server.
"""

import os
from urllib.request import getproxies

from tools.safety.addresses import Address, address_of, host_and_port
from tools.safety.errors import InputError

HOSTS_SETTING = "IIKEA_MODEL_HOSTS"
LOCAL_SETTING = "IIKEA_LOCAL_ONLY"
_OFF = {"", "0", "false", "no", "off"}


def why_operator() -> str:
    """Why every request that carries a patient's data must stay near, if the operator says so; else empty."""
    is_off = os.environ.get(LOCAL_SETTING, "").strip().lower() in _OFF
    return "" if is_off else f"{LOCAL_SETTING} is set"


def is_near(address: Address) -> bool:
    """Whether an address is on this machine, or listed by the operator (`host`: any port of it).

    Raises:
        InputError: the operator's list cannot be read.
    """
    listed = _listed()
    return address.is_this_machine or address in listed or (address.host, None) in listed


def require_near(address: Address | None, field: str, what: str, why: str) -> None:
    """Refuses what would leave this machine and the operator's list.

    Args:
        address: where it would go; None where that is not known.
        field: the setting at fault.
        what: would go there.
        why: it must stay near.

    Raises:
        InputError: it would, or nobody knows.
    """
    if address is not None and is_near(address):
        return
    place = f"would go to {address}" if address else "would go to a host that is not known"
    remedy = "name a server of this machine"
    if address:
        remedy += f", or have the operator list {address.host} in {HOSTS_SETTING}"
    raise InputError(field, f"{what} {place}, and {why}: nothing was sent; {remedy}")


def require_direct(url: str, field: str) -> None:
    """Refuses what a client that reads the environment would send to a near server by a proxy.

    Args:
        url: of the server.
        field: the setting that an error names.

    Raises:
        InputError: the environment names a proxy for it.
    """
    if not getproxies():
        return
    import httpx

    with httpx.Client() as client:
        # The very rule of the clients, whose reading of NO_PROXY is their own.
        if client._transport_for_url(httpx.URL(url)) is client._transport:
            return
    place = address_of(url, field)
    rule = f"the environment's proxy stands before {place}, and would see what is asked: nothing was sent"
    raise InputError(field, f"{rule}; list {place.host} in NO_PROXY")


def _listed() -> frozenset[tuple[str, int | None]]:
    named = os.environ.get(HOSTS_SETTING, "").lower().split(",")
    try:
        return frozenset(host_and_port(name.strip()) for name in named if name.strip())
    except InputError:
        raise InputError(HOSTS_SETTING, "must list host or host:port, by commas; correct it") from None

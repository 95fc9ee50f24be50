"""Which hosts documents may be fetched from, and which addresses such a host may have."""

import ipaddress
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import urlsplit

from tools.safety.addresses import DEFAULT_PORTS, LOCALHOST, IpAddress, host_and_port, ipv4_inside, literal
from tools.safety.errors import InputError, ProviderError

HOSTS_SETTING = "IIKEA_KNOWLEDGE_HOSTS"
MAX_URL_CHARACTERS = 4_000

_PUBLISHERS = re.compile(r"[a-z][a-z-]{1,11}\.wikipedia\.org|medlineplus\.gov")
_URL = re.compile(r"[!#-;=?-\[\]_a-z~]+", re.IGNORECASE)


class Target(NamedTuple):
    """Where a request goes: a host that documents may be fetched from.

    Attributes:
        scheme: `https`, or `http` for a host that an operator names.
        host: a lower-case name, or an IP address without brackets.
        port: of the URL, or that of its scheme.
        is_built_in: whether it is a publisher's own host; else an operator names it.
    """

    scheme: str
    host: str
    port: int
    is_built_in: bool

    @property
    def literal(self) -> IpAddress | None:
        """The address that the host is, where it is no name."""
        return literal(self.host)

    @property
    def header(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def named_hosts(names: frozenset[str]) -> frozenset[tuple[str, int | None]]:
    """Reads the hosts that an operator names.

    Args:
        names: `host` for its ports 80 and 443, or `host:port`; an IPv6 address stands in brackets.

    Raises:
        InputError: one is neither a host's name nor an address in its usual form, or the address is
            link-local, multicast or unspecified.
    """
    return frozenset(_named(name) for name in names)


def target_of(url: str, named: frozenset[tuple[str, int | None]]) -> Target:
    """Where a URL leads, if documents may be fetched from there; nothing is resolved or connected to.

    Args:
        url: absolute, in ASCII, without user name, password or fragment.
        named: see `named_hosts`.

    Raises:
        InputError: it is not such a URL, or its host is not allowed.
    """
    if len(url) > MAX_URL_CHARACTERS or not _URL.fullmatch(url):
        raise InputError(
            "url", "not a plain web address of moderate length; give one in ASCII without spaces"
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InputError("url", "not a web address; correct its host") from None
    if parts.scheme not in DEFAULT_PORTS or "#" in url or "@" in parts.netloc:
        raise InputError("url", "must begin with https:// (or http://), without user name and fragment")
    host, given = host_and_port(parts.netloc.lower())
    port = given or DEFAULT_PORTS[parts.scheme]
    if _PUBLISHERS.fullmatch(host):
        if (parts.scheme, port) != ("https", DEFAULT_PORTS["https"]):
            raise InputError("url", "this publisher is asked by https on its usual port only; give https://")
        return Target(parts.scheme, host, port, is_built_in=True)
    if (host, port) in named or (port in DEFAULT_PORTS.values() and (host, None) in named):
        return Target(parts.scheme, host, port, is_built_in=False)
    raise InputError(
        "url", f"documents are not fetched from this host; name it in {HOSTS_SETTING} if they should be"
    )


def checked(target: Target, resolved: Sequence[str]) -> tuple[IpAddress, ...]:
    """The addresses of a host, if it may have every one of them.

    Args:
        target: the host.
        resolved: what its name resolves to.

    Raises:
        ProviderError: there is none, or one that such a host may not have; names the host only.
    """
    addresses = tuple(dict.fromkeys(ipaddress.ip_address(text) for text in resolved))
    if not addresses:
        raise ProviderError(f"{target.host}: this name has no address; check the network, or the name")
    if not all(_may_have(target, address) for address in addresses):
        rule = "its name leads to an address that such a host may not have; check the network's name service"
        raise ProviderError(f"{target.host}: {rule}")
    return addresses


def _named(name: str) -> tuple[str, int | None]:
    try:
        host, port = host_and_port(name.lower())
    except InputError:
        raise InputError(HOSTS_SETTING, "must list host or host:port; correct it") from None
    address = literal(host)
    if address is not None and _is_nowhere(address):
        raise InputError(HOSTS_SETTING, "a link-local, multicast or unspecified address; name another host")
    return host, port


def _may_have(target: Target, address: IpAddress) -> bool:
    inner = ipv4_inside(address)
    if _is_nowhere(address) or (inner is not None and not _is_public(inner)):
        return False
    if target.is_built_in:
        return inner is not None or _is_public(address)
    is_own = target.host == LOCALHOST or (target.literal is not None and target.literal.is_loopback)
    return address.is_loopback if is_own else not address.is_loopback


def _is_nowhere(address: IpAddress) -> bool:
    is_reserved = isinstance(address, IPv4Address) and address.is_reserved
    return address.is_link_local or address.is_multicast or address.is_unspecified or is_reserved


def _is_public(address: IpAddress) -> bool:
    is_site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not (is_site_local or address.is_reserved or _is_nowhere(address))

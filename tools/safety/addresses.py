"""Hosts as addresses name them, read in the one form that is not ambiguous; nothing is resolved."""

import ipaddress
import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import urlsplit

from tools.safety.errors import InputError

IpAddress = IPv4Address | IPv6Address

LOCALHOST = "localhost"
DEFAULT_PORTS = {"https": 443, "http": 80}
_MAX_CHARACTERS = 2_000
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_PLACE = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[^\[\]:]+)(?::([1-9][0-9]{0,4}))?")
_URL = re.compile(r"https?://([!$-.0-;=@-\[\]_a-z~]+)(/[!$-.0-;=@-\[\]_a-z~/]*)?", re.IGNORECASE | re.ASCII)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class Address(NamedTuple):
    """Where a request goes.

    Attributes:
        host: a lower-case name, or an IP address without brackets.
        port: of the address, or that of its scheme.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_this_machine(self) -> bool:
        """See `is_this_machine`."""
        return is_this_machine(self.host)


def address_of(url: str, field: str) -> Address:
    """Where an address of a service leads.

    A user and password may stand before the host and are dropped; they never reach the message.

    Args:
        url: http(s)://host[:port][/path], without query and fragment.
        field: the setting that an error names.

    Raises:
        InputError: it is something else, or its host could be taken for another one.
    """
    found = _URL.fullmatch(url) if len(url) <= _MAX_CHARACTERS else None
    place = found[1].lower() if found else ""
    try:
        if place.count("@") > 1:
            raise InputError(field, "has more than one @")
        host, port = host_and_port(place.rpartition("@")[2])
    except InputError:
        rule = "no plain address of a service; give http(s)://host[:port]/path without ? and #"
        raise InputError(field, rule) from None
    return Address(host, port or DEFAULT_PORTS[urlsplit(url).scheme])


def has_user(url: str) -> bool:
    """Whether a user, or a password, stands before the host."""
    return "@" in urlsplit(url).netloc


def host_and_port(place: str) -> tuple[str, int | None]:
    """Splits the place of a URL, whose host is a name or an address in the one form that is not ambiguous.

    Args:
        place: `host` or `host:port` in lower case; an IPv6 address stands in brackets.

    Raises:
        InputError: the host is neither.
    """
    found = _PLACE.fullmatch(place)
    host = found[1].strip("[]") if found else ""
    port = int(found[2]) if found and found[2] else None
    is_address = place.startswith("[") or _NUMBER.fullmatch(host) is not None
    is_sound = literal(host) is not None if is_address else _NAME.fullmatch(host) is not None
    if not is_sound or (port or 1) > 65_535:
        raise InputError("url", "no host's name, or an address in an unusual form; correct the host")
    return host, port


@lru_cache(maxsize=256)
def literal(host: str) -> IpAddress | None:
    """The IP address that is written so; not one in another spelling, and not IPv4 inside IPv6."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return address if str(address) == host and ipv4_inside(address) is None else None


def ipv4_inside(address: IpAddress) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 address: compatible, mapped, 6to4, Teredo or NAT64."""
    if isinstance(address, IPv4Address) or address.is_loopback or address.is_unspecified:
        return None
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def is_this_machine(host: str) -> bool:
    """Whether a host is `localhost` or a loopback address in its usual form; no other name is."""
    address = literal(host)
    return host == LOCALHOST or (address is not None and address.is_loopback)

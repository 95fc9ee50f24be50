"""The one way in which documents are asked for from another machine: of allowed hosts only, and politely."""

import math
import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from importlib import metadata

from tools.knowledge.sources.exchange import BUSY, Connect, Limits, Request, exchange
from tools.knowledge.sources.hosts import Target, checked, named_hosts, target_of
from tools.safety.addresses import IpAddress
from tools.safety.errors import InputError, ProviderError

Resolve = Callable[[str, int], Sequence[str]]

MAX_BYTES = 5_000_000
TIMEOUT_S = 60.0
MAX_REQUESTS = 4
MAX_RETRY_AFTER_S = 60.0

_PAUSE_S = 5.0
_DOMAIN = r"(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}"
_CONTACT = re.compile(
    rf"[\w.+-]{{1,64}}@{_DOMAIN}|https://{_DOMAIN}(?:/[\w./~?=&+:-]{{0,150}})?", re.ASCII | re.I
)


class Door:
    """Asks publishers' hosts, and hosts that an operator names, for documents.

    It is for one thread, outside of an event loop.

    A host's name is resolved once a document, every address is checked, and connections go to those: what
    the name resolves to a moment later changes nothing. No redirect is followed; no proxy, cookie or
    credential is used.

    Args:
        contact: e-mail address or https page at which a publisher reaches the operator; sent every time.
        extra_hosts: hosts allowed besides the publishers' own, `host` or `host:port`. They may be asked by
            http; they may be private, and loopback if that is how they are named.
        min_interval_s: from the beginning of a request to that of the next, seconds.
        max_bytes: of an answer, unpacked.
        timeout_s: of one request, from connecting to its last byte, seconds.
        clock: monotonic, seconds.
        sleep: waits for so many seconds.
        resolve: the addresses of a host's name and port.
        trust: whose certificates are believed; by default the public authorities that httpx ships.
        connect: makes the transport of a request.

    Raises:
        InputError: no usable contact, or a host that cannot be allowed.
    """

    def __init__(
        self,
        contact: str,
        extra_hosts: frozenset[str] = frozenset(),
        *,
        min_interval_s: float = 1.0,
        max_bytes: int = MAX_BYTES,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        resolve: Resolve | None = None,
        trust: ssl.SSLContext | None = None,
        connect: Connect | None = None,
    ) -> None:
        self._user_agent = _user_agent(contact)
        self._named = named_hosts(extra_hosts)
        self._min_interval_s = min_interval_s
        self._limits = Limits(max_bytes, timeout_s)
        self._clock = clock
        self._sleep = sleep
        self._resolve = resolve or _resolve
        self._trust = trust
        self._connect = connect
        self._last_s = -math.inf

    def get(
        self,
        url: str,
        media: Sequence[str],
        is_busy: Callable[[bytes], bool] = lambda body: False,
        limits: Limits | None = None,
    ) -> bytes:
        """The document at a URL.

        A server that is busy is asked again when it says, if that is within a minute; four times in all.

        Args:
            url: of an allowed host.
            media: content types that are expected, such as `application/json`.
            is_busy: whether a body says that the server is busy, though its status is 200.
            limits: other ones than the door's, for a large file.

        Returns:
            The body of the answer, unpacked.

        Raises:
            InputError: not a URL that documents are fetched from; nothing was resolved or connected to.
            ProviderError: the host cannot be reached, may not be, is busy, or answers something else.
        """
        target = target_of(url, self._named)
        addresses = self._addresses(target)
        request = Request(url, target, addresses, self._user_agent, tuple(media), limits or self._limits)
        n_asked = 0
        while True:
            self._wait_for_turn()
            answer = exchange(request, self._trust, self._connect)
            n_asked += 1
            if answer.status not in BUSY and not is_busy(answer.body):
                return answer.body
            pause_s = answer.retry_after_s or _PAUSE_S
            if n_asked == MAX_REQUESTS or pause_s > MAX_RETRY_AFTER_S:
                raise ProviderError(
                    f"{target.host}: busy; try again later", answer.status, answer.retry_after_s
                )
            self._sleep(pause_s)

    def _addresses(self, target: Target) -> tuple[IpAddress, ...]:
        literal = target.literal
        try:
            found = [str(literal)] if literal else self._resolve(target.host, target.port)
        except (OSError, UnicodeError):
            rule = "this name cannot be resolved; check the network, or the name"
            raise ProviderError(f"{target.host}: {rule}") from None
        return checked(target, found)

    def _wait_for_turn(self) -> None:
        left_s = self._last_s + self._min_interval_s - self._clock()
        if left_s > 0:
            self._sleep(left_s)
        self._last_s = self._clock()


def _user_agent(contact: str) -> str:
    """Who asks, in the form that publishers expect of a program.

    Raises:
        InputError: nobody could be reached at the contact.
    """
    if not _CONTACT.fullmatch(contact):
        raise InputError(
            "contact", "publishers must be able to reach you; give an e-mail address or an https page"
        )
    return f"ii-kea/{_version()} ({contact})"


def _version() -> str:
    try:
        return metadata.version("ii-kea")
    except metadata.PackageNotFoundError:
        return "unreleased"


def _resolve(host: str, port: int) -> tuple[str, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(str(address[0]) for *_, address in found)

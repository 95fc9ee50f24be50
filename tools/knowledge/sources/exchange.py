"""One request and its answer, within limits of bytes and of time that a hostile server cannot stretch."""

import asyncio
import re
import ssl
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

from tools.knowledge.sources.hosts import Target
from tools.safety.addresses import IpAddress
from tools.safety.errors import ProviderError

if TYPE_CHECKING:
    import httpx

Connect = Callable[[ssl.SSLContext | None], "httpx.AsyncBaseTransport"]

BUSY = frozenset({429, 503})
OK = 200

_CONNECT_S = 10.0
_GZIP_WINDOW = 31
_ADVICE = {403: "give a contact that the publisher accepts", 404: "check the address, there is nothing of it"}


class Limits(NamedTuple):
    """How much of an answer is taken.

    Attributes:
        max_bytes: of the body, as it arrives and unpacked.
        timeout_s: from connecting to the last byte, seconds.
    """

    max_bytes: int
    timeout_s: float


class Request(NamedTuple):
    """What is asked for.

    Attributes:
        url: of the document.
        target: the host of the URL.
        addresses: of the host, checked; connections go to these only.
        user_agent: who asks.
        media: content types that are expected.
        limits: of the answer.
    """

    url: str
    target: Target
    addresses: tuple[IpAddress, ...]
    user_agent: str
    media: tuple[str, ...]
    limits: Limits


class Answer(NamedTuple):
    """What came: a document, or that the server is busy.

    Attributes:
        status: 200, or one of `BUSY`.
        body: unpacked; empty from a busy server.
        retry_after_s: when to come back, seconds, if the server says so.
    """

    status: int
    body: bytes
    retry_after_s: float | None


def exchange(request: Request, trust: ssl.SSLContext | None, connect: Connect | None = None) -> Answer:
    """Asks for a document.

    Args:
        request: what is asked for.
        trust: whose certificates are believed; by default the public authorities that httpx ships.
        connect: makes the transport, from what is trusted; None for plain http.

    Raises:
        ProviderError: no answer in time, or not the document: too large, of another type, another status.
    """
    import httpx

    host = request.target.host
    try:
        return asyncio.run(_exchanged(request, (connect or _transport)(_trusted(request, trust))))
    except TimeoutError:
        rule = f"no whole answer in {request.limits.timeout_s:g} seconds; try again later"
        raise ProviderError(f"{host}: {rule}") from None
    except (httpx.HTTPError, OSError) as error:
        rule = f"no whole answer ({type(error).__name__}); check the network, or the host's name"
        raise ProviderError(f"{host}: {rule}") from None


async def _exchanged(request: Request, transport: "httpx.AsyncBaseTransport") -> Answer:
    import httpx

    timeout = httpx.Timeout(request.limits.timeout_s, connect=_CONNECT_S)
    async with (
        asyncio.timeout(request.limits.timeout_s),
        httpx.AsyncClient(transport=transport, trust_env=False, timeout=timeout) as client,
    ):
        *others, last = request.addresses
        for address in others:
            try:
                return await _asked(request, address, client)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await _asked(request, last, client)


async def _asked(request: Request, address: IpAddress, client: "httpx.AsyncClient") -> Answer:
    import httpx

    # The address stands for the name, which is not resolved again; TLS still checks the name.
    url = httpx.URL(request.url).copy_with(host=str(address))
    headers = {
        "Host": request.target.header,
        "User-Agent": request.user_agent,
        "Accept": ", ".join(request.media),
        "Accept-Encoding": "gzip",
    }
    asked = client.build_request(
        "GET", url, headers=headers, extensions={"sni_hostname": request.target.host}
    )
    response = await client.send(asked, stream=True)
    try:
        return await _answer(request, response)
    finally:
        await response.aclose()


async def _answer(request: Request, response: "httpx.Response") -> Answer:
    # Some servers say that they are busy in a whole answer, so its header counts too.
    retry_after_s = _seconds(response.headers.get("Retry-After", ""))
    if response.status_code in BUSY:
        return Answer(response.status_code, b"", retry_after_s)
    _check_head(request, response)
    return Answer(OK, await _body(request, response), retry_after_s)


def _check_head(request: Request, response: "httpx.Response") -> None:
    host, status = request.target.host, response.status_code
    if 300 <= status < 400:
        raise ProviderError(
            f"{host}: a redirect ({status}), which is not followed; give the final address", status
        )
    if status != OK:
        raise ProviderError(f"{host}: status {status}; {_ADVICE.get(status, 'try again later')}", status)
    media = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media not in request.media:
        raise ProviderError(f"{host}: not {' or '.join(request.media)}; check the address")
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in {"identity", "gzip"}:
        raise ProviderError(f"{host}: packed in a way that was not asked for; check the address")
    length = response.headers.get("Content-Length", "0")
    if not re.fullmatch(r"[0-9]{1,18}", length) or int(length) > request.limits.max_bytes:
        raise _too_large(request)


async def _body(request: Request, response: "httpx.Response") -> bytes:
    most = request.limits.max_bytes
    is_packed = response.headers.get("Content-Encoding", "").strip().lower() == "gzip"
    unpacker = zlib.decompressobj(_GZIP_WINDOW) if is_packed else None
    body, n_arrived = bytearray(), 0
    try:
        async for chunk in response.aiter_raw():
            n_arrived += len(chunk)
            # One byte more than allowed tells a body that is too large, whatever it would unpack to.
            body += unpacker.decompress(chunk, most - len(body) + 1) if unpacker else chunk
            if max(len(body), n_arrived) > most:
                raise _too_large(request)
    except zlib.error:
        raise ProviderError(f"{request.target.host}: an answer that cannot be unpacked") from None
    if unpacker and (not unpacker.eof or unpacker.unused_data):
        raise ProviderError(f"{request.target.host}: an incomplete answer; try again later")
    return bytes(body)


def _too_large(request: Request) -> ProviderError:
    return ProviderError(f"{request.target.host}: an answer of more than {request.limits.max_bytes:,} bytes")


def _seconds(retry_after: str) -> float | None:
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after).astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _trusted(request: Request, trust: ssl.SSLContext | None) -> ssl.SSLContext | None:
    import httpx

    if request.target.scheme == "http":
        return None
    return trust or httpx.create_ssl_context(trust_env=False)


def _transport(trust: ssl.SSLContext | None) -> "httpx.AsyncBaseTransport":
    import httpx

    # Without https, nothing is verified; a context would only cost the time to make it.
    return httpx.AsyncHTTPTransport(verify=trust or False, trust_env=False)

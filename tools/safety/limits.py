"""What an operator allows of each model service: requests at one time, requests a minute, time for each."""

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from tools.safety.errors import InputError

if TYPE_CHECKING:
    from langchain_core.rate_limiters import InMemoryRateLimiter

IN_FLIGHT = "IIKEA_MAX_IN_FLIGHT"
PER_MINUTE = "IIKEA_MAX_PER_MINUTE"
SECONDS = "IIKEA_REQUEST_SECONDS"

_CHECKED_EVERY_S = 0.05


def request_seconds() -> float:
    """Wall clock for one request, from connecting to the last byte, seconds; 120 unless the operator says.

    Raises:
        InputError: the setting is no number of seconds.
    """
    seconds = _number(SECONDS, "120")
    if not 0.1 <= seconds <= 86_400:
        raise InputError(SECONDS, "write seconds, from 0.1 to 86400, such as 120")
    return seconds


@contextmanager
def a_place(host: str) -> Iterator[None]:
    """One of the few places at a host, waited for; all threads of the process share them.

    Raises:
        InputError: the setting is no number of requests.
    """
    with _places(host, max_in_flight()):
        yield


def max_in_flight() -> int:
    """Requests that may wait for their answer at one time, a host; 4 unless the operator says.

    Raises:
        InputError: the setting is no number of requests.
    """
    places = _number(IN_FLIGHT, "4")
    if not 1 <= places <= 10_000 or places != int(places):
        raise InputError(IN_FLIGHT, "write a whole number of requests, from 1 to 10000, such as 4")
    return int(places)


def pace(host: str) -> "InMemoryRateLimiter | None":
    """What spaces the requests to a host, for all threads of the process; None where none is set.

    Raises:
        InputError: the setting is no number of requests a minute.
    """
    if not os.environ.get(PER_MINUTE):
        return None
    per_minute = _number(PER_MINUTE, "")
    if not 0.01 <= per_minute <= 1e6:
        raise InputError(PER_MINUTE, "write requests a minute, from 0.01 to 1000000, such as 60")
    return _pace(host, per_minute)


def _number(setting: str, usual: str) -> float:
    try:
        number = float(os.environ.get(setting) or usual)
    except ValueError:
        return -math.inf
    return number if math.isfinite(number) else -math.inf


_making = threading.Lock()


def _places(host: str, n: int) -> threading.BoundedSemaphore:
    # The cache alone could make two of a kind for threads that come first at one time.
    with _making:
        return _semaphore(host, n)


@cache
def _semaphore(_host: str, n: int) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(n)


def _pace(host: str, per_minute: float) -> "InMemoryRateLimiter":
    with _making:
        return _limiter(host, per_minute)


@cache
def _limiter(_host: str, per_minute: float) -> "InMemoryRateLimiter":
    from langchain_core.rate_limiters import InMemoryRateLimiter

    return InMemoryRateLimiter(
        requests_per_second=per_minute / 60, check_every_n_seconds=_CHECKED_EVERY_S, max_bucket_size=1
    )

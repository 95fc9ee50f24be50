"""What an operator may set of the requests to a model service, and that all threads keep to it."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest

from tools.safety.errors import InputError
from tools.safety.limits import a_place, max_in_flight, pace, request_seconds

IN_FLIGHT, PER_MINUTE, SECONDS = "IIKEA_MAX_IN_FLIGHT", "IIKEA_MAX_PER_MINUTE", "IIKEA_REQUEST_SECONDS"


def test_unless_the_operator_says_there_are_four_places_two_minutes_and_no_pace():
    assert (max_in_flight(), request_seconds(), pace("host")) == (4, 120.0, None)


@pytest.mark.parametrize(
    ("setting", "read", "bad"),
    [
        (IN_FLIGHT, max_in_flight, ["0", "-1", "2.5", "many", "nan", "inf", "1e9"]),
        (PER_MINUTE, lambda: pace("host"), ["0", "-1", "often", "nan", "inf"]),
        (SECONDS, request_seconds, ["0", "-1", "soon", "nan", "inf", "1e9"]),
    ],
)
def test_a_setting_that_is_none_is_refused_by_its_name(setting, read, bad, monkeypatch):
    for value in bad:
        monkeypatch.setenv(setting, value)
        with pytest.raises(InputError, match="such as") as refused:
            read()
        assert refused.value.field == setting


class Crowd:
    """Threads that want a place each, and how many had one at one time."""

    def __init__(self, *hosts):
        self.inside, self.peak, self._lock = 0, 0, Lock()
        with ThreadPoolExecutor(24) as pool:
            list(pool.map(self._enter, hosts))

    def _enter(self, host):
        with a_place(host):
            with self._lock:
                self.inside += 1
                self.peak = max(self.peak, self.inside)
            time.sleep(0.005)
            with self._lock:
                self.inside -= 1


@pytest.mark.parametrize("places", [1, 3])
def test_no_more_than_the_places_are_taken_at_one_time_a_host(places, monkeypatch):
    monkeypatch.setenv(IN_FLIGHT, str(places))
    assert Crowd(*["one host"] * 48).peak == places
    assert places < Crowd(*["one host", "another"] * 24).peak <= 2 * places


def test_a_place_is_free_again_after_a_failure(monkeypatch):
    monkeypatch.setenv(IN_FLIGHT, "1")
    for _ in range(3):
        with pytest.raises(KeyError), a_place("failing"):
            raise KeyError


def test_the_pace_is_one_for_all_threads_and_another_a_host(monkeypatch):
    monkeypatch.setenv(PER_MINUTE, "600")
    assert pace("one host") is pace("one host")
    assert pace("one host") is not pace("another")
    begun = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: pace("one host").acquire(), range(6)))
    assert time.monotonic() - begun >= 5 * 0.1

"""D8: what a URL, a name service or a server may try, and that nothing is asked where it must not be."""

import ipaddress
import re
import ssl
from collections.abc import Callable, Sequence

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.wiki_server import (
    Reply,
    WikiServer,
    bomb,
    cut_off,
    drip,
    hang,
    html,
    huge,
    redirect,
)
from tools.knowledge.sources.door import Door
from tools.knowledge.sources.hosts import target_of
from tools.safety.errors import InputError, ProviderError

CONTACT = "curator@example.org"
MEDIA = ("application/json",)
PUBLIC = "208.80.154.224"
WIKIPEDIA = "https://en.wikipedia.org/w/api.php"


class Names:
    """A name service that answers in turn, and remembers what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[tuple[str, int]] = []
        self._answers = answers

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self._answers[min(len(self.asked), len(self._answers)) - 1]


class Wire:
    """What would go over the network: an empty JSON object comes back, or what is given."""

    def __init__(self, *answers: Callable[[httpx.Request], httpx.Response]) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = answers

    def __call__(self, trust: ssl.SSLContext | None) -> httpx.AsyncBaseTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self._answers:
            return self._answers[min(len(self.requests), len(self._answers)) - 1](request)
        return received()


def received() -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": MEDIA[0]}, stream=httpx.ByteStream(b"{}"))


def door_to(names: Names, wire: Wire, *hosts: str) -> Door:
    return Door(CONTACT, frozenset(hosts), min_interval_s=0, resolve=names, connect=wire)


def open_door(wiki: WikiServer, **settings: object) -> Door:
    return Door(CONTACT, frozenset({wiki.host}), min_interval_s=0, sleep=lambda seconds: None, **settings)


REFUSED_URLS = [
    "http://en.wikipedia.org/",
    "ftp://en.wikipedia.org/",
    "file:///etc/passwd",
    "//en.wikipedia.org/",
    "en.wikipedia.org",
    "",
    "https://",
    "https://en.wikipedia.org:8443/",
    "https://en.wikipedia.org:80/",
    "https://en.wikipedia.org:0443/",
    "https://en.wikipedia.org:/",
    "https://en.wikipedia.org./",
    "https://en.wikipedia.org@127.0.0.1/",
    "https://user@en.wikipedia.org/",
    "https://user:word@en.wikipedia.org/",
    "https://en.wikipedia.org#@127.0.0.1/",
    "https://en.wikipedia.org\\@127.0.0.1/",
    "https://127.0.0.1\\.wikipedia.org/",
    "https://en.wikipedia.org%2f@127.0.0.1/",
    "https://en.wikipedia.org%00.evil.example/",
    "https://en.wikipedia.org\n/",
    "https://en.wikipedia.org\t/",
    " https://en.wikipedia.org/",
    "https://ⓔⓝ.wikipedia.org/",
    "https://\u0435n.wikipedia.org/",
    "https://en。wikipedia。org/",
    "https://xn--n-1ga.wikipedia.org.evil.example/",
    "https://a.b.wikipedia.org/",
    "https://wikipedia.org/",
    "https://en.wikipedia.org.evil.example/",
    "https://evilwikipedia.org/",
    "https://en.wikipedia.orgevil.example/",
    "https://medlineplus.gov.evil.example/",
    "https://www.medlineplus.gov/",
    "https://localhost/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.1./",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[fe80::1%25eth0]/",
    "https://[::1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/",
    "https://10.0.0.1/",
    "https://0/",
    "https://en.wikipedia.org/" + "a" * 5_000,
]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_d8_a_refused_url_is_neither_resolved_nor_connected_to(url: str) -> None:
    names, wire = Names([PUBLIC]), Wire()
    with pytest.raises(InputError) as refused:
        door_to(names, wire).get(url, MEDIA)
    assert refused.value.field == "url"
    assert (names.asked, wire.requests) == ([], [])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://localhost:{port}/",
        "http://x@127.0.0.1:{port}/",
    ],
)
def test_d8_a_server_on_this_machine_is_not_asked_unless_named(url: str) -> None:
    with WikiServer() as wiki:
        with pytest.raises(InputError):
            Door(CONTACT).get(url.format(port=wiki.host.partition(":")[2]), MEDIA)
        assert wiki.requests == []


def test_d8_a_named_place_allows_no_other_spelling_and_no_other_port() -> None:
    with WikiServer() as wiki:
        port = int(wiki.host.partition(":")[2])
        other = port - 1 if port > 60_000 else port + 1
        for place in (
            f"127.1:{port}",
            f"localhost:{port}",
            f"2130706433:{port}",
            f"127.0.0.1:{other}",
            "127.0.0.1",
        ):
            with pytest.raises(InputError):
                open_door(wiki).get(f"http://{place}/w/api.php", MEDIA)
        assert wiki.requests == []


@given(st.text(max_size=60))
def test_d8_no_text_leads_past_the_list_of_hosts(text: str) -> None:
    for url in (text, f"https://{text}", f"https://en.wikipedia.org{text}", f"https://{text}.wikipedia.org/"):
        try:
            target = target_of(url, frozenset())
        except InputError:
            continue
        assert (target.scheme, target.port, target.is_built_in) == ("https", 443, True)
        assert httpx.URL(url).host == target.host
        assert target.host.endswith(".wikipedia.org") or target.host == "medlineplus.gov"


FORBIDDEN = """
    127.0.0.1 127.8.8.8 10.1.2.3 172.16.0.1 192.168.1.1 100.64.0.1 169.254.169.254 0.0.0.0 224.0.0.1
    240.0.0.1 255.255.255.255 198.18.0.1 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
    64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 2002:7f00:1:: 2002:a00:1::1 fe80::1 fec0::1 fc00::1 fd00:ec2::254
    ff02::1 ff0e::1 2001:db8::1 4000::1
"""


@pytest.mark.parametrize("address", FORBIDDEN.split())
@pytest.mark.parametrize("others", [(), (PUBLIC,)])
def test_d8_a_publisher_is_only_asked_at_public_addresses(address: str, others: tuple[str, ...]) -> None:
    wire = Wire()
    for answer in ([*others, address], [address, *others]):
        with pytest.raises(ProviderError, match=re.escape("en.wikipedia.org")) as refused:
            door_to(Names(answer), wire).get(WIKIPEDIA, MEDIA)
        assert address not in str(refused.value)
    assert wire.requests == []


@given(st.ip_addresses())
def test_d8_every_address_asked_is_public_and_so_is_the_one_inside(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    wire = Wire()
    try:
        door_to(Names([str(address)]), wire).get(WIKIPEDIA, MEDIA)
    except ProviderError:
        assert wire.requests == []
        return
    assert wire.requests[0].url.host == str(address)
    inside = [getattr(address, name, None) for name in ("ipv4_mapped", "sixtofour")]
    for found in [*filter(None, inside)] or [address]:
        assert found.is_global
        assert not found.is_multicast


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "169.254.1.1", "fe80::1", "224.0.0.1", "0.0.0.0", "::"]
)
def test_d8_a_named_host_does_not_lead_to_this_machine_or_to_none(address: str) -> None:
    wire = Wire()
    with pytest.raises(ProviderError):
        door_to(Names(["10.1.2.3", address]), wire, "wiki.hospital.test").get(
            "http://wiki.hospital.test/", MEDIA
        )
    assert wire.requests == []


@pytest.mark.parametrize("address", ["10.1.2.3", "fd12::1", PUBLIC])
def test_d8_a_named_host_may_be_private(address: str) -> None:
    wire = Wire()
    door_to(Names([address]), wire, "wiki.hospital.test:8080").get("http://wiki.hospital.test:8080/", MEDIA)
    assert wire.requests[0].url.host == address


def test_d8_localhost_leads_to_this_machine_only() -> None:
    wire = Wire()
    with pytest.raises(ProviderError):
        door_to(Names(["10.1.2.3"]), wire, "localhost:81").get("http://localhost:81/", MEDIA)
    assert wire.requests == []
    door_to(Names(["127.0.0.1"]), wire, "localhost:81").get("http://localhost:81/", MEDIA)
    assert wire.requests[0].url.host == "127.0.0.1"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "http://wiki.test",
        "wiki.test/",
        "wiki.test:0",
        "wiki.test:65536",
        "wiki.test:port",
        "wiki.test.",
        "127.1",
        "2130706433:80",
        "0x7f.1",
        "[::ffff:127.0.0.1]:80",
        "[fe80::1]:80",
        "[0:0:0:0:0:0:0:1]:80",
        "169.254.169.254",
        "169.254.169.254:80",
        "224.0.0.1",
        "0.0.0.0:8080",
        "[::]:80",
        "*",
        "*.test",
        "ⓦiki.test",
    ],
)
def test_d8_a_host_that_cannot_be_allowed_is_told_before_anything_is_fetched(host: str) -> None:
    with pytest.raises(InputError) as refused:
        Door(CONTACT, frozenset({host}))
    assert refused.value.field == "IIKEA_KNOWLEDGE_HOSTS"


def test_d8_a_name_is_resolved_once_and_the_checked_address_is_connected_to() -> None:
    names, wire = Names([PUBLIC], ["127.0.0.1"]), Wire()
    door_to(names, wire).get(f"{WIKIPEDIA}?action=query", MEDIA)
    (asked,) = wire.requests
    assert names.asked == [("en.wikipedia.org", 443)]
    assert str(asked.url) == f"https://{PUBLIC}/w/api.php?action=query"
    assert asked.headers["Host"] == asked.extensions["sni_hostname"] == "en.wikipedia.org"


def test_d8_rebinding_between_two_tries_changes_nothing() -> None:
    names = Names([PUBLIC], ["127.0.0.1"])
    wire = Wire(
        lambda asked: httpx.Response(429, headers={"Retry-After": "1"}),
        lambda asked: received(),
    )
    door = Door(CONTACT, resolve=names, connect=wire, sleep=lambda seconds: None)
    door.get(WIKIPEDIA, MEDIA)
    assert [asked.url.host for asked in wire.requests] == [PUBLIC, PUBLIC]
    assert len(names.asked) == 1
    with pytest.raises(ProviderError):
        door.get(WIKIPEDIA, MEDIA)
    assert len(wire.requests) == 2


@pytest.mark.parametrize("moment", ["Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 0001 00:00:00 +1400"])
def test_d8_a_day_beyond_the_calendar_in_an_answer_harms_nothing(moment: str) -> None:
    def dated(asked: httpx.Request) -> httpx.Response:
        answer = received()
        answer.headers["Retry-After"] = moment
        return answer

    assert door_to(Names([PUBLIC]), Wire(dated)).get(WIKIPEDIA, MEDIA)


def test_d8_the_next_checked_address_is_tried_when_one_cannot_be_reached() -> None:
    def unreachable(asked: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=asked)

    wire = Wire(unreachable, lambda asked: received())
    door_to(Names(["2620:0:861:ed1a::1", PUBLIC]), wire).get(WIKIPEDIA, MEDIA)
    assert [asked.url.host for asked in wire.requests] == ["2620:0:861:ed1a::1", PUBLIC]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_d8_a_redirect_is_not_followed(status: int) -> None:
    with WikiServer(faults=[Reply()]) as other, WikiServer(faults=[redirect(other.api, status)]) as wiki:
        door = Door(CONTACT, frozenset({wiki.host, other.host}), min_interval_s=0)
        with pytest.raises(ProviderError, match=str(status)) as refused:
            door.get(wiki.api, MEDIA)
        assert refused.value.status == status
        assert other.api not in str(refused.value)
        assert (len(wiki.requests), other.requests) == (1, [])


def test_d8_a_redirect_to_the_link_local_address_is_not_followed() -> None:
    with WikiServer(faults=[redirect("http://169.254.169.254/latest/meta-data/")]) as wiki:
        with pytest.raises(ProviderError, match="redirect") as refused:
            open_door(wiki).get(wiki.api, MEDIA)
        assert "169.254" not in str(refused.value)


BEYOND: dict[str, Callable[[], Reply]] = {
    "too large": lambda: huge(2_000_000),
    "too large, not announced": lambda: huge(2_000_000, is_announced=False),
    "bomb": lambda: bomb(20_000_000),
    "bomb in a bomb": lambda: bomb(20_000_000, layers=2),
    "not packed, though it says so": lambda: Reply(headers={"Content-Encoding": "gzip"}),
    "packed in another way": lambda: Reply(headers={"Content-Encoding": "br"}),
    "packed incompletely": lambda: bomb(1_000)._replace(body=bomb(1_000).body[:-9]),
    "packed twice in a row": lambda: bomb(1_000)._replace(body=bomb(1_000).body * 2),
    "negative length": lambda: Reply(headers={"Content-Length": "-1"}),
    "a byte at a time": lambda: drip(0.02),
    "nothing": hang,
    "cut off": cut_off,
    "another type": html,
    "no type": lambda: Reply(headers={"Content-Type": None}),
    "no content": lambda: Reply(status=204, body=b""),
    "failure": lambda: Reply(status=500),
    "forbidden": lambda: Reply(status=403),
}


@pytest.mark.parametrize("beyond", BEYOND)
def test_d8_an_answer_beyond_the_limits_is_refused_after_one_request(beyond: str) -> None:
    with WikiServer(faults=[BEYOND[beyond]()]) as wiki:
        door = open_door(wiki, max_bytes=1_000_000, timeout_s=1.0)
        with pytest.raises(ProviderError, match=re.escape("127.0.0.1")):
            door.get(wiki.api, MEDIA)
        assert len(wiki.requests) == 1


def test_d8_a_bomb_is_not_unpacked(measured: Callable[[Callable[[], object]], int]) -> None:
    with WikiServer(faults=[bomb(100_000_000)]) as wiki:

        def ask() -> None:
            with pytest.raises(ProviderError, match="1,000,000 bytes"):
                open_door(wiki, max_bytes=1_000_000).get(wiki.api, MEDIA)

        assert measured(ask) < 20_000_000


@pytest.fixture
def measured() -> Callable[[Callable[[], object]], int]:
    """The peak of memory that Python allocates in a call, bytes."""
    import tracemalloc

    def peak(call: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return peak

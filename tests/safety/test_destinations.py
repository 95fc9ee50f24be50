"""Which machine an address leads to, whatever it looks like; and who may be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI

from tools.safety.addresses import Address, address_of, has_user, is_this_machine
from tools.safety.destinations import is_near, require_near, why_operator
from tools.safety.errors import InputError
from tools.safety.openai_service import openai_address

LOCAL = [
    "http://localhost/v1",
    "http://LOCALHOST:1",
    "http://127.0.0.1:8000/v1",
    "http://127.9.9.9",
    "http://[::1]:11434/v1",
]
LOOKING_LOCAL = [
    "http://localhost.evil.com/v1",
    "http://127.0.0.1.nip.io/v1",
    "http://evil.com/127.0.0.1",
    "http://127.0.0.1@evil.com/v1",
    "http://localhost:80@evil.com:8000/v1",
    "http://notlocalhost/v1",
    "http://10.0.0.1/v1",
    "http://0.0.0.0:8000/v1",
    "http://[::]:8000/v1",
    "http://[2001:db8::1]/v1",
]
CLIENTS_URL = type(OpenAI(api_key="none").base_url)
AMBIGUOUS = [
    "http://0x7f.1/v1",
    "http://0x7f000001/v1",
    "http://127.1/v1",
    "http://2130706433/v1",
    "http://0177.0.0.1/v1",
    "http://127.0.0.1./v1",
    "http://localhost./v1",
    "http://[::ffff:127.0.0.1]/v1",
    "http://[::127.0.0.1]/v1",
    "http://[0:0:0:0:0:0:0:1]/v1",
    "http://127.0.0.1\\@evil.com/v1",
    "http://evil.com\\@127.0.0.1/v1",
    "http://a@127.0.0.1@evil.com/v1",
    "http://evil.com#@127.0.0.1/v1",
    "http://evil.com?@127.0.0.1/v1",
    "http://127.0.0.1%2eevil.com/v1",
    "http://127。0。0。1/v1",
    "http://ⓛocalhost/v1",
    "http://local\thost/v1",
    "http://localhost /v1",
    "http\u017f://localhost/v1",
    "http://\u212aing/v1",
    "http://localhost:0/v1",
    "http://localhost:99999/v1",
    "http:///v1",
    "http://",
    "//localhost/v1",
    "localhost:8000/v1",
    "file:///etc/passwd",
    "ftp://localhost/",
    "http://localhost/" + "x" * 5000,
    "",
]


@pytest.mark.parametrize("url", LOCAL)
def test_this_machine_is_known(url):
    assert address_of(url, "base_url").is_this_machine


@pytest.mark.parametrize("url", LOOKING_LOCAL)
def test_what_only_looks_like_this_machine_is_not(url):
    address = address_of(url, "base_url")
    assert not address.is_this_machine
    assert not is_near(address)


@pytest.mark.parametrize("url", AMBIGUOUS)
def test_an_address_that_could_be_taken_for_another_is_refused_and_not_echoed(url):
    with pytest.raises(InputError, match="base_url") as refused:
        address_of(url, "base_url")
    assert "evil" not in str(refused.value)


@given(st.text(max_size=30).map(lambda tail: f"http://127.0.0.1{tail}"))
def test_whatever_follows_an_address_the_client_goes_where_it_is_said_to(url):
    try:
        address = address_of(url, "base_url")
    except InputError:
        return
    assert CLIENTS_URL(url).host == address.host
    assert (CLIENTS_URL(url).port or 80) == address.port


def test_a_user_and_password_are_seen_and_dropped():
    url = "http://ford:prefect@example.org/v1"
    assert has_user(url)
    assert str(address_of(url, "base_url")) == "example.org:80"
    assert not has_user("http://example.org/@home")


@pytest.mark.parametrize(
    ("listed", "near"),
    [
        ("", False),
        ("gpu.example.org", True),
        (" GPU.example.org:8000 ,b", True),
        ("gpu.example.org:8001", False),
        ("example.org", False),
    ],
)
def test_the_operator_lists_hosts_for_all_their_ports_or_for_one(listed, near, monkeypatch):
    monkeypatch.setenv("IIKEA_MODEL_HOSTS", listed)
    assert is_near(Address("gpu.example.org", 8000)) == near


@pytest.mark.parametrize("listed", ["http://a.example", "*", "a b", "0x7f.1", "a.example:port"])
def test_a_list_that_cannot_be_read_is_refused(listed, monkeypatch):
    monkeypatch.setenv("IIKEA_MODEL_HOSTS", listed)
    with pytest.raises(InputError, match="IIKEA_MODEL_HOSTS"):
        is_near(Address("a.example", 80))


@pytest.mark.parametrize(
    ("value", "on"),
    [("1", True), ("true", True), ("Yes", True), ("maybe", True), ("0", False), ("no", False), ("", False)],
)
def test_what_the_operator_sets_in_any_word_but_no_is_on(value, on, monkeypatch):
    monkeypatch.setenv("IIKEA_LOCAL_ONLY", value)
    assert bool(why_operator()) == on


def test_a_refusal_names_the_host_the_reason_and_the_remedy():
    with pytest.raises(InputError) as refused:
        require_near(Address("api.example.org", 443), "model", "questions", "this run stays here")
    for words in (
        "model",
        "api.example.org:443",
        "this run stays here",
        "IIKEA_MODEL_HOSTS",
        "nothing was sent",
    ):
        assert words in str(refused.value)


def test_nobody_knows_is_no_permission():
    with pytest.raises(InputError, match="not known"):
        require_near(None, "model", "questions", "this run stays here")


def test_the_environment_names_the_service_and_openai_is_the_default(monkeypatch):
    assert str(openai_address()) == "api.openai.com:443"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert openai_address() == Address("127.0.0.1", 1)
    monkeypatch.setenv("OPENAI_API_BASE", "http://older.example/v1")
    assert openai_address().host == "older.example"


@pytest.mark.parametrize("host", ["::1", "127.0.0.1", "localhost"])
def test_hosts_of_this_machine(host):
    assert is_this_machine(host)

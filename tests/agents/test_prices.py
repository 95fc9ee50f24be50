"""What a run costs is known before it starts, or asked for."""

import pytest

from agents.prices import price_of
from tools.safety.errors import InputError


@pytest.mark.parametrize("model", ["openai:gpt-4o-mini", "openai:gpt-4o-mini-2024-07-18"])
def test_listed_models_have_their_prices_and_say_of_when(model):
    price = price_of(model)
    assert price.cost_usd(1_000_000, 0) < price.cost_usd(0, 1_000_000)
    assert price.cost_usd(2_000_000, 3_000_000) == pytest.approx(2 * price.usd_in + 3 * price.usd_out)
    assert "20" in price.source


@pytest.mark.parametrize(
    "model", ["openai:gpt-4o-mini-huge", "openai:mine", "anthropic:claude", "azure_openai:gpt-4o-mini"]
)
def test_unknown_prices_are_asked_for(model):
    with pytest.raises(InputError, match="--price-in"):
        price_of(model)
    assert price_of(model, 1.0, 2.0).cost_usd(1_000_000, 1_000_000) == 3.0


@pytest.mark.parametrize("one", [(1.0, None), (None, 1.0)])
def test_half_a_price_is_refused(one):
    with pytest.raises(InputError, match="both"):
        price_of("openai:gpt-4o-mini", *one)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:1/v1"])
def test_a_model_of_this_machine_costs_nothing(url, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    price = price_of("openai:mine")
    assert price.cost_usd(10**9, 10**9) == 0
    assert "this machine" in price.source


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/v1", "https://127.0.0.1.example.org/v1", "https://example.org/v1"]
)
def test_list_prices_are_not_those_of_another_server(url, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(InputError, match="--price-in"):
        price_of("openai:gpt-4o-mini")


def test_the_statistical_model_costs_nothing():
    assert price_of("statistical").cost_usd(10**9, 10**9) == 0

"""What a model's tokens cost: a dated table of one provider, or the user's own prices."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from agents.endpoints import STATISTICAL, endpoint_of, provider_of
from tools.safety.errors import InputError

_TABLE = Path(__file__).with_name("prices.json")
_MILLION = 1_000_000
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_OWN = "give --price-in and --price-out, USD a million tokens"
_OPENAI = "api.openai.com"


class Price(NamedTuple):
    """USD a million tokens read and written, where the prices are from, and of when (empty: not dated)."""

    usd_in: float
    usd_out: float
    source: str
    date: str = ""

    def cost_usd(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.usd_in + tokens_out * self.usd_out) / _MILLION


def total_usd(prices: Mapping[str, Price], tokens: Mapping[str, tuple[int, int]]) -> float:
    """What the tokens cost that each model read and wrote; a model without tokens needs no price."""
    return sum(prices[model].cost_usd(*both) for model, both in tokens.items())


def price_of(
    model: str, usd_in: float | None = None, usd_out: float | None = None, base_url: str = ""
) -> Price:
    """Prices of a model.

    Args:
        model: as `agents.providers.open_model` takes it.
        usd_in: the user's own price of a million tokens read.
        usd_out: of a million tokens written.
        base_url: of the model's server, see `agents.endpoints.endpoint_of`.

    Raises:
        InputError: only one of the own prices is given, or neither for a model whose prices are not known:
            one of another provider than OpenAI, or served elsewhere; or the address cannot be used.
    """
    if (usd_in is None) != (usd_out is None):
        raise InputError("price", "give both --price-in and --price-out")
    if usd_in is not None and usd_out is not None:
        return Price(usd_in, usd_out, "as given")
    provider = provider_of(model)
    if provider == STATISTICAL:
        return Price(0.0, 0.0, "no model is asked")
    if provider != "openai":
        raise InputError("price", f"those of provider '{provider}' are not known; {_OWN}")
    return _openai(model, base_url)


def _openai(model: str, base_url: str) -> Price:
    address = endpoint_of(model, base_url).address
    if address is not None and address.is_this_machine:
        return Price(0.0, 0.0, "the model is served by this machine")
    host, name = address.host if address else "", model.partition(":")[2]
    table = _table()
    listed = table["usd_per_million_tokens"].get(_DATED.sub("", name))
    if host != _OPENAI or listed is None:
        raise InputError("price", f"those of this model at this address are not known; {_OWN}")
    usd_in, usd_out = listed
    return Price(usd_in, usd_out, f"list prices of {table['date']}, see {table['source']}", table["date"])


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_TABLE.read_bytes())
    return table

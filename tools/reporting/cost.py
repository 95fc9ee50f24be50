"""What a run's questions to model services took, and in words."""

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ShownPrice(_Frozen):
    """A model's price.

    Attributes:
        usd_in: of a million tokens read.
        usd_out: of a million tokens written.
        source: where the prices are from.
        date: of the list, year and month; empty where there is none.
    """

    model: str
    usd_in: float = Field(ge=0)
    usd_out: float = Field(ge=0)
    source: str
    date: str = ""


class Cost(_Frozen):
    """What was asked of model services for one patient; all zero for the statistical mind.

    Attributes:
        requests: that were answered; one that was sent again is one.
        tokens_in: read by the models.
        tokens_out: written by them.
        estimated: whether a service did not tell its tokens, so that a quarter of the characters counts.
        usd: None where the price of a model is not known.
        prices: of the models asked, as far as known.
        seconds: waited for answers.
    """

    requests: int = Field(default=0, ge=0)
    tokens_in: int = Field(default=0, ge=0)
    tokens_out: int = Field(default=0, ge=0)
    estimated: bool = False
    usd: float | None = Field(default=0.0, ge=0)
    prices: tuple[ShownPrice, ...] = ()
    seconds: float = Field(default=0.0, ge=0)


def cost_in_words(cost: Cost) -> str:
    """What it took, in one line."""
    if not cost.requests:
        return "nothing, no model service was asked"
    requests = f"{cost.requests:,} request{'' if cost.requests == 1 else 's'}"
    about = " (estimated from characters)" if cost.estimated else ""
    return (
        f"{requests}, {cost.tokens_in:,} tokens in and {cost.tokens_out:,} out{about}, {money(cost)}, "
        f"{cost.seconds:,.1f} s waited"
    )


def money(cost: Cost) -> str:
    """The price in words, with where it is from."""
    if cost.usd is None:
        return "price not known (give --price-in and --price-out)"
    sources = "; ".join(dict.fromkeys(price.source for price in cost.prices))
    return f"{cost.usd:,.4f} USD{f' ({sources})' if sources else ''}"

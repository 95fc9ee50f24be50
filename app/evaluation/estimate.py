"""What a run will ask of a language model: a rehearsal with the statistical reasoner on a few patients."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agents.prices import Price, total_usd
from agents.recording import Rehearsal
from app.evaluation.patients import Work, diagnose

REHEARSED = 3  # patients of each method
_SECONDS_A_REQUEST = 1.0
_TOKENS_A_SECOND = 60.0


class Estimate(NamedTuple):
    """Of a whole run.

    Attributes:
        patients: to be computed, counted once for each method and seed.
        requests: to the service.
        tokens_in: read by the model.
        tokens_out: written by it; what a reasoning model thinks comes on top.
        usd: cost.
        dearest_usd: cost of the dearest patient rehearsed.
        seconds: with so many patients in flight at a time.
    """

    patients: int = 0
    requests: float = 0.0
    tokens_in: float = 0.0
    tokens_out: float = 0.0
    usd: float = 0.0
    dearest_usd: float = 0.0
    seconds: float = 0.0


def rehearse(work: Sequence[Work], n_patients: int, in_flight: int) -> Estimate:
    """Runs the reasoner on the case documents that a language model would read.

    Args:
        work: of one method, one patient each, at least one.
        n_patients: that the method is to compute.
        in_flight: patients at a time.
    """
    tallies, costs = [], []
    for one in work:
        rehearsal = Rehearsal()
        diagnose(one.cases[0], one.settings, rehearsal)
        tallies.append(rehearsal.tally)
        read = {model: (tally.tokens_in, tally.tokens_out) for model, tally in rehearsal.tallies.items()}
        costs.append(total_usd(one.prices, read))
    factor = n_patients / len(work)
    requests, tokens_in, tokens_out = (factor * sum(t[place] for t in tallies) for place in range(3))
    seconds = requests * _SECONDS_A_REQUEST + tokens_out / _TOKENS_A_SECOND
    usd = factor * sum(costs)
    return Estimate(n_patients, requests, tokens_in, tokens_out, usd, max(costs), seconds / in_flight)


def together(estimates: Sequence[Estimate]) -> Estimate:
    """The sum of several methods' estimates; the dearest patient is that of all."""
    sums = Estimate(*(sum(values) for values in zip(*estimates, strict=True)))
    return sums._replace(dearest_usd=max((each.dearest_usd for each in estimates), default=0.0))


def told(estimate: Estimate, prices: Mapping[str, Price]) -> str:
    """An estimate in words."""
    sources = "; ".join(dict.fromkeys(price.source for price in prices.values()))
    hours = estimate.seconds / 3600
    return (
        f"{estimate.patients:,} patients to be asked about at most: about {estimate.requests:,.0f} requests, "
        f"{estimate.tokens_in / 1e6:,.2f} million tokens in and {estimate.tokens_out / 1e6:,.2f} out, "
        f"{estimate.usd:,.2f} USD ({sources}), {hours:,.1f} hours. Answers stored before, and those "
        "that two methods share, cost nothing; what a reasoning model thinks comes on top."
    )

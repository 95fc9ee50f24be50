"""Numbers and verdicts as people read them."""

import math
import re
import unicodedata

from tools.reporting.result import Direction, EffectDirection, GraphScores, IdentifiedBy, Interval, StopReason
from tools.safety.errors import InputError

LEAST_SHARE = 0.001  # below it a share has no digit of its own

STOPPED: dict[StopReason | None, str] = {
    "unchanged": "The graph stopped changing: the last amendment moved less of it than the threshold.",
    "limit": "The limit on iterations was reached.",
    "seen": "An amendment led back to a graph that had been tried before.",
    "budget": "The budget was spent.",
    None: "The loop did not run.",
}

IDENTIFIED: dict[IdentifiedBy, str] = {
    "time": "by time",
    "score": "only by the score",
    "nothing": "not identified",
}

_SIGNS: dict[EffectDirection, str] = {"raises": "\u2191", "lowers": "\u2193", "none": "="}

_TERMINAL_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC: titles, links
    r"|\x1b[ -/]*[0-~]"
)
_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """The text without terminal sequences, control characters, direction marks and lone surrogates.

    Tabs and line feeds stay. What remains can be encoded as UTF-8 and stand in XML.
    """
    if text.isascii() and text.isprintable():
        return text
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in _TERMINAL_SEQUENCE.sub("", unified) if _is_printed(c))


def _is_printed(character: str) -> bool:
    if character in "\t\n":
        return True
    if character in _DIRECTION_MARKS or unicodedata.category(character) in {"Cc", "Cs"}:
        return False
    point = ord(character)
    is_noncharacter = point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF
    return not is_noncharacter


def number(value: float, digits: int = 1, signed: bool = False) -> str:
    """A number with thousands separators and a true minus sign.

    Raises:
        InputError: it is not finite.
    """
    if not math.isfinite(value):
        raise InputError("report", "a number to be shown is not finite; correct the estimate first")
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")
    return text.replace("-", "\u2212")


def percent(share: float) -> str:
    """A share from 0 to 1 as a percentage, with one decimal below 10%."""
    if 0 < share < LEAST_SHARE:
        return "<0.1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{number(100 * share, digits=1 if 0 < share < 0.0995 else 0)}%"


def percent_range(interval: Interval) -> str:
    """An interval of shares, such as `31% to 55%`."""
    low, high = interval
    return f"{percent(low)} to {percent(high)}"


def p_value(value: float) -> str:
    """A p-value as journals print it: `p = 0.012`, `p < 0.001` (spaces that do not break)."""
    return "p\u00a0<\u00a00.001" if value < 0.001 else f"p\u00a0=\u00a0{number(value, 3)}"


def share(confidence: float | None) -> str:
    """An edge's confidence as a percentage, or a dash where no resamples were drawn."""
    return "\u2013" if confidence is None else percent(confidence)


def sign(direction: EffectDirection) -> str:
    """What a cause does to the chance of its effect, as a sign: up, down, or equal."""
    return _SIGNS[direction]


def identified(by: IdentifiedBy) -> str:
    """What tells the direction of an edge, in a few words."""
    return IDENTIFIED[by]


def reversal(change: float | None) -> str:
    """What turning an edge round would do to the accepted score."""
    if change is None:
        return "cannot be turned round"
    return f"turned round: {number(change, signed=True)} nats"


def scored_by(scores: GraphScores) -> str:
    """The accepted score, such as `noisy_or_bic among patients of like burden`."""
    size = f" ({number(scores.ess)} equivalent patients)" if scores.method == "bdeu" else ""
    return f"{scores.method}{size}{' among patients of like burden' if scores.by_burden else ''}"


def time_counts(direction: Direction) -> str:
    """What the order of events says about an edge: counts of patients, and what onset tells."""
    return (
        f"cause first in {number(direction.cause_first, 0)}, effect first in "
        f"{number(direction.effect_first, 0)} ({p_value(direction.p_value)}); "
        f"lagged gain {number(direction.lagged_gain, signed=True)} nats"
    )

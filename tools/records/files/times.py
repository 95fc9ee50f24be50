"""Times of visits as integers."""

from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from tools.records.files.texts import Texts

_TIMESTAMP = r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"


def seconds(values: pd.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Seconds since 1970 of ISO 8601 dates and times, UTC where no offset is given.

    Args:
        values: text such as `2164-10-23`, `2164-10-23 21:09:00` or `2164-10-23T21:09:00Z`.

    Returns:
        The seconds (0 where unreadable) and which values could be read, both shape (len(values),).
    """
    codes, distinct = pd.factorize(values)
    texts = pd.Series(distinct, dtype=object).astype(str)
    shaped = texts.str.fullmatch(_TIMESTAMP).to_numpy(dtype=bool)
    parsed = pd.to_datetime(texts.where(shaped, None), format="ISO8601", errors="coerce", utc=True)
    readable = parsed.notna().to_numpy(dtype=bool)
    whole = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    return np.where(readable, whole, 0)[codes], readable[codes]


def seconds_of(texts: Texts) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The seconds of a column, 0 where there are none, and which rows could be read; see `seconds`."""
    found, readable = seconds(pd.Series(texts.distinct, dtype=object))
    return np.append(found, 0)[texts.at], np.append(readable, False)[texts.at]


def begin_of(day: date) -> int:
    """Seconds since 1970 at which a day begins, in UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())

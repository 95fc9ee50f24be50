"""What was found out of texts, kept for when they come again, in memory of a known size."""

from collections.abc import Callable
from functools import lru_cache, update_wrapper
from typing import Generic, ParamSpec, TypeVar

from tools.knowledge.cutting import MAX_PASSAGE_CHARS

MAX_CHARS = 2 * MAX_PASSAGE_CHARS  # of one call: a passage, and the names that it is read for

Given = ParamSpec("Given")
Found = TypeVar("Found")


class Remembered(Generic[Given, Found]):
    """A function of texts that keeps what it found in its last ones, but for long ones.

    A cache counts its entries, not their size: a quote that a model wrote, or a document by other means than
    ours, may be of any length. What is longer than `MAX_CHARS` in all is worked out each time.

    Args:
        function: of texts, or tuples of them.
        most: entries that are kept.
    """

    def __init__(self, function: Callable[Given, Found], most: int) -> None:
        self._plain = function
        self._kept = lru_cache(maxsize=most)(function)
        update_wrapper(self, function)

    def __call__(self, *args: Given.args, **kwargs: Given.kwargs) -> Found:
        """As the function."""
        if _n_chars((*args, *kwargs.values())) > MAX_CHARS:
            return self._plain(*args, **kwargs)
        return self._kept(*args, **kwargs)  # type: ignore[arg-type]

    @property
    def n_kept(self) -> int:
        """Entries that are kept now."""
        return self._kept.cache_info().currsize


def remembered(most: int) -> Callable[[Callable[Given, Found]], Remembered[Given, Found]]:
    """Decorates a function of texts, see `Remembered`."""
    return lambda function: Remembered(function, most)


def _n_chars(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(_n_chars, value)) if isinstance(value, tuple) else len(str(value))

"""What has been computed about one object, kept with that object and for no longer than it lives."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import TypeVar, cast

import numpy as np

T = TypeVar("T")

_SMALL = 64


def size_of(answer: object) -> int:
    """About how many bytes an answer holds: the arrays in it, at any depth of tuples."""
    if isinstance(answer, np.ndarray):
        return answer.nbytes
    return sum(map(size_of, answer), _SMALL) if isinstance(answer, tuple) else _SMALL


class Memory:
    """The most recently used answers, by key; safe to share between threads.

    Two threads that ask for one missing key may both compute it; either answer is kept.

    Args:
        most_bytes: what all answers may take together (see `size_of`); a larger one is not kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._answers: OrderedDict[Hashable, object] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._answers)

    def recall(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The answer kept under a key, or a new one. A failed computation leaves nothing behind."""
        return self.recall_all([key], lambda _places: [compute()])[0]

    def recall_all(self, keys: Sequence[Hashable], compute: Callable[[list[int]], list[T]]) -> list[T]:
        """The answers kept under some keys, those that are missing computed together.

        Args:
            keys: of the answers.
            compute: from the places in `keys` of what is missing to the answers, in that order.
        """
        with self._lock:
            found = {place: self._answers[key] for place, key in enumerate(keys) if key in self._answers}
            for place in found:
                self._answers.move_to_end(keys[place])
        missing = [place for place in range(len(keys)) if place not in found]
        for place, answer in zip(missing, compute(missing) if missing else [], strict=True):
            found[place] = answer
            self.keep(keys[place], answer)
        return [cast(T, found[place]) for place in range(len(keys))]

    def keep(self, key: Hashable, answer: object) -> None:
        """Keep an answer; the least recently used ones make room."""
        with self._lock:
            self._bytes += size_of(answer) - (size_of(self._answers[key]) if key in self._answers else 0)
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while self._bytes > self.most_bytes:
                self._bytes -= size_of(self._answers.popitem(last=False)[1])

"""What has been computed about one object, kept with that object and for no longer than it lives."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar, cast

T = TypeVar("T")


class Memory:
    """The most recently used answers, by key; safe to share between threads.

    Two threads that ask for one missing key may both compute it; either answer is kept.

    Args:
        size: most answers kept.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._answers: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._answers)

    def recall(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The answer kept under a key, or a new one. A failed computation leaves nothing behind."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return cast(T, self._answers[key])
        answer = compute()
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > self.size:
                self._answers.popitem(last=False)
        return answer

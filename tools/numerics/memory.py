"""What has been computed about one object, kept with that object and for no longer than it lives."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import TypeVar, cast

import numpy as np

from tools.numerics.rows import Bool, Float, Int64, Rows

T = TypeVar("T")
_NO_ROWS = Rows()
_MISSING = object()

_HEAD = 64  # of an array, a tuple or a string of bytes, about
_ITEM = 40  # a number or a word, and the pointer to it


def size_of(thing: object) -> int:
    """About how many bytes something holds: arrays, and tuples of any depth with what is in them."""
    if isinstance(thing, tuple):
        return sum(map(size_of, thing), _HEAD)
    if isinstance(thing, np.ndarray):
        return thing.nbytes + _HEAD
    return len(thing) + _HEAD if isinstance(thing, bytes) else _ITEM


class Memory:
    """The most recently used answers, by key; safe to share between threads.

    Two threads that ask for one missing key may both compute it; either answer is kept.

    Args:
        most_bytes: what all answers and their keys may take together (see `size_of`).
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._answers: OrderedDict[Hashable, object] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._answers)

    def recall(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The answer kept under a key, or a new one. A failed computation leaves nothing behind."""
        with self._lock:
            if (found := self._answers.get(key, _MISSING)) is not _MISSING:
                self._answers.move_to_end(key)
                return cast(T, found)
        answer = compute()
        self.keep(key, answer)
        return answer

    def recall_all(self, keys: Sequence[Hashable], compute: Callable[[list[int]], list[T]]) -> list[T]:
        """The answers kept under some keys, those that are missing computed together.

        Args:
            keys: of the answers.
            compute: from the places in `keys` of what is missing, each key once, to the answers in order.
        """
        with self._lock:
            found = {place: self._answers[key] for place, key in enumerate(keys) if key in self._answers}
            for place in found:
                self._answers.move_to_end(keys[place])
        missing = {keys[place]: place for place in reversed(range(len(keys))) if place not in found}
        places = sorted(missing.values())
        new = dict(zip((keys[place] for place in places), compute(places) if places else [], strict=True))
        for key, answer in new.items():
            self.keep(key, answer)
        return [cast(T, found[place]) if place in found else new[key] for place, key in enumerate(keys)]

    def recall_rows(
        self, keys: Sequence[Hashable], numbers: Sequence[Int64], compute: Callable[[list[Bool]], Float]
    ) -> list[Float]:
        """Some rows of the table kept under each key, those that are missing computed together.

        A table grows by what is asked for, so that askers share the rows that they have in common.

        Args:
            keys: of the tables, each once.
            numbers: of the rows of each table, each once, shape (n_rows,).
            compute: from which rows of each table are missing, shape (n_rows,), to these rows, table by
                table in the order asked for, shape (n_missing, ...).

        Returns:
            For each key its rows in the order asked for, shape (n_rows, ...).
        """
        with self._lock:
            tables = [cast(Rows, self._answers.get(key, _NO_ROWS)) for key in keys]
            for key in keys:
                if key in self._answers:
                    self._answers.move_to_end(key)
        places = [table.places(asked) for table, asked in zip(tables, numbers, strict=True)]
        missing = [place < 0 for place in places]
        n_missing = [int(np.count_nonzero(lacking)) for lacking in missing]
        every, found, end = compute(missing) if any(n_missing) else np.zeros(0), [], 0
        for key, table, asked, place, lacking, n in zip(
            keys, tables, numbers, places, missing, n_missing, strict=True
        ):
            new = every[end : (end := end + n)]
            if n == len(asked):
                rows = new
            else:
                rows = table.values[place]
                if n:
                    rows[lacking] = new
            if n:
                self.keep(key, table.joined(asked[lacking], new))
            found.append(rows)
        return found

    def keep(self, key: Hashable, answer: object) -> None:
        """Keep an answer; the least recently used ones make room, and one too large for all goes at once."""
        size = size_of(key) + size_of(answer)
        with self._lock:
            self._bytes += size - self._sizes.pop(key, 0)
            self._sizes[key] = size
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while self._bytes > self.most_bytes:
                gone, _ = self._answers.popitem(last=False)
                self._bytes -= self._sizes.pop(gone)

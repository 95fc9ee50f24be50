"""What has been computed about one object, kept with that object and for no longer than it lives."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import TypeVar, cast

import numpy as np

from tools.numerics.rows import Bool, Float, Int64, Rows

T = TypeVar("T")
_NONE = np.zeros(0)
_MISSING = object()

_HEAD = 64  # of an array, a tuple or a string of bytes, about
_PLAIN = {int, float, str, bool, type(None)}
_ITEM = 40  # a number or a word, and the pointer to it


def size_of(thing: object) -> int:
    """About how many bytes something holds: arrays, and tuples of any depth with what is in them."""
    if isinstance(thing, tuple):
        total = _HEAD
        for part in thing:
            total += _ITEM if type(part) in _PLAIN else size_of(part)
        return total
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
        found = self._kept(keys)
        places = [place for place, answer in enumerate(found) if answer is _MISSING]
        if places:
            first = {keys[place]: place for place in reversed(places)}
            places_once = sorted(first.values())
            new = dict(zip((keys[place] for place in places_once), compute(places_once), strict=True))
            for key, answer in new.items():
                self.keep(key, answer)
            for place in places:
                found[place] = new[keys[place]]
        return cast("list[T]", found)

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
        tables, found, missing = self._kept(keys), list[Float](), list[Bool]()
        for table, asked in zip(tables, numbers, strict=True):
            rows, lacking = (
                table.some(asked) if isinstance(table, Rows) else (_NONE, np.ones(len(asked), np.bool_))
            )
            found.append(rows)
            missing.append(lacking)
        n_missing = [int(np.count_nonzero(lacking)) for lacking in missing]
        if not any(n_missing):
            return found
        every, end = compute(missing), 0
        for place, n in enumerate(n_missing):
            if not n:
                continue
            new, table, lacking = every[end : (end := end + n)], tables[place], missing[place]
            if isinstance(table, Rows):
                found[place][lacking] = new
                self.keep(keys[place], table.joined(numbers[place][lacking], new))
            else:
                found[place] = new
                self.keep(keys[place], Rows.of(numbers[place], new))
        return found

    def _kept(self, keys: Sequence[Hashable]) -> list[object]:
        """What is kept under some keys, used now."""
        with self._lock:
            found = [self._answers.get(key, _MISSING) for key in keys]
            for key, answer in zip(keys, found, strict=True):
                if answer is not _MISSING:
                    self._answers.move_to_end(key)
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

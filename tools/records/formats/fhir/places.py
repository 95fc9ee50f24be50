"""What both ways of exporting FHIR share: where a resource stands, what is wrong, what is left out."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tools.records.faults import Faults, counted
from tools.records.files.opening import UNREADABLE, damage, open_text

Json = dict[str, Any]
_PIECE = 1 << 20


class Named(NamedTuple):
    """What a reference leads to: a resource type such as `Patient`, and the id."""

    type: str
    id: str


class Found(NamedTuple):
    """A resource and where it stands.

    Attributes:
        file: its number, see `Reading.begin`.
        row: 1-based line of a bulk file, or entry of a bundle.
        resource: as parsed; nothing of it has been checked but that it is an object with a resourceType.
        id: of the resource, or what its fullUrl says where it has none; empty where neither does.
        full_urls: what the references of its bundle that are no `Type/id` lead to.
    """

    file: int
    row: int
    resource: Json
    id: str
    full_urls: Mapping[str, Named]


class Reading:
    """Faults by file, row and element, and counts of what was left out or amended."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._labels: list[str] = []
        self._counts: Counter[tuple[str, str]] = Counter()

    def begin(self, label: str) -> int:
        """A number for a file, by the name that faults call it."""
        self._labels.append(label)
        return len(self._labels) - 1

    def note(self, file: int, row: int, path: str, rule: str) -> None:
        """Note that an element breaks a rule."""
        self.faults.add(row, f"{self._labels[file]}: {path}", rule)

    def count(self, noun: str, what: str, number: int = 1) -> None:
        """Count something that a notice will tell: `3 conditions` (the noun), and what became of them."""
        if number:
            self._counts[noun, what] += number

    @property
    def notices(self) -> tuple[str, ...]:
        """What was counted, in words, by alphabet."""
        told = sorted(self._counts.items())
        return tuple(f"{counted(number, noun)} {what}" for (noun, what), number in told)

    def parse(self, text: str, file: int, row: int) -> Json | None:
        """An object of JSON that says its resourceType; otherwise a fault is noted, and None comes back."""
        try:
            found = json.loads(text)
        except RecursionError:
            self.note(file, row, "(JSON)", "nested too deep for a FHIR resource")
        except ValueError:  # also a number of thousands of digits
            self.note(file, row, "(JSON)", "not JSON; export it again")
        else:
            if isinstance(found, dict) and isinstance(found.get("resourceType"), str):
                return found
            self.note(file, row, "(JSON)", "not a FHIR resource: an object with a resourceType")
        return None

    def pieces(self, path: Path, file: int, *, longest: int, by_line: bool, step: str) -> Iterator[str]:
        """The text of a file line by line, or in pieces; what cannot be read ends it and is a fault.

        Args:
            path: the file.
            file: its number.
            longest: characters of a line, or of the whole file, at most.
            by_line: lines, otherwise pieces of a million characters.
            step: what to do about what is longer.

        Raises:
            InputError: the file cannot be opened.
        """
        row, length = 0, 0
        with open_text(path, "records") as stream:
            while True:
                try:
                    piece = stream.readline(longest + 1) if by_line else stream.read(_PIECE)
                except UNREADABLE:
                    self.note(file, row + 1, "(file)", damage(path))
                    return
                if not piece:
                    return
                row, length = row + by_line, len(piece) + (0 if by_line else length)
                if length > longest:
                    self.note(file, max(row, 1), "(file)", f"longer than {longest:,} characters; {step}")
                    return
                if not (piece.isascii() or is_unicode(piece)):
                    self.note(file, max(row, 1), "(file)", "not UTF-8; save the file in that encoding")
                    piece = ""  # keeps its number, and is passed over as an empty line is
                yield piece


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: it holds no lone surrogate."""
    return not any("\ud800" <= character <= "\udfff" for character in text)

"""Whether an audit log is as it was written, and else at which line it is not."""

from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from tools.safety.audit import NOTHING_BEFORE, AuditError, AuditLog, Mark, read_entry, read_head, sealed

_TORN = "torn: written in part, as by a crash; the next line that is logged will say so"


class Fault(NamedTuple):
    """The first line, counted from 1, at which a log is not as it was written."""

    line: int
    what: str


class Checked(NamedTuple):
    """What became of a log.

    Attributes:
        lines: in the file.
        head: hash of the last whole line; zeros where there is none.
        fault: where it was changed, if it was.
        torn: lines that a crash left unfinished, as the lines after them say.
        knows_its_end: whether the number of lines was kept beside it; else lines cut from its end are not
            missed.
    """

    lines: int
    head: str
    fault: Fault | None
    torn: tuple[int, ...]
    knows_its_end: bool


def verify(path: Path, kept: str | None = None) -> Checked:
    """Follows the chain of hashes from the first line to the last.

    Args:
        path: of the log; what stands beside it is read too.
        kept: hash of a line that was kept elsewhere; it must be in the log.

    Raises:
        AuditError: there is no log, or it cannot be read.
    """
    try:
        # The head first: who logs meanwhile adds lines, and the head of fewer is in the log all the same.
        head = read_head(AuditLog(path).head)
        check = _Check(head, kept)
        with path.open("rb") as file:
            fault = next((fault for n, line in enumerate(file, 1) if (fault := check.line(n, line))), None)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    return Checked(check.n, check.last.hash, fault or check.end(), tuple(check.torn), head is not None)


def latest(path: Path, n: int) -> list[dict[str, Any]]:
    """The last entries of a log, oldest first, not verified.

    Raises:
        AuditError: there is no log, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return list(deque(_entries(file), maxlen=n))
    except OSError as error:
        raise _unreadable(path, error) from None


def _entries(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    return (entry for line in lines if (entry := read_entry(line)) is not None)


def _unreadable(path: Path, error: OSError | ValueError) -> AuditError:
    reason = getattr(error, "strerror", None) or "it is no file's name"
    return AuditError(f"audit log {path.name}: cannot be read ({reason}); name a log that can")


class _Check:
    def __init__(self, head: Mark | None, kept: str | None) -> None:
        self.head, self.kept = head, kept
        self.n, self.last = 0, Mark(0, NOTHING_BEFORE)
        self.torn: list[int] = []
        self.unread: list[bytes] = []
        self.at_head = ""

    def line(self, n: int, line: bytes) -> Fault | None:
        """Goes on by a line; what is wrong with it, or with those before it that were no lines of a log."""
        self.n = n
        entry = read_entry(line) if line.endswith(b"\n") else None
        if entry is None:
            self.unread.append(line)
            return None
        fault = self._unread(n, entry) or self._chained(n, line, entry)
        self.last = Mark(n, entry["hash"])
        if self.head is not None and n == self.head.line:
            self.at_head = entry["hash"]
        if entry["hash"] == self.kept:
            self.kept = None
        return fault

    def end(self) -> Fault | None:
        """What is missing, or changed, at the end."""
        head = self.head
        if self.unread:
            first = self.last.line + 1
            was_whole = head is not None and head.line >= first
            return Fault(first, "edited: it was a whole line" if was_whole else _TORN)
        if head is not None and head.line > self.last.line:
            return Fault(self.last.line + 1, f"cut: the log had {head.line:,} lines")
        if head is not None and self.at_head != head.hash:
            return Fault(head.line, "edited, and its hash with it: another one is kept beside the log")
        if self.kept is not None:
            return Fault(
                max(self.n, 1), "no line of the log has the hash that you kept: it was cut or written anew"
            )
        return None

    def _unread(self, n: int, entry: dict[str, Any]) -> Fault | None:
        unread, self.unread = self.unread, []
        left = b"".join(unread).rstrip(b"\n")
        vouched = sha256(left).hexdigest() if unread else None
        if entry.get("torn") == vouched:
            self.torn += range(n - len(unread), n)
            return None
        if unread:
            return Fault(n - len(unread), "edited: it is no line of a log, and no crash is noted after it")
        return Fault(n, "cut: what a crash had left before it is gone")

    def _chained(self, n: int, line: bytes, entry: dict[str, Any]) -> Fault | None:
        words = {name: value for name, value in entry.items() if name != "hash"}
        if sealed(words) != line:
            return Fault(n, "edited: its words are not those of its hash")
        if entry["line"] > n:
            return Fault(n, f"cut or reordered: line {entry['line']:,} of the log stands here")
        if entry["line"] < n or entry.get("previous") != self.last.hash:
            return Fault(n, "does not follow the line before: that was edited, cut or put elsewhere")
        return None

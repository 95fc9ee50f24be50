"""What was sent, asked and curated, in an append-only log that tells where it was changed.

    audit.jsonl         one JSON object a line, each with the hash of the one before
    audit.jsonl.head    number and hash of the last line, so that lines cut from the end are missed
    audit.jsonl.salt    the random salt of its pseudonyms

A line names no patient: what belongs to one is a pseudonym, the beginning of its HMAC-SHA256 under the salt.
A chain of hashes does not protect from somebody who may rewrite all three files: keep the head elsewhere too.
"""

import fcntl
import getpass
import hmac
import json
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from tools.safety.errors import IikeaError
from tools.safety.files import write_whole

VARIABLE = "IIKEA_AUDIT_LOG"
NOTHING_BEFORE = "0" * 64
_TAIL_BYTES = 4 * 1024
_WAIT_S = 30.0
_STEP_S = 0.005
_SALT_BYTES = 32
_PSEUDONYM_CHARACTERS = 32
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")  # whose values `getpass` takes before the system's
_TURN = threading.Lock()


class AuditError(IikeaError):
    """The audit log cannot be written or read; what was to be logged is not done."""


class Mark(NamedTuple):
    """A line of the log: its number, from 1, and its hash."""

    line: int
    hash: str


class AuditLog:
    """The log at a path, for any number of threads and processes.

    Args:
        path: of the log; its folder and what stands beside it are made when they are needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = path.with_name(f"{path.name}.head")
        self.salt = path.with_name(f"{path.name}.salt")

    def append(self, event: str, **fields: Any) -> int:  # noqa: ANN401
        """Writes a line and has the disk keep it before it returns.

        Args:
            event: what happened.
            fields: JSON-native; nothing of a patient but pseudonyms.

        Returns:
            The number of the line.

        Raises:
            AuditError: it cannot be written.
        """
        told = {**fields, "event": event, "time": _now(), "user": _user()}
        with self._held() as descriptor:
            size = os.fstat(descriptor).st_size
            last, rest = _last(descriptor, size)
            entry = told | _place(last, rest, read_head(self.head))
            mark, line = _sealed(entry)
            try:
                is_open = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                _write(descriptor, b"\n" * is_open + line)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            write_whole(self.head, json.dumps(mark._asdict()).encode() + b"\n")
        return mark.line

    def require_place(self) -> None:
        """Looks whether the log can be written, without a line.

        Raises:
            AuditError: it cannot.
        """
        with self._held():
            pass

    def pseudonym(self, kind: str, value: str) -> str:
        """What stands in the log for a value that may tell of a patient; the same for the same value.

        Args:
            kind: of the value: pseudonyms of different kinds cannot be compared.
            value: never written.

        Raises:
            AuditError: the salt cannot be read or made.
        """
        told = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._salted(), told, sha256).hexdigest()[:_PSEUDONYM_CHARACTERS]

    def _salted(self) -> bytes:
        if not self.salt.exists():
            is_late = False
            with self._held() as descriptor:
                if not self.salt.exists():
                    write_whole(self.salt, secrets.token_hex(_SALT_BYTES).encode())
                    is_late = os.fstat(descriptor).st_size > 0
            if is_late:
                self.append("salt made", note="pseudonyms from here on are not those of earlier lines")
        try:
            salt = bytes.fromhex(self.salt.read_text("ascii"))
        except (OSError, ValueError):
            salt = b""
        if len(salt) != _SALT_BYTES:
            raise AuditError(
                f"audit log: {self.salt.name} is damaged; restore it, or name another {VARIABLE}"
            )
        return salt

    @contextmanager
    def _held(self) -> Iterator[int]:
        """The open log, locked against every other writer."""
        try:
            # Threads wait in a queue: hundreds that try for the file's lock by turns starve each other.
            with _TURN, self._locked() as descriptor:
                yield descriptor
        except OSError as error:
            rule = f"cannot be written to ({error.strerror}); mend that, or name another file by {VARIABLE}"
            raise AuditError(f"audit log {self.path.name}: {rule}") from None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            descriptor = os.open(self.path, _FLAGS, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, _FLAGS, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(0, "it is no file")
            _lock(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)


def audit_log() -> AuditLog:
    """The log of this user: IIKEA_AUDIT_LOG, else iikea/audit.jsonl in $XDG_STATE_HOME or ~/.local/state.

    Raises:
        AuditError: what is named is no file's name, or this user has no home.
    """
    named, state = os.environ.get(VARIABLE), os.environ.get("XDG_STATE_HOME", "")
    try:
        if named:
            return AuditLog(Path(named).expanduser())
        folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
        return AuditLog(folder / "iikea" / "audit.jsonl")
    except (RuntimeError, ValueError):
        rule = "is no file's name" if named else "has no place, for this user has no home"
        raise AuditError(f"audit log: {rule}; name a file by {VARIABLE}") from None


def sealed(entry: dict[str, Any]) -> bytes:
    """An entry as its line: canonical JSON with the sha256 of the same without it."""
    return _sealed(entry)[1]


def read_entry(line: bytes) -> dict[str, Any] | None:
    """What a line says, its hash not compared; None for one that is no line of a log."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_one = (
        isinstance(entry, dict) and isinstance(entry.get("line"), int) and isinstance(entry.get("hash"), str)
    )
    return entry if is_one else None


def read_head(path: Path) -> Mark | None:
    """The mark that is kept beside a log, if there is one."""
    entry = read_entry(path.read_bytes()) if path.is_file() else None
    return Mark(entry["line"], entry["hash"]) if entry else None


def _sealed(entry: dict[str, Any]) -> tuple[Mark, bytes]:
    digest = sha256(_canonical(entry)).hexdigest()
    return Mark(entry["line"], digest), _canonical(entry | {"hash": digest}) + b"\n"


def _canonical(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":")).encode("ascii")


def _place(last: Mark, rest: bytes, head: Mark | None) -> dict[str, Any]:
    """Number and predecessor of the next line; what a crash left of one is vouched for by its hash.

    Where the head knows of later lines than there are, the next one follows those, so that they are missed.
    """
    if head is not None and head.line > last.line:
        return {"line": head.line + 1, "previous": head.hash}
    torn = rest.rstrip(b"\n")
    if not torn:
        return {"line": last.line + 1, "previous": last.hash}
    lines = torn.count(b"\n") + 1
    return {"line": last.line + lines + 1, "previous": last.hash, "torn": sha256(torn).hexdigest()}


def _last(descriptor: int, size: int) -> tuple[Mark, bytes]:
    """The last line that is one, and the bytes after it."""
    tail = _TAIL_BYTES
    while True:
        start = max(size - tail, 0)
        read = os.pread(descriptor, size - start, start)
        end = len(read)
        while end > 0:
            begin = read.rfind(b"\n", 0, end - 1) + 1
            if begin == 0 and start > 0:
                break
            entry = read_entry(read[begin:end])
            if entry is not None:
                return Mark(entry["line"], entry["hash"]), read[end:]
            end = begin
        if start == 0:
            return Mark(0, NOTHING_BEFORE), read
        tail *= 4


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _lock(descriptor: int) -> None:
    end = time.monotonic() + _WAIT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise OSError(0, f"another process has held it for {_WAIT_S:.0f} s") from None
        time.sleep(_STEP_S)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _user() -> str:
    return _name_of(os.getuid(), tuple(map(os.environ.get, _NAMES)))


@lru_cache(maxsize=4)
def _name_of(uid: int, _named: tuple[str | None, ...]) -> str:
    """What the system calls a user, who is looked up once and not for every line."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {uid}"

"""Files that are whole or not there."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

DRAFT_PREFIX = ".draft-"
PRIVATE = 0o600
PUBLIC = 0o644


def write_whole(target: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Writes a file; an earlier one stays whole until the new one is, and a link of its name is replaced.

    Args:
        target: in a folder that exists; a killed process may leave a file there named `DRAFT_PREFIX...`.
        content: of the file.
        mode: who may read it; without it, its owner alone.

    Raises:
        OSError: the system refuses.
    """
    _written(target, content, mode, Path.replace)


def write_first(target: Path, content: bytes) -> None:
    """Writes a file of its owner alone; one of the name that is there, of a quicker process, stays.

    Args:
        target: as for `write_whole`.
        content: of the file.

    Raises:
        OSError: the system refuses.
    """
    with suppress(FileExistsError):
        _written(target, content, PRIVATE, _linked)


def _written(target: Path, content: bytes, mode: int, named: Callable[[Path, Path], object]) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=DRAFT_PREFIX)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        named(Path(name), target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _linked(draft: Path, target: Path) -> None:
    target.hardlink_to(draft)
    draft.unlink()

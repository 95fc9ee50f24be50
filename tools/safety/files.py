"""Files that are whole or not there."""

import os
import tempfile
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
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=DRAFT_PREFIX)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
